/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/agg/agg_impl.h"
#include "tests/test.h"

TEST(agg_uniq_says_first_and_last)
{
    struct vheap *h = vheap_new();
    struct agg_uniq u = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            CHECK(agg_uniq_add(&u, h, dat_int(i)));
            CHECK(!agg_uniq_add(&u, h, dat_double(i))); /* equal numbers are one value */
        }
        CHECK_EQ(500, u.len);
        for (int i = 0; i < 500; i++) {
            int k = i * 7 % 500;
            CHECK(!agg_uniq_remove(&u, h, dat_int(k)));
            CHECK(agg_uniq_remove(&u, h, dat_int(k)));
            CHECK(!agg_uniq_remove(&u, h, dat_int(k)));
        }
        CHECK_EQ(0, u.len);
    }
    CHECK(agg_uniq_add(&u, h, DAT_NONE));
    CHECK(!agg_uniq_add(&u, h, DAT_NONE));
    agg_uniq_done(&u, h);
    vheap_free(h);
}

TEST(agg_ring_gives_back_what_it_kept)
{
    struct vheap *h = vheap_new();
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    const struct etype *type = ety_new(a, NULL, ETYPE_PLAIN, SLICE("E"), NULL, 0, NULL, 0);
    struct agg_ring r = {0};
    struct evt *e[20];
    for (int i = 0; i < 20; i++) {
        e[i] = evt_new(h, type);
        agg_ring_push(&r, e[i]);
        if (i >= 6) {
            CHECK(agg_ring_remove(&r, h, e[i - 6]));
        }
    }
    CHECK_EQ(6, r.len);
    CHECK(agg_ring_remove(&r, h, e[16])); /* from the middle */
    CHECK(!agg_ring_remove(&r, h, e[16]));
    CHECK(agg_ring_at(&r, 0) == e[14] && agg_ring_at(&r, 2) == e[17] &&
          agg_ring_at(&r, 4) == e[19]);
    agg_ring_done(&r, h);
    vheap_drain(h);
    CHECK_EQ(0, vheap_live(h));
    vheap_free(h);
    arena_free(a);
}
