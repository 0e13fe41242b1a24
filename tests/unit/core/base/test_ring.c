/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/ring.h"

#include "tests/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

enum { ITEMS = 200000 };

static void *produce(void *arg)
{
    for (uintptr_t i = 1; i <= ITEMS; i++) {
        while (!ring_push(arg, (void *)i)) {
            sched_yield();
        }
    }
    return NULL;
}

TEST(ring_carries_all_items_in_order_between_two_threads)
{
    struct ring *r = ring_new(64);
    pthread_t t;
    CHECK_EQ(0, pthread_create(&t, NULL, produce, r));
    uintptr_t want = 1;
    while (want <= ITEMS) {
        void *item = ring_pop(r);
        if (item == NULL) {
            sched_yield();
            continue;
        }
        CHECK_EQ(want, (uintptr_t)item);
        want++;
    }
    pthread_join(t, NULL);
    CHECK(ring_pop(r) == NULL);
    ring_free(r);
}

TEST(ring_says_full)
{
    struct ring *r = ring_new(4);
    int x;
    for (int i = 0; i < 4; i++) {
        CHECK(ring_push(r, &x));
    }
    CHECK(!ring_push(r, &x));
    CHECK_EQ(4, ring_len(r));
    CHECK(ring_pop(r) == &x && ring_push(r, &x));
    ring_free(r);
}
