/* Many blocks of one small size: lists are built, thinned out, filled up again, and freed. */

#include "workload.h"

enum { NODES = 20000 };

struct node {
    struct node *next;
    uint64_t value[5];
};

static struct node *pushed(struct node *list, uint64_t value) {
    struct node *node = needed(malloc(sizeof *node));
    node->next = list;
    node->value[0] = value;
    node->value[4] = ~value;
    return node;
}

/* Every other block goes, so that what comes next is put into holes. */
static void thin_out(struct node *list) {
    for (; list != NULL && list->next != NULL; list = list->next) {
        struct node *gone = list->next;
        list->next = gone->next;
        free(gone);
    }
}

static uint64_t freed(struct node *list, uint64_t sum) {
    while (list != NULL) {
        struct node *next = list->next;
        sum = mixed_in(sum, list->value[0] ^ list->value[4]);
        sum = mixed_in(sum, list->value[0]);
        free(list);
        list = next;
    }
    return sum;
}

int main(int argc, char **argv) {
    uint64_t sum = 0, numbers = 1;
    for (uint32_t left = size_of_work(argc, argv); left > 0; left--) {
        struct node *list = NULL;
        for (int i = 0; i < NODES; i++) list = pushed(list, drawn(&numbers));
        thin_out(list);
        for (int i = 0; i < NODES / 2; i++) list = pushed(list, drawn(&numbers));
        sum = freed(list, sum);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
