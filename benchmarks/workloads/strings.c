/* Texts that grow a word at a time: each is reallocated to just what it needs, or doubled. */

#include "workload.h"

enum { TEXTS = 128, LONG_ENOUGH = 6000 };

struct text {
    char *letters;
    uint32_t length, capacity;
};

/* Half of the programs are thrifty, and half are in a hurry. */
static void make_room(struct text *text, uint32_t more, int thrifty) {
    uint32_t wanted = text->length + more + 1;
    if (wanted <= text->capacity) return;
    text->capacity = thrifty ? wanted : 2 * wanted;
    text->letters = needed(realloc(text->letters, text->capacity));
}

static void append(struct text *text, uint64_t *numbers, int thrifty) {
    uint32_t more = 1 + below(numbers, 24);
    make_room(text, more, thrifty);
    memset(text->letters + text->length, 'a' + (int)below(numbers, 26), more);
    text->length += more;
    text->letters[text->length] = '\0';
}

static uint64_t finished(struct text *text, uint64_t sum) {
    for (uint32_t i = 0; i < text->length; i += 61) sum = mixed_in(sum, (uint64_t)text->letters[i]);
    sum = mixed_in(sum, text->length);
    free(text->letters);
    *text = (struct text){NULL, 0, 0};
    return sum;
}

int main(int argc, char **argv) {
    static struct text texts[TEXTS];
    uint64_t sum = 0, numbers = 4;
    for (uint64_t left = 1000u * (uint64_t)size_of_work(argc, argv); left > 0; left--) {
        uint32_t which = below(&numbers, TEXTS);
        append(&texts[which], &numbers, which % 2 == 0);
        if (texts[which].length > LONG_ENOUGH) sum = finished(&texts[which], sum);
    }
    for (int i = 0; i < TEXTS; i++) sum = finished(&texts[i], sum);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
