/* threads.c -- what OpenMP lacks: tasks that can be abandoned, signals served while a call runs, and a life after
 * fork().
 *
 * GNU's OpenMP keeps its pool of threads with the thread that opened it, and the pool's threads do not survive a fork:
 * the next parallel region of the child waits for them for ever.  A region opened by a new thread gets a new pool, so
 * with OpenMP, in a forked child, the work is led by a thread made for the call.
 */
#define _GNU_SOURCE
#include "core/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "core/cpu.h"
#include "core/crew.h"
#include "core/spin.h"

struct fc_team {
    atomic_size_t next;
    size_t tasks;
    atomic_int status; /* fc_status; anything but FC_OK stops the team */
    atomic_int done;   /* threads that have finished, or FINISHED */
    int n_threads;
    int polls; /* thread 0 is the caller's, so that it may poll */
    int (*poll)(void);
    double next_poll;
    void (*body)(void *, fc_team *, int);
    void *job;
};

/* The team that a thread works for, and its number there. */
static _Thread_local struct {
    fc_team *team;
    int thread;
} at_work;

/* Waking a thread costs some microseconds: it should save as much. */
static const double WORK_PER_THREAD = 4e6;

double fc_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(void) {
    const struct timespec t = {.tv_nsec = 100000};
    nanosleep(&t, NULL);
}

/* Whether this process began as a fork: another library may have opened a pool before, in the same thread.  Linux keeps
 * it among the flags of the process; other systems' OpenMP lives on after a fork.
 */
static int began_as_a_fork(void) {
#ifdef __linux__
    const unsigned forked_no_exec = 0x40; /* PF_FORKNOEXEC */
    unsigned flags = forked_no_exec;      /* where nobody knows */
    char line[512] = "";
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return 1;
    const size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    const char *name_end = strrchr(line, ')'); /* a name may hold anything */
    if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return 1;
    return (flags & forked_no_exec) != 0;
#else
    return 0;
#endif
}

static pid_t home; /* the process that loaded the library, if no pool can have been lost in it */
__attribute__((constructor)) static void remember_home(void) { home = began_as_a_fork() ? 0 : getpid(); }

int fc_was_forked(void) { return getpid() != home; }

void fc_stop(fc_team *team, fc_status status) {
    int expected = FC_OK;
    atomic_compare_exchange_strong(&team->status, &expected, (int)status);
}

static void poll_now_and_then(fc_team *team) {
    if (!team->poll || fc_now() < team->next_poll) return;
    if (team->poll()) fc_stop(team, FC_INTERRUPTED);
    team->next_poll = fc_now() + FC_POLL_SECONDS;
}

int fc_stopped(fc_team *team, int thread) {
    if (thread == 0 && team->polls) poll_now_and_then(team);
    return atomic_load_explicit(&team->status, memory_order_relaxed) != FC_OK;
}

int fc_interrupted(void) {
    if (!at_work.team) return 0;
    fc_stopped(at_work.team, at_work.thread);
    return atomic_load_explicit(&at_work.team->status, memory_order_relaxed) == FC_INTERRUPTED;
}

int fc_next_task(fc_team *team, size_t *task) {
    if (atomic_load(&team->status) != FC_OK) return 0;
    *task = atomic_fetch_add(&team->next, 1);
    return *task < team->tasks;
}

/* The floating-point mode: round to nearest, keep subnormals, mask exceptions. */
#if defined(__x86_64__)
typedef unsigned fp_mode;
static fp_mode get_mode(void) { return _mm_getcsr(); }
static void set_mode(fp_mode mode) { _mm_setcsr(mode); }
static const fp_mode IEEE_MODE = 0x1f80;
#elif defined(__aarch64__)
typedef uint64_t fp_mode;
static fp_mode get_mode(void) {
    fp_mode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void set_mode(fp_mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
static const fp_mode IEEE_MODE = 0;
#else
typedef int fp_mode;
static fp_mode get_mode(void) { return 0; }
static void set_mode(fp_mode mode) { (void)mode; }
static const fp_mode IEEE_MODE = 0;
#endif

/* The caller's thread has run out of tasks: go on serving signals until the others have. */
static void wait_for_others(fc_team *team, int threads) {
    for (int spins = 0; atomic_load(&team->done) < threads; spins++) {
        if (spins < FC_SPINS) {
            fc_relax();
            continue;
        }
        fc_stopped(team, 0);
        nap();
    }
}

/* Work in the mode above, whatever other libraries have set; then wait for the others. */
static void join_in(void *of, int thread, int threads) {
    fc_team *team = of;
    const fp_mode saved = get_mode();
    set_mode(IEEE_MODE);
    at_work.team = team;
    at_work.thread = thread;
    team->body(team->job, team, thread);
    at_work.team = NULL;
    set_mode(saved);
    atomic_fetch_add(&team->done, 1);
    if (thread == 0 && threads > 1 && team->polls) wait_for_others(team, threads);
}

enum { FINISHED = -1 };

static void *lead(void *of) {
    fc_team *team = of;
    fc_run_crew(team->n_threads, join_in, team);
    atomic_store(&team->done, FINISHED);
    return NULL;
}

static fc_status run_in_new_thread(fc_team *team) {
    pthread_t leader;
    team->polls = 0;
    if (pthread_create(&leader, NULL, lead, team)) return FC_NO_MEMORY;
    while (atomic_load(&team->done) != FINISHED) {
        nap();
        poll_now_and_then(team);
    }
    pthread_join(leader, NULL);
    return FC_OK;
}

/* More threads than this for a CPU only cost memory. */
enum { THREADS_PER_CPU = 8 };

static int at_most_useful(int n_threads, size_t tasks) {
    if ((size_t)n_threads > tasks) n_threads = (int)tasks;
    if (n_threads <= THREADS_PER_CPU) return n_threads;
    const int most = fc_cpus() * THREADS_PER_CPU;
    return n_threads < most ? n_threads : most;
}

fc_status fc_parallel(fc_run run, size_t tasks, void (*body)(void *, fc_team *, int), void *job) {
    fc_team team = {.tasks = tasks,
                    .n_threads = at_most_useful(run.n_threads, tasks),
                    .polls = run.poll != NULL,
                    .poll = run.poll,
                    .next_poll = fc_now() + FC_POLL_SECONDS,
                    .body = body,
                    .job = job};
    if (fc_has_openmp() && team.n_threads > 1 && fc_was_forked()) {
        const fc_status status = run_in_new_thread(&team);
        if (status != FC_OK) return status;
    } else {
        fc_run_crew(team.n_threads, join_in, &team);
    }
    return (fc_status)atomic_load(&team.status);
}

int fc_threads_for(int n_threads, double work) {
    const double worth = 1 + work / WORK_PER_THREAD;
    return worth < n_threads ? (int)worth : n_threads;
}

int fc_has_openmp(void) {
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

int fc_max_threads(void) { return fc_crew_limit(); }
