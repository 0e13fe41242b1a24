/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/hidx.h"
#include "core/base/mem.h"

#include "tests/test.h"

static uint64_t hash_of(uint64_t n)
{
    return (n + 1) * 0x9e3779b97f4a7c15ULL;
}

static struct hidx_cell *find(const struct hidx *x, uint64_t hash, uint64_t n)
{
    HIDX_EACH (x, hash, struct hidx_cell, c) {
        if (c->hash == hash && (uintptr_t)c->what == n + 1) {
            return c;
        }
    }
    return NULL;
}

static void add(struct hidx *x, uint64_t hash, uint64_t n)
{
    ((struct hidx_cell *)hidx_add(x, hash))->what = (void *)(uintptr_t)(n + 1);
}

enum { MANY = 300000 };

static void check_third(const struct hidx *x, bool odd)
{
    size_t seen = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK((find(x, hash_of(i), i) != NULL) == (i % 3 != 0 || odd));
    }
    for (const void *c = hidx_next(x, NULL); c != NULL; c = hidx_next(x, c)) {
        seen++;
    }
    CHECK_EQ(x->count, seen);
}

TEST(hidx_finds_what_was_added_and_not_removed)
{
    struct hidx x;
    hidx_init(&x, sizeof(struct hidx_cell));
    CHECK(find(&x, hash_of(0), 0) == NULL);
    CHECK(hidx_next(&x, NULL) == NULL);
    for (uint64_t i = 0; i < MANY; i++) {
        add(&x, hash_of(i), i);
    }
    CHECK_EQ(MANY, x.count);
    check_third(&x, true);
    for (uint64_t i = 0; i < MANY; i += 3) {
        hidx_remove(&x, find(&x, hash_of(i), i));
    }
    CHECK_EQ(MANY - MANY / 3, x.count);
    check_third(&x, false);
    for (uint64_t i = 0; i < MANY; i += 3) {
        add(&x, hash_of(i), i);
    }
    check_third(&x, true);
    hidx_clear(&x);
    CHECK_EQ(0, x.count);
    CHECK(find(&x, hash_of(1), 1) == NULL);
    add(&x, hash_of(1), 1);
    CHECK(find(&x, hash_of(1), 1) != NULL);
    hidx_clear(&x);
    CHECK(find(&x, hash_of(1), 1) == NULL);
    CHECK(hidx_next(&x, NULL) == NULL);
    add(&x, hash_of(1), 1);
    CHECK(find(&x, hash_of(1), 1) != NULL);
    hidx_done(&x);
}

TEST(hidx_holds_many_of_one_hash_without_a_large_directory)
{
    enum { SAME = 6000 };
    struct hidx x;
    hidx_init(&x, sizeof(struct hidx_cell));
    for (uint64_t i = 0; i < SAME; i++) {
        add(&x, hash_of(7), i);
        add(&x, hash_of(100 + i), 100 + i);
    }
    CHECK(x.depth < 8);
    for (uint64_t i = 0; i < SAME; i += 97) {
        CHECK(find(&x, hash_of(7), i) != NULL);
        CHECK(find(&x, hash_of(100 + i), 100 + i) != NULL);
    }
    hidx_done(&x);
}

TEST(hidx_of_small_and_of_large_cells_keeps_what_they_say)
{
    struct large {
        uint64_t hash;
        void *what;
        uint64_t one, two;
    };
    struct hidx small, large;
    hidx_init(&small, sizeof(struct hidx_small));
    hidx_init(&large, sizeof(struct large));
    hidx_reserve(&large, MANY / 2);
    for (uint32_t i = 0; i < MANY; i++) {
        ((struct hidx_small *)hidx_add(&small, hash_of(i)))->what = i + 1;
        struct large *l = hidx_add(&large, hash_of(i));
        CHECK(l->one == 0 && l->what == NULL);
        l->what = l;
        l->one = i;
        l->two = i * 2ULL;
    }
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t found = 0, fits = 0;
        HIDX_EACH (&small, hash_of(i), struct hidx_small, c) {
            found += c->what == i + 1 && c->hash == hidx_upper(hash_of(i));
        }
        HIDX_EACH (&large, hash_of(i), struct large, c) {
            fits += c->hash == hash_of(i) && c->one == i && c->two == i * 2ULL;
        }
        CHECK_EQ(1, found);
        CHECK_EQ(1, fits);
    }
    hidx_done(&small);
    hidx_done(&large);
}

/* A table that grows as one would touch all there are at some addition. Here one asks for at most
 * two pages, a directory and a few more. */
TEST(hidx_asks_for_a_bounded_amount_of_memory_per_addition)
{
    struct hidx x;
    uint64_t most = 0;
    hidx_init(&x, sizeof(struct hidx_cell));
    for (uint64_t i = 0; i < 4 * (uint64_t)MANY; i++) {
        uint64_t was = mem_calls();
        add(&x, hash_of(i), i);
        most = MAX(most, mem_calls() - was);
    }
    CHECK(most <= 5);
    CHECK(x.depth >= 8);
    for (size_t i = 0; i < (size_t)1 << x.depth; i++) {
        CHECK(x.dir[i].mask < 4096);
    }
    hidx_done(&x);
}
