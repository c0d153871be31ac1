/*
 * A program of another project that is built with a package's files.
 *
 * Compiled with -DVERSION=<what mi_version is to return>.
 * Run:  ./consumer
 * Exit: 0 malloc is that of the expected mimalloc, 1 it is not
 */
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  void *block = malloc(100);
  const int own = block != NULL && mi_is_in_heap_region(block);
  free(block);
  if (own && mi_version() == VERSION) return 0;
  printf("mi_version(): %d, and malloc is %s\n", mi_version(), own ? "mimalloc's" : "another's");
  return 1;
}
