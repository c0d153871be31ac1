/*
 * Threads that replace blocks of theirs at random, and one that only frees what was replaced.
 *
 * Why: a page of blocks belongs to the thread that allocates from it. Blocks that another thread frees
 * are available once that thread looks for them; where it does not, it takes fresh memory instead,
 * and the process grows to several times of what is live. The thread that frees never allocates: 3.x
 * has no state for such a thread.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.3 ./reclaimer [PERCENT [MIB [TIMES [PRODUCERS]]]]
 *       MIB are live, each block is replaced TIMES times on average
 * Exit: 0 all right, 1 the peak of resident memory is above PERCENT of MIB
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resident.h"

enum {
  PRODUCERS_MAX = 64,
  SIZE = 592,
  CAPACITY = 1024,  // of the queue from each producer to the thread that frees
};

static struct producer {
  pthread_mutex_t lock;
  pthread_cond_t moved;
  void *queue[CAPACITY];
  unsigned long first, count;
} producers[PRODUCERS_MAX];

static unsigned long number, blocks, replacements;
static atomic_ulong producing;

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void *new_block(void) {
  void *p = malloc(SIZE);
  if (p == NULL) exit(1);
  return memset(p, 1, SIZE);
}

static void hand_over(struct producer *producer, void *block) {
  pthread_mutex_lock(&producer->lock);
  while (producer->count == CAPACITY) pthread_cond_wait(&producer->moved, &producer->lock);
  producer->queue[(producer->first + producer->count++) % CAPACITY] = block;
  pthread_mutex_unlock(&producer->lock);
}

static void *produce(void *argument) {
  struct producer *const producer = argument;
  uint32_t state = (uint32_t)(producer - producers);
  void **own = calloc(blocks, sizeof *own);
  if (own == NULL) exit(1);
  for (unsigned long i = 0; i < blocks; i++) own[i] = new_block();
  for (unsigned long i = 0; i < replacements; i++) {
    void **block = &own[next_random(&state) % blocks];
    hand_over(producer, *block);
    *block = new_block();
  }
  atomic_fetch_sub(&producing, 1);
  return own;
}

/* Frees all that is in a queue; the answer is how many blocks that were. */
static unsigned long free_all(struct producer *producer) {
  void *batch[CAPACITY];
  pthread_mutex_lock(&producer->lock);
  const unsigned long count = producer->count;
  for (unsigned long i = 0; i < count; i++) batch[i] = producer->queue[(producer->first + i) % CAPACITY];
  producer->count = 0;
  pthread_cond_signal(&producer->moved);
  pthread_mutex_unlock(&producer->lock);
  for (unsigned long i = 0; i < count; i++) free(batch[i]);
  return count;
}

static void *reclaim(void *argument) {
  for (unsigned long freed = 1; freed > 0 || producing > 0;) {
    freed = 0;
    for (unsigned long i = 0; i < number; i++) freed += free_all(&producers[i]);
  }
  return argument;
}

static unsigned long argument_or(int argc, char **argv, int index, unsigned long otherwise) {
  return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
  const unsigned long percent = argument_or(argc, argv, 1, 150), mib = argument_or(argc, argv, 2, 180);
  const unsigned long times = argument_or(argc, argv, 3, 5);
  pthread_t threads[PRODUCERS_MAX], reclaimer;
  number = argument_or(argc, argv, 4, 8);
  if (number > PRODUCERS_MAX) number = PRODUCERS_MAX;
  blocks = (mib << 20) / SIZE / number, replacements = blocks * times, producing = number;
  for (unsigned long i = 0; i < number; i++) {
    pthread_mutex_init(&producers[i].lock, NULL);
    pthread_cond_init(&producers[i].moved, NULL);
    if (pthread_create(&threads[i], NULL, produce, &producers[i]) != 0) return 1;
  }
  if (pthread_create(&reclaimer, NULL, reclaim, NULL) != 0) return 1;
  pthread_join(reclaimer, NULL);
  for (unsigned long i = 0; i < number; i++) pthread_join(threads[i], NULL);
  const long peak = status("VmHWM:");
  printf("reclaimer: live MiB %lu peak %ld at the end %ld\n", mib, peak, status("VmRSS:"));
  return (unsigned long)peak > mib * percent / 100;
}
