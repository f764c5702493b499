/* once.h -- numbers of the caller that become addresses.  They are checked first, but another thread may write to them
 * during the call: so they are read once where they are used, and kept within bounds there.
 */
#ifndef FASTCLF_ONCE_H
#define FASTCLF_ONCE_H

#include <stddef.h>
#include <stdint.h>

/* What is in memory now; a compiler may not read it again later. */
#define FC_ONCE(value) (*(const volatile __typeof__(value) *)&(value))

/* A number that was checked to be in 0 to n - 1, n > 0: made sure to be so again. */
static inline size_t fc_within(int64_t value, size_t n) { return (uint64_t)value < n ? (size_t)value : n - 1; }

#endif
