#include "cpu.h"

unsigned fc_cpu_features(void) {
    unsigned features = 0;
#if defined(__x86_64__)
    /* These builtins read CPUID and XGETBV: registers that the system does not save do not count. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) features |= FC_CPU_AVX2;
    if ((features & FC_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        features |= FC_CPU_AVX512;
    if (__builtin_cpu_supports("avx512vnni")) features |= FC_CPU_VNNI;
#elif defined(__aarch64__)
    features |= FC_CPU_NEON; /* part of the base architecture */
#endif
    return features;
}
