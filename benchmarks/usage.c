/* Runs a program on a library, and writes what it took into a file: nanoseconds that passed,
   microseconds of the processors, the largest resident size in KiB, exit status.

   usage FILE LIBRARY PROGRAM [ARGUMENT...], where an empty LIBRARY is none

   A program of its own, because Linux counts what the starting process was as large as into the
   resident size of the started one, and Python is larger than what is measured. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static void become(char **argv) {
    if (argv[2][0] != '\0' && setenv("LD_PRELOAD", argv[2], 1) != 0) _exit(127);
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    _exit(127);
}

int main(int argc, char **argv) {
    struct rusage used;
    int status;
    if (argc < 4) return 2;
    long long began = nanoseconds();
    pid_t child = fork();
    if (child == 0) become(argv);
    if (child < 0 || wait4(child, &status, 0, &used) != child) return 1;
    long long took = nanoseconds() - began;
    FILE *file = fopen(argv[1], "w");
    if (file == NULL) return 1;
    fprintf(file, "%lld %lld %ld %d\n", took,
            microseconds(used.ru_utime) + microseconds(used.ru_stime), used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(file) == 0 ? 0 : 1;
}
