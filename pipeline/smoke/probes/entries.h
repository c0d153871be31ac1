/*
 * The entry points of an allocator, and how each is called, for the probes conformance.c and first_call.c.
 *
 * They are called by address only, so that the compiler cannot replace a call by what the C standard says of it.
 * The address is the one that any object of the process is bound to; a program that is linked with the allocator
 * (-DLINKED) takes it at link time, because the loader does not find all names of a program.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum shape {  // of the arguments; SIZED, ALIGNED and NOTHROW are those of the C++ operators
  SIZE, COUNT, RESIZE, RESIZE_COUNT, POSIX, ALIGN_SIZE, NEW, NEW_NOTHROW, NEW_ALIGNED, NEW_ALIGNED_NOTHROW,
  DELETE, DELETE_SIZED, DELETE_NOTHROW, DELETE_ALIGNED, DELETE_ALIGNED_SIZED, DELETE_ALIGNED_NOTHROW,
};
enum trait {
  ALIGNED = 1,  // the caller chooses the alignment
  PAGE = 2,     // the alignment is the page size
  CXX = 4,      // freed by an operator delete, and errno says nothing
  THROWS = 8,   // never returns NULL
  ARRAY = 16,   // new[] and delete[]
  SOUGHT = 32,
};

#define ALLOCATING(X)                                                                             \
  X(malloc, SIZE, 0) X(calloc, COUNT, 0) X(realloc, RESIZE, 0) X(reallocarray, RESIZE_COUNT, 0)   \
  X(posix_memalign, POSIX, ALIGNED) X(aligned_alloc, ALIGN_SIZE, ALIGNED)                         \
  X(memalign, ALIGN_SIZE, ALIGNED) X(valloc, SIZE, PAGE) X(pvalloc, SIZE, PAGE)                   \
  X(__libc_malloc, SIZE, 0) X(__libc_calloc, COUNT, 0) X(__libc_realloc, RESIZE, 0)               \
  X(__libc_memalign, ALIGN_SIZE, ALIGNED) X(__libc_valloc, SIZE, PAGE)                            \
  X(__libc_pvalloc, SIZE, PAGE) X(__posix_memalign, POSIX, ALIGNED)                               \
  X(_Znwm, NEW, CXX | THROWS) X(_Znam, NEW, CXX | THROWS | ARRAY)                                 \
  X(_ZnwmRKSt9nothrow_t, NEW_NOTHROW, CXX) X(_ZnamRKSt9nothrow_t, NEW_NOTHROW, CXX | ARRAY)       \
  X(_ZnwmSt11align_val_t, NEW_ALIGNED, CXX | THROWS | ALIGNED)                                    \
  X(_ZnamSt11align_val_t, NEW_ALIGNED, CXX | THROWS | ALIGNED | ARRAY)                            \
  X(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED_NOTHROW, CXX | ALIGNED)                       \
  X(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED_NOTHROW, CXX | ALIGNED | ARRAY)

#define FREEING(X)                                                                                \
  X(free, DELETE, 0) X(cfree, DELETE, 0) X(__libc_free, DELETE, 0)                                \
  X(_ZdlPv, DELETE, CXX) X(_ZdaPv, DELETE, CXX | ARRAY)                                           \
  X(_ZdlPvm, DELETE_SIZED, CXX) X(_ZdaPvm, DELETE_SIZED, CXX | ARRAY)                             \
  X(_ZdlPvRKSt9nothrow_t, DELETE_NOTHROW, CXX) X(_ZdaPvRKSt9nothrow_t, DELETE_NOTHROW, CXX | ARRAY) \
  X(_ZdlPvSt11align_val_t, DELETE_ALIGNED, CXX | ALIGNED)                                         \
  X(_ZdaPvSt11align_val_t, DELETE_ALIGNED, CXX | ALIGNED | ARRAY)                                 \
  X(_ZdlPvmSt11align_val_t, DELETE_ALIGNED_SIZED, CXX | ALIGNED)                                  \
  X(_ZdaPvmSt11align_val_t, DELETE_ALIGNED_SIZED, CXX | ALIGNED | ARRAY)                          \
  X(_ZdlPvSt11align_val_tRKSt9nothrow_t, DELETE_ALIGNED_NOTHROW, CXX | ALIGNED)                   \
  X(_ZdaPvSt11align_val_tRKSt9nothrow_t, DELETE_ALIGNED_NOTHROW, CXX | ALIGNED | ARRAY)

#define OTHERS(X)                                                                                 \
  X(malloc_usable_size, 0, 0) X(mi_is_in_heap_region, 0, 0) X(mi_version, 0, 0)                   \
  X(mi_zalloc_aligned, 0, 0) X(mi_rezalloc_aligned, 0, 0) X(mi_recalloc_aligned, 0, 0)            \
  X(mi_zalloc, 0, 0) X(mi_rezalloc, 0, 0) X(mi_recalloc, 0, 0)

#ifdef LINKED
#define DECLARE(name, shape, traits) extern char at_##name[] __asm__(#name) __attribute__((weak));
ALLOCATING(DECLARE) FREEING(DECLARE) OTHERS(DECLARE)
#define ROW(name, shape, traits) {#name, at_##name, shape, traits},
#else
#define ROW(name, shape, traits) {#name, NULL, shape, traits},
#endif

struct entry {
  const char *name;
  void *volatile function;
  enum shape shape;
  unsigned traits;
};
static struct entry allocating[] = {ALLOCATING(ROW)}, freeing[] = {FREEING(ROW)}, others[] = {OTHERS(ROW)};
#define END(table) (table + sizeof table / sizeof *table)
#define EACH(e, table) for (struct entry *e = table; e < END(table); e++)

/* Whether the process has the entry point. A search that finds nothing allocates memory. */
static bool found(struct entry *e) {
  if (e->function == NULL && !(e->traits & SOUGHT)) e->function = dlsym(RTLD_DEFAULT, e->name);
  e->traits |= SOUGHT;
  return e->function != NULL;
}

/* The address of one of the others, or NULL. */
static void *address(const char *name) {
  EACH(e, others) if (strcmp(e->name, name) == 0 && found(e)) return e->function;
  return NULL;
}

/* Where a POSIX function leaves its result; a failure must not change it. */
static char untouched[1];
static void *result;

/* Calls the entry point; the error that a POSIX function returns becomes errno. */
static void *allocate(const struct entry *e, size_t alignment, size_t size) {
  const size_t count = size % 3 ? 1 : 3;
  void *f = e->function;
  int error;
  switch (e->shape) {
    case SIZE: case NEW: return ((void *(*)(size_t))f)(size);
    case COUNT: return ((void *(*)(size_t, size_t))f)(count, size / count);
    case RESIZE: return ((void *(*)(void *, size_t))f)(NULL, size);
    case RESIZE_COUNT: return ((void *(*)(void *, size_t, size_t))f)(NULL, count, size / count);
    case ALIGN_SIZE: return ((void *(*)(size_t, size_t))f)(alignment, size);
    case NEW_NOTHROW: return ((void *(*)(size_t, const void *))f)(size, untouched);
    case NEW_ALIGNED: return ((void *(*)(size_t, size_t))f)(size, alignment);
    case NEW_ALIGNED_NOTHROW: return ((void *(*)(size_t, size_t, const void *))f)(size, alignment, untouched);
    case POSIX:
      result = untouched;
      error = ((int (*)(void **, size_t, size_t))f)(&result, alignment, size);
      if (error != 0) errno = error;
      return error == 0 ? result : NULL;
    default: abort();
  }
}

static void deallocate(const struct entry *e, void *p, size_t alignment, size_t size) {
  void *f = e->function;
  switch (e->shape) {
    case DELETE: ((void (*)(void *))f)(p); break;
    case DELETE_SIZED: ((void (*)(void *, size_t))f)(p, size); break;
    case DELETE_NOTHROW: ((void (*)(void *, const void *))f)(p, untouched); break;
    case DELETE_ALIGNED: ((void (*)(void *, size_t))f)(p, alignment); break;
    case DELETE_ALIGNED_SIZED: ((void (*)(void *, size_t, size_t))f)(p, size, alignment); break;
    case DELETE_ALIGNED_NOTHROW: ((void (*)(void *, size_t, const void *))f)(p, alignment, untouched); break;
    default: abort();
  }
}

/* Frees a block of an entry point, by each function in turn that may free it. */
static void release(const struct entry *e, void *p, size_t alignment, size_t size) {
  static unsigned turn;
  const unsigned kind = CXX | ARRAY | (e->traits & CXX ? ALIGNED : 0);
  for (;;) {
    struct entry *way = &freeing[turn++ % (sizeof freeing / sizeof *freeing)];
    if ((way->traits & kind) == (e->traits & kind) && found(way)) return deallocate(way, p, alignment, size);
  }
}
