/* Search trees with a text in each node: they grow, lose half of their nodes, and are torn down. */

#include "workload.h"

enum { KEYS = 65536 };

struct node {
    struct node *left, *right;
    char *text;
    uint32_t key;
};

static struct node **place_of(struct node **place, uint32_t key) {
    while (*place != NULL && (*place)->key != key)
        place = key < (*place)->key ? &(*place)->left : &(*place)->right;
    return place;
}

static void inserted(struct node **root, uint64_t *numbers) {
    uint32_t key = below(numbers, KEYS);
    struct node **place = place_of(root, key);
    if (*place != NULL) return;
    *place = needed(calloc(1, sizeof **place));
    (*place)->key = key;
    char text[96];
    snprintf(text, sizeof text, "%0*u", 1 + (int)below(numbers, 90), key);
    (*place)->text = needed(strdup(text));
}

static uint64_t removed(struct node **root, uint32_t key, uint64_t sum) {
    struct node **place = place_of(root, key), *node = *place;
    if (node == NULL) return sum;
    struct node **next = &node->right;
    if (*next == NULL) {
        *place = node->left;
    } else {
        while ((*next)->left != NULL) next = &(*next)->left;
        struct node *heir = *next;
        *next = heir->right;
        heir->left = node->left;
        heir->right = node->right;
        *place = heir;
    }
    sum = mixed_in(sum, key + strlen(node->text));
    free(node->text);
    free(node);
    return sum;
}

int main(int argc, char **argv) {
    uint64_t sum = 0, numbers = 9;
    for (uint32_t left = size_of_work(argc, argv); left > 0; left--) {
        struct node *root = NULL;
        for (int i = 0; i < 2000; i++) inserted(&root, &numbers);
        for (int i = 0; i < KEYS / 2; i++) sum = removed(&root, below(&numbers, KEYS), sum);
        while (root != NULL) sum = removed(&root, root->key, sum);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
