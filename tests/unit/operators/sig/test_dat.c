/* SPDX-License-Identifier: Apache-2.0
 *
 * Equality and hashes of maps, and when an object that nobody holds any more goes.
 */
#include "operators/sig/dat.h"

#include "core/base/mem.h"
#include "operators/sig/vheap_room.h"

#include "tests/test.h"

static struct dat pair(struct vheap *h, const char *a, int32_t x, const char *b, int32_t y)
{
    struct vmap *m = vmap_new(h, 2);
    vmap_set(m, 0, dat_str(vstr_new(h, slice_str(a))), dat_int(x));
    vmap_set(m, 1, dat_str(vstr_new(h, slice_str(b))), dat_int(y));
    return dat_map(m);
}

TEST(maps_are_the_same_in_any_order)
{
    struct vheap *h = vheap_new();
    struct dat m = pair(h, "a", 1, "b", 2), turned = pair(h, "b", 2, "a", 1);
    struct dat other = pair(h, "a", 1, "b", 3), keys = pair(h, "a", 1, "c", 2);
    CHECK(dat_same(m, turned) && !dat_same(m, other) && !dat_same(m, keys));
    CHECK(dat_hash(m) == dat_hash(turned));
    CHECK(dat_hash(m) == dat_hash(m));
    CHECK(dat_hash(m) != dat_hash(other) && dat_hash(m) != dat_hash(keys));
    /* with the hashes known as without */
    CHECK(dat_same(m, turned) && !dat_same(m, other) && !dat_same(m, keys));
    vheap_free(h);
}

TEST(maps_of_equal_hash_are_compared)
{
    struct vheap *h = vheap_new();
    struct dat m = pair(h, "a", 1, "b", 2), other = pair(h, "a", 1, "b", 3);
    (void)dat_hash(m);
    other.m->hash = m.m->hash;
    CHECK(!dat_same(m, other));
    vheap_free(h);
}

TEST(what_is_dropped_stays_until_the_drain)
{
    struct vheap *h = vheap_new();
    struct vstr *s = vstr_new(h, SLICE("text"));
    obj_keep(&s->o);
    vheap_drain(h);
    CHECK_EQ(vheap_live(h), 1);
    obj_keep(&s->o);
    obj_drop(h, &s->o); /* another holds it */
    CHECK_EQ(vheap_pooled(h), 0);
    obj_drop(h, &s->o);
    CHECK_EQ(vheap_live(h), 1);
    CHECK(slice_eq(vstr_slice(s), SLICE("text")));
    obj_keep(&s->o); /* and is held again */
    vheap_drain(h);
    CHECK_EQ(vheap_live(h), 1);
    obj_drop(h, &s->o);
    vheap_drain(h);
    CHECK_EQ(vheap_live(h), 0);
    vheap_free(h);
}

TEST(memory_that_is_no_object_is_used_again_by_size)
{
    enum { SMALL = 88, LARGE = 5000 };
    struct vheap *h = vheap_new();
    char *a = vheap_take(h, SMALL), *b = vheap_take(h, SMALL), *c = vheap_take(h, LARGE);
    memset(a, 1, SMALL);
    memset(b, 2, SMALL);
    memset(c, 3, LARGE);
    CHECK(a[SMALL - 1] == 1 && b[0] == 2);
    vheap_give(h, a, SMALL);
    CHECK(vheap_take(h, SMALL) == a);
    vheap_give(h, a, SMALL);
    vheap_give(h, b, SMALL);
    vheap_give(h, c, LARGE);
    CHECK_EQ(vheap_live(h), 0);
    vheap_free(h);
}

TEST(a_heap_that_has_grown_asks_for_memory_seldom)
{
    enum { SIZE = 512, MIB = 1 << 20, OBJECTS = 64 * MIB / SIZE };
    struct vheap *h = vheap_new();
    for (int i = 0; i < OBJECTS / 8; i++) {
        (void)vheap_take(h, SIZE);
    }
    uint64_t calls = mem_calls();
    for (int i = 0; i < OBJECTS; i++) {
        memset(vheap_take(h, SIZE), 1, SIZE);
    }
    CHECK(mem_calls() - calls <= 64);
    vheap_free(h);
}
