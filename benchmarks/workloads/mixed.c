/* Blocks of many sizes around a live set: one drawn by lot is freed, and another takes its place. */

#include "workload.h"

enum { SLOTS = 8192 };

struct slot {
    unsigned char *block;
    uint32_t size;
};

/* Mostly small, some of a page, a few large, as programs have it. */
static uint32_t drawn_size(uint64_t *numbers) {
    uint32_t kind = below(numbers, 1000);
    if (kind < 900) return 8 + below(numbers, 504);
    if (kind < 995) return 512 + below(numbers, 7680);
    return 8192 + below(numbers, 122880);
}

static uint64_t emptied(struct slot *slot, uint64_t sum) {
    if (slot->block == NULL) return sum;
    sum = mixed_in(sum, slot->block[0] + 256u * slot->block[slot->size - 1] + slot->size);
    free(slot->block);
    slot->block = NULL;
    return sum;
}

static void filled(struct slot *slot, uint64_t *numbers) {
    slot->size = drawn_size(numbers);
    /* calloc has a way of its own, and its zeros are counted on. */
    if (below(numbers, 8) == 0) {
        slot->block = needed(calloc(1, slot->size));
    } else {
        slot->block = needed(malloc(slot->size));
        slot->block[0] = (unsigned char)drawn(numbers);
        slot->block[slot->size - 1] = (unsigned char)drawn(numbers);
    }
}

int main(int argc, char **argv) {
    static struct slot slots[SLOTS];
    uint64_t sum = 0, numbers = 2;
    for (uint64_t left = 1000u * (uint64_t)size_of_work(argc, argv); left > 0; left--) {
        struct slot *slot = &slots[below(&numbers, SLOTS)];
        sum = emptied(slot, sum);
        filled(slot, &numbers);
    }
    for (int i = 0; i < SLOTS; i++) sum = emptied(&slots[i], sum);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
