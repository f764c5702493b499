/* crew.c -- OpenMP's threads for a call. */
#include "core/crew.h"

#include <stdlib.h>

#include "core/cpu.h"

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>

static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* GNU's OpenMP ends the process when it cannot make a thread.  So when this thread's pool is to have more threads than
 * ever, find out how many can be made.
 */
static int at_most_startable(int n_threads) {
    static _Thread_local int started = 1;
    if (n_threads > omp_get_thread_limit()) n_threads = omp_get_thread_limit();
    if (n_threads <= started) return n_threads;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *probes = malloc((size_t)n_threads * sizeof *probes);
    int n = 1; /* the caller's own */
    pthread_mutex_lock(&gate);
    while (probes && n < n_threads && pthread_create(&probes[n], NULL, wait_at, &gate) == 0) n++;
    pthread_mutex_unlock(&gate);
    for (int i = 1; i < n; i++) pthread_join(probes[i], NULL);
    pthread_mutex_destroy(&gate);
    free(probes);
    if (n == n_threads) started = n;
    return n;
}

void fc_run_crew(int n_threads, fc_crew_member *member, void *of) {
    n_threads = at_most_startable(n_threads);
    if (n_threads <= 1) {
        member(of, 0, 1);
        return;
    }
#pragma omp parallel num_threads(n_threads)
    member(of, omp_get_thread_num(), omp_get_num_threads());
}

int fc_crew_limit(void) {
    int n = omp_get_max_threads();
    if (omp_get_thread_limit() < n) n = omp_get_thread_limit();
    return fc_own_cpus() < n ? fc_own_cpus() : n;
}
#endif
