/* pool.c -- threads that wait from one call for the next, where the compiler has no OpenMP.
 *
 * Any call takes those that are idle and makes those that are missing.  When it ends, all of them are idle.
 *
 * What threads wait by is kept for others to wait by, not destroyed: winpthreads' unlock reads a lock once more after
 * it has released it, when whoever has got it may be done with it.  So there are as many as were ever in use at once.
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

/* One call. */
typedef struct crew {
    struct crew *next;
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
    worker *idle; /* who waits for a call */
    int n_idle;
    worker *gone; /* whose thread takes no more calls */
    crew *unused; /* which no call has */
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

static void leave_pool(worker *w) {
    pthread_mutex_lock(&pool.lock);
    w->next = pool.gone;
    pool.gone = w;
    pthread_mutex_unlock(&pool.lock);
}

static void *work(void *of) {
    worker *w = of;
    for (crew *c = wait_for_call(w); c != &leave; c = wait_for_call(w)) {
        c->member(c->of, w->thread, c->threads);
        return_to(c);
    }
    leave_pool(w);
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

static worker *worker_without_thread(void) {
    pthread_mutex_lock(&pool.lock);
    worker *w = pool.gone;
    if (w) pool.gone = w->next;
    pthread_mutex_unlock(&pool.lock);
    if (w || !(w = calloc(1, sizeof *w))) return w;
    if (prepare_waiting(&w->lock, &w->called)) return w;
    free(w);
    return NULL;
}

static worker *make_worker(void) {
    pthread_t id;
    worker *w = worker_without_thread();
    if (!w) return NULL;
    if (start(&id, work, w)) {
        leave_pool(w);
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

static crew *take_crew(void) {
    pthread_mutex_lock(&pool.lock);
    crew *c = pool.unused;
    if (c) pool.unused = c->next;
    pthread_mutex_unlock(&pool.lock);
    if (c || !(c = calloc(1, sizeof *c))) return c;
    if (prepare_waiting(&c->lock, &c->returned)) return c;
    free(c);
    return NULL;
}

static void give_back_crew(crew *c) {
    pthread_mutex_lock(&pool.lock);
    c->next = pool.unused;
    pool.unused = c;
    pthread_mutex_unlock(&pool.lock);
}

#ifndef _WIN32
/* A fork has none of the threads, and may have been made while another thread held the lock. */
static void forget_workers(void) {
    pthread_mutex_init(&pool.lock, NULL);
    pool.idle = pool.gone = NULL;
    pool.n_idle = 0;
    pool.unused = NULL;
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

/* Up to n threads, in a list; *n becomes how many there are. */
static worker *take_workers(int *n) {
    worker *workers = NULL;
    const int most = *n;
    for (*n = 0; *n < most; ++*n) {
        worker *w = take_idle();
        if (!w) w = make_worker();
        if (!w) break;
        w->next = workers;
        workers = w;
    }
    return workers;
}

void fc_run_crew(int n_threads, fc_crew_member *member, void *of) {
    if (n_threads > thread_limit) n_threads = thread_limit;
    crew *c = n_threads > 1 ? take_crew() : NULL;
    if (!c) {
        member(of, 0, 1);
        return;
    }
    int n = n_threads - 1, thread = 0; /* beside the caller's own */
    worker *workers = take_workers(&n);
    c->member = member;
    c->of = of;
    c->threads = n + 1;
    atomic_store(&c->working, n);
    for (worker *w = workers; w; w = w->next) call(w, c, ++thread);
    member(of, 0, n + 1);
    wait_for_workers(c);
    give_back_crew(c);
    for (worker *w = workers, *next; w; w = next) {
        next = w->next;
        give_back(w);
    }
}
#endif
