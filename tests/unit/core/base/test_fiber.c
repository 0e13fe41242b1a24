/* SPDX-License-Identifier: Apache-2.0
 *
 * core/base/fiber.h: work rests and goes on where it was, whatever others do meanwhile.
 */
#include "core/base/fiber.h"
#include "tests/test.h"

#include <string.h>

enum { FIBERS = 5, STEPS = 7, DEEP = 200, FRAME = 8 << 10 };

struct job {
    struct fiber *f;
    uint32_t id, steps;
    char *log;
    size_t len;
};

static void count(void *arg)
{
    struct job *j = arg;
    for (uint32_t i = 0; i < STEPS; i++) {
        j->log[j->len++] = (char)('a' + j->id);
        j->steps++;
        fiber_rest(j->f);
    }
}

TEST(work_rests_and_goes_on_in_turns)
{
    char log[FIBERS][STEPS + 1] = {{0}};
    struct job jobs[FIBERS];
    for (uint32_t i = 0; i < FIBERS; i++) {
        jobs[i] = (struct job){.f = fiber_new(), .id = i, .log = log[i]};
        CHECK(jobs[i].f != NULL);
        CHECK(!fiber_begin(jobs[i].f, count, &jobs[i]));
    }
    for (uint32_t k = 1; k < STEPS; k++) {
        for (uint32_t i = FIBERS; i > 0; i--) {
            CHECK_EQ(k, jobs[i - 1].steps);
            CHECK(!fiber_go_on(jobs[i - 1].f));
        }
    }
    for (uint32_t i = 0; i < FIBERS; i++) {
        CHECK(fiber_go_on(jobs[i].f));
        CHECK_EQ(STEPS, strspn(log[i], (char[]){(char)('a' + i), '\0'}));
        fiber_free(jobs[i].f);
    }
}

static uint32_t dig(struct job *j, uint32_t deep)
{
    volatile char room[FRAME];
    room[0] = room[FRAME - 1] = (char)deep;
    if (deep == 0) {
        fiber_rest(j->f);
        return 0;
    }
    uint32_t below = dig(j, deep - 1);
    return below + (room[0] == (char)deep && room[FRAME - 1] == (char)deep);
}

static void go_deep(void *arg)
{
    struct job *j = arg;
    j->steps = dig(j, DEEP);
}

TEST(a_stack_is_deep_and_serves_again)
{
    struct job j = {.f = fiber_new()};
    for (int i = 0; i < 3; i++) {
        j.steps = 0;
        CHECK(!fiber_begin(j.f, go_deep, &j));
        CHECK_EQ(0, j.steps);
        CHECK(fiber_go_on(j.f));
        CHECK_EQ(DEEP, j.steps);
    }
    fiber_free(j.f);
}
