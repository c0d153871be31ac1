/*
 * Allocates blocks of the preloaded mimalloc through every aligned entry point, and checks each block:
 * aligned as requested, large enough, zeroed where promised, from mimalloc's heap, content intact. A size need not be
 * a multiple of the alignment: C17 by defect report 460, C23 and the GNU C library take any.
 *
 * Why: 2.0.6 and 2.0.9 return misaligned blocks, but for a few sizes only, and only where a page of
 * blocks starts at the wrong offset; so there are many sizes, and many blocks are live at once.
 *
 * Run:  LD_PRELOAD=/path/to/libmimalloc.so.2 ./aligned [BLOCKS]
 *       at most BLOCKS of a size and alignment from each entry point
 *       (gcc with glibc below 2.34: link with -ldl)
 * Exit: 0 all right, 1 something was wrong, 2 the process does not run on mimalloc
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  MAX_ALIGNMENT = 65536,
  MAX_SIZE = 1 << 20,
  SLOTS = 2048,         // blocks that are live at the same time
  LIVE_MAX = 64 << 20,  // bytes that are live at the same time
  CHUNK = 4096,
  WHOLE = 8192,         // larger blocks are filled at the edges of each chunk only, for speed
  EDGE = 32,
  DESCRIBED = 2,        // failures of a kind that are described for each entry point; others are counted
};

enum shape { ALIGN_SIZE, SIZE_ALIGN, ONLY_SIZE, POSIX, NOTHROW, CALLOC, RESIZE };  // of the arguments
enum trait {
  PAGE = 1,   // the alignment is the page size
  PAGES = 2,  // the size is rounded up to whole pages
  ZERO = 4,   // the content must be zero
  C = 8,      // freed by free, resized by realloc
  MI = 16,    // freed by mi_free_aligned, resized by mi_realloc_aligned
};

static struct entry {
  const char *name, *symbol;  // no symbol: the same as the name
  enum shape shape;
  unsigned traits;
  const char *release;
  void *allocate, *deallocate;  // functions, called by their shape
  unsigned long calls, misaligned, corrupt, failed;
} entries[] = {
  {.name = "posix_memalign", .shape = POSIX, .traits = C},
  {.name = "aligned_alloc", .shape = ALIGN_SIZE, .traits = C},
  {.name = "memalign", .shape = ALIGN_SIZE, .traits = C},
  {.name = "valloc", .shape = ONLY_SIZE, .traits = C | PAGE},
  {.name = "pvalloc", .shape = ONLY_SIZE, .traits = C | PAGE | PAGES},
  {.name = "new", .symbol = "_ZnwmSt11align_val_t", .shape = SIZE_ALIGN, .release = "_ZdlPvSt11align_val_t"},
  {.name = "new[]", .symbol = "_ZnamSt11align_val_t", .shape = SIZE_ALIGN, .release = "_ZdaPvSt11align_val_t"},
  {.name = "new(nothrow)", .symbol = "_ZnwmSt11align_val_tRKSt9nothrow_t", .shape = NOTHROW,
   .release = "_ZdlPvSt11align_val_t"},
  {.name = "new[](nothrow)", .symbol = "_ZnamSt11align_val_tRKSt9nothrow_t", .shape = NOTHROW,
   .release = "_ZdaPvSt11align_val_t"},
  {.name = "mi_malloc_aligned", .shape = SIZE_ALIGN, .traits = MI},
  {.name = "mi_zalloc_aligned", .shape = SIZE_ALIGN, .traits = MI | ZERO},
  {.name = "mi_calloc_aligned", .shape = CALLOC, .traits = MI | ZERO},
  {.name = "mi_aligned_alloc", .shape = ALIGN_SIZE, .traits = MI},
  {.name = "mi_posix_memalign", .shape = POSIX, .traits = MI},
  {.name = "mi_memalign", .shape = ALIGN_SIZE, .traits = MI},
  {.name = "mi_realloc_aligned", .shape = RESIZE, .traits = MI},
  {.name = "realloc", .traits = C},  // used to resize only; these two stay last
};
enum { ENTRIES = sizeof entries / sizeof *entries, MI_REALLOC = ENTRIES - 2, REALLOC = ENTRIES - 1 };

static size_t page_size, live;  // live: bytes in slots, with the slack for alignment
static bool (*is_in_heap_region)(const void *);
static int (*version)(void);

static void *find(const char *symbol, int status) {
  void *address = dlsym(RTLD_DEFAULT, symbol);
  if (address != NULL) return address;
  fprintf(stderr, "aligned: no symbol %s%s\n", symbol, status == 2 ? ": not running on mimalloc; set LD_PRELOAD" : "");
  exit(status);
}

static void find_symbols(void) {
  is_in_heap_region = (bool (*)(const void *))find("mi_is_in_heap_region", 2);
  version = (int (*)(void))find("mi_version", 2);
  void *p = malloc(1);
  if (!is_in_heap_region(p)) {
    fprintf(stderr, "aligned: mimalloc is loaded, but malloc is not its own; set LD_PRELOAD\n");
    exit(2);
  }
  free(p);
  for (struct entry *e = entries; e < entries + ENTRIES; e++) {
    e->allocate = find(e->symbol ? e->symbol : e->name, 1);
    e->deallocate = find(e->traits & C ? "free" : e->traits & MI ? "mi_free_aligned" : e->release, 1);
  }
}

static void *call(const struct entry *e, void *old, size_t alignment, size_t size) {
  void *p = NULL;
  const size_t count = size % 3 ? 1 : 3;
  switch (e->shape) {
    case ALIGN_SIZE: return ((void *(*)(size_t, size_t))e->allocate)(alignment, size);
    case SIZE_ALIGN: return ((void *(*)(size_t, size_t))e->allocate)(size, alignment);
    case ONLY_SIZE: return ((void *(*)(size_t))e->allocate)(size);
    case POSIX: return ((int (*)(void **, size_t, size_t))e->allocate)(&p, alignment, size) == 0 ? p : NULL;
    case NOTHROW: return ((void *(*)(size_t, size_t, const void *))e->allocate)(size, alignment, &page_size);
    case CALLOC: return ((void *(*)(size_t, size_t, size_t))e->allocate)(count, size / count, alignment);
    case RESIZE: return ((void *(*)(void *, size_t, size_t))e->allocate)(old, size, alignment);
  }
  return NULL;
}

static void report_failure(struct entry *e, unsigned long *count, const char *what, size_t alignment, size_t size,
                           void *p) {
  if (++*count > DESCRIBED) return;
  fprintf(stderr, "aligned: %s: %s: alignment %zu size %zu address %p\n", e->name, what, alignment, size, p);
}

static struct block {
  struct entry *entry;  // NULL: the slot is free
  unsigned char *p;
  size_t alignment, size;
  unsigned seed;
  bool resized;
} slots[SLOTS];
static unsigned char pattern[3 * CHUNK];

static unsigned next_random(void) {  // the same numbers in every run
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/* Fills the block, or returns whether its first `limit` bytes still have their content. */
static bool content(const struct block *b, size_t limit, bool write) {
  for (size_t at = 0; at < b->size; at += CHUNK) {
    const size_t length = b->size - at < CHUNK ? b->size - at : CHUNK;
    const size_t edge = b->size <= WHOLE || length < 2 * EDGE ? length : EDGE;
    const unsigned char *want = pattern + (b->seed + at / CHUNK * 131) % (2 * CHUNK);
    for (size_t from = 0; from < length; from += length == edge ? length : length - edge) {
      const size_t left = limit > at + from ? limit - at - from : 0;
      if (write) memcpy(b->p + at + from, want + from, edge);
      else if (memcmp(b->p + at + from, want + from, left < edge ? left : edge) != 0) return false;
    }
  }
  return true;
}

static void fill(struct block *b) {
  b->seed = next_random();
  content(b, b->size, true);
  live += b->size + b->alignment;
}

/* Returns whether the block may be written to. */
static bool check(struct entry *e, void *p, size_t alignment, size_t size) {
  const char *what = NULL;
  e->calls++;
  if (p == NULL) what = "no block";
  else if (!is_in_heap_region(p)) what = "not from mimalloc";
  else if (malloc_usable_size(p) < size) what = "too small";
  if (what != NULL) report_failure(e, &e->failed, what, alignment, size, p);
  else if ((uintptr_t)p % alignment != 0) report_failure(e, &e->misaligned, "misaligned", alignment, size, p);
  return what == NULL;
}

static void resize(struct block *b) {
  const bool aligned = (b->entry->traits & MI) != 0;
  struct entry *e = &entries[aligned ? MI_REALLOC : REALLOC];
  const size_t sizes[] = {b->size / 2 + 1, b->size + 1, b->size + b->size / 4 + 9, b->size * 2, b->size / 5 + 1};
  const size_t size = sizes[next_random() % 5];
  const size_t alignment = aligned ? b->alignment : size < 16 ? 8 : 16;  // realloc promises what malloc does
  unsigned char *p = aligned ? call(e, b->p, alignment, size) : realloc(b->p, size);
  b->resized = true;
  const bool usable = check(e, p, alignment, size);
  if (p == NULL) return;  // the old block is still valid
  live -= b->size + b->alignment;
  b->p = p;
  if (usable && !content(b, size, false)) report_failure(e, &e->corrupt, "content lost", alignment, size, p);
  b->size = size;
  if (usable) fill(b);
  else b->entry = NULL;  // leaked, as it may not be a block at all
}

/* Checks the block, then frees it, or resizes it. */
static void free_or_resize(struct block *b, bool may_resize) {
  struct entry *e = b->entry;
  if (!content(b, b->size, false)) report_failure(e, &e->corrupt, "content overwritten", b->alignment, b->size, b->p);
  if (may_resize && !b->resized && (e->traits & (C | MI)) && next_random() % 2) { resize(b); return; }
  if (e->traits & C) free(b->p);
  else ((void (*)(void *, size_t))e->deallocate)(b->p, b->alignment);
  live -= b->size + b->alignment;
  b->entry = NULL;
}

/* Each byte is as the next one, and the first is 0: the C library compares faster than a loop, most of all emulated. */
static bool is_zero(const unsigned char *p, size_t size) { return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0; }

static void allocate(struct entry *e, size_t alignment, size_t size) {
  if (e->traits & PAGES) size = (size + page_size - 1) / page_size * page_size;
  unsigned char *p = call(e, NULL, alignment, size);
  if (!check(e, p, alignment, size)) return;
  if ((e->traits & ZERO) && !is_zero(p, size)) report_failure(e, &e->corrupt, "not zero", alignment, size, p);
  struct block *b;
  do {  // at random, so that blocks are freed in mixed order
    b = &slots[next_random() % SLOTS];
    if (b->entry != NULL) free_or_resize(b, live <= LIVE_MAX);
  } while (b->entry != NULL || live > LIVE_MAX);
  *b = (struct block){.entry = e, .p = p, .alignment = alignment, .size = size};
  fill(b);
}

/* How many blocks of this size. Sizes are dense up to 8 KiB, then around halves of powers of two. */
static int repeats(size_t size) {
  size_t power = 1;
  while (power * 2 <= size + 1) power *= 2;  // so that one less than a power counts as around it
  const size_t step = size <= WHOLE ? power / 8 : power / 2;
  const bool at_edge = step == 0 || (size + 1) % step <= 2;
  if (size > WHOLE) return at_edge;
  if (size == power) return 24;  // the sizes with a fast path
  return at_edge || size <= 256 || size % (size <= 2048 ? 8 : 32) == 0 ? 3 : 0;
}

static void print(const struct entry *e) {
  printf("aligned: %s calls %lu misaligned %lu corrupt %lu failed %lu\n", e->name, e->calls, e->misaligned, e->corrupt,
         e->failed);
}

int main(int argc, char **argv) {
  const int most = argc > 1 ? atoi(argv[1]) : INT_MAX;
  find_symbols();
  page_size = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (unsigned char)next_random();
  printf("aligned: mi_version %d\n", version());

  for (size_t alignment = 16; alignment <= MAX_ALIGNMENT; alignment *= 2)
    for (size_t size = 1; size <= MAX_SIZE; size++)
      for (int e = 0, n = repeats(size); n > 0 && e < REALLOC; e++) {
        if ((entries[e].traits & PAGE) && alignment != page_size) continue;
        for (int i = 0; i < n && i < most; i++) allocate(&entries[e], alignment, size);
      }
  for (size_t i = 0; i < SLOTS; i++)
    if (slots[i * 577 % SLOTS].entry != NULL) free_or_resize(&slots[i * 577 % SLOTS], false);

  struct entry total = {.name = "total"};
  for (const struct entry *e = entries; e < entries + ENTRIES; e++) {
    print(e);
    total.calls += e->calls, total.misaligned += e->misaligned, total.corrupt += e->corrupt, total.failed += e->failed;
  }
  print(&total);
  return total.misaligned + total.corrupt + total.failed != 0;
}
