/* Threads in a ring: each allocates batches for its neighbour, and frees what it receives. */

#include <pthread.h>

#include "workload.h"

enum { THREADS = 4, BATCH = 256, CAPACITY = 4 };

struct block {
    struct block *next;
    uint64_t value;
};

/* Batches on their way to one thread. A capacity of one or more keeps the ring moving. */
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct block *batches[CAPACITY];
    uint32_t first, count;
};

static struct inbox inboxes[THREADS];
static uint64_t sums[THREADS];
static uint32_t rounds;

static void hand_over(struct inbox *inbox, struct block *batch) {
    pthread_mutex_lock(&inbox->lock);
    while (inbox->count == CAPACITY) pthread_cond_wait(&inbox->moved, &inbox->lock);
    inbox->batches[(inbox->first + inbox->count++) % CAPACITY] = batch;
    pthread_cond_signal(&inbox->moved);
    pthread_mutex_unlock(&inbox->lock);
}

static struct block *taken(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->lock);
    while (inbox->count == 0) pthread_cond_wait(&inbox->moved, &inbox->lock);
    struct block *batch = inbox->batches[inbox->first];
    inbox->first = (inbox->first + 1) % CAPACITY;
    inbox->count--;
    pthread_cond_signal(&inbox->moved);
    pthread_mutex_unlock(&inbox->lock);
    return batch;
}

static struct block *made(uint64_t *numbers) {
    struct block *batch = NULL;
    for (int i = 0; i < BATCH; i++) {
        struct block *block = needed(malloc(sizeof *block + below(numbers, 240)));
        block->next = batch;
        block->value = drawn(numbers);
        batch = block;
    }
    return batch;
}

static void *work(void *argument) {
    uintptr_t who = (uintptr_t)argument;
    uint64_t numbers = who, sum = 0;
    for (uint32_t left = rounds; left > 0; left--) {
        hand_over(&inboxes[(who + 1) % THREADS], made(&numbers));
        for (struct block *block = taken(&inboxes[who]), *next; block != NULL; block = next) {
            next = block->next;
            sum = mixed_in(sum, block->value);
            free(block);
        }
    }
    sums[who] = sum;
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    rounds = size_of_work(argc, argv);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_mutex_init(&inboxes[i].lock, NULL);
        pthread_cond_init(&inboxes[i].moved, NULL);
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0) return 1;
    }
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum = mixed_in(sum, sums[i]);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
