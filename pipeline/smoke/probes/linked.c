/* Linked with libmimalloc.a or mimalloc.o: is its malloc in use?
   Exit code: 0 yes, 1 no. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern _Bool mi_is_in_heap_region(const void *p);
extern int mi_version(void);

int main(void) {
    int foreign = 0, count = 0;
    for (size_t size = 1; size <= (size_t)1 << 20; size += size / 2 + 1, count++) {
        void *blocks[] = {malloc(size), calloc(1, size), realloc(NULL, size), strdup("block")};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
            if (!blocks[i] || !mi_is_in_heap_region(blocks[i])) foreign++;
            free(blocks[i]);
        }
    }
    printf("linked: mimalloc %d, %d sizes, %d blocks of another allocator\n", mi_version(), count, foreign);
    return foreign != 0;
}
