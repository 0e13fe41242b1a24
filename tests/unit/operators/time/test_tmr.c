/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer queue: order, ties, moving and cancelling, against a naive list.
 */
#include "operators/time/tmr.h"
#include "tests/test.h"

#include <stdlib.h>

static void nothing(struct tmr *t, int64_t now)
{
    (void)t;
    (void)now;
}

TEST(tmr_fires_by_due_rank_and_setting)
{
    struct tmr_queue *q = tmr_queue_new();
    struct tmr t[4] = {{.fire = nothing, .rank = 2},
                       {.fire = nothing, .rank = 1},
                       {.fire = nothing, .rank = 1},
                       {.fire = nothing, .rank = 0}};
    tmr_set(q, &t[0], 10);
    tmr_set(q, &t[1], 10);
    tmr_set(q, &t[2], 10);
    tmr_set(q, &t[3], 11);
    CHECK_EQ(10, tmr_next(q));
    CHECK(tmr_pop(q, 9) == NULL);
    CHECK(tmr_pop(q, 10) == &t[1]);
    CHECK(!tmr_is_set(&t[1]));
    CHECK(tmr_pop(q, 10) == &t[2]);
    CHECK(tmr_pop(q, 10) == &t[0]);
    CHECK(tmr_pop(q, 10) == NULL);
    CHECK(tmr_pop(q, 99) == &t[3]);
    CHECK_EQ(INT64_MAX, tmr_next(q));
    tmr_queue_free(q);
}

TEST(tmr_moves_when_set_again)
{
    struct tmr_queue *q = tmr_queue_new();
    struct tmr a = {.fire = nothing}, b = {.fire = nothing};
    tmr_set(q, &a, 5);
    tmr_set(q, &b, 6);
    tmr_set(q, &a, 7);
    CHECK_EQ(2, tmr_count(q));
    CHECK(tmr_pop(q, 10) == &b);
    tmr_cancel(q, &a);
    tmr_cancel(q, &a);
    CHECK(tmr_pop(q, 10) == NULL);
    tmr_queue_free(q);
}

TEST(tmr_keeps_its_place_among_equals)
{
    struct tmr_queue *q = tmr_queue_new();
    struct tmr a = {.fire = nothing}, b = {.fire = nothing}, c = {.fire = nothing};
    tmr_enlist(q, &c);
    tmr_set(q, &a, 5);
    tmr_set(q, &b, 5);
    tmr_set(q, &c, 5);
    tmr_set(q, &a, 5);
    CHECK(tmr_pop(q, 5) == &c);
    CHECK(tmr_pop(q, 5) == &a);
    CHECK(tmr_pop(q, 5) == &b);
    tmr_queue_free(q);
}

enum { MANY = 200 };

static struct tmr *naive_first(struct tmr *t)
{
    struct tmr *best = NULL;
    for (int i = 0; i < MANY; i++) {
        if (tmr_is_set(&t[i]) && (best == NULL || t[i].due < best->due ||
                                  (t[i].due == best->due && t[i].place < best->place))) {
            best = &t[i];
        }
    }
    return best;
}

TEST(tmr_agrees_with_a_list)
{
    struct tmr_queue *q = tmr_queue_new();
    static struct tmr t[MANY];
    uint32_t x = 1;
    for (int i = 0; i < MANY; i++) {
        t[i].fire = nothing;
    }
    for (int step = 0; step < 20000; step++) {
        x = x * 1664525U + 1013904223U;
        struct tmr *one = &t[(x >> 8) % MANY];
        switch (x >> 29) {
        case 0: tmr_cancel(q, one); break;
        case 1:
        case 2: {
            struct tmr *want = naive_first(t);
            int64_t due = want != NULL ? want->due : 0;
            CHECK(tmr_pop(q, due) == want);
            break;
        }
        default: tmr_set(q, one, (int64_t)(x >> 16 & 63)); break;
        }
    }
    tmr_queue_free(q);
    CHECK(!tmr_is_set(&t[0]));
}
