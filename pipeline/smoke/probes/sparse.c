/*
 * Allocates a zeroed block of a gigabyte and frees it, several times, and writes to none of them.
 *
 * Why: pages that the kernel gives are zero, and none is resident before it is written to. An
 * allocator that clears them again makes all of them resident.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.3 ./sparse [MIB [ROUNDS]]
 * Exit: 0 all right, 1 the peak of resident memory is above MIB
 */
#include <stdio.h>
#include <stdlib.h>

#include "resident.h"

int main(int argc, char **argv) {
  const long mib = argc > 1 ? atol(argv[1]) : 64, rounds = argc > 2 ? atol(argv[2]) : 4;
  for (long i = 0; i < rounds; i++) {
    void *volatile block = calloc(1000, 1000000);
    if (block == NULL) return perror("sparse"), 1;
    free(block);
  }
  const long peak = status("VmHWM:");
  printf("sparse: peak MiB %ld at the end %ld\n", peak, status("VmRSS:"));
  return peak > mib;
}
