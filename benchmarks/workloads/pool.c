/* Pools, as a web server has them: blocks for one request, chained, and freed together at its end. */

#include "workload.h"

enum { CONNECTIONS = 64, POOL = 4096, LARGE = POOL / 2, ALIGNMENT = 16 };

struct chunk {
    struct chunk *next;
    uint32_t used;
};

struct pool {
    struct chunk *chunks;
    void *large[8];
    uint32_t larges, steps;
};

static void *from_pool(struct pool *pool, uint32_t size) {
    size = (size + 15u) & ~15u;
    if (pool->chunks == NULL || pool->chunks->used + size > POOL) {
        void *block;
        if (posix_memalign(&block, ALIGNMENT, POOL) != 0) block = NULL;
        struct chunk *chunk = needed(block);
        chunk->next = pool->chunks;
        chunk->used = sizeof *chunk;
        pool->chunks = chunk;
    }
    void *place = (char *)pool->chunks + pool->chunks->used;
    pool->chunks->used += size;
    return place;
}

/* A header, a buffer for the answer, or a large one for what a proxy has read. */
static uint64_t stepped(struct pool *pool, uint64_t *numbers, uint64_t sum) {
    uint32_t size = below(numbers, 8) != 0 ? 16 + below(numbers, 240) : 256 + below(numbers, 16384);
    unsigned char *block;
    if (size <= LARGE) {
        block = from_pool(pool, size);
    } else if (pool->larges < 8) {
        block = pool->large[pool->larges++] = needed(malloc(size));
    } else {
        return sum;
    }
    block[0] = (unsigned char)size;
    block[size - 1] = (unsigned char)(size >> 8);
    pool->steps++;
    return mixed_in(sum, block[0] + 256u * block[size - 1]);
}

static uint64_t ended(struct pool *pool, uint64_t sum) {
    sum = mixed_in(sum, pool->steps);
    for (uint32_t i = 0; i < pool->larges; i++) free(pool->large[i]);
    for (struct chunk *next, *chunk = pool->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *pool = (struct pool){NULL, {NULL}, 0, 0};
    return sum;
}

int main(int argc, char **argv) {
    static struct pool pools[CONNECTIONS];
    uint64_t sum = 0, numbers = 7;
    for (uint64_t left = 1000u * (uint64_t)size_of_work(argc, argv); left > 0; left--) {
        struct pool *pool = &pools[below(&numbers, CONNECTIONS)];
        sum = stepped(pool, &numbers, sum);
        if (pool->steps > 20 + below(&numbers, 60)) sum = ended(pool, sum);
    }
    for (int i = 0; i < CONNECTIONS; i++) sum = ended(&pools[i], sum);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
