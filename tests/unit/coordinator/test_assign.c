/* SPDX-License-Identifier: Apache-2.0
 *
 * coordinator/assign.h: everybody has a slot, nobody moves without need, and the order in which
 * workers and tasks were heard of decides nothing.
 */
#include "coordinator/assign.h"
#include "tests/test.h"

#include <stdio.h>

enum { TASKS = 40 };

static char names[TASKS][16];
static const struct slice levels[] = {SLICE("logs"), SLICE("hl")};

static void make(struct assign_task *t, const uint32_t *previous)
{
    for (uint32_t i = 0; i < TASKS; i++) {
        snprintf(names[i], sizeof names[i], "t/g/%02u", i);
        t[i] = (struct assign_task){slice_str(names[i]), &levels[i % 2], 1,
                                    previous != NULL ? previous[i] : ASSIGN_NONE};
    }
}

static const struct assign_slot four[] = {{SLICE("a"), 0, SLICE_NONE},
                                          {SLICE("a"), 1, SLICE_NONE},
                                          {SLICE("b"), 0, SLICE_NONE},
                                          {SLICE("b"), 1, SLICE_NONE}};

static void count(const uint32_t *at, uint32_t *load, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        load[i] = 0;
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        CHECK(at[i] < n);
        load[at[i]]++;
    }
}

TEST(tasks_are_spread_evenly_and_stay)
{
    struct assign_task t[TASKS];
    uint32_t at[TASKS], again[TASKS], load[4];
    make(t, NULL);
    CHECK_EQ(0, assign_tasks(four, 4, t, TASKS, 8, at));
    count(at, load, 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(TASKS / 4, load[i]);
    }
    CHECK(at[0] == 0 && at[1] == 2); /* the next worker before the next slot */
    make(t, at);
    CHECK_EQ(0, assign_tasks(four, 4, t, TASKS, 8, again));
    CHECK(memcmp(at, again, sizeof at) == 0);
}

TEST(the_order_of_slots_and_tasks_does_not_matter)
{
    struct assign_task t[TASKS], back[TASKS];
    uint32_t at[TASKS], other[TASKS];
    struct assign_slot turned[4];
    make(t, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        turned[i] = four[3 - i];
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        back[i] = t[TASKS - 1 - i];
    }
    (void)assign_tasks(four, 4, t, TASKS, 8, at);
    (void)assign_tasks(turned, 4, back, TASKS, 8, other);
    for (uint32_t i = 0; i < TASKS; i++) {
        CHECK_EQ(at[i], 3 - other[TASKS - 1 - i]);
    }
}

TEST(those_of_a_dead_worker_go_to_others_and_no_one_else_moves)
{
    struct assign_task t[TASKS];
    uint32_t at[TASKS], then[TASKS], had[TASKS], load[2];
    make(t, NULL);
    (void)assign_tasks(four, 4, t, TASKS, 8, at);
    for (uint32_t i = 0; i < TASKS; i++) {
        had[i] = at[i] < 2 ? at[i] : ASSIGN_NONE; /* b is gone */
    }
    make(t, had);
    CHECK_EQ(0, assign_tasks(four, 2, t, TASKS, 8, then));
    count(then, load, 2);
    CHECK_EQ(load[0], load[1]);
    for (uint32_t i = 0; i < TASKS; i++) {
        CHECK(had[i] == ASSIGN_NONE || then[i] == had[i]);
    }
}

TEST(who_joins_is_given_some_a_few_at_a_time)
{
    struct assign_task t[TASKS];
    uint32_t at[TASKS], load[4], moves, rounds = 0;
    make(t, NULL);
    (void)assign_tasks(four, 2, t, TASKS, 8, at);
    do {
        make(t, at);
        moves = assign_tasks(four, 4, t, TASKS, 3, at);
        CHECK(moves <= 3);
    } while (moves > 0 && ++rounds < 100);
    count(at, load, 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(TASKS / 4, load[i]);
    }
    CHECK(rounds >= 6);
}

TEST(a_worker_for_one_level_has_that_alone)
{
    const struct assign_slot slots[] = {{SLICE("a"), 0, SLICE("logs")},
                                        {SLICE("b"), 0, SLICE("logs")}};
    struct assign_task t[TASKS];
    uint32_t at[TASKS];
    make(t, NULL);
    (void)assign_tasks(slots, 2, t, TASKS, 8, at);
    for (uint32_t i = 0; i < TASKS; i++) {
        CHECK((at[i] == ASSIGN_NONE) == (i % 2 == 1));
    }
    CHECK_EQ(0, assign_tasks(slots, 0, t, 0, 8, at));
}
