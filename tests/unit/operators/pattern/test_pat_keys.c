/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/pattern/pat_keys.h"
#include "tests/test.h"

TEST(pat_keys_are_seen_once)
{
    struct pat_keys k = {0};
    struct vheap *h = vheap_new();
    for (int i = 0; i < 1000; i++) {
        CHECK(!pat_keys_seen(&k, dat_int(i), INT64_MAX));
    }
    for (int i = 0; i < 1000; i++) {
        CHECK(pat_keys_seen(&k, dat_long(i), INT64_MAX)); /* equal numbers of any kind */
    }
    CHECK(!pat_keys_seen(&k, DAT_NONE, INT64_MAX));
    CHECK(pat_keys_seen(&k, DAT_NONE, INT64_MAX));
    CHECK_EQ(1001, pat_keys_count(&k));
    pat_keys_clear(&k, h);
    CHECK_EQ(0, pat_keys_count(&k));
    CHECK(!pat_keys_seen(&k, dat_int(5), INT64_MAX));
    pat_keys_clear(&k, h);
    pat_keys_done(&k);
    vheap_free(h);
}

TEST(pat_keys_expire_in_order)
{
    struct pat_keys k = {0};
    struct vheap *h = vheap_new();
    for (int64_t t = 0; t < 5000; t++) {
        pat_keys_expire(&k, h, t);
        bool had = pat_keys_seen(&k, dat_long(t % 50), t + 30);
        CHECK(!had); /* a key comes again after 50, it was forgotten after 30 */
        CHECK(pat_keys_seen(&k, dat_long(t % 50), t + 30));
        CHECK_EQ(t < 30 ? t + 1 : 30, pat_keys_count(&k));
    }
    CHECK(k.room <= 64); /* places are used again */
    pat_keys_clear(&k, h);
    pat_keys_done(&k);
    vheap_free(h);
}

TEST(pat_keys_copies_share_values)
{
    struct pat_keys a = {0}, b = {0};
    struct vheap *h = vheap_new();
    (void)pat_keys_seen(&a, dat_str(vstr_new(h, SLICE("x"))), 10);
    (void)pat_keys_seen(&a, dat_str(vstr_new(h, SLICE("y"))), 20);
    pat_keys_copy(&b, &a);
    pat_keys_clear(&a, h);
    vheap_drain(h);
    CHECK(pat_keys_seen(&b, dat_str(vstr_new(h, SLICE("y"))), 20));
    pat_keys_expire(&b, h, 10);
    CHECK(!pat_keys_seen(&b, dat_str(vstr_new(h, SLICE("x"))), 30));
    pat_keys_clear(&b, h);
    vheap_drain(h);
    CHECK_EQ(0, vheap_live(h));
    pat_keys_done(&a);
    pat_keys_done(&b);
    vheap_free(h);
}

TEST(pat_keys_never_move_when_they_are_many)
{
    enum { MANY = 20000, PAGE = 512 };
    struct pat_keys k = {0};
    struct vheap *h = vheap_new();
    const struct pat_key *first = NULL;
    for (int i = 0; i < MANY; i++) {
        CHECK(!pat_keys_seen(&k, dat_int(i), i < MANY / 2 ? 5 : INT64_MAX));
        first = i == PAGE - 1 ? k.pages.ptr[0] : first;
    }
    CHECK(k.pages.ptr[0] == first);
    pat_keys_expire(&k, h, 5);
    CHECK_EQ(MANY / 2, pat_keys_count(&k));
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(i >= MANY / 2, pat_keys_has(&k, dat_int(i)));
    }
    size_t pages = k.pages.len;
    for (int i = 0; i < MANY / 2; i++) {
        CHECK(!pat_keys_seen(&k, dat_int(i), INT64_MAX));
    }
    CHECK(k.pages.ptr[0] == first);
    CHECK_EQ(pages, k.pages.len);
    pat_keys_clear(&k, h);
    CHECK_EQ(1, k.pages.len);
    CHECK(!pat_keys_has(&k, dat_int(MANY - 1)));
    CHECK(!pat_keys_seen(&k, dat_int(MANY - 1), 1));
    pat_keys_clear(&k, h);
    pat_keys_done(&k);
    vheap_free(h);
}
