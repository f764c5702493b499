/* crew.h -- the threads of one call: OpenMP's where the compiler has it (crew.c), else those of a pool (pool.c). */
#ifndef FASTCLF_CREW_H
#define FASTCLF_CREW_H

typedef void fc_crew_member(void *of, int thread, int threads);

/* Run `member` on up to n_threads threads, and return when all have returned.  `thread` counts from 0, which is the
 * thread that called; `threads` is how many there are.
 */
void fc_run_crew(int n_threads, fc_crew_member *member, void *of);

/* The most threads that a call uses unless it is told: as the environment says, but no more than there are CPUs. */
int fc_crew_limit(void);

#endif
