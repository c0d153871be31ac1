/*
 * Does what programs with a fault do, and what attackers make of it; each time in a process of its own, which must end
 * by a signal, or not get what it tries to get:
 *   guard   writes from the end of a block upwards, to the next block behind what has a guard page
 *   double  frees a block twice, for two owners
 *   forged  writes the address of a target into a freed block, for malloc to return the target
 * Prints how the first blocks of each size lie to each other; that must differ between processes.
 *
 * Why: the secure flavor promises it. The level that a library prints does not show it: which options a release needs
 * for guard pages, and what has one, has changed.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc-secure.so.3 ./secure pages|segments
 *       what has a guard page behind it: pages, which have blocks of one size only, or segments, which a block of more
 *       than 32 MiB does not share
 * Exit: 0 all right, 1 what must not succeed has succeeded, or was not tried
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  ROUNDS = 12,        // so that pages of all sizes lie between each other
  AREA = 64 << 10,    // bytes of each size in a round, or one block
  BLOCKS = 1 << 18,   // at most
  WRITES = 5,         // blocks of each size from which a write begins
  AROUND = 1000,      // live blocks around one that is freed twice, or forged
  LATER = 20000,      // blocks that are allocated after that
  PLACED = 64,        // blocks of a size whose places are compared
  SUCCEEDED = 3,      // a child's exit code
};

static const size_t of_pages[] = {16,   48,   112,   256,   640,   1024,   2048,    5120,
                                  8192, 16384, 40960, 65536, 131072, 1 << 20, 0};
static const size_t of_segments[] = {33 << 20, 40 << 20, 48 << 20, 0};
static const size_t small[] = {16, 48, 112, 256, 1024, 4096, 8192, 0};

struct block { char *start; size_t size; };
static struct block *blocks;  // not in the allocator's memory
static size_t count;
static void *volatile around[AROUND], *volatile later[LATER];  // or the compiler takes each block for a new one
static volatile char *from, *to;
static unsigned long faults;

static void judge(const char *name, size_t size, bool (*succeeds)(size_t)) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);  // what the allocator says before it aborts
    alarm(60);
    _exit(succeeds(size) ? SUCCEEDED : 0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (status == 0 || signal == SIGSEGV || signal == SIGABRT) return;
  faults++;
  printf("secure: %s: blocks of %zu bytes: ", name, size);
  if (signal == 0 && WEXITSTATUS(status) == SUCCEEDED) puts("it succeeds");
  else printf("signal %d exit code %d\n", signal, WEXITSTATUS(status));
}

static bool write_upwards(size_t size) {
  const long step = sysconf(_SC_PAGESIZE);  // no guard page is smaller
  for (volatile char *p = from; p < to; p += step) *p = 1;
  *to = (char)size;
  return true;
}

static bool is_returned(const void *block, size_t size, int times) {
  for (int i = 0; i < LATER && times > 0; i++) {
    later[i] = malloc(size);
    if (later[i] == block) times--;
  }
  return times == 0;
}

static bool free_twice(size_t size) {
  for (int i = 0; i < AROUND; i++) around[i] = malloc(size);
  free(around[AROUND / 2]);
  free(around[AROUND / 3]);
  free(around[AROUND / 2]);
  return is_returned(around[AROUND / 2], size, 2);
}

static bool forge(size_t size) {
  static char target[1 << 14] __attribute__((aligned(64)));
  for (int i = 0; i < AROUND; i++) around[i] = malloc(size);
  void *volatile *const freed = around[AROUND / 2];
  free(around[AROUND / 2]);
  freed[0] = freed[1] = target;
  return is_returned(target, size, 1);
}

/* The next block upwards that a write from the end of this one must not reach. */
static char *guarded_from(const struct block *block, bool pages) {
  char *next = NULL;
  for (size_t i = 0; i < count; i++) {
    if (blocks[i].start <= block->start || (pages && blocks[i].size == block->size)) continue;
    if (next == NULL || blocks[i].start < next) next = blocks[i].start;
  }
  return next;
}

static unsigned long try_guards(bool pages) {
  const size_t *const sizes = pages ? of_pages : of_segments;
  unsigned long writes = 0;
  for (int round = 0; round < ROUNDS; round++)
    for (const size_t *size = sizes; *size != 0; size++)
      for (size_t n = 0; (n == 0 || (n + 1) * *size <= AREA) && count < BLOCKS; n++)
        blocks[count++] = (struct block){malloc(*size), *size};
  for (const size_t *size = sizes; *size != 0; size++) {
    const unsigned long before = writes;
    for (size_t i = 0, seen = 0; i < count && writes < before + WRITES; i++) {
      if (blocks[i].size != *size || seen++ % 3 != 0) continue;
      from = blocks[i].start + *size, to = guarded_from(&blocks[i], pages);
      if (to != NULL) judge("guard", *size, write_upwards), writes++;
    }
    if (writes > before) continue;
    faults++;
    printf("secure: guard: blocks of %zu bytes: not tried\n", *size);
  }
  return writes;
}

static uint64_t places(void) {
  uint64_t digest = 14695981039346656037u;  // FNV-1a, a word at a time
  for (const size_t *size = small; *size != 0; size++) {
    const uintptr_t first = (uintptr_t)malloc(*size);
    for (int i = 1; i < PLACED; i++) digest = (digest ^ ((uintptr_t)malloc(*size) - first)) * 1099511628211u;
  }
  return digest;
}

int main(int argc, char **argv) {
  const bool pages = argc > 1 && strcmp(argv[1], "pages") == 0;
  const uint64_t digest = places();
  unsigned long frees = 0;
  blocks = mmap(NULL, BLOCKS * sizeof *blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (blocks == MAP_FAILED) return perror("secure"), 1;
  for (const size_t *size = small; *size != 0; size++, frees++) {
    judge("double", *size, free_twice);
    judge("forged", *size, forge);
  }
  const unsigned long writes = try_guards(pages);
  printf("secure: guard %lu double %lu forged %lu faults %lu places %016llx\n", writes, frees, frees, faults,
         (unsigned long long)digest);
  return faults != 0;
}
