/* failing_malloc.c -- preloaded: of the memory that the code of one library asks for, some is refused, and all counted.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* Those of the C library, by names of its own. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static const char *code, *code_end;
static atomic_long asked, failing, held;

/* Refuse the `which`-th allocation from now on, counted from 1; none if 0. */
void refuse(const char *begin, const char *end, long which) {
    code = begin;
    code_end = end;
    atomic_store(&asked, 0);
    atomic_store(&failing, which);
}

/* How many were asked for since then. */
long asked_for(void) { return atomic_load(&asked); }

/* How many of all are not freed, if those who ask for memory free it. */
long held_now(void) { return atomic_load(&held); }

static int is_watched(const void *caller) { return (const char *)caller >= code && (const char *)caller < code_end; }

/* Whether an allocation is to be made. */
static int granted(const void *caller) {
    if (!is_watched(caller)) return 1;
    if (atomic_fetch_add(&asked, 1) + 1 == atomic_load(&failing)) {
        errno = ENOMEM;
        return 0;
    }
    atomic_fetch_add(&held, 1);
    return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size) { return granted(CALLER) ? __libc_malloc(size) : NULL; }
void *calloc(size_t count, size_t size) { return granted(CALLER) ? __libc_calloc(count, size) : NULL; }
void *realloc(void *memory, size_t size) { return __libc_realloc(memory, size); }
void *aligned_alloc(size_t alignment, size_t size) { return granted(CALLER) ? __libc_memalign(alignment, size) : NULL; }
void free(void *memory) {
    if (memory && is_watched(CALLER)) atomic_fetch_sub(&held, 1);
    __libc_free(memory);
}
