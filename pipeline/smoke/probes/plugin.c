/*
 * Loads a plugin that is linked with libmimalloc, uses it, and unloads it, in three ways, each in a
 * process of its own: while a thread that has used it lives, with no other thread, and many times.
 *
 * Why: what the library has registered for a thread, a process or a fork must not outlive its code.
 * With 2.0.6 and 2.0.9 a thread that ends after the unloading calls a destructor that is no longer
 * mapped.
 *
 * Compiled twice: with -DPLUGIN -shared -fPIC and the library as plugin.so, without as the program.
 * Run:  LD_LIBRARY_PATH=/path/to/lib64 ./plugin ./plugin.so [TIMES]    (also with LD_PRELOAD)
 * Exit: 0 all right, 1 something was wrong
 */
#ifdef PLUGIN

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

void *mi_malloc(size_t size);
size_t mi_usable_size(const void *p);

/* Leaves blocks of several sizes that it has written to. 2.0.9 does not know its own blocks above
   20 TiB (mi_is_in_heap_region), where some lie if what an earlier load has left is in their way. */
bool use(void) {
  for (size_t size = 16; size < 100000; size *= 4) {
    void *p = mi_malloc(size);
    if (p == NULL || mi_usable_size(p) < size) return false;
    memset(p, 'u', size);
  }
  return true;
}

#else

#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT = 60 };  // seconds; then SIGALRM ends the process

static const char *path;
static int times = 100;
static void *handle;
static pthread_barrier_t barrier;

static void load_and_use(void) {
  handle = dlopen(path, RTLD_NOW);
  bool (*use)(void) = handle != NULL ? (bool (*)(void))dlsym(handle, "use") : NULL;
  if (use == NULL) fprintf(stderr, "plugin: %s\n", dlerror());
  if (use == NULL || !use()) _exit(1);
}

static void unload(void) {
  if (dlclose(handle) != 0) _exit(1);
}

static void *use_and_end(void *argument) {
  load_and_use();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return argument;
}

/* Handlers of forks are called, too. */
static void fork_once(void) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) _exit(1);
}

static void unload_while_a_thread_lives(void) {
  pthread_t thread;
  pthread_barrier_init(&barrier, NULL, 2);
  if (pthread_create(&thread, NULL, use_and_end, NULL) != 0) _exit(1);
  pthread_barrier_wait(&barrier);
  unload();
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  fork_once();
}

static void unload_alone(void) {
  load_and_use();
  unload();
  fork_once();
}

static int keys_left(void) {
  pthread_key_t keys[PTHREAD_KEYS_MAX];
  int count = 0;
  while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0) count++;
  for (int i = 0; i < count; i++) pthread_key_delete(keys[i]);
  return count;
}

/* A library that stays in memory may keep a key, but each load must not take another one. */
static void unload_often(void) {
  const int keys = keys_left();
  for (int i = 0; i < times; i++) unload_alone();
  if (keys_left() < keys - 1) {
    fprintf(stderr, "plugin: keys of threads: %d before, %d after\n", keys, keys_left());
    _exit(1);
  }
}

static bool passed(const char *name, void (*way)(void)) {
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    alarm(TIMEOUT);
    way();
    exit(0);  // with the handlers of the end
  }
  if (child > 0) waitpid(child, &status, 0);
  printf("plugin: unloaded %s: ", name);
  if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
  else printf(status == 0 ? "passed\n" : "failed\n");
  return status == 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  path = argv[1];
  if (argc > 2) times = atoi(argv[2]);
  setvbuf(stdout, NULL, _IONBF, 0);
  const bool thread = passed("while a thread lives", unload_while_a_thread_lives);
  const bool alone = passed("alone", unload_alone);
  const bool often = passed("often", unload_often);
  return thread && alone && often ? 0 : 1;
}

#endif
