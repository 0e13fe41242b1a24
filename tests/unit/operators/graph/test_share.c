/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows that statements share: who shares with whom, and that nobody can tell by what comes out.
 * Every play has two engines, one that shares and one that does not, and both must deliver the
 * same, hold as much by their limits, and drop the same.
 */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "operators/graph/eng_succeed.h"
#include "operators/graph/share.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

#include <stdio.h>
#include <string.h>

struct side { /* one engine */
    struct eng *e;
    struct buf rows;
    VEC(struct save_chunk) chunks;
};

struct rig {
    struct side side[2]; /* that shares, that does not */
    struct lim_conf limits;
    bool limited, prioritized, plain; /* plain: without causes */
    uint64_t seed;
};

static void on_rows(void *arg, struct slice name, const struct eng_rows *rows)
{
    struct side *s = arg;
    for (size_t i = 0; i < rows->n_nw + rows->n_old; i++) {
        const struct evt *e = i < rows->n_nw ? rows->nw[i] : rows->old[i - rows->n_nw];
        (void)buf_addf(&s->rows, "%c" SLICE_FMT, i < rows->n_nw ? '+' : '-', SLICE_ARG(name));
        for (uint32_t k = 0; k < e->type->n_cols; k++) {
            (void)buf_add_str(&s->rows, ":");
            dat_text_to(e->p[k], &s->rows);
        }
        for (uint32_t k = 0; e->causes != NULL && k < e->causes->len; k++) {
            (void)buf_addf(&s->rows, "<%llu", (unsigned long long)e->causes->r[k].lo);
        }
        (void)buf_add_str(&s->rows, " ");
    }
}

static void on_limit(void *arg, struct slice name, enum lim_kind kind, enum lim_policy policy)
{
    struct side *s = arg;
    (void)buf_addf(&s->rows, "!" SLICE_FMT ":%d:%d ", SLICE_ARG(name), kind, policy);
}

static struct eng *engine(struct rig *r, size_t i)
{
    return eng_new(&(struct eng_conf){.on_rows = on_rows,
                                      .on_limit = on_limit,
                                      .arg = &r->side[i],
                                      .causes = !r->plain,
                                      .prioritized = r->prioritized,
                                      .limits = r->limited ? &r->limits : NULL,
                                      .unshared = i == 1});
}

static void begin(struct rig *r)
{
    for (size_t i = 0; i < 2; i++) {
        buf_init(&r->side[i].rows, 1 << 24);
        r->side[i].e = engine(r, i);
    }
}

static void forget(struct side *s)
{
    VEC_EACH (&s->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_CLEAR(&s->chunks);
}

static void end(struct rig *r)
{
    for (size_t i = 0; i < 2; i++) {
        eng_free(r->side[i].e);
        forget(&r->side[i]);
        VEC_DONE(&r->side[i].chunks);
        buf_done(&r->side[i].rows);
    }
}

static void deploy(struct rig *r, const char *id, const char *text)
{
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        if (eng_deploy(r->side[i].e, slice_str(id), slice_str(text), &err) != 0) {
            test_fail(__FILE__, __LINE__, "%s: %s", text, err.msg);
        }
    }
}

static void undeploy(struct rig *r, const char *id)
{
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(eng_undeploy(r->side[i].e, slice_str(id), &err), err);
    }
}

static void send(struct rig *r, int x, const char *k)
{
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        struct eng *e = r->side[i].e;
        struct evt *ev = evt_new(eng_heap(e), eng_type(e, SLICE("A")));
        evt_set(ev, 0, dat_int(x));
        evt_set(ev, 1, dat_str(vstr_new(eng_heap(e), slice_str(k))));
        evt_set(ev, 2, dat_long(eng_now(e) + x % 3 * 400));
        CHECK_OK(eng_send(e, ev, &err), err);
    }
}

static void advance(struct rig *r, int64_t by)
{
    for (size_t i = 0; i < 2; i++) {
        eng_advance(r->side[i].e, eng_now(r->side[i].e) + by);
    }
}

static void add(void *arg, const struct save_chunk *c)
{
    struct side *s = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&s->chunks) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void save(struct side *s)
{
    forget(s);
    eng_save(s->e, add, s);
}

/* Both go on from what was saved; what they then save is the same. */
static void reload(struct rig *r)
{
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        struct side *s = &r->side[i];
        struct side was = {.e = s->e};
        save(s);
        eng_save(s->e, add, &was);
        struct eng *e = engine(r, i);
        CHECK_OK(eng_load(e, s->chunks.ptr, s->chunks.len, &err), err);
        eng_free(s->e);
        s->e = e;
        save(s);
        CHECK_EQ(was.chunks.len, s->chunks.len);
        for (size_t k = 0; k < was.chunks.len; k++) {
            CHECK_EQ(was.chunks.ptr[k].node, s->chunks.ptr[k].node);
            CHECK(slice_eq(was.chunks.ptr[k].bytes, s->chunks.ptr[k].bytes));
        }
        forget(&was);
        VEC_DONE(&was.chunks);
    }
}

/* Both delivered the same; and, if asked for, this. */
static void same(struct rig *r, const char *want)
{
    CHECK_STR(buf_cstr(&r->side[1].rows), buf_cstr(&r->side[0].rows));
    if (want != NULL) {
        CHECK_STR(want, buf_cstr(&r->side[0].rows));
    }
    for (enum lim_kind k = 0; k < LIM_KINDS; k++) {
        CHECK_EQ(eng_held(r->side[1].e, k), eng_held(r->side[0].e, k));
        CHECK_EQ(eng_dropped(r->side[1].e, k), eng_dropped(r->side[0].e, k));
    }
    buf_clear(&r->side[0].rows);
    buf_clear(&r->side[1].rows);
}

/* How many statements share with the one at this place; nobody ever does in the other engine. */
static size_t sharers(const struct rig *r, size_t at)
{
    CHECK_EQ(0, eng_shares(r->side[1].e, at, NULL, 0));
    return eng_shares(r->side[0].e, at, NULL, 0);
}

#define SCHEMA "create schema A(x int, k string, ts long);\n"

TEST(share_wants_equal_events_and_an_equal_window)
{
    static const struct {
        const char *from;
        bool same;
    } rows[] = {
        {"A(x > 1)#length(3)", true},
        {"A(x > 1)#length(1 + 2)", true},
        {"A(x > 1)#length(four)", false},
        {"A(x > 1)#length(4)", false},
        {"A(x > 2)#length(3)", false},
        {"A#length(3)", false},
        {"A(x > 1, k = 'a')#length(3)", false},
        {"A(x > 1)#time(3 sec)", false},
        {"A(x > 1)#length(3)#time(3 sec)", false},
        {"A(x > one)#length(3)", false},
        {"B(x > 1)#length(3)", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig r = {.seed = 1};
        char text[256];
        begin(&r);
        deploy(&r, "m",
               SCHEMA "create schema B() inherits A; create variable int four = 4;"
                      "create variable int one = 1;"
                      "@name('a') select sum(x) as s from A(x > 1)#length(3);");
        (void)snprintf(text, sizeof text, "@name('b') select k, max(x) as m from %s group by k;",
                       rows[i].from);
        deploy(&r, "n", text);
        CHECK_EQ(rows[i].same ? 2 : 0, sharers(&r, 5));
        for (int x = 0; x < 9; x++) {
            send(&r, x, x % 2 == 0 ? "a" : "b");
            advance(&r, 700);
        }
        same(&r, NULL);
        end(&r);
    }
}

TEST(share_wants_a_window_that_keeps_columns_of_one_stream)
{
    static const char *const alone[] = {
        "select * from A#length(3)",
        "select prev(1, x) as p from A#length(3)",
        "select window(x) as p, window(*) as w from A#length(3)",
        "select a.x as p from A#length(3) as a, A#length(3) as b",
        "select (select max(x) from A#length(3)) as m from A#length(3)",
        "context C select sum(x) as s from A#length(3)",
    };
    for (size_t i = 0; i < ARRAY_LEN(alone); i++) {
        struct rig r = {.seed = 1};
        char text[256];
        begin(&r);
        deploy(&r, "m", SCHEMA "create context C partition by k from A;");
        (void)snprintf(text, sizeof text, "@name('a') %s; @name('b') %s;", alone[i], alone[i]);
        deploy(&r, "n", text);
        CHECK_EQ(0, sharers(&r, 2));
        for (int x = 0; x < 9; x++) {
            send(&r, x, x % 2 == 0 ? "a" : "b");
        }
        same(&r, NULL);
        end(&r);
    }
}

/* One begins when the others hold something, and has its own; the next begins with it. */
TEST(share_begins_at_one_cut)
{
    struct rig r = {.seed = 1};
    begin(&r);
    deploy(&r, "m",
           SCHEMA "@name('a') select sum(x) as s from A#length(2);"
                  "@name('b') select irstream min(x) as s from A#length(2);");
    CHECK_EQ(2, sharers(&r, 1));
    send(&r, 1, "k");
    deploy(&r, "c", "@name('c') select sum(x) as s from A#length(2);");
    CHECK_EQ(2, sharers(&r, 2));
    CHECK_EQ(0, sharers(&r, 3));
    deploy(&r, "d", "@name('d') select k, count(*) as n from A#length(2) group by k;");
    size_t who[2] = {0, 0};
    CHECK_EQ(2, eng_shares(r.side[0].e, 4, who, 2));
    CHECK(who[0] == 3 && who[1] == 4);
    send(&r, 2, "k");
    send(&r, 4, "l");
    same(&r, NULL);
    reload(&r);
    CHECK_EQ(2, sharers(&r, 1));
    CHECK_EQ(2, sharers(&r, 4));
    send(&r, 8, "k");
    send(&r, 16, "k");
    same(&r, NULL);
    end(&r);
}

/* Statements have equal state when all that is in the window is gone again. */
TEST(share_begins_again_where_nothing_is_left)
{
    struct rig r = {.seed = 1};
    begin(&r);
    deploy(&r, "m", SCHEMA "@name('a') select sum(x) as s from A#time(1 sec);");
    send(&r, 1, "k");
    advance(&r, 1000);
    deploy(&r, "n", "@name('b') select k, sum(x) as s from A#time(1 sec) group by k;");
    CHECK_EQ(2, sharers(&r, 1));
    send(&r, 2, "k");
    advance(&r, 500);
    send(&r, 3, "k");
    advance(&r, 500);
    advance(&r, 500);
    same(&r, "+a:1 +a:null +a:2 +b:k:2 +a:5<2<3 +b:k:5<2<3 +b:k:3 +a:3 +b:k:null +a:null ");
    end(&r);
}

TEST(share_goes_on_when_one_leaves)
{
    static const char *const first[] = {"a", "b", "c"};
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct rig r = {.seed = 1};
        begin(&r);
        deploy(&r, "m", SCHEMA);
        deploy(&r, "a", "@name('a') select irstream sum(x) as s from A#length(2);");
        deploy(&r, "b", "@name('b') select k, avg(x) as s from A#length(2) group by k;");
        deploy(&r, "c", "@name('c') select irstream x, count(*) as n from A#length(2);");
        send(&r, 1, "k");
        send(&r, 2, "l");
        send(&r, 4, "k");
        undeploy(&r, first[i]);
        CHECK_EQ(2, sharers(&r, 1));
        send(&r, 8, "k");
        reload(&r);
        send(&r, 16, "l");
        undeploy(&r, first[(i + 1) % 3]);
        CHECK_EQ(1, sharers(&r, 1));
        send(&r, 32, "k");
        reload(&r);
        send(&r, 64, "k");
        undeploy(&r, first[(i + 2) % 3]);
        send(&r, 128, "k");
        same(&r, NULL);
        end(&r);
    }
}

/* Rows are saved once, under the number of the first statement. */
TEST(share_is_saved_once)
{
    enum { ROWS = 1000, STATEMENTS = 20 };
    struct rig r = {.seed = 1, .plain = true};
    size_t bytes[2] = {0, 0};
    begin(&r);
    deploy(&r, "m", SCHEMA);
    for (int i = 0; i < STATEMENTS; i++) {
        char text[128], id[16];
        (void)snprintf(id, sizeof id, "s%d", i);
        (void)snprintf(text, sizeof text, "@name('s%d') select sum(x) + %d as s from A#length(%d);",
                       i, i, ROWS);
        deploy(&r, id, text);
    }
    for (int i = 0; i < 2 * ROWS; i++) {
        send(&r, i, "k");
    }
    undeploy(&r, "s0");
    size_t stores = 0;
    for (size_t i = 0; i < 2; i++) {
        save(&r.side[i]);
        VEC_EACH (&r.side[i].chunks, c) {
            bytes[i] += c->bytes.len;
            stores += (c->node & 0xff) == 2;
            CHECK((c->node & 0xff) != 2 || c->node >> 8 == 3);
        }
    }
    CHECK_EQ(1, stores);
    CHECK(bytes[0] * 10 < bytes[1]);
    end(&r);
}

/* Who may not hold an event any more goes its own way, with the rows it has. */
TEST(share_bears_limits)
{
    static const enum lim_policy policies[] = {LIM_DROP_OLDEST, LIM_DROP_NEW, LIM_STOP};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        for (uint64_t max = 1; max < 12; max++) {
            struct rig r = {.seed = 1, .limited = true};
            r.limits.max[LIM_ROWS] = max;
            r.limits.policy[LIM_ROWS] = policies[i];
            begin(&r);
            deploy(&r, "m",
                   SCHEMA "@name('a') select sum(x) as s from A#length(4);"
                          "@name('b') select k, sum(x) as s from A#length(4) group by k;"
                          "@name('c') select irstream x from A#length(4);");
            CHECK_EQ(3, sharers(&r, 1));
            for (int x = 0; x < 12; x++) {
                send(&r, x, x % 3 == 0 ? "k" : "l");
                if (x % 4 == 1) {
                    reload(&r);
                }
            }
            same(&r, NULL);
            end(&r);
        }
    }
}

/* Rows that are packed make room as events do. */
TEST(share_limits_take_the_oldest_of_packed_rows)
{
    struct rig r = {.seed = 1, .limited = true};
    r.limits.max[LIM_ROWS] = 2;
    r.limits.policy[LIM_ROWS] = LIM_DROP_OLDEST;
    begin(&r);
    deploy(&r, "m", SCHEMA "@name('a') select sum(x) as s from A#length(9);");
    for (int x = 1; x < 9; x *= 2) {
        send(&r, x, "k");
    }
    same(&r, "+a:1 +a:3<1<2 !a:0:1 +a:6<2<3 +a:12<3<4 ");
    end(&r);
}

TEST(share_bears_that_an_event_is_dropped_for_others)
{
    struct rig r = {.seed = 1, .prioritized = true};
    begin(&r);
    deploy(&r, "m",
           SCHEMA "@name('a') select sum(x) as s from A#length(3);"
                  "@name('b') @priority(9) select sum(x) as s from A#length(3);"
                  "@name('c') select irstream max(x) as s from A#length(3);"
                  "@name('d') @priority(5) @drop select x from A(k = 'mine');");
    CHECK_EQ(3, sharers(&r, 1));
    send(&r, 1, "mine");
    CHECK_EQ(3, sharers(&r, 1)); /* the others hold nothing yet */
    send(&r, 2, "k");
    send(&r, 4, "mine");
    send(&r, 8, "k");
    CHECK_EQ(0, sharers(&r, 1));
    CHECK_EQ(0, sharers(&r, 3));
    CHECK_EQ(1, sharers(&r, 2));
    for (int x = 1; x < 9; x++) {
        send(&r, x * 16, x % 3 == 0 ? "mine" : "k");
        reload(&r);
    }
    same(&r, NULL);
    end(&r);
}

static void send_seven(struct eng *e)
{
    struct err err;
    const struct etype *t = eng_type(e, SLICE("A"));
    struct evt *ev = t != NULL && t->n_cols == 3 ? evt_new(eng_heap(e), t) : NULL;
    if (ev != NULL && t->cols[0].ty.kind == TY_INT) {
        evt_set(ev, 0, dat_int(7));
        CHECK_OK(eng_send(e, ev, &err), err);
    }
}

/* Every bit of what is saved of a shared window: it is refused, or does no harm. */
TEST(share_bears_every_byte_of_its_state)
{
    struct rig r = {.seed = 1};
    struct err err;
    begin(&r);
    deploy(&r, "m",
           SCHEMA "@name('a') select sum(x) as s from A#time(9 sec);"
                  "@name('b') select k, max(x) as s from A#time(9 sec) group by k;");
    send(&r, 1, "k");
    send(&r, 2, "l");
    struct side *s = &r.side[0];
    save(s);
    size_t refused = 0;
    VEC_EACH (&s->chunks, c) {
        char *bytes = (char *)(uintptr_t)c->bytes.ptr;
        for (size_t at = 0; at < 8 * c->bytes.len; at++) {
            bytes[at / 8] = (char)(bytes[at / 8] ^ 1 << at % 8);
            struct eng *e = eng_new(&(struct eng_conf){.arg = s, .causes = true});
            if (eng_load(e, s->chunks.ptr, s->chunks.len, &err) == 0) {
                send_seven(e);
                eng_advance(e, 20000);
            } else {
                refused++;
            }
            eng_free(e);
            bytes[at / 8] = (char)(bytes[at / 8] ^ 1 << at % 8);
        }
    }
    CHECK(refused > 0);
    end(&r);
}

/* Of changed modules: who is kept has its rows, also when who was first is gone. */
TEST(share_is_handed_on)
{
    static const char *const all[] = {
        "@name('a') select sum(x) as s from A#length(2);",
        "@name('b') select k, sum(x) as s from A#length(2) group by k;",
        "@name('c') select irstream x from A#length(2);",
    };
    for (unsigned kept = 0; kept < 8; kept++) {
        struct rig r = {.seed = 1};
        struct err err;
        char was[512], now[512];
        begin(&r);
        (void)snprintf(was, sizeof was, "%s%s%s%s", SCHEMA, all[0], all[1], all[2]);
        (void)snprintf(now, sizeof now, "%s%s%s%s%s", SCHEMA,
                       "@name('new') select count(*) as n from A#length(2);",
                       (kept & 1) != 0 ? all[0] : "", (kept & 2) != 0 ? all[1] : "",
                       (kept & 4) != 0 ? all[2] : "");
        deploy(&r, "m", was);
        send(&r, 1, "k");
        send(&r, 2, "l");
        send(&r, 4, "k");
        for (size_t i = 0; i < 2; i++) {
            const struct eng_module m = {SLICE("m"), slice_str(now)};
            struct eng_succeeded got;
            save(&r.side[i]);
            struct eng *e = engine(&r, i);
            CHECK_OK(eng_succeed(e, &m, 1, r.side[i].chunks.ptr, r.side[i].chunks.len, &got, &err),
                     err);
            CHECK_EQ(1 + (kept & 1) + (kept >> 1 & 1) + (kept >> 2), got.kept);
            eng_free(r.side[i].e);
            r.side[i].e = e;
        }
        send(&r, 8, "k");
        reload(&r);
        send(&r, 16, "l");
        same(&r, NULL);
        end(&r);
    }
}

/* ---- at random ---- */

static const char *const windows[] = {"#length(1)",   "#length(3)",      "#time(1 sec)",
                                      "#time(3 sec)", "#keepall",        "#ext_timed(ts, 1 sec)",
                                      "#length(8)",   "#length_batch(2)"};
static const char *const filters[] = {"", "(x > 2)", "(k = 'a')"};
static const char *const columns[] = {"sum(x)", "count(*)", "max(x)",  "min(k)",
                                      "avg(x)", "first(x)", "last(k)", "count(distinct k)"};
static const char *const rates[] = {
    "", "", "", " output last every 2 events", " output every 2 sec", " output all every 3 events"};

static const char *pick(struct rig *r, const char *const *from, size_t n)
{
    return from[state_draw(&r->seed, (uint32_t)n)];
}

/* Few kinds at a time, so that many are equal. */
static void deploy_one(struct rig *r, int i, uint32_t kind)
{
    char text[512], id[16];
    bool grouped = state_draw(&r->seed, 2) == 0;
    bool feeds = state_draw(&r->seed, 12) == 0;
    (void)snprintf(id, sizeof id, "s%d", i);
    (void)snprintf(
        text, sizeof text, "%s%s@name('s%d') %sselect %s%s%s as c%s from A%s%s%s%s%s;",
        state_draw(&r->seed, 5) == 0 ? "@priority(3) " : "",
        state_draw(&r->seed, 25) == 0 ? "@drop " : "", i, feeds ? "insert into A(k, x, ts) " : "",
        state_draw(&r->seed, 3) == 0 && !feeds ? "irstream " : "", grouped || feeds ? "k, " : "",
        feeds ? "8 as x, ts" : pick(r, columns, ARRAY_LEN(columns)), feeds ? "c" : "",
        feeds ? "(x < 2)" : filters[kind % ARRAY_LEN(filters)],
        windows[kind / 4 % ARRAY_LEN(windows)], state_draw(&r->seed, 6) == 0 ? " where x > 1" : "",
        grouped && !feeds ? " group by k" : "", feeds ? "" : pick(r, rates, ARRAY_LEN(rates)));
    deploy(r, id, text);
}

static void play(uint64_t seed)
{
    static const char *const keys[] = {"a", "b", "c"};
    static const enum lim_policy policies[] = {LIM_DROP_OLDEST, LIM_DROP_NEW, LIM_STOP};
    enum { MANY = 200 };
    struct rig r = {.seed = seed};
    bool there[MANY] = {false};
    int n = 0;
    r.prioritized = state_draw(&r.seed, 2) == 0;
    r.limited = state_draw(&r.seed, 3) == 0;
    r.limits.max[LIM_ROWS] = 1 + state_draw(&r.seed, 60);
    r.limits.policy[LIM_ROWS] = policies[state_draw(&r.seed, ARRAY_LEN(policies))];
    uint32_t kinds[2] = {state_draw(&r.seed, 1000), state_draw(&r.seed, 1000)};
    begin(&r);
    deploy(&r, "m", SCHEMA);
    for (int step = 0; step < 300; step++) {
        uint32_t what = step < 5 ? 99 : state_draw(&r.seed, 100);
        if (what < 70) {
            send(&r, (int)state_draw(&r.seed, 9), pick(&r, keys, ARRAY_LEN(keys)));
        } else if (what < 85) {
            advance(&r, state_draw(&r.seed, 1500));
        } else if (what < 90) {
            reload(&r);
        } else if (what < 95 && n > 0) {
            int i = (int)state_draw(&r.seed, (uint32_t)n);
            char id[16];
            (void)snprintf(id, sizeof id, "s%d", i);
            if (there[i]) {
                undeploy(&r, id);
            }
            there[i] = false;
        } else if (n < MANY && what >= 95) {
            there[n] = true;
            deploy_one(&r, n++, kinds[state_draw(&r.seed, 2)]);
        }
        same(&r, NULL);
    }
    end(&r);
}

TEST(share_at_random_is_not_to_be_told)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        play(seed);
    }
}
