/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/agg/agg_impl.h"
#include "tests/test.h"

enum { KEYS = 50 };

static uint32_t next(uint32_t *x)
{
    *x = *x * 1664525U + 1013904223U;
    return *x >> 8;
}

struct seen {
    int64_t last;
    uint64_t n;
};

static void in_order(void *arg, const struct agg_node *n)
{
    struct seen *s = arg;
    CHECK(n->key.i > s->last);
    s->last = n->key.i;
    s->n += n->n;
}

TEST(agg_tree_counts_values_and_finds_the_kth)
{
    struct vheap *h = vheap_new();
    struct agg_tree t = {0};
    uint32_t count[KEYS] = {0}, all = 0, seed = 7;
    for (int step = 0; step < 20000; step++) {
        uint32_t k = next(&seed) % KEYS;
        bool add = next(&seed) % 5 < (step < 10000 ? 3U : 2U);
        if (add) {
            agg_tree_add(&t, h, dat_long(k), NULL, true);
            count[k]++;
            all++;
        } else {
            CHECK_EQ(count[k] > 0, agg_tree_remove(&t, h, dat_long(k), NULL, true));
            all -= count[k] > 0 ? 1 : 0;
            count[k] -= count[k] > 0 ? 1 : 0;
        }
        CHECK_EQ(all, agg_tree_count(&t));
        if (all > 0) {
            uint32_t at = next(&seed) % all, below = 0, want = 0;
            while (below + count[want] <= at) {
                below += count[want++];
            }
            CHECK_EQ(want, agg_tree_at(&t, at, true)->key.i);
            CHECK_EQ(below, agg_tree_rank(&t, dat_long(want), false, true));
            CHECK_EQ(below + count[want], agg_tree_rank(&t, dat_long(want), true, true));
        }
    }
    struct seen s = {-1, 0};
    agg_tree_each(&t, in_order, &s);
    CHECK_EQ(all, s.n);
    CHECK(t.used <= KEYS);
    agg_tree_done(&t, h);
    vheap_free(h);
}

TEST(agg_tree_keeps_equal_keys_in_order_of_arrival)
{
    struct vheap *h = vheap_new();
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    const struct etype *type = ety_new(a, NULL, ETYPE_PLAIN, SLICE("E"), NULL, 0, NULL, 0);
    struct agg_tree t = {0};
    struct evt *e[9];
    for (int i = 0; i < 9; i++) {
        e[i] = evt_new(h, type);
        agg_tree_add(&t, h, dat_int(i % 3), e[i], false);
    }
    for (uint32_t i = 0; i < 9; i++) {
        CHECK(agg_tree_at(&t, i, false)->ev == e[i % 3 * 3 + i / 3]);
    }
    CHECK(agg_tree_remove(&t, h, dat_int(1), e[4], false)); /* the middle one of its key */
    CHECK(!agg_tree_remove(&t, h, dat_int(1), e[4], false));
    CHECK_EQ(8, agg_tree_count(&t));
    CHECK(agg_tree_at(&t, 4, false)->ev == e[7]);
    CHECK(agg_tree_end(&t, true)->ev == e[8]);
    CHECK(agg_tree_end(&t, false)->ev == e[0]);
    agg_tree_done(&t, h);
    vheap_free(h);
    arena_free(a);
}
