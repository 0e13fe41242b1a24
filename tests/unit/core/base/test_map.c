/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/map.h"

#include "core/base/buf.h"
#include "tests/test.h"

#include <stdio.h>

static struct slice key_of(int i, char *out, size_t n)
{
    int len = snprintf(out, n, "key-%d", i);
    return slice_of(out, (size_t)len);
}

TEST(map_keeps_order_of_insertion)
{
    struct map m;
    char text[32];
    map_init(&m, 10000);
    for (int i = 0; i < 5000; i++) {
        void **slot = map_put(&m, key_of(i, text, sizeof text));
        CHECK(slot != NULL && *slot == NULL);
        *slot = (void *)(intptr_t)(i + 1);
    }
    for (int i = 0; i < 5000; i += 2) {
        CHECK_EQ(i + 1, (intptr_t)map_remove(&m, key_of(i, text, sizeof text)));
    }
    CHECK_EQ(2500, m.live);
    int want = 1;
    MAP_EACH (&m, e) {
        CHECK_EQ(want + 1, (intptr_t)e->value);
        want += 2;
    }
    CHECK(map_get(&m, key_of(4, text, sizeof text)) == NULL);
    CHECK_EQ(6, (intptr_t)map_get(&m, key_of(5, text, sizeof text)));
    map_done(&m);
}

TEST(map_survives_churn_within_bounded_memory)
{
    struct map m;
    char text[32];
    map_init(&m, 10);
    for (int i = 0; i < 100000; i++) {
        *map_put(&m, key_of(i, text, sizeof text)) = &m;
        if (i >= 8) {
            CHECK(map_remove(&m, key_of(i - 8, text, sizeof text)) == &m);
        }
    }
    CHECK_EQ(8, m.live);
    CHECK(m.cap <= 64);
    map_done(&m);
}

TEST(map_refuses_at_its_limit_and_takes_odd_keys)
{
    struct map m;
    map_init(&m, 2);
    CHECK(map_put(&m, SLICE("")) != NULL);
    CHECK(map_put(&m, slice_of("a\0b", 3)) != NULL);
    CHECK(map_put(&m, SLICE("c")) == NULL);
    CHECK(map_put(&m, slice_of("a\0b", 3)) != NULL);
    CHECK(map_slot(&m, SLICE("")) != NULL && map_slot(&m, SLICE("a")) == NULL);
    map_done(&m);
}
