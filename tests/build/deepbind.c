/* A program, and with -DPLUGIN a shared object that it opens with RTLD_DEEPBIND, as PHP opens its
   extensions. The object calls the C library's own malloc and free, the program the preloaded ones,
   and blocks cross both ways, in several threads. The program prints how many did. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 400, KINDS = 10, CASES = 6 };

typedef struct {
    void *(*obtain)(int kind, size_t size);
    void *(*resize)(void *block, size_t size);
    void (*release)(void *block);
    void *(*align)(size_t alignment, size_t size);
} calls;

static void *obtain(int kind, size_t size) {
    void *volatile none = NULL;
    void *block = NULL;
    switch (kind) {
        case 0: return malloc(size);
        case 1: return calloc(1, size);
        case 2: return realloc(none, size);
        case 3: return memalign(64, size);
        case 4: return posix_memalign(&block, 256, size) == 0 ? block : NULL;
        case 5: return valloc(size);
        case 6: return aligned_alloc(64, size);
        case 7: return strdup("what the C library itself obtains");
        case 8: return asprintf((char **)&block, "%0*d", (int)size, 0) >= 0 ? block : NULL;
        default: return realloc(realloc(none, size), 2 * size);
    }
}

static void *resize(void *block, size_t size) { return realloc(block, size); }

static void release(void *block) { free(block); }

calls deepbound = {obtain, resize, release, memalign};

#ifndef PLUGIN

static const calls own = {obtain, resize, release, memalign};
static const calls *plugin;
static const size_t alignment[KINDS] = {16, 16, 16, 64, 256, 4096, 64, 16, 16, 16};

/* A block from one side is written, resized on the other, compared, and released there. */
static int crosses(const calls *from, const calls *to, int kind, size_t size) {
    char *block = from->obtain(kind, size);
    if (block == NULL || (uintptr_t)block % alignment[kind] != 0) return 0;
    if (kind == 1 && (block[0] != 0 || block[size - 1] != 0)) return 0;
    if (kind == 7) size = strlen(block) + 1;
    memset(block, 'a' + kind, size);
    block = to->resize(block, 3 * size);
    if (block == NULL || block[0] != 'a' + kind || block[size - 1] != 'a' + kind) return 0;
    to->release(block);
    from->release(from->obtain(kind, size));
    to->release(from->obtain(kind, size));
    return 1;
}

/* What is refused sets errno; a size of 0 frees a block, NULL may be freed, and an alignment is
   rounded up. */
static int odd_arguments(void) {
    volatile size_t huge = SIZE_MAX / 2;
    int count = 0;
    errno = 0;
    count += plugin->obtain(0, huge) == NULL && errno == ENOMEM;
    errno = 0;
    count += plugin->obtain(1, huge) == NULL && errno == ENOMEM;
    errno = 0;
    count += plugin->obtain(3, huge) == NULL && errno == ENOMEM;
    errno = 0;
    count += plugin->resize(own.obtain(0, 100), 0) == NULL && errno == 0;
    void *block = own.obtain(0, 100);
    errno = 0;
    count += plugin->resize(block, huge) == NULL && errno == ENOMEM;
    plugin->release(block);
    plugin->release(NULL);
    block = plugin->align(48, 100);
    count += block != NULL && (uintptr_t)block % 64 == 0;
    own.release(block);
    return count;
}

static void *work(void *count) {
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            size_t size = 64 * ((size_t)round + 1);
            *(int *)count += crosses(&own, plugin, kind, size) + crosses(plugin, &own, kind, size);
        }
    return NULL;
}

int main(int argc, char **argv) {
    void *object = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_DEEPBIND);
    pthread_t threads[THREADS];
    int counts[THREADS] = {0}, sum = 0, odd;
    if (object == NULL) return fprintf(stderr, "%s\n", dlerror()), 2;
    plugin = dlsym(object, "deepbound");
    odd = odd_arguments();
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, &counts[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL), sum += counts[i];
    printf("crossed %d of %d, odd arguments %d of %d\n", sum, 2 * THREADS * ROUNDS * KINDS, odd, CASES);
    return sum != 2 * THREADS * ROUNDS * KINDS || odd != CASES;
}

#endif
