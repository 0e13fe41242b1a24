/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/pool.h"

#include "tests/test.h"

#include <string.h>

TEST(pool_hands_out_zeroed_objects_up_to_its_limit)
{
    struct pool *p = pool_new("test", 40, 100);
    char *objects[100];
    for (int i = 0; i < 100; i++) {
        objects[i] = pool_get(p);
        CHECK(objects[i] != NULL && objects[i][0] == 0 && objects[i][39] == 0);
        memset(objects[i], 0xff, 40);
    }
    CHECK(pool_get(p) == NULL);
    CHECK_EQ(1, pool_stats(p).refused);
    pool_put(p, objects[50]);
    char *again = pool_get(p);
    CHECK(again == objects[50] && again[39] == 0);
    for (int i = 0; i < 100; i++) {
        pool_put(p, objects[i]);
    }
    CHECK_EQ(0, pool_stats(p).live);
    CHECK_EQ(100, pool_stats(p).peak);
    pool_free(p, 0);
}
