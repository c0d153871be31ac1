/*
 * Uses the preloaded mimalloc in many threads, and checks each block: content intact, zeroed and
 * aligned where promised, from mimalloc's heap.
 *
 * Why: allocators fail where threads meet: blocks that another thread frees or resizes than the one
 * that allocated them, threads that end and leave blocks behind, a fork while the blocks of many
 * threads are live. The fork happens while the threads wait: no allocator promises anything for one
 * in the middle of an allocation.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.2 ./threads    (gcc with glibc below 2.34: -lpthread -ldl)
 * Out:  result, the same on every allocator; blocks, how many of them are mimalloc's; its version;
 *       the files that code is mapped from
 * Exit: 0 all right, 1 something was wrong, 2 the process does not run on mimalloc
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  THREADS = 8,
  GENERATIONS = 3,   // of threads, one after the other
  ROUNDS = 24,
  BLOCKS = 256,      // of each thread in each round
  SHORT_LIVED = 200, // threads that allocate a few blocks, leave one, and end
  IN_CHILD = 2000,   // blocks that the forked process allocates
  TIMEOUT = 60,      // seconds; then SIGALRM ends the process
};

static struct block {
  unsigned char *p;
  size_t size;
  unsigned char fill;
} slots[THREADS][BLOCKS];

static bool (*is_in_heap_region)(const void *);
static int (*version)(void);
static pthread_barrier_t barrier, fork_barrier;
static atomic_ulong blocks, inside, wrong;
static atomic_ullong result;

static void report_failure(const char *what, size_t size, const void *p) {
  if (atomic_fetch_add(&wrong, 1) < 8) fprintf(stderr, "threads: %s: size %zu address %p\n", what, size, p);
}

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* Mostly small, some of several pages, a few that are too large for a page of blocks. */
static size_t any_size(uint32_t *state) {
  const uint32_t n = next_random(state), kind = next_random(state) % 512;
  return 1 + (kind == 0 ? n % (2 << 20) : kind < 16 ? n % (128 << 10) : kind < 128 ? n % 8192 : n % 256);
}

static void count(const unsigned char *p, size_t size) {
  atomic_fetch_add(&blocks, 1);
  if (is_in_heap_region != NULL && is_in_heap_region(p)) atomic_fetch_add(&inside, 1);
  if (p == NULL) { report_failure("no block", size, p); _exit(1); }
}

static bool has_content(const unsigned char *p, size_t size, unsigned char fill) {
  return size == 0 || (p[0] == fill && memcmp(p, p + 1, size - 1) == 0);
}

static struct block allocate(uint32_t *state) {
  struct block b = {.size = any_size(state), .fill = (unsigned char)next_random(state)};
  const size_t alignment = (size_t)16 << next_random(state) % 9;
  void *aligned = NULL;
  switch (next_random(state) % 4) {
    case 0: b.p = malloc(b.size); break;
    case 1:
      b.p = calloc(1, b.size);
      if (b.p != NULL && !has_content(b.p, b.size, 0)) report_failure("not zero", b.size, b.p);
      break;
    case 2: b.p = realloc(malloc(b.size / 2 + 1), b.size); break;
    case 3:
      if (posix_memalign(&aligned, alignment, b.size) == 0) b.p = aligned;
      if ((uintptr_t)b.p % alignment != 0) report_failure("misaligned", b.size, b.p);
      break;
  }
  count(b.p, b.size);
  memset(b.p, b.fill, b.size);
  return b;
}

static void check(const struct block *b) {
  if (!has_content(b->p, b->size, b->fill)) report_failure("content overwritten", b->size, b->p);
  atomic_fetch_add(&result, (unsigned long long)b->size * 2654435761u ^ b->fill);
}

static void release(struct block *b) {
  if (b->p == NULL) return;
  check(b);
  free(b->p);
  b->p = NULL;
}

static void resize(struct block *b, uint32_t *state) {
  const size_t size = any_size(state);
  unsigned char *p = realloc(b->p, size);
  count(p, size);
  if (!has_content(p, size < b->size ? size : b->size, b->fill)) report_failure("content lost", size, p);
  *b = (struct block){.p = p, .size = size, .fill = (unsigned char)next_random(state)};
  memset(p, b->fill, size);
}

/* Each round: fill the own slots, resize or free the blocks of another thread, free what is left. */
static void *work(void *argument) {
  const unsigned number = (unsigned)(uintptr_t)argument, self = number % THREADS;
  uint32_t state = 7 + number;
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (struct block *b = slots[self]; b < slots[self] + BLOCKS; b++) *b = allocate(&state);
    if (round == ROUNDS / 2) {
      pthread_barrier_wait(&fork_barrier);
      pthread_barrier_wait(&fork_barrier);
    }
    pthread_barrier_wait(&barrier);
    struct block *other = slots[(self + 1 + round % (THREADS - 1)) % THREADS];
    for (struct block *b = other; b < other + BLOCKS; b++) {
      check(b);
      if (next_random(&state) % 3 == 0) resize(b, &state);
      else release(b);
    }
    pthread_barrier_wait(&barrier);
    if (round == ROUNDS - 1) break;  // the thread ends, and its blocks stay
    for (struct block *b = slots[self]; b < slots[self] + BLOCKS; b++) release(b);
  }
  return NULL;
}

static void *work_briefly(void *argument) {
  uint32_t state = (uint32_t)(uintptr_t)argument;
  for (int i = 0; i < 16; i++) { struct block b = allocate(&state); release(&b); }
  struct block *left = malloc(sizeof *left);
  count((unsigned char *)left, sizeof *left);
  *left = allocate(&state);
  return left;
}

/* A process with one thread, and with the blocks of all the others. */
static _Noreturn void be_child(void) {
  alarm(TIMEOUT);
  uint32_t state = 3;
  atomic_store(&blocks, 0);
  atomic_store(&inside, 0);
  atomic_store(&wrong, 0);
  for (unsigned i = 0; i < THREADS; i++)
    for (struct block *b = slots[i]; b < slots[i] + BLOCKS; b++) release(b);
  for (int i = 0; i < IN_CHILD; i++) {
    struct block b = allocate(&state);
    resize(&b, &state);
    release(&b);
  }
  _exit(wrong != 0 ? 1 : inside != blocks ? 2 : 0);
}

static void fork_and_wait(void) {
  pthread_barrier_wait(&fork_barrier);  // all slots are full, and their threads wait
  const pid_t child = fork();
  if (child == 0) be_child();
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) report_failure("no child", 0, NULL);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code != 0 && code != 2) {
    fprintf(stderr, "threads: the forked process ended with status 0x%x\n", (unsigned)status);
    atomic_fetch_add(&wrong, 1);
  }
  atomic_fetch_add(&blocks, 2 * IN_CHILD);  // it allocates and resizes each
  if (code == 0) atomic_fetch_add(&inside, 2 * IN_CHILD);
  pthread_barrier_wait(&fork_barrier);
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument) {
  if (pthread_create(thread, NULL, body, argument) == 0) return;
  perror("threads: no thread");
  _exit(1);
}

static void run_generation(unsigned generation) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    start(&threads[i], work, (void *)(generation * THREADS + i));
  fork_and_wait();
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (unsigned i = 0; i < THREADS; i++)
    for (struct block *b = slots[i]; b < slots[i] + BLOCKS; b++) release(b);
}

static void churn(void) {
  for (uintptr_t i = 0; i < SHORT_LIVED; i += 4) {
    pthread_t threads[4];
    for (uintptr_t k = 0; k < 4; k++) start(&threads[k], work_briefly, (void *)(i + k));
    for (int k = 0; k < 4; k++) {
      void *left;
      pthread_join(threads[k], &left);
      release(left);
      free(left);
    }
  }
}

static void print_mapped(void) {
  char line[4608];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    char *path = strchr(line, '/');
    if (path != NULL && strstr(line, " r-xp ") != NULL) printf("maps %s", path);
  }
  if (maps != NULL) fclose(maps);
}

int main(void) {
  is_in_heap_region = (bool (*)(const void *))dlsym(RTLD_DEFAULT, "mi_is_in_heap_region");
  version = (int (*)(void))dlsym(RTLD_DEFAULT, "mi_version");
  alarm(TIMEOUT);
  pthread_barrier_init(&barrier, NULL, THREADS);
  pthread_barrier_init(&fork_barrier, NULL, THREADS + 1);
  for (unsigned generation = 0; generation < GENERATIONS; generation++) run_generation(generation);
  churn();
  printf("result %016llx\n", (unsigned long long)result);
  printf("blocks %lu of %lu\n", (unsigned long)inside, (unsigned long)blocks);
  printf("mi_version %d\n", version != NULL ? version() : 0);
  print_mapped();
  if (wrong != 0) return 1;
  return inside == 0 ? 2 : inside != blocks;
}
