/* What the workloads share: the same numbers on every run, and a checksum of all that was done. */

#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A linear congruence; its upper bits are random enough for sizes and places. */
static inline uint32_t drawn(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static inline uint32_t below(uint64_t *state, uint32_t limit) { return drawn(state) % limit; }

static inline uint64_t mixed_in(uint64_t sum, uint64_t value) {
    return (sum ^ value) * 1099511628211u;
}

static inline void *needed(void *block) {
    if (block == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return block;
}

/* How much to do: the first argument. */
static inline uint32_t size_of_work(int argc, char **argv) {
    long size = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (size <= 0) {
        fprintf(stderr, "usage: %s SIZE\n", argv[0]);
        exit(2);
    }
    return (uint32_t)size;
}

#endif
