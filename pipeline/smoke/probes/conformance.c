/*
 * Holds every entry point of the allocator that it runs on to C17, C23, POSIX.1-2024 and the manual of the GNU C
 * library; where these leave a choice, to what the GNU C library does and programs rely on.
 *
 * Why: preloaded, an allocator takes the place of the one that programs were tested on.
 *
 * Run:  [LD_PRELOAD=/path/to/libmimalloc.so.2] ./conformance [mimalloc]
 * Exit: 0 all right, 1 a rule is violated, 2 `mimalloc` is asked for, but the process does not run on it
 */
#include "entries.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <wchar.h>

enum {
  DESCRIBED = 16,  // violations of a rule, the first of each entry point; others are counted
  LIVE = 64,      // blocks at a time
  BATCH = 6,
  KiB = 1024,
  MiB = 1 << 20,
  SENTINEL = 4242,  // of errno
};

#define RULES(X)                                                                                        \
  X(main_errno) X(plain_names) X(one_heap) X(null) X(zero_size) X(realloc_zero) X(alignment) X(any_size) \
  X(large_alignment) X(huge_alignment) X(invalid_alignment) X(posix_memalign) X(posix_memalign_errno)   \
  X(natural_alignment) X(refusal) X(refusal_errno) X(overflow) X(realloc_refused) X(free_errno)         \
  X(calloc_zero) X(usable_size) X(neighbours) X(realloc_content) X(libc_blocks) X(rezalloc_zero)
#define NUMBER(name) name##_rule,
enum rule { RULES(NUMBER) COUNT_OF_RULES };
#define NAMED(rule) {.name = #rule},
static struct {
  char name[32];
  unsigned long calls, violations, described;
  const char *last;  // the entry point that was described last
} rules[] = {RULES(NAMED)};
#define CHECK(rule, ...) check(rule##_rule, __VA_ARGS__)

static enum rule current;  // where a crash is reported
static size_t page;
static bool (*is_in_heap_region)(const void *);  // NULL: any allocator is tried
static size_t (*usable_size)(void *);

/* Counts a call, and describes the first violation of the rule by each entry point. */
__attribute__((format(printf, 4, 5)))
static bool check(enum rule rule, bool holds, const char *name, const char *format, ...) {
  const int error = errno;
  current = rule;
  rules[rule].calls++;
  if (holds) return true;
  rules[rule].violations++;
  if (rules[rule].last == name || ++rules[rule].described > DESCRIBED) return false;
  rules[rule].last = name;
  va_list values;
  va_start(values, format);
  fprintf(stderr, "conformance: %s: %s: ", rules[rule].name, name);
  vfprintf(stderr, format, values);
  fprintf(stderr, "\n");
  va_end(values);
  errno = error;
  return false;
}

static unsigned long print_counts(void) {  // without stdio, which allocates
  unsigned long violations = 0, calls = 0;
  for (int i = 0; i <= COUNT_OF_RULES; i++) {
    const bool total = i == COUNT_OF_RULES;
    char text[128];
    if (!total) calls += rules[i].calls, violations += rules[i].violations;
    const int length = snprintf(text, sizeof text, "conformance: %s calls %lu violations %lu\n",
                                total ? "total" : rules[i].name, total ? calls : rules[i].calls,
                                total ? violations : rules[i].violations);
    if (write(STDOUT_FILENO, text, (size_t)length) != length) _exit(3);
  }
  return violations;
}

static void crashed(int number) {  // in the rule of the last check, or the next
  char text[128];
  const int length = snprintf(text, sizeof text, "conformance: signal %d after %s\n", number, rules[current].name);
  rules[current].violations++;
  if (write(STDERR_FILENO, text, (size_t)length) == length) print_counts();
  signal(number, SIG_DFL);
  raise(number);
}

static uint32_t next_random(void) {  // the same numbers in every run
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/* Fills a block, or returns whether it still has its content. */
static bool content(unsigned char *p, size_t size, unsigned seed, bool fill) {
  static unsigned char bytes[4 * KiB + 256];
  for (size_t i = 0; i < sizeof bytes && bytes[sizeof bytes - 1] == 0; i++)
    bytes[i] = (unsigned char)(next_random() | 1);
  for (size_t at = 0; at < size; at += 4 * KiB) {
    const size_t length = size - at < 4 * KiB ? size - at : 4 * KiB;
    const unsigned char *want = bytes + (seed * 31 + at / KiB * 7) % 256;
    if (fill) memcpy(p + at, want, length);
    else if (memcmp(p + at, want, length) != 0) return false;
  }
  return true;
}

static bool is_zero(const unsigned char *p, size_t size) {
  return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* The alignment: as asked for, and at least that of any type that fits into the block (C23, C++17). */
static size_t promised(const struct entry *e, size_t alignment, size_t size) {
  size_t natural = 1;
  while (natural * 2 <= size && natural < _Alignof(max_align_t)) natural *= 2;
  return e->traits & PAGE ? page : e->traits & ALIGNED && alignment > natural ? alignment : natural;
}

/* Checks a block that must be there; false: it may not be used. */
static bool usable(enum rule rule, const char *name, void *p, size_t size) {
  if (!check(rule, p != NULL, name, "size %zu: NULL, errno %d", size, errno)) return false;
  // mimalloc does not find all blocks of a larger alignment in its map.
  const bool exempt = is_in_heap_region == NULL || (uintptr_t)p % MiB == 0 || size > MiB;
  if (!exempt && !CHECK(one_heap, is_in_heap_region(p), name, "size %zu: another allocator's", size))
    return false;
  return CHECK(usable_size, usable_size(p) >= size, name, "size %zu: usable %zu", size, usable_size(p));
}

/* Allocates a block that stays for a while, so that not all calls return the same one. */
static void try_block(struct entry *e, enum rule rule, size_t alignment, size_t size) {
  static struct { struct entry *e; void *p; size_t alignment, size; } live[LIVE], *slot;
  slot = &live[next_random() % LIVE];
  if (slot->p != NULL) release(slot->e, slot->p, slot->alignment, slot->size);
  slot->e = e, slot->alignment = alignment, slot->size = size;
  slot->p = allocate(e, alignment, size);
  if (!usable(rule, e->name, slot->p, size)) { slot->p = NULL; return; }
  const size_t right = promised(e, alignment, size);
  check(e->traits & (ALIGNED | PAGE) ? alignment_rule : natural_alignment_rule, (uintptr_t)slot->p % right == 0,
        e->name, "size %zu: %p, no multiple of %zu", size, slot->p, right);
  if (size <= MiB) return;
  release(e, slot->p, alignment, size);
  slot->p = NULL;
}

static void *call_counted(const struct entry *e, void *p, size_t count, size_t size) {
  if (e->shape == COUNT) return ((void *(*)(size_t, size_t))e->function)(count, size);
  if (e->shape == RESIZE_COUNT) return ((void *(*)(void *, size_t, size_t))e->function)(p, count, size);
  return ((void *(*)(void *, size_t))e->function)(p, count * size);
}

static void null_and_zero(void) {
  EACH(f, freeing) if (found(f)) {
    errno = SENTINEL;
    deallocate(f, NULL, 16, 0);
    CHECK(null, errno == SENTINEL, f->name, "NULL: errno %d", errno);
  }
  CHECK(null, usable_size(NULL) == 0, "malloc_usable_size", "of NULL: %zu", usable_size(NULL));
  EACH(e, allocating) if (found(e)) {
    void *blocks[4] = {NULL};
    for (int i = 0; i < 4; i++) {
      const bool counted = i >= 2 && (e->shape == COUNT || e->shape == RESIZE_COUNT);
      blocks[i] = counted ? call_counted(e, NULL, i == 2 ? 16 : 0, i == 2 ? 0 : 16) : allocate(e, 64, 0);
      if (!usable(zero_size_rule, e->name, blocks[i], 0)) blocks[i] = NULL;
      for (int j = 0; j < i && blocks[i]; j++) CHECK(zero_size, blocks[i] != blocks[j], e->name, "size 0: not unique");
    }
    for (int i = 0; i < 4; i++) if (blocks[i] != NULL) release(e, blocks[i], 64, 0);
  }
}

static size_t resident(void) {  // bytes of this process
  char text[64] = "";
  const int file = open("/proc/self/statm", O_RDONLY);
  if (read(file, text, sizeof text - 1) < 0) abort();
  close(file);
  return strtoul(strchr(text, ' '), NULL, 10) * page;
}

/* C23 leaves it undefined; POSIX allows a block, or NULL where the old one is freed. */
static void resize_to_zero(void) {
  EACH(e, allocating) if ((e->shape == RESIZE || e->shape == RESIZE_COUNT) && found(e)) {
    const size_t before = resident(), size = 128 * KiB, blocks = 256;
    for (size_t n = 0; n < blocks; n++) {
      char *p = allocate(e, 0, size);
      if (!usable(realloc_zero_rule, e->name, p, size)) return;
      for (size_t i = 0; i < size; i += page) p[i] = 1;
      p = call_counted(e, p, n % 2 ? 0 : 16, n % 2 ? 16 : 0);
      if (p != NULL && usable(realloc_zero_rule, e->name, p, 0)) release(e, p, 0, 0);
    }
    const size_t grown = resident() < before ? 0 : resident() - before;
    CHECK(realloc_zero, grown < blocks * size * 3 / 4, e->name, "size 0: %zu bytes of memory leaked", grown);
  }
}

/* Names of other systems. Here, a program or a library may have a function of its own of that name. */
#define FOREIGN(X) X(vfree) X(malloc_size) X(malloc_good_size) X(reallocf) X(reallocarr) X(_aligned_malloc)
#ifdef LINKED
#define WEAK(name) extern __attribute__((weak)) char name[];
FOREIGN(WEAK)
#define ADDRESS(name) name
#else
#define ADDRESS(name) dlsym(RTLD_DEFAULT, #name)
#endif

static void plain_names(void) {
#define IS_FREE(name) CHECK(plain_names, (void *)ADDRESS(name) == NULL, #name, "is defined%s", "");
  FOREIGN(IS_FREE)
}

static enum rule of_alignment(size_t alignment, size_t size) {
  if (alignment > MiB) return alignment > 32 * MiB ? huge_alignment_rule : large_alignment_rule;
  return size % alignment ? any_size_rule : alignment_rule;
}

/* C17 by defect report 460, C23 and POSIX take any size with any alignment. */
static void alignments(void) {
  EACH(e, allocating) if (e->traits & (ALIGNED | PAGE) && found(e))
    for (size_t alignment = e->shape == POSIX ? sizeof(void *) : 1; alignment <= 64 * MiB; alignment *= 2) {
      if (e->traits & THROWS && alignment > MiB) break;  // where refused, it ends the process
      const size_t sizes[] = {alignment, alignment - 1, alignment + 1, alignment / 2 + 3, 1, 100, alignment * 3 / 2};
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] != 0)
          try_block(e, of_alignment(alignment, sizes[i]), alignment, sizes[i]);
    }
  EACH(e, allocating) if (e->shape == ALIGN_SIZE && !(e->traits & CXX) && found(e)) {
    const size_t invalid[] = {0, 3, 6, 24, 48, 100, 4097, 3 * MiB, SIZE_MAX / 2 + 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
      size_t power = 1;  // what the GNU C library takes it for
      while (power < invalid[i] && power <= SIZE_MAX / 4) power *= 2;
      errno = 0;
      void *p = allocate(e, invalid[i], 100);
      // aligned_alloc refuses them (C17, and the GNU C library since 2.38), or rounds up as memalign does.
      const bool refuse = strcmp(e->name, "aligned_alloc") == 0 || power < invalid[i];
      const bool right = p == NULL ? refuse && errno == EINVAL : (uintptr_t)p % power == 0;
      CHECK(invalid_alignment, right, e->name, "alignment %zu: %p, errno %d", invalid[i], p, errno);
      if (p != NULL) release(e, p, power, 100);
    }
  }
}

static void posix_results(void) {
  EACH(e, allocating) if (e->shape == POSIX && found(e)) {
    int (*call)(void **, size_t, size_t) = (int (*)(void **, size_t, size_t))e->function;
    const size_t bad[] = {0, 1, 2, 3, 4, 7, 12, 24, 40, 48, 100, 1000, 4097, SIZE_MAX / 2 + 2, SIZE_MAX - 7, SIZE_MAX};
    for (size_t i = 0; i < 2 * (sizeof bad / sizeof *bad); i++) {
      const size_t size = i % 2 ? 0 : 100, alignment = bad[i / 2];
      result = untouched, errno = SENTINEL;
      const int error = call(&result, alignment, size);
      CHECK(posix_memalign_errno, errno == SENTINEL, e->name, "alignment %zu: errno %d", alignment, errno);
      CHECK(posix_memalign, error == EINVAL, e->name, "alignment %zu: returns %d", alignment, error);
      CHECK(posix_memalign, result == untouched, e->name, "alignment %zu: pointer changed", alignment);
    }
    for (size_t alignment = sizeof(void *); alignment <= MiB; alignment *= 4) {
      result = untouched, errno = SENTINEL;
      int error = call(&result, alignment, SIZE_MAX - alignment);
      CHECK(posix_memalign, error == ENOMEM, e->name, "size near SIZE_MAX: returns %d", error);
      CHECK(posix_memalign, result == untouched, e->name, "size near SIZE_MAX: pointer changed");
      // The GNU C library sets it as malloc does.
      CHECK(posix_memalign_errno, errno == SENTINEL || errno == ENOMEM, e->name, "ENOMEM: errno %d", errno);
      errno = SENTINEL;
      error = call(&result, alignment, alignment + 1);
      CHECK(posix_memalign_errno, errno == SENTINEL, e->name, "success: errno %d", errno);
      if (CHECK(posix_memalign, error == 0, e->name, "alignment %zu: returns %d", alignment, error))
        release(e, result, alignment, alignment + 1);
    }
  }
}

static void refused(enum rule rule, const struct entry *e, void *p, size_t a, size_t b) {
  const int error = errno;
  check(rule, p == NULL, e->name, "(%zu, %zu): a block", a, b);
  const bool right = e->traits & CXX || p != NULL || error == ENOMEM;
  CHECK(refusal_errno, right, e->name, "(%zu, %zu): errno %d", a, b, error);
}

static const size_t too_large[] = {SIZE_MAX,        SIZE_MAX - 1,    SIZE_MAX - 15,   SIZE_MAX - 4095, SIZE_MAX - 4096,
                                   SIZE_MAX - 65536, PTRDIFF_MAX,    (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX - 4095,
                                   SIZE_MAX / 4 + 1, (size_t)1 << 56, (size_t)1 << 48};
enum { TOO_LARGE = sizeof too_large / sizeof *too_large };

static void refusals(void) {
  const size_t half = SIZE_MAX / 2 + 1, root = (size_t)1 << 32;
  const size_t products[][2] = {{half, 2}, {2, half}, {SIZE_MAX, SIZE_MAX}, {root, root}, {3, SIZE_MAX / 3 + 1},
                                {SIZE_MAX / 16 + 2, 16}, {root + 1, root}, {SIZE_MAX, 2}, {half + 8, 2}};
  EACH(e, allocating) if (!(e->traits & THROWS) && found(e)) {
    for (size_t alignment = 16; alignment <= (e->traits & ALIGNED ? MiB : 16); alignment *= 4)
      for (int i = 0; i < TOO_LARGE; i++) {
        errno = 0;
        refused(refusal_rule, e, allocate(e, alignment, too_large[i]), alignment, too_large[i]);
      }
    if (e->shape != COUNT && e->shape != RESIZE_COUNT) continue;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
      errno = 0;
      refused(overflow_rule, e, call_counted(e, NULL, products[i][0], products[i][1]), products[i][0], products[i][1]);
    }
  }
  EACH(e, allocating) if ((e->shape == RESIZE || e->shape == RESIZE_COUNT) && found(e))
    for (size_t size = 1; size <= 8 * MiB; size = size * 5 + 3) {
      unsigned char *p = allocate(e, 0, size);
      if (!usable(realloc_refused_rule, e->name, p, size)) continue;
      content(p, size, 1, true);
      for (int i = 0; i < TOO_LARGE; i++) {
        errno = 0;
        refused(refusal_rule, e, call_counted(e, p, 1, too_large[i]), size, too_large[i]);
        if (e->shape != RESIZE_COUNT) continue;
        errno = 0;
        refused(overflow_rule, e, call_counted(e, p, half + (size_t)i, 2), half + (size_t)i, 2);
      }
      CHECK(realloc_refused, content(p, size, 1, false), e->name, "size %zu: content lost", size);
      release(e, p, 0, size);
    }
}

static void ordinary_blocks(void) {
  EACH(e, allocating) if (found(e)) {
    for (size_t size = 1; size <= 4 * MiB; size += size < 1040 ? 1 : size / 16)
      for (size_t near = size < 1040 ? size : size - 1; near <= size + (size >= 1040); near++)
        try_block(e, e->traits & ALIGNED ? any_size_rule : natural_alignment_rule, 16, near);
    for (size_t size = 1; size <= 256 * KiB; size += size / 8 + 1) {
      unsigned char *blocks[BATCH];
      for (unsigned i = 0; i < BATCH; i++) {
        blocks[i] = allocate(e, 16, size);
        if (!usable(e->traits & ALIGNED ? any_size_rule : usable_size_rule, e->name, blocks[i], size)) blocks[i] = NULL;
        else content(blocks[i], usable_size(blocks[i]), i * 31, true);
      }
      for (unsigned i = 0; i < BATCH; i++) {
        if (blocks[i] == NULL) continue;
        const bool kept = content(blocks[i], usable_size(blocks[i]), i * 31, false);
        CHECK(neighbours, kept, e->name, "size %zu: overwritten by a neighbour", size);
      }
      for (unsigned i = 0; i < BATCH; i++) if (blocks[i] != NULL) release(e, blocks[i], 16, size);
    }
  }
}

static void free_keeps_errno(void) {
  for (int round = 0; round < 2; round++) {
    EACH(e, allocating) if (!(e->traits & CXX) && found(e))
      // calloc fills large blocks with zeroes, which takes time.
      for (size_t size = 0; size <= (round || e->shape == COUNT ? 1 : 100) * (size_t)MiB; size = size * 3 + 1) {
        void *p = allocate(e, size % 2 ? 16 : 64 * KiB, size);
        if (p == NULL) continue;  // counted elsewhere
        errno = SENTINEL;
        release(e, p, 16, size);
        CHECK(free_errno, errno == SENTINEL, e->name, "a block of size %zu: errno %d", size, errno);
      }
    usleep(20000);  // after a while, free returns memory to the system
  }
}

static void calloc_is_zero(void) {
  EACH(e, allocating) if (e->shape == COUNT && found(e))
    for (size_t size = 1; size <= 2 * MiB; size += size < 1040 ? 1 : size / 12) {
      unsigned char *blocks[BATCH];
      const unsigned count = size < 64 * KiB ? BATCH : 2;
      for (unsigned i = 0; i < count; i++)
        if ((blocks[i] = allocate(allocating, 0, size)) != NULL) memset(blocks[i], 0xa5, usable_size(blocks[i]));
      for (unsigned i = 0; i < count; i++) release(allocating, blocks[i], 0, size);
      for (unsigned i = 0; i < count; i++)
        if ((blocks[i] = allocate(e, 0, size)) != NULL)
          CHECK(calloc_zero, is_zero(blocks[i], size), e->name, "size %zu: not zero", size);
      for (unsigned i = 0; i < count; i++) release(e, blocks[i], 0, size);
    }
}

static void resize_blocks(void) {
  EACH(r, allocating) if ((r->shape == RESIZE || r->shape == RESIZE_COUNT) && found(r))
    EACH(e, allocating) if (!(e->traits & CXX) && found(e))
      for (int n = 0; n < 12; n++) {
        size_t size = next_random() % (16u << next_random() % 13) + 1;
        unsigned char *p = allocate(e, 16u << next_random() % 10, size);
        for (int i = 0; i < 8 && p != NULL; i++) {
          const size_t had = usable_size(p);
          size = i == 0 ? had : i == 1 ? had + 1 : next_random() % (16u << next_random() % 15) + 1;
          content(p, had, (unsigned)i, true);
          p = call_counted(r, p, 1, size);
          if (!usable(realloc_content_rule, r->name, p, size)) break;
          const bool kept = content(p, size < had ? size : had, (unsigned)i, false);
          CHECK(realloc_content, kept, r->name, "%zu to %zu of %s: content lost", had, size, e->name);
        }
        if (p != NULL) release(r, p, 0, size);
      }
}

/* Blocks that functions of the C library return are the caller's to resize and to free. */
static void library_blocks(void) {
  static char text[] = "a line of text, longer than a small block";
  char *line = NULL, *printed = NULL, *streamed = NULL;
  size_t length = 0, written = 0;
  volatile size_t most = SIZE_MAX;
  FILE *input = fmemopen(text, sizeof text - 1, "r"), *output = open_memstream(&streamed, &written);
  if (input == NULL || output == NULL || getline(&line, &length, input) < 0 || fputs(text, output) < 0) abort();
  fclose(input), fclose(output);
  if (asprintf(&printed, "%s", text) < 0) printed = NULL;
  struct { const char *name, *want; char *p; } blocks[] = {
    {"strdup", text, strdup(text)}, {"strndup", "a li", strndup(text, 4)}, {"strndup", text, strndup(text, most)},
    {"strdup", "", strdup("")}, {"realpath", "/", realpath("/", NULL)}, {"getline", text, line},
    {"asprintf", text, printed}, {"open_memstream", text, streamed}, {"getcwd", "/", getcwd(NULL, 0)},
    {"canonicalize_file_name", "/", canonicalize_file_name("/..")},
  };
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    char *p = blocks[i].p;
    if (!usable(libc_blocks_rule, blocks[i].name, p, strlen(blocks[i].want) + 1)) continue;
    CHECK(libc_blocks, strncmp(p, blocks[i].want, strlen(blocks[i].want)) == 0, blocks[i].name, "another text");
    if ((p = realloc(p, 1000)) != NULL) free(p);
  }
  errno = 0;
  char *missing = realpath("/no/such/file", NULL);
  CHECK(libc_blocks, missing == NULL && errno == ENOENT, "realpath", "of no file: %p, errno %d", missing, errno);
}

/* mimalloc's own: of a block that was zero, what is not written to stays zero. */
static void rezalloc_is_zero(void) {
  void *(*zalloc)(size_t, size_t) = (void *(*)(size_t, size_t))address("mi_zalloc_aligned");
  static const char *const names[] = {"mi_rezalloc_aligned", "mi_recalloc_aligned", "mi_rezalloc", "mi_recalloc"};
  for (size_t n = 0; n < 4 && zalloc != NULL; n++)
    for (size_t size = 48; size <= 128 * KiB; size += size / 5 & ~(size_t)1)
      for (size_t alignment = 16; alignment <= (n < 2 ? 4 * KiB : 16); alignment *= 4) {
        void *resize = address(names[n]);
        if (resize == NULL) continue;
        unsigned char *dirty[BATCH], *p = zalloc(size, alignment);
        for (int i = 0; i < BATCH; i++) memset(dirty[i] = allocate(allocating, 0, size), 0xa5, size);
        for (int i = 0; i < BATCH; i++) release(allocating, dirty[i], 0, size);
        for (int i = 0; i < 2 && p != NULL; i++) {
          const size_t wanted = i ? size : size / 2;
          if (i == 0) memset(p, 0x5a, wanted);
          if (n == 0) p = ((void *(*)(void *, size_t, size_t))resize)(p, wanted, alignment);
          if (n == 1) p = ((void *(*)(void *, size_t, size_t, size_t))resize)(p, 1, wanted, alignment);
          if (n == 2) p = ((void *(*)(void *, size_t))resize)(p, wanted);
          if (n == 3) p = ((void *(*)(void *, size_t, size_t))resize)(p, 1, wanted);
        }
        if (!usable(rezalloc_zero_rule, names[n], p, size)) continue;
        const bool zero = is_zero(p + size / 2, size - size / 2);
        CHECK(rezalloc_zero, zero, names[n], "size %zu alignment %zu: not zero", size, alignment);
        ((void (*)(void *))freeing[0].function)(p);
      }
}

int main(int count, char **arguments) {
  const int at_start = errno;
  for (int i = 0; i < COUNT_OF_RULES; i++)
    for (char *c = rules[i].name; *c != 0; c++) if (*c == '_') *c = '-';
  CHECK(main_errno, at_start == 0, "program", "errno is %d at the start of main", at_start);
  plain_names();
  page = (size_t)sysconf(_SC_PAGESIZE);
  usable_size = (size_t (*)(void *))address("malloc_usable_size");
  if (count > 1 && strcmp(arguments[1], "mimalloc") == 0) {
    is_in_heap_region = (bool (*)(const void *))address("mi_is_in_heap_region");
    if (is_in_heap_region == NULL) {
      fprintf(stderr, "conformance: not running on mimalloc; set LD_PRELOAD\n");
      return 2;
    }
  }
  const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGALRM};
  for (int i = 0; i < 4; i++) signal(signals[i], crashed);
  alarm(60);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // or the kernel fills huge pages with zeroes for most of the time
  if (chdir("/") != 0) abort();
  null_and_zero(), resize_to_zero(), alignments(), posix_results(), refusals(), ordinary_blocks();
  free_keeps_errno(), calloc_is_zero(), resize_blocks(), library_blocks(), rezalloc_is_zero();
  return print_counts() != 0;
}
