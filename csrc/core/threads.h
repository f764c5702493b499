/* threads.h -- run a body on several threads, hand out tasks, and stop early when the caller says so. */
#ifndef FASTCLF_THREADS_H
#define FASTCLF_THREADS_H

#include "fastclf.h"

typedef struct fc_team fc_team;

static const double FC_POLL_SECONDS = 0.02; /* between two looks at signals */

/* Run `body` once on each of up to run.n_threads threads, which take their work from fc_next_task.  `thread` counts
 * from 0. */
fc_status fc_parallel(fc_run run, size_t tasks, void (*body)(void *job, fc_team *team, int thread), void *job);

/* How many of n_threads are worth starting for `work` multiplications. */
int fc_threads_for(int n_threads, double work);

/* The next task's number, for as long as *task < tasks; false at the end or when the team has stopped. */
int fc_next_task(fc_team *team, size_t *task);

/* Whether to give up; to be asked every few milliseconds, as once in fc_stop_interval rows. */
int fc_stopped(fc_team *team, int thread);

/* Whether a signal has ended the call that this thread works for.  It is for loops too deep to know their team, to be
 * asked as often.  What they leave undone is thrown away.
 */
__attribute__((cold)) int fc_interrupted(void);

/* How many rows are summed over their features between two questions: about a million features. */
static inline size_t fc_stop_interval(size_t cols) { return 1 + ((size_t)1 << 20) / (cols + 64); }

/* Seconds of a clock that never goes back. */
double fc_now(void);

/* Stop everyone; fc_parallel returns `status`. */
void fc_stop(fc_team *team, fc_status status);

#endif
