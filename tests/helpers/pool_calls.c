/* pool_calls.c -- calls of csrc/core/pool.c as programs make them: from several threads, from within calls, in forks,
 * with threads that cannot be made, with locks that are read after they have been released.
 *
 *   pool_calls calls | refused | forks | kept | signals | limited | late | race | destroyed
 *
 * Its linker calls __wrap_pthread_create for pthread_create, and so on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crew.h"

enum { MOST = 16, CALLERS = 4, CALLS = 60, CHILDREN = 8, SECONDS = 60 };

#define EXPECT(truth) \
    do { \
        if (!(truth)) { \
            fprintf(stderr, "pool_calls.c:%d: not so: %s\n", __LINE__, #truth); \
            abort(); \
        } \
    } while (0)

static atomic_int made;    /* threads */
static atomic_int refusal; /* every how many-th thread cannot be made; 0: all can */

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *options, void *(*body)(void *), void *of) {
    const int number = atomic_fetch_add(&made, 1), every = atomic_load(&refusal);
    if (every && number % every == 0) return 11; /* EAGAIN */
    return __real_pthread_create(id, options, body, of);
}

/* As winpthreads may: a lock that has been released is looked at once more, some time later. */
static atomic_int late_by; /* microseconds */
static _Atomic(pthread_mutex_t *) looked_at[2 * MOST * CALLERS];

int __real_pthread_mutex_unlock(pthread_mutex_t *);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *);
int __real_pthread_mutex_destroy(pthread_mutex_t *);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock) {
    if (!atomic_load(&late_by)) return __real_pthread_mutex_unlock(lock);
    pthread_mutex_t *nothing = NULL;
    size_t i = 0;
    while (!atomic_compare_exchange_strong(&looked_at[i], &nothing, lock)) {
        nothing = NULL;
        i++;
        EXPECT(i < sizeof looked_at / sizeof *looked_at);
    }
    const int error = __real_pthread_mutex_unlock(lock);
    usleep((useconds_t)atomic_load(&late_by));
    atomic_store(&looked_at[i], NULL);
    return error;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *lock) {
    for (size_t i = 0; i < sizeof looked_at / sizeof *looked_at; i++) EXPECT(atomic_load(&looked_at[i]) != lock);
    return __real_pthread_mutex_destroy(lock);
}

/* What the members of a call write, each in a place of its own; the caller reads it without a lock. */
typedef struct {
    int times[MOST];
    int threads[MOST];
    int is_nested;
} seen;

static int check_call(int n_threads, int is_nested);

static void note(void *of, int thread, int threads) {
    seen *s = of;
    s->times[thread]++;
    s->threads[thread] = threads;
    if (s->is_nested && thread == threads - 1) check_call(3, 0);
}

/* How many threads the call had: each was there once, with a number of its own. */
static int check_call(int n_threads, int is_nested) {
    seen s = {.is_nested = is_nested};
    fc_run_crew(n_threads, note, &s);
    const int threads = s.threads[0];
    EXPECT(threads >= 1 && threads <= n_threads);
    for (int i = 0; i < MOST; i++) EXPECT(s.times[i] == (i < threads) && s.threads[i] == (i < threads ? threads : 0));
    return threads;
}

static void *call_often(void *of) {
    for (int i = 0; i < CALLS; i++) {
        const int n_threads = 1 + (i * 7 + *(int *)of) % 9, threads = check_call(n_threads, i % 4 == 0);
        EXPECT(atomic_load(&refusal) || threads == n_threads);
        if (i % 16 == 0) usleep(1000); /* idle threads fall asleep */
    }
    return NULL;
}

static void call_from_threads(void *(*and_one)(void *)) {
    pthread_t ids[CALLERS + 1];
    int numbers[CALLERS + 1];
    for (int i = 0; i <= CALLERS; i++) {
        numbers[i] = i;
        EXPECT(__real_pthread_create(&ids[i], NULL, i < CALLERS ? call_often : and_one, &numbers[i]) == 0);
    }
    for (int i = 0; i <= CALLERS; i++) pthread_join(ids[i], NULL);
}

/* In a fork of a fork, too.  One that hangs is ended by its alarm. */
static void fork_and_call(int depth, void *of) {
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        call_often(of);
        if (depth) fork_and_call(depth - 1, of);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

static void *fork_often(void *of) {
    for (int i = 0; i < CHILDREN; i++) fork_and_call(1, of);
    return NULL;
}

static void keep(void) {
    for (int i = 0; i < 100; i++) EXPECT(check_call(2, 0) == 2);
    EXPECT(atomic_load(&made) == 1);
}

static void handle(int number) { (void)number; }

/* A signal that the caller blocks waits for it: no thread of the pool takes it. */
static void signal_process(void) {
    const struct sigaction action = {.sa_handler = handle};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT(check_call(4, 0) == 4);
    EXPECT(pthread_sigmask(SIG_SETMASK, NULL, &set) == 0 && !sigismember(&set, SIGUSR1)); /* the caller's stay */
    sigaddset(&set, SIGUSR1);
    EXPECT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    usleep(20000);
    EXPECT(sigpending(&set) == 0 && sigismember(&set, SIGUSR1));
}

static int raced;

static void count(void *of, int thread, int threads) {
    (void)thread, (void)threads;
    for (int i = 0; i < 1000; i++) ++*(volatile int *)of;
}

static void *release(void *of) {
    pthread_mutex_unlock(of);
    return NULL;
}

/* Which another thread has just released. */
static void destroy_lock(void) {
    pthread_mutex_t lock;
    pthread_t id;
    EXPECT(pthread_mutex_init(&lock, NULL) == 0);
    pthread_mutex_lock(&lock);
    EXPECT(__real_pthread_create(&id, NULL, release, &lock) == 0);
    pthread_mutex_lock(&lock);
    pthread_mutex_destroy(&lock);
}

int main(int words, char **word) {
    const char *what = words > 1 ? word[1] : "";
    if (strcmp(what, "calls") == 0) {
        call_from_threads(call_often);
    } else if (strcmp(what, "refused") == 0) {
        atomic_store(&refusal, 3);
        call_from_threads(call_often);
    } else if (strcmp(what, "forks") == 0) {
        call_from_threads(fork_often);
    } else if (strcmp(what, "kept") == 0) {
        keep();
    } else if (strcmp(what, "signals") == 0) {
        signal_process();
    } else if (strcmp(what, "limited") == 0) {
        EXPECT(check_call(4, 0) == 2);
    } else if (strcmp(what, "late") == 0) {
        atomic_store(&late_by, 200);
        call_from_threads(call_often);
    } else if (strcmp(what, "destroyed") == 0) {
        atomic_store(&late_by, 5000000);
        destroy_lock();
    } else if (strcmp(what, "race") == 0) {
        fc_run_crew(2, count, &raced);
    } else {
        return 2;
    }
    return 0;
}
