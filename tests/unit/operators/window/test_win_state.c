/* SPDX-License-Identifier: Apache-2.0
 *
 * State of views. Each is played by chance up to some point, saved, and loaded into a fresh one;
 * from there on both must say the same. Wrong bytes must be refused, or leave a view that works.
 */
#include "tests/test.h"
#include "tests/unit/operators/window/win_fixture.h"

#include <string.h>

struct spec {
    const char *of; /* window.def's name; "" for what is made of several */
    const char *views;
    bool fixed; /* nothing can be deleted: rows are made by the view */
};

static const struct spec specs[] = {
    {"length", "#length(4)", false},
    {"length_batch", "#length_batch(3)", false},
    {"time", "#time(3 sec)", false},
    {"time", "#time(1 month)", false},
    {"time_batch", "#time_batch(2 sec)", false},
    {"time_batch", "#time_batch(2 sec, 500)", false},
    {"time_batch", "#time_batch(2 sec, 'FORCE_UPDATE, START_EAGER')", false},
    {"time_length_batch", "#time_length_batch(2 sec, 4)", false},
    {"time_length_batch", "#time_length_batch(2 sec, 4, 'FORCE_UPDATE, START_EAGER')", false},
    {"time_accum", "#time_accum(1 sec)", false},
    {"ext_timed", "#ext_timed(ts, 2 sec)", false},
    {"ext_timed_batch", "#ext_timed_batch(ts, 2 sec)", false},
    {"ext_timed_batch", "#ext_timed_batch(ts, 2 sec, 300)", false},
    {"time_order", "#time_order(ts, 2 sec)", false},
    {"timetolive", "#timetolive(ts)", false},
    {"keepall", "#keepall", false},
    {"unique", "#unique(k)", false},
    {"unique", "#unique(k, n)", false},
    {"firstunique", "#firstunique(k)", false},
    {"lastevent", "#lastevent", false},
    {"firstevent", "#firstevent", false},
    {"firstlength", "#firstlength(5)", false},
    {"firsttime", "#firsttime(10 sec)", false},
    {"sort", "#sort(4, x desc, n)", false},
    {"rank", "#rank(k, n, 4, x desc, y)", false},
    {"expr", "#expr(current_count <= 3)", false},
    {"expr", "#expr(sum(n) < 20 and newest_timestamp - oldest_timestamp < 4000)", false},
    {"expr_batch", "#expr_batch(current_count > 3)", false},
    {"expr_batch", "#expr_batch(sum(n) > 20, false)", false},
    {"groupwin", "#groupwin(k)#length(2)", false},
    {"groupwin", "#groupwin(k, n)#time(3 sec)", false},
    {"groupwin", "#groupwin(k)#time_batch(2 sec)", false},
    {"groupwin", "#groupwin(k)#length(3)#uni(x)", true},
    {"groupwin", "#groupwin(n)#expr(current_count <= 2)", false},
    {"groupwin", "#groupwin(k)#length(4)#sort(2, x)", false},
    {"size", "#size", true},
    {"size", "#size(k, n)", true},
    {"uni", "#length(5)#uni(x)", true},
    {"uni", "#uni(x, k)", true},
    {"linest", "#time(4 sec)#linest(x, y, k)", true},
    {"correl", "#length(6)#correl(x, y)", true},
    {"weighted_avg", "#length(4)#weighted_avg(x, n)", true},
    {"", "#length(5)#time(2 sec)", false},
    {"", "#unique(k)#sort(3, x)#time(4 sec)", false},
    {"", "#firstunique(n)#length(4)", false},
    {"", "#time(5 sec)#length_batch(3)", false},
    {"", "#time_batch(2 sec)#unique(n)", false},
    {"", "#length(3)#unique(k) retain-union", false},
    {"", "#time(2 sec)#firstunique(n)#sort(3, x) retain-union", false},
    {"", "#length_batch(3)#length(2) retain-union", false},
    {"", "#uni(x)#length(3)", true},
    {"", "#length(3)#uni(x)#time_batch(2 sec)", true},
};

TEST(win_state_has_a_test_for_every_view)
{
    size_t n;
    const struct view_def *const *all = view_all(&n);
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(specs); k++) {
            found |= strcmp(specs[k].of, all[i]->name) == 0;
        }
        if (!found) {
            test_fail(__FILE__, __LINE__, "#%s has no row in specs", all[i]->name);
        }
    }
}

/* One thing that happens, the same in both worlds. b: NULL as long as there is only one. */
static void happen(const struct spec *s, uint64_t *seed, uint32_t *id, struct win_world *a,
                   struct win_world *b)
{
    uint32_t what = state_draw(seed, 10), n = 1 + (what < 2 ? state_draw(seed, 3) : 0);
    uint64_t draw = state_draw(seed, 1U << 30);
    int64_t now = a->ctx.now + (int64_t)(draw % 1400);
    struct win_world *both[2] = {a, b};
    for (size_t i = 0; i < 2 && both[i] != NULL; i++) {
        if (what < 6) {
            win_world_send(both[i], *id, draw, n);
        } else if (what == 6 && !s->fixed) {
            (void)win_world_delete(both[i], draw % 5);
        } else {
            win_world_advance(both[i], now);
        }
        win_world_look(both[i]);
    }
    *id += n;
}

static void play(const struct spec *s, uint64_t seed)
{
    enum { BEFORE = 60, AFTER = 60 };
    struct win_plan p;
    struct win_world a, b;
    struct err err = {0};
    uint32_t id = 1, before = state_draw(&seed, BEFORE);
    win_plan_init(&p, s->views);
    win_world_init(&a, &p, 100);
    for (uint32_t i = 0; i < before; i++) {
        happen(s, &seed, &id, &a, NULL);
    }
    win_world_save(&a);
    struct buf first;
    buf_init(&first, 1 << 26);
    buf_add_slice(&first, buf_slice(&p.state.bytes));
    win_world_init(&b, &p, a.ctx.now);
    if (!win_world_load(&b, buf_slice(&first), &err)) {
        test_fail(__FILE__, __LINE__, "%s: %s", s->views, err.msg);
    }
    win_world_save(&b);
    if (!slice_eq(buf_slice(&first), buf_slice(&p.state.bytes))) {
        test_fail(__FILE__, __LINE__, "%s: saved again it is not the same", s->views);
    }
    buf_clear(&a.out);
    buf_clear(&b.out);
    for (uint32_t i = 0; i < AFTER; i++) {
        happen(s, &seed, &id, &a, &b);
    }
    if (strcmp(buf_cstr(&a.out), buf_cstr(&b.out)) != 0) {
        test_fail(__FILE__, __LINE__, "%s: without%s\nwith%s", s->views, buf_cstr(&a.out),
                  buf_cstr(&b.out));
    }
    win_world_done(&a);
    win_world_done(&b);
    buf_done(&first);
    win_plan_done(&p);
}

TEST(win_state_goes_on_as_if_nothing_had_been)
{
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        for (uint64_t seed = 1; seed <= 12; seed++) {
            play(&specs[i], seed * 1000 + i);
        }
    }
}

/* Sizes and periods that variables gave are those of the state, whatever a new view would take. */
static void check_size(const char *views, const char *others)
{
    struct win_plan p, q;
    struct win_world a, b;
    struct err err = {0};
    struct spec s = {"", views, false};
    uint64_t seed = 11;
    uint32_t id = 1;
    win_plan_init(&p, views);
    win_plan_init(&q, others);
    win_world_init(&a, &p, 100);
    win_world_init(&b, &q, 100);
    for (uint32_t i = 0; i < 20; i++) {
        happen(&s, &seed, &id, &a, NULL);
    }
    win_world_save(&a);
    b.ctx.now = a.ctx.now;
    (void)q.state.types.number(&q.state, q.type);
    CHECK_EQ(p.state.types.number(&p.state, p.type), q.state.types.number(&q.state, q.type));
    if (!win_world_load(&b, buf_slice(&p.state.bytes), &err)) {
        test_fail(__FILE__, __LINE__, "%s: %s", views, err.msg);
    }
    buf_clear(&a.out);
    buf_clear(&b.out);
    for (uint32_t i = 0; i < 40; i++) {
        happen(&s, &seed, &id, &a, &b);
    }
    CHECK_STR(buf_cstr(&a.out), buf_cstr(&b.out));
    win_world_done(&a);
    win_world_done(&b);
    win_plan_done(&p);
    win_plan_done(&q);
}

TEST(win_state_has_sizes_and_periods)
{
    check_size("#length(4)", "#length(9)");
    check_size("#length_batch(3)", "#length_batch(5)");
    check_size("#firstlength(15)", "#firstlength(9)");
    check_size("#sort(3, x)", "#sort(7, x)");
    check_size("#time(2 sec)", "#time(5 sec)");
    check_size("#time_batch(2 sec)", "#time_batch(5 sec)");
    check_size("#time_length_batch(2 sec, 3)", "#time_length_batch(3 sec, 5)");
    check_size("#time_accum(1 sec)", "#time_accum(2 sec)");
    check_size("#ext_timed(ts, 2 sec)", "#ext_timed(ts, 1 min)");
    check_size("#ext_timed_batch(ts, 2 sec)", "#ext_timed_batch(ts, 1 min)");
    check_size("#time_order(ts, 2 sec)", "#time_order(ts, 1 min)");
}

/* One byte changed, or the end cut off: refused, or something else that works. */
static void spoil(const struct spec *s, uint64_t seed)
{
    enum { BEFORE = 40, TRIALS = 40, AFTER = 5 };
    struct win_plan p;
    struct win_world a, b;
    struct buf bytes;
    uint32_t id = 1;
    buf_init(&bytes, 1 << 26);
    win_plan_init(&p, s->views);
    win_world_init(&a, &p, 100);
    for (uint32_t i = 0; i < BEFORE; i++) {
        happen(s, &seed, &id, &a, NULL);
    }
    win_world_save(&a);
    for (uint32_t i = 0; i < TRIALS; i++) {
        struct err err = {0};
        buf_clear(&bytes);
        buf_add_slice(&bytes, buf_slice(&p.state.bytes));
        size_t at = state_draw(&seed, (uint32_t)bytes.len);
        if (state_draw(&seed, 4) == 0) {
            bytes.len = at;
        } else {
            bytes.ptr[at] = (char)(bytes.ptr[at] ^ (1 << state_draw(&seed, 8)));
        }
        win_world_init(&b, &p, a.ctx.now);
        if (win_world_load(&b, buf_slice(&bytes), &err)) {
            for (uint32_t k = 0; k < AFTER; k++) {
                happen(s, &seed, &id, &b, NULL);
            }
        } else {
            CHECK(err.msg[0] != '\0');
        }
        win_world_done(&b);
    }
    win_world_done(&a);
    win_plan_done(&p);
    buf_done(&bytes);
}

TEST(win_state_refuses_wrong_bytes_or_works)
{
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            spoil(&specs[i], seed * 1000 + i);
        }
    }
}
