/* pool.c -- threads that wait from one call for the next, where the compiler has no OpenMP.
 *
 * Any call takes those that are idle and makes those that are missing.  When it ends, all of them are idle.
 */
#define _GNU_SOURCE
#include "core/crew.h"

#ifndef _OPENMP
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/cpu.h"
#include "core/spin.h"

/* One call.  Whoever takes part is done with it when it has unlocked `lock`. */
typedef struct {
    fc_crew_member *member;
    void *of;
    int threads;
    atomic_int working; /* workers that have not returned */
    pthread_mutex_t lock;
    pthread_cond_t returned;
} crew;

typedef struct worker {
    struct worker *next;
    int thread;
    _Atomic(crew *) crew; /* that calls it, until it comes */
    pthread_mutex_t lock;
    pthread_cond_t called;
} worker;

static crew leave; /* a worker that this calls ends */

static struct {
    pthread_mutex_t lock;
    worker *idle;
    int n_idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void call(worker *w, crew *c, int thread) {
    pthread_mutex_lock(&w->lock);
    w->thread = thread;
    atomic_store(&w->crew, c);
    pthread_cond_signal(&w->called);
    pthread_mutex_unlock(&w->lock);
}

static crew *wait_for_call(worker *w) {
    for (int i = 0; i < FC_SPINS && !atomic_load(&w->crew); i++) fc_relax();
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->crew)) pthread_cond_wait(&w->called, &w->lock);
    crew *c = atomic_exchange(&w->crew, NULL);
    pthread_mutex_unlock(&w->lock);
    return c;
}

static void return_to(crew *c) {
    pthread_mutex_lock(&c->lock);
    if (atomic_fetch_sub(&c->working, 1) == 1) pthread_cond_signal(&c->returned);
    pthread_mutex_unlock(&c->lock);
}

static void wait_for_workers(crew *c) {
    for (int i = 0; i < FC_SPINS && atomic_load(&c->working); i++) fc_relax();
    pthread_mutex_lock(&c->lock);
    while (atomic_load(&c->working)) pthread_cond_wait(&c->returned, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void end(worker *w) {
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->called);
    free(w);
}

static void *work(void *of) {
    worker *w = of;
    for (crew *c = wait_for_call(w); c != &leave; c = wait_for_call(w)) {
        c->member(c->of, w->thread, c->threads);
        return_to(c);
    }
    end(w);
    return NULL;
}

/* A thread that leaves signals to the threads of the caller's program, but for those that its own errors raise. */
static int start(pthread_t *id, void *(*body)(void *), void *of) {
#ifdef _WIN32
    return pthread_create(id, NULL, body, of);
#else
    sigset_t blocked, before;
    sigfillset(&blocked);
    const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int error = pthread_create(id, NULL, body, of);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
#endif
}

/* False where there is no memory for them, as there may not be on Windows. */
static int prepare_waiting(pthread_mutex_t *lock, pthread_cond_t *event) {
    if (pthread_mutex_init(lock, NULL)) return 0;
    if (!pthread_cond_init(event, NULL)) return 1;
    pthread_mutex_destroy(lock);
    return 0;
}

static worker *make_worker(void) {
    pthread_t id;
    worker *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    if (!prepare_waiting(&w->lock, &w->called)) {
        free(w);
        return NULL;
    }
    if (start(&id, work, w)) {
        end(w);
        return NULL;
    }
    pthread_detach(id);
    return w;
}

static worker *take_idle(void) {
    pthread_mutex_lock(&pool.lock);
    worker *w = pool.idle;
    if (w) {
        pool.idle = w->next;
        pool.n_idle--;
    }
    pthread_mutex_unlock(&pool.lock);
    return w;
}

/* As many stay as there are CPUs: more are of use to few calls. */
static void give_back(worker *w) {
    static atomic_int cpus;
    if (!atomic_load(&cpus)) atomic_store(&cpus, fc_cpus());
    pthread_mutex_lock(&pool.lock);
    const int stays = pool.n_idle < atomic_load(&cpus);
    if (stays) {
        w->next = pool.idle;
        pool.idle = w;
        pool.n_idle++;
    }
    pthread_mutex_unlock(&pool.lock);
    if (!stays) call(w, &leave, 0);
}

#ifndef _WIN32
/* A fork has none of the threads, and may have been made while another thread held the lock. */
static void forget_workers(void) {
    pthread_mutex_init(&pool.lock, NULL);
    pool.idle = NULL;
    pool.n_idle = 0;
}
#endif

/* A positive number of the environment, or of what it begins with, as in "4,2"; at most `otherwise`, which it is where
 * there is none.
 */
static int from_environment(const char *name, int otherwise) {
    const char *value = getenv(name);
    const long n = value ? strtol(value, NULL, 10) : 0;
    return n > 0 && n < otherwise ? (int)n : otherwise;
}

/* As the environment said at the start, as OpenMP has it: of any call, and of one that is told no number. */
static int thread_limit, asked_for;

__attribute__((constructor)) static void prepare(void) {
    thread_limit = from_environment("OMP_THREAD_LIMIT", INT_MAX);
    asked_for = from_environment("OMP_NUM_THREADS", thread_limit);
#ifndef _WIN32
    pthread_atfork(NULL, NULL, forget_workers);
#endif
}

int fc_crew_limit(void) { return fc_own_cpus() < asked_for ? fc_own_cpus() : asked_for; }

void fc_run_crew(int n_threads, fc_crew_member *member, void *of) {
    crew c = {.member = member, .of = of};
    if (n_threads <= 1 || !prepare_waiting(&c.lock, &c.returned)) {
        member(of, 0, 1);
        return;
    }
    worker *workers = NULL;
    int n = 1; /* the caller's own */
    for (; n < n_threads && n < thread_limit; n++) {
        worker *w = take_idle();
        if (!w) w = make_worker();
        if (!w) break;
        w->next = workers;
        workers = w;
    }
    c.threads = n;
    c.working = n - 1;
    int thread = 0;
    for (worker *w = workers; w; w = w->next) call(w, &c, ++thread);
    member(of, 0, n);
    wait_for_workers(&c);
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.returned);
    for (worker *w = workers, *next; w; w = next) {
        next = w->next;
        give_back(w);
    }
}
#endif
