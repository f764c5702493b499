/* spin.h -- waits too short to sleep. */
#ifndef FASTCLF_SPIN_H
#define FASTCLF_SPIN_H

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* About as long as a sleep may take: who waits less does not fall asleep. */
enum { FC_SPINS = 5000 };

/* Let the other thread of a core have it for a moment. */
static inline void fc_relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
