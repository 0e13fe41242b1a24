/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows that have their size allocate nothing more. The linker puts our counters in front of
 * core/base/mem.h (CMakeLists.txt); the same load comes again and again.
 */
#include "tests/test.h"
#include "tests/unit/operators/window/win_fixture.h"

static size_t allocations;

/* ---- the counters ---- */

void *__real_mem_alloc(size_t n);
void *__real_mem_zalloc(size_t n);
void *__real_mem_calloc(size_t n, size_t size);
void *__real_mem_realloc(void *p, size_t n);
void *__wrap_mem_alloc(size_t n);
void *__wrap_mem_zalloc(size_t n);
void *__wrap_mem_calloc(size_t n, size_t size);
void *__wrap_mem_realloc(void *p, size_t n);

void *__wrap_mem_alloc(size_t n)
{
    allocations++;
    return __real_mem_alloc(n);
}

void *__wrap_mem_zalloc(size_t n)
{
    allocations++;
    return __real_mem_zalloc(n);
}

void *__wrap_mem_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_mem_calloc(n, size);
}

void *__wrap_mem_realloc(void *p, size_t n)
{
    allocations++;
    return __real_mem_realloc(p, n);
}

/* ---- the load ---- */

/* A minute of events, two a second. */
static void minute(struct win_world *w, bool deletes)
{
    uint64_t seed = 5;
    for (uint32_t i = 0; i < 120; i++) {
        win_world_send(w, i, state_draw(&seed, 1U << 30), 1 + i % 2);
        if (deletes) {
            (void)win_world_delete(w, 0);
            (void)win_world_delete(w, 1);
        }
        win_world_advance(w, w->ctx.now + 500);
        buf_clear(&w->out);
    }
}

static void check(const char *views, bool deletes)
{
    enum { WARM = 15, STEADY = 5 };
    struct win_plan p;
    struct win_world w;
    win_plan_init(&p, views);
    win_world_init(&w, &p, 0);
    for (int i = 0; i < WARM; i++) {
        minute(&w, deletes);
    }
    allocations = 0;
    for (int i = 0; i < STEADY; i++) {
        minute(&w, deletes);
    }
    if (allocations > 0) {
        test_fail(__FILE__, __LINE__, "%s: %zu allocations in %d minutes", views, allocations,
                  STEADY);
    }
    win_world_done(&w);
    win_plan_done(&p);
}

static const char *const views[] = {
    "#length(4)",
    "#length(300)",
    "#length_batch(30)",
    "#time(3 sec)",
    "#time(30 sec)",
    "#time_batch(5 sec)",
    "#time_batch(5 sec, 'FORCE_UPDATE, START_EAGER')",
    "#time_length_batch(5 sec, 8)",
    "#time_accum(200 msec)",
    "#ext_timed(ts, 10 sec)",
    "#ext_timed_batch(ts, 10 sec)",
    "#time_order(ts, 10 sec)",
    "#timetolive(ts)",
    "#unique(k)",
    "#unique(k, n)",
    "#firstunique(k)",
    "#lastevent",
    "#firstevent",
    "#firstlength(5)",
    "#firsttime(10 sec)",
    "#sort(10, x desc, n)",
    "#rank(k, n, 8, x desc, y)",
    "#expr(current_count <= 20)",
    "#expr(sum(n) < 50)",
    "#expr(median(n) < 5 and current_count < 30)",
    "#expr_batch(current_count > 10)",
    "#expr_batch(sum(n) > 40, false)",
    "#groupwin(k)#length(5)",
    "#groupwin(k, n)#length(2)",
    "#groupwin(k)#time(5 sec)",
    "#groupwin(k, n)#time(5 sec)",
    "#groupwin(k)#length(3)#uni(x)",
    "#size",
    "#length(5)#uni(x, k)",
    "#time(4 sec)#linest(x, y, k)",
    "#length(6)#correl(x, y)",
    "#length(4)#weighted_avg(x, n)",
    "#length(5)#time(2 sec)",
    "#unique(k)#sort(3, x)#time(4 sec)",
    "#time(5 sec)#length_batch(3)",
    "#length(3)#unique(k) retain-union",
    "#time(2 sec)#firstunique(n)#sort(3, x) retain-union",
    "#length(30)#time(60 sec) retain-union",
    "#length(300)#time(60 sec)",
};

TEST(win_steady_state_allocates_nothing)
{
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        check(views[i], false);
    }
    check("#keepall", true);
    check("#length(30)", true);
    check("#sort(30, x)", true);
    check("#time(30 sec)", true);
    check("#unique(n, k)", true);
    check("#firstunique(n, k)", true);
    check("#time_order(ts, 30 sec)", true);
    check("#expr(sum(n) < 1000)", true);
    check("#length(60)#time(30 sec)", true);
}
