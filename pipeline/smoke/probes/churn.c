/*
 * Starts thousands of threads, one after the other; each allocates, frees the block that the one
 * before has left, leaves one itself, and ends. The memory must not grow with their number.
 *
 * Why: a thread takes memory of its own from the allocator, and pages of blocks; at its end they must
 * become available to others, also a page in which a block of it is still live.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.3 ./churn [THREADS [KIB]]
 *       resident memory after a tenth of THREADS and after all may differ by KIB
 * Exit: 0 all right, 1 it has grown by more, or a thread did not start
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 32 };

static void *live_briefly(void *left) {
  unsigned char *blocks[BLOCKS];
  free(left);
  for (int i = 0; i < BLOCKS; i++) {
    const size_t size = (size_t)16 << i % 12;
    if ((blocks[i] = malloc(size)) == NULL) return NULL;
    memset(blocks[i], i, size);
  }
  for (int i = 1; i < BLOCKS; i++) free(blocks[i]);
  return blocks[0];
}

/* What the kernel counts, in KiB. */
static long resident(void) {
  long all = 0, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &all, &pages) != 2) exit(1);
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *run(long threads, void *left) {
  for (long i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, live_briefly, left) != 0) exit(1);
    pthread_join(thread, &left);
    if (left == NULL) exit(1);
  }
  return left;
}

int main(int argc, char **argv) {
  const long threads = argc > 1 ? atol(argv[1]) : 20000, allowed = argc > 2 ? atol(argv[2]) : 4096;
  void *left = run(threads / 10, malloc(1));
  const long few = resident();
  left = run(threads - threads / 10, left);
  const long many = resident();
  free(left);
  printf("churn: resident KiB %ld after %ld threads, %ld after %ld\n", few, threads / 10, many, threads);
  return many - few > allowed;
}
