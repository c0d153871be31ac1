/* The memory of this process, for the probes reclaimer.c and sparse.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MiB of a field of /proc/self/status, such as "VmHWM:"; without it the probe fails. */
static long status(const char *field) {
  char line[256];
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, field, strlen(field)) == 0) {
      fclose(file);
      return atol(line + strlen(field)) / 1024;
    }
  fprintf(stderr, "/proc/self/status: no %s\n", field);
  exit(1);
}
