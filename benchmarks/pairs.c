/* Allocates a block of 32 bytes and frees it, as often as is asked for. Another one stays, so that the
   page that they are in is never empty.

   pairs malloc|calloc|realloc TIMES */

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    const char first = argc == 3 ? argv[1][0] : 0;
    const long times = argc == 3 ? atol(argv[2]) : 0;
    void *volatile kept = malloc(32);
    for (long i = 0; i < times; i++) {
        void *volatile block = first == 'c' ? calloc(2, 16) : first == 'r' ? realloc(NULL, 32) : malloc(32);
        free(block);
    }
    return printf("%ld %d\n", times, kept != NULL) < 0;
}
