/* SPDX-License-Identifier: Apache-2.0
 *
 * Large states of an engine that are saved in slices while it goes on: at the cut nearly nothing is
 * written, no slice is much larger than asked for, and in the end there are the bytes that saving
 * at once would have made. One row per kind of state.
 */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

#include <stdlib.h>
#include <string.h>

#define TYPES                                                                                      \
    "create schema E(k string, n int, x double); create schema D(k string, n int, x double);\n"    \
    "create schema S(k string, n int, x double); create window Latest#length(2) as S;\n"

#define ONE                                                                                        \
    "insert into One select 1 as o, k, n, x from E; insert into Two select 1 as o, n from D;"

struct kind {
    const char *name, *module;
};

static const struct kind kinds[] = {
    {"table", "create table T(k string primary key, n int);"
              "on E merge T where E.k = T.k when matched then update set n = E.n"
              " when not matched then insert select E.k as k, E.n as n;"
              "on D delete from T where T.k = D.k;"
              "on S update T set k = S.k || '!', n = S.n where T.k = S.k;"},
    {"states of a table",
     "create table T(k string primary key, c count(*), s sum(double), w window(*) @type(E));"
     "into table T select count(*) as c, sum(x) as s, window(*) as w from E#length(4000) group by "
     "k;"
     "on D delete from T where T.k = D.k;"},
    {"window of several statements", "@name('a') select sum(n) as s from E#length(4000);"
                                     "@name('b') select k, x, count(*) as s from E#length(4000);"},
    {"rows that match_recognize keeps",
     "select * from E match_recognize (partition by k measures a.n as n, count(b.n) as c"
     " pattern (a b* d) define b as b.n > 2, d as d.n < 2);"
     "select * from E#length(4000) match_recognize (partition by k measures a.n as n"
     " pattern (a b) define b as b.n > prev(b.n, 2) + 90);"
     "select * from S match_recognize (partition by k measures a.n as n, count(b.n) as c"
     " all matches pattern (a b*) interval 50 seconds or terminated define b as b.n > a.n);"},
    {"patterns that wait",
     "select a.n from pattern [every a=E(n > 84) -> b=D(k = a.k) where timer:within(1 hour)];"
     "select a.n from pattern [every a=E(n > 97) -> b=D(x > a.x) -> c=S(k = b.k)];"
     "on pattern [every a=E(n > 95) -[200]> b=S(k = a.k) or every c=D(n > 99) -> d=E(k = c.k)]"
     " select * from Latest;"},
    {"partitions by key", "create context C partition by k from E, k from S;"
                          "context C select sum(n) as s, count(*) as c from E#length(4);"
                          "context C select a.n, b.n from pattern [every a=E -> b=S(n > a.n)];"
                          "context C select n, (select count(*) from E#length(5)) as c from S;"},
    {"partitions that begin and end",
     "create context C initiated by distinct(e.k) E as e terminated by D(k = e.k);"
     "context C select sum(x) as s from E(k = context.e.k)#length(3) group by n;"
     "context C select a.n from pattern [every a=S(k = context.e.k) -> timer:interval(1 hour)];"},
    {"partitions within partitions", "create context C context A partition by k from E, k from D,"
                                     " context B initiated by E(n > 50) terminated by D;"
                                     "context C select count(*) as c, sum(n) as s from E;"},
    {"join by key",
     "select a.n, b.x from E#length(4000) as a, S#unique(k) as b where a.k = b.k;"
     "select a.n from E#unique(k) as a left outer join S#keepall as b on a.k = b.k;"},
    {"join without a key",
     "select a.n from E#keepall as a, S#length(2) as b where a.n > b.n + 98;"},
    {"join of named windows",
     "create window W#keepall as E; insert into W select * from E; on D delete from W where W.k = "
     "D.k; on S update W set n = S.n where W.k = S.k;"
     "select a.n from W as a, S#length(3) as b where a.k = b.k;"
     "select a.n from W(n > 50) as a, S#length(3) as b where a.k = b.k;"},
    {"join of batches",
     "select a.n from E#length_batch(2000) as a, S#length(3) as b where a.k = b.k;"},
    {"subqueries", "select (select max(n) from E#length(2000)) as a,"
                   " (select sum(x) from E#unique(k)) as b,"
                   " (select count(*) from E#length_batch(2000)) as c from S;"},
    {"unique", "create window W#unique(k) as E; insert into W select * from E;"
               "on D delete from W where W.k = D.k; select irstream prior(2, n) as p from W;"
               "select * from E#firstunique(k, n);"},
    {"batches", "select irstream * from E#length_batch(2500);"
                "select irstream * from E#length_batch(300);"
                "select * from E#time_batch(1 hour); select * from E#expr_batch(n < 0);"},
    {"rows of an output stage",
     "select k, x from E output every 1 hour;"
     "select irstream n, x from E#length(3) output all every 1 hour order by x, k;"
     "select current_timestamp() as c, k from E output every 1 hour;"
     "select (select count(*) from D#length(5)) as c, a.n, b.x from E#lastevent as a full outer "
     "join"
     " S#lastevent as b on a.k = b.k output all every 1 hour;"},
    {"rows that are put out meanwhile",
     "select k, x from E output every 6100 events; select * from E output every 1100 events;"
     "select irstream n, x from E#length(3) output all every 6200 events order by x, k;"
     "select current_timestamp() as c, k from E output every 6300 events;"
     "select current_timestamp() as c, * from E#length(9) output all every 1300 events;"
     "select irstream n, x from E#length(7) output every 500 events; select * from E#keepall;"},
    {"groups of an output stage",
     "select k, sum(n) as s from E group by k output last every 1 hour;"
     "select irstream k, n, count(*) as c from E#length(4000) group by k output all every 1 hour;"
     "select irstream k, sum(n) as s from E#length(4000) group by k output last every 500 events;"
     "select k, x, sum(n) as s from E group by k output first every 1 hour;"
     "select k, n, max(x) as s from E group by k having max(x) > 50 output first every 3 events;"
     "select k, n, max(x) as s from E#length(4000) group by rollup(k, n) output snapshot every 2000"
     " events;"},
    {"events in groups", "select k, window(*) as w, last(*) as l, maxby(x) as m from E#length(4000)"
                         " group by k;"},
    {"one large partition of match_recognize",
     "select * from E match_recognize (measures a.n as n, count(b.n) as c pattern (a b* d)"
     " define a as a.n = 5 and a.x < 4, d as d.n < 0);"},
    {"what an until collects", "select * from pattern [a=E until D(n < 0)];"},
    {"a match with a long list", "select * from pattern [[6050] a=E -> every b=D(n < 0)];"
                                 "select * from pattern [every ([2500] a=E -> b=D(n < 0))];"},
    {"one large partition", ONE "create context C partition by o from One, o from Two;"
                                "context C select sum(n) as s from One#length(4000);"
                                "context C select last(k) as s from One#length_batch(4100);"
                                "context C select * from One#unique(k);"
                                "context C select * from One#time_order(n, 1 hour);"
                                "context C select * from pattern [a=One until Two(n < 0)];"},
    {"one large group", ONE "select o, window(*) as w, maxby(x) as m, count(distinct x) as c from"
                            " One#length(4000) group by o;"},
    {"one large row of a table",
     ONE "create table T(o int primary key, w window(*) @type(One), s sorted(x) @type(One));"
         "into table T select window(*) as w, sorted(*) as s from One#length(4000) group by o;"},
    {"sorted", "select irstream * from E#sort(1000, x desc, k);"
               "select irstream * from E#rank(k, 1000, x);"},
    {"ordered by time",
     "create window W#time_order(n, 1 hour) as E; on D delete from W where W.k = "
     "D.k; insert into W select * from E;"},
    {"groups", "create window W#groupwin(k)#length(2) as E; insert into W select * from E;"
               "on D delete from W where W.k = D.k;"
               "select irstream * from E#groupwin(n)#time(1 hour);"},
    {"several windows", "select irstream * from E#length(3000)#unique(k);"
                        "select irstream * from E#length(3000)#unique(k) retain-union;"},
    {"other rings", "select irstream * from E#expr(current_count <= 3000);"
                    "select * from E#time_accum(1 hour); select * from E#firstlength(5000);"},
};

struct rig {
    struct eng *e;
    VEC(struct save_chunk) want, got;
    struct buf bytes; /* of the one that comes in pieces */
    uint64_t node, seed;
    uint16_t group;
    size_t in_all; /* bytes that were given */
};

static void no_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    (void)arg;
    (void)statement;
    (void)rows;
}

static struct save_chunk copy(uint64_t node, uint16_t group, struct slice from)
{
    char *bytes = mem_alloc(from.len + 1);
    memcpy(bytes, from.ptr, from.len);
    return (struct save_chunk){node, group, slice_of(bytes, from.len), NULL};
}

static void on_want(void *arg, const struct save_chunk *c)
{
    *VEC_PUSH(&((struct rig *)arg)->want) = copy(c->node, c->group, c->bytes);
}

static void on_whole(void *arg, const struct save_chunk *c)
{
    struct rig *r = arg;
    r->in_all += c->bytes.len;
    *VEC_PUSH(&r->got) = copy(c->node, c->group, c->bytes);
}

static void on_begin(void *arg, uint64_t node, uint16_t group)
{
    struct rig *r = arg;
    r->node = node;
    r->group = group;
}

static void on_bytes(void *arg, struct slice bytes)
{
    struct rig *r = arg;
    r->in_all += bytes.len;
    buf_add_slice(&r->bytes, bytes);
}

static void on_end(void *arg)
{
    struct rig *r = arg;
    *VEC_PUSH(&r->got) = copy(r->node, r->group, buf_slice(&r->bytes));
    buf_clear(&r->bytes);
}

static int by_node(const void *a, const void *b)
{
    const struct save_chunk *x = a, *y = b;
    return x->node != y->node ? (x->node < y->node ? -1 : 1) : x->group - y->group;
}

static void send(struct rig *r, const char *type, uint32_t of)
{
    struct vheap *h = eng_heap(r->e);
    struct evt *e = evt_new(h, eng_type(r->e, slice_str(type)));
    char k[16];
    struct err err;
    (void)snprintf(k, sizeof k, "k%u", state_draw(&r->seed, of));
    evt_set(e, 0, dat_str(vstr_new(h, slice_str(k))));
    evt_set(e, 1, dat_int((int32_t)state_draw(&r->seed, 100)));
    evt_set(e, 2, dat_double(state_draw(&r->seed, 1000) / 8.0));
    CHECK_OK(eng_send(r->e, e, &err), err);
}

static void play(struct rig *r, uint32_t n, uint32_t of)
{
    static const char *const types[] = {"E", "E", "E", "D", "S"};
    while (n-- > 0) {
        send(r, types[state_draw(&r->seed, ARRAY_LEN(types))], of);
    }
}

static void check_same(struct rig *r)
{
    qsort(r->got.ptr, r->got.len, sizeof *r->got.ptr, by_node);
    qsort(r->want.ptr, r->want.len, sizeof *r->want.ptr, by_node);
    CHECK_EQ(r->want.len, r->got.len);
    for (size_t i = 0; i < r->want.len; i++) {
        CHECK_EQ(0, by_node(&r->want.ptr[i], &r->got.ptr[i]));
        CHECK(slice_eq(r->want.ptr[i].bytes, r->got.ptr[i].bytes));
    }
}

static void forget(struct rig *r)
{
    VEC_EACH (&r->want, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_EACH (&r->got, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_DONE(&r->want);
    VEC_DONE(&r->got);
}

/* An engine of them has the same state. */
static void check_loaded(struct rig *r)
{
    struct rig again = {.e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = r})};
    struct err err;
    CHECK_OK(eng_load(again.e, r->got.ptr, r->got.len, &err), err);
    eng_save(again.e, on_want, &again);
    VEC_EACH (&r->got, c) {
        *VEC_PUSH(&again.got) = copy(c->node, c->group, c->bytes);
    }
    check_same(&again);
    forget(&again);
    eng_free(again.e);
}

/* A chunk of a node that is written as a whole comes when all of it is: what was written before is
 * not seen, but how often it was asked. */
static void cut(struct rig *r, size_t slice)
{
    enum { KEYS = 3000, AT_ONCE = 4096 };
    const struct eng_cut_to to = {on_whole, on_begin, on_bytes, on_end, r};
    size_t size = 0, steps = 0;
    eng_save(r->e, on_want, r);
    VEC_EACH (&r->want, c) {
        size += c->bytes.len;
    }
    r->in_all = 0;
    struct eng_cut *c = eng_cut_new(r->e, &to, 2048);
    CHECK(r->in_all < AT_ONCE);
    bool done = false;
    for (; !done; steps++) {
        play(r, state_draw(&r->seed, 3), KEYS);
        done = eng_cut_step(c, slice);
    }
    eng_cut_free(c);
    check_same(r);
    check_loaded(r);
    CHECK(size > 16 * (size_t)AT_ONCE);
    CHECK(steps > size / slice / 4);
    forget(r);
}

static void check_kind(const struct kind *k)
{
    enum { KEYS = 3000 };
    struct rig r = {.seed = 7, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    struct err err;
    buf_init(&r.bytes, 1 << 24);
    char text[4096];
    (void)snprintf(text, sizeof text, "%s%s", TYPES, k->module);
    if (eng_deploy(r.e, SLICE("m"), slice_str(text), &err) != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", k->name, err.msg);
    }
    for (int i = 0; i < 6000; i++) {
        send(&r, "E", KEYS);
    }
    cut(&r, 512);
    cut(&r, 4096);
    play(&r, 500, KEYS);
    cut(&r, 64);
    buf_done(&r.bytes);
    eng_free(r.e);
}

TEST(eng_cut_writes_large_states_in_slices)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        check_kind(&kinds[i]);
    }
}

static size_t saved_bytes(struct rig *r)
{
    size_t n = 0;
    eng_save(r->e, on_want, r);
    VEC_EACH (&r->want, c) {
        n += c->bytes.len;
    }
    forget(r);
    return n;
}

TEST(eng_total_of_which_the_last_is_put_out_keeps_no_row_per_event)
{
    enum { ONCE = 100, MANY = 3000, DIFFER = 64 };
    struct rig r = {.seed = 3, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    struct err err;
    CHECK_OK(eng_deploy(r.e, SLICE("m"),
                        SLICE(TYPES "select sum(n) as s from E output last every 1 hour;"
                                    "select irstream sum(n) as s, max(x) as m from E#length(2)"
                                    " output last every 1 hour;"),
                        &err),
             err);
    play(&r, ONCE, 1);
    size_t before = saved_bytes(&r);
    play(&r, MANY, 1);
    CHECK(saved_bytes(&r) < before + DIFFER);
    eng_free(r.e);
}

/* A row that is the event itself: who goes through them keeps each. */
TEST(eng_cut_goes_through_no_rows_of_an_output_stage)
{
    const struct eng_cut_to to = {on_whole, on_begin, on_bytes, on_end, NULL};
    struct rig r = {.seed = 3, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    struct eng_cut_to mine = to;
    struct err err;
    mine.arg = &r;
    buf_init(&r.bytes, 1 << 24);
    CHECK_OK(eng_deploy(r.e, SLICE("m"),
                        SLICE(TYPES "select * from E output every 1 hour;"
                                    "select *, current_timestamp() as c from E output every 1 "
                                    "hour;"),
                        &err),
             err);
    for (int i = 0; i < 200; i++) {
        send(&r, "E", 20);
    }
    struct evt *e = evt_new(eng_heap(r.e), eng_type(r.e, SLICE("E")));
    (void)evt_keep(e);
    CHECK_OK(eng_send(r.e, e, &err), err);
    uint32_t refs = e->o.refs;
    CHECK(refs > 2);
    eng_save(r.e, on_want, &r);
    struct eng_cut *c = eng_cut_new(r.e, &mine, 1);
    CHECK_EQ(refs, e->o.refs);
    CHECK(!eng_cut_step(c, 300));
    CHECK_EQ(refs, e->o.refs);
    while (!eng_cut_step(c, 300)) {
    }
    eng_cut_free(c);
    check_same(&r);
    evt_drop(eng_heap(r.e), e);
    forget(&r);
    buf_done(&r.bytes);
    eng_free(r.e);
}

/* The next row comes into the one match there is: its rows of before are kept together, none by
 * itself, and so they are written, though the match ends meanwhile. */
TEST(eng_cut_goes_through_no_rows_of_a_match)
{
    enum { ROWS = 5000, AMONG = 3, BEFORE = 20 };
    struct rig r = {.seed = 3, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    const struct eng_cut_to to = {on_whole, on_begin, on_bytes, on_end, &r};
    struct err err;
    struct evt *one = NULL;
    buf_init(&r.bytes, 1 << 24);
    CHECK_OK(eng_deploy(r.e, SLICE("m"),
                        SLICE(TYPES "select * from E match_recognize (measures a.n as n, count(b.n)"
                                    " as c pattern (a b* d) define a as prev(a.n) is null,"
                                    " d as d.k = 'end');"),
                        &err),
             err);
    for (int i = 0; i < ROWS; i++) {
        struct vheap *h = eng_heap(r.e);
        struct evt *e = evt_new(h, eng_type(r.e, SLICE("E")));
        evt_set(e, 1, dat_int(i));
        one = i == ROWS / AMONG ? evt_keep(e) : one;
        CHECK_OK(eng_send(r.e, e, &err), err);
    }
    uint32_t refs = one->o.refs;
    eng_save(r.e, on_want, &r);
    struct eng_cut *c = eng_cut_new(r.e, &to, 1);
    send(&r, "E", 20);
    CHECK_EQ(refs, one->o.refs);
    for (int i = 0; i < BEFORE; i++) {
        CHECK(!eng_cut_step(c, 300));
        CHECK_EQ(refs, one->o.refs);
    }
    struct evt *end = evt_new(eng_heap(r.e), eng_type(r.e, SLICE("E")));
    evt_set(end, 0, dat_str(vstr_new(eng_heap(r.e), SLICE("end"))));
    CHECK_OK(eng_send(r.e, end, &err), err);
    while (!eng_cut_step(c, 300)) {
        send(&r, "E", 20);
    }
    eng_cut_free(c);
    CHECK_EQ(1, one->o.refs);
    check_same(&r);
    evt_drop(eng_heap(r.e), one);
    forget(&r);
    buf_done(&r.bytes);
    eng_free(r.e);
}

TEST(eng_cut_survives_who_made_its_events)
{
    const struct eng_cut_to to = {on_whole, on_begin, on_bytes, on_end, NULL};
    struct rig r = {.seed = 3, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    struct eng_cut_to mine = to;
    struct err err;
    mine.arg = &r;
    buf_init(&r.bytes, 1 << 24);
    CHECK_OK(eng_deploy(r.e, SLICE("t"), SLICE(TYPES), &err), err);
    CHECK_OK(eng_deploy(r.e, SLICE("m"),
                        SLICE("create schema Own(k string, n int);"
                              "insert into Own select k, n from E;"
                              "select irstream * from Own#time_order(n, 1 hour);"
                              "select * from Own#length_batch(50);"
                              "select * from pattern [a=Own until D(n < 0)];"
                              "select * from Own match_recognize (measures a.n as n, count(b.n)"
                              " as c pattern (a b* d) define a as a.n = 5, d as d.n < 0);"
                              "insert into One select 1 as o, k, n from E;"
                              "create context C partition by o from One;"
                              "context C select sum(n) as s from One#unique(k);"),
                        &err),
             err);
    for (int i = 0; i < 3000; i++) {
        send(&r, "E", 20);
    }
    eng_save(r.e, on_want, &r);
    struct eng_cut *c = eng_cut_new(r.e, &mine, 1);
    for (int i = 0; i < 9; i++) {
        CHECK(!eng_cut_step(c, 300));
        send(&r, "E", 20);
    }
    CHECK_OK(eng_undeploy(r.e, SLICE("m"), &err), err);
    while (!eng_cut_step(c, 300)) {
        send(&r, "E", 20);
    }
    eng_cut_free(c);
    check_same(&r);
    forget(&r);
    buf_done(&r.bytes);
    eng_free(r.e);
}

TEST(eng_cut_may_be_given_up)
{
    const struct eng_cut_to to = {on_whole, on_begin, on_bytes, on_end, NULL};
    struct rig r = {.seed = 5, .e = eng_new(&(struct eng_conf){.on_rows = no_rows, .arg = &r})};
    struct eng_cut_to mine = to;
    struct err err;
    mine.arg = &r;
    buf_init(&r.bytes, 1 << 24);
    CHECK_OK(eng_deploy(r.e, SLICE("m"),
                        SLICE(TYPES "select irstream * from E#unique(k); select * from "
                                    "E#length_batch(50);"
                                    "select * from pattern [a=E until D(n < 0)];"
                                    "select * from E match_recognize (measures a.n as n, count(b.n)"
                                    " as c pattern (a b* d) define a as a.n = 5, d as d.n < 0);" ONE
                                    "create context C partition by o from One;"
                                    "context C select sum(n) as s from One#length(4000);"),
                        &err),
             err);
    for (int i = 0; i < 3000; i++) {
        send(&r, "E", 20);
    }
    size_t live = vheap_live(eng_heap(r.e));
    for (int steps = 1; steps < 2000; steps *= 3) {
        struct eng_cut *c = eng_cut_new(r.e, &mine, 1);
        for (int i = 0; i < steps; i++) {
            (void)eng_cut_step(c, 300);
        }
        eng_cut_free(c);
        CHECK_EQ(live, vheap_live(eng_heap(r.e)));
        buf_clear(&r.bytes);
    }
    forget(&r);
    buf_done(&r.bytes);
    eng_free(r.e);
}
