/* Arithmetic with large whole numbers, each a block of its own that lives for one operation.

   Collatz sequences: an even number is halved, an odd one becomes three times itself and one. */

#include "workload.h"

enum { SEQUENCES = 16, LIMBS = 6 };

struct number {
    uint32_t count;
    uint32_t limb[];
};

static struct number *blank(uint32_t count) {
    struct number *number = needed(malloc(sizeof *number + count * sizeof number->limb[0]));
    number->count = count;
    return number;
}

static struct number *trimmed(struct number *number) {
    while (number->count > 1 && number->limb[number->count - 1] == 0) number->count--;
    return number;
}

static struct number *halved(const struct number *from) {
    struct number *half = blank(from->count);
    uint32_t carried = 0;
    for (uint32_t i = from->count; i-- > 0;) {
        half->limb[i] = from->limb[i] >> 1 | carried << 31;
        carried = from->limb[i] & 1;
    }
    return trimmed(half);
}

static struct number *tripled_and_one(const struct number *from) {
    struct number *next = blank(from->count + 1);
    uint64_t carried = 1;
    for (uint32_t i = 0; i < from->count; i++) {
        carried += 3 * (uint64_t)from->limb[i];
        next->limb[i] = (uint32_t)carried;
        carried >>= 32;
    }
    next->limb[from->count] = (uint32_t)carried;
    return trimmed(next);
}

static struct number *drawn_number(uint64_t *numbers) {
    struct number *number = blank(LIMBS);
    for (uint32_t i = 0; i < LIMBS; i++) number->limb[i] = drawn(numbers) | 1;
    return number;
}

int main(int argc, char **argv) {
    struct number *current[SEQUENCES];
    uint64_t sum = 0, numbers = 5;
    for (int i = 0; i < SEQUENCES; i++) current[i] = drawn_number(&numbers);
    for (uint64_t left = 1000u * (uint64_t)size_of_work(argc, argv); left > 0; left--) {
        struct number **place = &current[left % SEQUENCES], *old = *place;
        if (old->count == 1 && old->limb[0] == 1) {
            *place = drawn_number(&numbers);
        } else {
            *place = old->limb[0] % 2 == 0 ? halved(old) : tripled_and_one(old);
        }
        sum = mixed_in(sum, (*place)->limb[0]);
        free(old);
    }
    for (int i = 0; i < SEQUENCES; i++) free(current[i]);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
