/* The C library's malloc hooks, set to mimalloc.

   A shared object that is opened with RTLD_DEEPBIND, as PHP opens its extensions, calls malloc and
   free of the C library and not those of a preloaded library. Before version 2.34 these look first
   at four variables of the C library that a preloaded library can define: then such an object gets
   its memory from mimalloc, too, and may free what the program has allocated. They are initialised
   data, so no code has to run before the first call. The static library and the object file do not
   have them. */

#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !__GLIBC_PREREQ(2, 34)

#define EXPORTED __attribute__((visibility("default")))

extern void *mi_malloc(size_t size);
extern void *mi_realloc(void *block, size_t size);
extern void *mi_memalign(size_t alignment, size_t size);
extern void mi_free(void *block);

static void *checked(void *block) {
    if (block == NULL) errno = ENOMEM;
    return block;
}

static void *on_malloc(size_t size, const void *caller) {
    return checked(mi_malloc(size));
}

static void on_free(void *block, const void *caller) {
    mi_free(block);
}

/* As the C library does: a size of 0 frees the block, and is no error. */
static void *on_realloc(void *block, size_t size, const void *caller) {
    if (block != NULL && size == 0) {
        mi_free(block);
        return NULL;
    }
    return checked(mi_realloc(block, size));
}

/* As the C library does: memalign rounds the alignment up to a power of two. */
static void *on_memalign(size_t alignment, size_t size, const void *caller) {
    size_t power = sizeof(void *);
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (power < alignment) power *= 2;
    return checked(mi_memalign(power, size));
}

EXPORTED void *(*volatile __malloc_hook)(size_t, const void *) = on_malloc;
EXPORTED void (*volatile __free_hook)(void *, const void *) = on_free;
EXPORTED void *(*volatile __realloc_hook)(void *, size_t, const void *) = on_realloc;
EXPORTED void *(*volatile __memalign_hook)(size_t, size_t, const void *) = on_memalign;

/* The C library's own allocator is initialised by the first valloc, mallopt or malloc_trim, not by
   malloc, which looks at a hook first. Two threads that do it at once damage it: the end of the
   second one aborts. It also sets hooks of its own where MALLOC_CHECK_ is in the environment. So it
   is done here, before there are threads, by a call that changes no parameter. C libraries before
   2.24 change the hooks while a process forks, once it is done; there it is left undone. */
__attribute__((constructor)) static void initialise(void) {
    if (atoi(strchr(gnu_get_libc_version(), '.') + 1) < 24) return;
    mallopt(0, 0);
    __malloc_hook = on_malloc;
    __free_hook = on_free;
    __realloc_hook = on_realloc;
    __memalign_hook = on_memalign;
}

#endif
