#define _GNU_SOURCE
#include "cpu.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* AMX's tile registers are 8 KiB that Linux saves only for processes that have asked for them.  This asks, for the
 * whole process and for good.  Linux says no while a thread has a signal stack that would not hold them; once it has
 * said yes, it refuses such stacks.
 */
static int ask_for_amx(void) {
    enum { TILE = 1 << 24, INT8 = 1 << 25, ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & TILE) || !(d & INT8)) return 0;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
}
#else
static int ask_for_amx(void) { return 0; }
#endif

static unsigned features(void) {
    unsigned found = 0;
#if defined(__x86_64__)
    /* These builtins read CPUID and XGETBV: registers that the system does not save do not count. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found |= FC_CPU_AVX2;
    if ((found & FC_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found |= FC_CPU_AVX512;
    if (__builtin_cpu_supports("avx512vnni")) found |= FC_CPU_VNNI;
#elif defined(__aarch64__)
    found |= FC_CPU_NEON; /* part of the base architecture */
#endif
    return found;
}

int fc_cpu_has(unsigned needs) {
    const unsigned missing = needs & ~features(); /* ask for AMX only where nothing else is missing */
    return missing == 0 || (missing == FC_CPU_AMX && ask_for_amx());
}
