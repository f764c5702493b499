#define _GNU_SOURCE
#include "core/cpu.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif
#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#endif

#ifdef __x86_64__
#include <cpuid.h>

/* Features by their bits in CPUID's registers. */
enum { OSXSAVE = 1 << 27, FMA = 1 << 12, F16C = 1 << 29 };            /* leaf 1, ecx */
enum { AVX2 = 1 << 5, AVX512_F_DQ = 1 << 16 | 1 << 17 };              /* leaf 7, ebx */
static const unsigned AVX512_BW_VL = 1u << 30 | 1u << 31;             /* leaf 7, ebx */
enum { VNNI = 1 << 11, AMX_TILE_INT8 = 1 << 24 | 1 << 25 };           /* leaf 7, ecx and edx */
enum { YMM_STATE = 1 << 1 | 1 << 2, ZMM_STATE = YMM_STATE | 7 << 5 }; /* registers that the system saves */

static int has_bits(unsigned of, unsigned bits) { return (of & bits) == bits; }

/* The registers that the system saves when it lets another thread run.  Those that it does not save do not count. */
static unsigned saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
#ifdef __APPLE__
    if (has_bits(low, YMM_STATE)) low |= ZMM_STATE; /* macOS begins to save these when they are first used */
#endif
    return low;
}

static unsigned features(void) {
    unsigned found = 0, a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has_bits(c, OSXSAVE | FMA | F16C)) return 0;
    const unsigned saved = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (has_bits(saved, YMM_STATE) && has_bits(b, AVX2)) found |= FC_CPU_AVX2;
    if (!found || !has_bits(saved, ZMM_STATE)) return found;
    if (has_bits(b, AVX512_F_DQ | AVX512_BW_VL)) found |= FC_CPU_AVX512;
    if (has_bits(b, AVX512_F_DQ) && has_bits(c, VNNI)) found |= FC_CPU_VNNI;
    return found;
}
#elif defined(__aarch64__)
static unsigned features(void) { return FC_CPU_NEON; } /* part of the base architecture */
#else
static unsigned features(void) { return 0; }
#endif

#if defined(__x86_64__) && defined(__linux__)
/* AMX's tile registers are 8 KiB that Linux saves only for processes that have asked for them.  This asks, for the
 * whole process and for good.  Linux says no while a thread has a signal stack that would not hold them; once it has
 * said yes, it refuses such stacks.
 */
static int ask_for_amx(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has_bits(d, AMX_TILE_INT8)) return 0;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
}
#else
static int ask_for_amx(void) { return 0; }
#endif

int fc_cpu_has(unsigned needs) {
    const unsigned missing = needs & ~features(); /* ask for AMX only where nothing else is missing */
    return missing == 0 || (missing == FC_CPU_AMX && ask_for_amx());
}

int fc_cpus(void) {
#ifdef _WIN32
    SYSTEM_INFO machine;
    GetSystemInfo(&machine);
    const long n = (long)machine.dwNumberOfProcessors;
#else
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return n > 0 ? (int)n : 1;
}

int fc_own_cpus(void) {
    const int all = fc_cpus();
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < all) return CPU_COUNT(&set);
#endif
    return all;
}
