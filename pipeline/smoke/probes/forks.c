/*
 * Forks while other threads start, allocate, free each other's blocks and end. Each child allocates,
 * frees what it has inherited, starts a thread that allocates, and ends; each fourth forks again.
 * Handlers of forks allocate, too.
 *
 * Why: a child has only the thread that forked. A lock of the allocator that another thread held at
 * that moment stays locked, and what that thread was changing stays half changed: children wait for
 * ever or crash. The C library's allocator promises that they do not. POSIX does not promise it, but
 * many programs rely on it: every fork without exec in a process that has threads.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.3 ./forks [FORKS [STARTERS [SECONDS [HUNG]]]]
 *       STARTERS threads start the threads that end (0: no fork of a process with threads, which an
 *       emulator does not stand); a child has hung after SECONDS; after HUNG of them there are no more
 *       forks, for each takes all its seconds, and a processor
 *       (gcc with glibc below 2.34: link with -lpthread -ldl)
 * Exit: 0 all right, 1 a child hung, crashed or found wrong content, 2 not on mimalloc
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  STARTERS_MAX = 64,
  SLOTS = 256,     // blocks on their way from thread to thread
  AT_ONCE = 8,     // children that live at the same time
  IN_THREAD = 8,   // blocks that a thread of the parent allocates at most
  IN_CHILD = 16,   // blocks that are live in a child at once, of 16 bytes to 512 KiB
  FORKS_AGAIN = 4, // each fourth child
  WRONG = 3,       // a child's exit code: the content of a block has changed
  NO_THREAD = 4,   // or it could not start one
};

static struct counts { unsigned long forks, hung, crashed, wrong; } counts;
static void *_Atomic slots[SLOTS];
static atomic_bool finished;
static unsigned seconds = 10;

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

/* Small ones mostly; some need a page of blocks of their own. */
static size_t any_size(uint32_t *state) {
  const uint32_t n = next_random(state);
  return 16 + n % ((size_t)16 << next_random(state) % (n % 16 == 0 ? 16 : 9));
}

/* Leaves a block for another thread, and frees the block that another thread has left. */
static void exchange(uint32_t *state) {
  free(atomic_exchange(&slots[next_random(state) % SLOTS], malloc(any_size(state))));
}

static void *live_briefly(void *argument) {
  uint32_t state = (uint32_t)(uintptr_t)argument;
  for (int i = next_random(&state) % IN_THREAD; i >= 0; i--) exchange(&state);
  return NULL;
}

static void *start_threads(void *argument) {
  uint32_t state = (uint32_t)(uintptr_t)argument;
  while (!finished) {
    pthread_t thread;
    const uintptr_t seed = next_random(&state);
    if (pthread_create(&thread, NULL, live_briefly, (void *)seed) != 0) continue;
    exchange(&state);
    pthread_join(thread, NULL);
  }
  return NULL;
}

/* Several size classes, all live at once: two that overlap would change each other. */
static void *allocate(void *argument) {
  unsigned char *blocks[IN_CHILD];
  size_t sizes[IN_CHILD];
  uint32_t state = (uint32_t)(uintptr_t)argument;
  for (int i = 0; i < IN_CHILD; i++) {
    sizes[i] = (size_t)16 << i % 16;
    blocks[i] = i % 3 == 0 ? calloc(1, sizes[i]) : i % 3 == 1 ? malloc(sizes[i]) : realloc(malloc(8), sizes[i]);
    if (blocks[i] == NULL || (i % 3 == 0 && blocks[i][sizes[i] - 1] != 0)) _exit(WRONG);
    blocks[i][0] = blocks[i][sizes[i] - 1] = (unsigned char)i;
    exchange(&state);
  }
  for (int i = 0; i < IN_CHILD; i++) {
    if (blocks[i][0] != i || blocks[i][sizes[i] - 1] != i) _exit(WRONG);
    free(blocks[i]);
  }
  return NULL;
}

static int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}

/* Allocates, frees what it has inherited, starts a thread, and forks meanwhile where that is asked for. */
static _Noreturn void be_child(unsigned number, bool forks) {
  void *const argument = (void *)(uintptr_t)number;
  pthread_t thread;
  pid_t child = 0;
  for (;; forks = false) {
    alarm(seconds);
    allocate(argument);
    for (int i = 0; i < SLOTS; i++) free(atomic_exchange(&slots[i], NULL));
    if (pthread_create(&thread, NULL, allocate, argument) != 0) _exit(NO_THREAD);
    if (!forks || (child = fork()) != 0) break;
  }
  pthread_join(thread, NULL);
  const int status = child != 0 ? wait_for(child) : 0;
  if (WIFSIGNALED(status)) raise(WTERMSIG(status));
  _exit(WEXITSTATUS(status));
}

static void count_one(void) {
  const int status = wait_for(-1);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) counts.hung++;
  else if (WIFSIGNALED(status)) counts.crashed++;
  else if (status != 0) counts.wrong++;
}

/* What libraries do: they allocate before and after each fork. Handlers that are registered before
   the allocator's own run while it is prepared for the fork. */
static void *small, *large;
static void before(void) { small = malloc(100), large = malloc(3 << 20); }
static void after(void) { free(small), free(large), free(malloc(3000)); }
static void register_handlers(void) { pthread_atfork(before, after, after); }
__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = register_handlers;

static unsigned long argument_or(int argc, char **argv, int index, unsigned long otherwise) {
  return argc > index ? strtoul(argv[index], NULL, 10) : otherwise;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  const unsigned long forks = argument_or(argc, argv, 1, 600);
  unsigned long starters = argument_or(argc, argv, 2, 4);
  pthread_t threads[STARTERS_MAX];
  seconds = (unsigned)argument_or(argc, argv, 3, seconds);
  const unsigned long hung = argument_or(argc, argv, 4, 16);
  if (starters > STARTERS_MAX) starters = STARTERS_MAX;
  for (uintptr_t i = 0; i < starters; i++)
    if (pthread_create(&threads[i], NULL, start_threads, (void *)(i + 1)) != 0) return 1;

  const double began = now();
  for (unsigned long live = 0, last = forks; counts.forks < last || live > 0;) {
    alarm(4 * seconds);  // this process hangs, too, where a fork never returns
    if (counts.hung >= hung) last = counts.forks;
    const pid_t child = counts.forks < last && live < AT_ONCE ? fork() : -1;
    if (child == 0) be_child((unsigned)counts.forks, starters > 0 && counts.forks % FORKS_AGAIN == 0);
    if (child > 0) counts.forks++, live++;
    else if (live > 0) count_one(), live--;
    else return perror("forks: no process"), 1;
  }
  const double took = now() - began;
  finished = true;
  for (unsigned long i = 0; i < starters; i++) pthread_join(threads[i], NULL);

  int (*version)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "mi_version");
  printf("forks: mi_version %d forks %lu hung %lu crashed %lu wrong %lu seconds %.1f\n",
         version != NULL ? version() : 0, counts.forks, counts.hung, counts.crashed, counts.wrong, took);
  return counts.hung + counts.crashed + counts.wrong != 0 ? 1 : version == NULL ? 2 : 0;
}
