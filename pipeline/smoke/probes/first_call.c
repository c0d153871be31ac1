/*
 * Makes each entry point of the allocator the first that a process calls, out of a constructor that runs before those
 * of other objects, with NULL, zero and ordinary arguments. The blocks must be usable, and the allocator goes on.
 *
 * Why: free(NULL) as the first call ends a process on 3.x, which sets itself up in the other functions only.
 *
 * Each call is made by a child of the constructor, so that one that crashes is one violation. The parent calls nothing
 * that allocates before all of them have ended; then it ends the process. Programs with arguments are left alone.
 *
 * Run:  cc -shared -fPIC first_call.c -o first_call.so; LD_PRELOAD=/path/to/libmimalloc.so.2:./first_call.so program
 *       or cc -DLINKED program.c first_call.c mimalloc.o -o program; ./program
 * Exit: 0 all right, 1 a call is wrong
 */
#include "entries.h"

#include <signal.h>
#include <sys/wait.h>

enum { RIGHT, WRONG, ABSENT, SECONDS = 20 };

/* The arguments: what is freed is NULL, and what is allocated has one of these sizes. */
static const size_t sizes[] = {0, 24, 100000, (size_t)1 << 20, SIZE_MAX};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Whether the allocator is of use after the first call. */
static int goes_on(void) {
  for (size_t size = 1; size < 100000; size = size * 3 + 1) {
    char *p = malloc(size), *q = calloc(1, size);
    if (p == NULL || q == NULL || memset(p, 1, size) != p || q[size - 1] != 0) return WRONG;
    free(p), free(q);
  }
  return RIGHT;
}

static int call_first(struct entry *e, size_t size) {
  if (!found(e)) return ABSENT;
  if (e->shape >= DELETE) {
    deallocate(e, NULL, 64, 0);
    return goes_on();
  }
  char *p = allocate(e, 64, size);
  if ((p == NULL) != (size == SIZE_MAX)) return WRONG;
  if (p != NULL) release(e, memset(p, 1, size), 64, size);
  return goes_on();
}

static int usable_size_first(void) {
  size_t (*usable_size)(void *) = (size_t (*)(void *))address("malloc_usable_size");
  return usable_size(NULL) == 0 ? goes_on() : WRONG;
}

static unsigned long calls, violations;

static void print(const char *format, const char *name, size_t size, int number) {  // stdio allocates
  char text[128];
  const int length = snprintf(text, sizeof text, format, name, size, number);
  if (write(STDOUT_FILENO, text, (size_t)length) != length) _exit(1);
}

static void try_first(struct entry *e, size_t size) {
  int status;
  const pid_t child = fork();
  if (child == 0) {
    alarm(SECONDS);
    _exit(e->shape == 0 && e->name == others[0].name ? usable_size_first() : call_first(e, size));
  }
  if (child < 0 || waitpid(child, &status, 0) != child) _exit(1);
  if (WIFEXITED(status) && WEXITSTATUS(status) == ABSENT) return;
  calls++;
  if (status == 0) return;
  violations++;
  if (WIFSIGNALED(status)) print("first-call: %s, size %zu: signal %d\n", e->name, size, WTERMSIG(status));
  else print("first-call: %s, size %zu: no usable block, exit code %d\n", e->name, size, WEXITSTATUS(status));
}

static void before_others(int count, char **arguments) {
  if (count > 1 && arguments != NULL) return;
  EACH(e, freeing) try_first(e, 0);
  try_first(others, 0);
  EACH(e, allocating)
    for (int i = 0; i < SIZES - (e->traits & THROWS ? 1 : 0); i++) try_first(e, sizes[i]);
  print("first-call: %s calls %zu violations %d\n", "total", calls, (int)violations);
  _exit(violations != 0);
}

/* A constructor of priority 100: before those of mimalloc, in whatever order they are linked. */
__attribute__((section(".init_array.00100"), used)) static void (*const constructor)(int, char **) = before_others;
