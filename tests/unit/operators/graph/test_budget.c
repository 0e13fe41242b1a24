/* SPDX-License-Identifier: Apache-2.0
 *
 * The budget of state (lim.def, `state`): rules that hold more with every event stay below it, the
 * memory that they take stays near what is counted, and an engine that was saved and loaded drops
 * what the one that went on drops.
 */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "tests/test.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS = 100000, BUDGET = 4 << 20, MORE = 4096, TEXT = 64 };

static const char types[] = "create schema A(x int, k string); create schema B(x int, k string);";

static const struct {
    const char *name, *rule;
} cases[] = {
    {"a pattern without end", "@name('s') select b.x from pattern [every a=A -> b=B(k = a.k)];"},
    {"a pattern that holds texts of two", "@name('s') select b.x from pattern [every a=A -> c=A(x "
                                          "> a.x) -> b=B(k = a.k)];"},
    {"until what never comes", "@name('s') select b.x from pattern [a=A until b=B];"},
    {"what both must come", "@name('s') select b.x from pattern [(every a=A) and b=B];"},
    {"each key once", "@name('s') select a.x from pattern [every-distinct(a.k) a=A];"},
    {"match_recognize that begins and never ends",
     "@name('s') select * from A match_recognize (measures a.k as x all matches pattern (a b* c) "
     "define b as b.x >= 0, c as c.x < 0);"},
    {"match_recognize of one that only grows",
     "@name('s') select * from A match_recognize (measures first(b.k) as x pattern (a b* c) define "
     "a as a.x % 20000 = 1, b as b.x > 0, c as c.x < 0);"},
    {"a window of all", "@name('s') select * from A#keepall;"},
    {"a window of columns", "@name('s') select k, count(*) from A#keepall;"},
    {"a window of each key", "@name('s') select * from A#unique(k);"},
    {"a window for each key", "@name('s') select * from A#groupwin(k)#length(2);"},
    {"a named window", "create window W#keepall as A; insert into W select * from A;"},
    {"a window of a subquery", "@name('s') select (select count(*) from A#keepall) from B;"},
    {"a batch that never ends", "@name('s') select * from A#time_batch(1 hour);"},
    {"a join", "@name('s') select a.x from A#keepall as a, B#keepall as b where a.k = b.k;"},
    {"groups", "@name('s') select k, count(*) as n, sum(x) as t from A group by k;"},
    {"a table of groups", "create table T(k string primary key, n count(*), t sum(int));"
                          "into table T select count(*) as n, sum(x) as t from A group by k;"},
    {"a table of rows", "create table T(k string primary key, x int);"
                        "on A merge T where T.k = A.k when not matched then insert select k, x;"},
    {"distinct values", "@name('s') select count(distinct k) as n from A;"},
    {"values in order", "@name('s') select median(x) as m from A;"},
    {"events in order", "create table T(w sorted(x) @type(A));"
                        "into table T select sorted(*) as w from A;"},
    {"a context for each key", "create context C partition by k from A;"
                               "@name('s') context C select count(*) as n from A;"},
    {"rows that wait for the end of the hour", "@name('s') select * from A output every 1 hour;"},
    {"the last row of each key", "@name('s') select k, x from A group by k output last every 1 "
                                 "hour;"},
};

struct rig {
    struct eng *e;
    uint32_t hits;
    uint64_t rows;
    VEC(struct save_chunk) chunks;
};

static void on_rows(void *arg, struct slice name, const struct eng_rows *rows)
{
    struct rig *r = arg;
    (void)name;
    r->rows += rows->n_nw + rows->n_old;
}

static void on_limit(void *arg, struct slice name, enum lim_kind kind, enum lim_policy policy)
{
    struct rig *r = arg;
    (void)name;
    (void)policy;
    r->hits += kind == LIM_STATE;
}

static void begin(struct rig *r)
{
    struct lim_conf limits = {.max = {[LIM_STATE] = BUDGET}};
    r->e = eng_new(
        &(struct eng_conf){.on_rows = on_rows, .on_limit = on_limit, .arg = r, .limits = &limits});
}

static void send(struct rig *r, int x)
{
    struct err err;
    char text[TEXT + 1];
    struct vheap *h = eng_heap(r->e);
    (void)snprintf(text, sizeof text, "%0*d", TEXT, x);
    struct evt *e = evt_new(h, eng_type(r->e, SLICE("A")));
    evt_set(e, 0, dat_int(x));
    evt_set(e, 1, dat_str(vstr_new(h, slice_of(text, TEXT))));
    CHECK_EQ(0, eng_send(r->e, e, &err));
}

static size_t memory(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void add(void *arg, const struct save_chunk *c)
{
    struct rig *r = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&r->chunks) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void copy(struct rig *of, struct rig *to)
{
    struct err err;
    begin(to);
    eng_save(of->e, add, of);
    CHECK_OK(eng_load(to->e, of->chunks.ptr, of->chunks.len, &err), err);
    VEC_EACH (&of->chunks, c) {
        mem_free((char *)(uintptr_t)c->bytes.ptr);
    }
    VEC_DONE(&of->chunks);
    of->rows = 0;
}

static void is_like(const struct rig *a, const struct rig *b)
{
    CHECK_EQ(a->rows, b->rows);
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        CHECK_EQ(eng_held(a->e, (enum lim_kind)k), eng_held(b->e, (enum lim_kind)k));
        CHECK_EQ(eng_dropped(a->e, (enum lim_kind)k), eng_dropped(b->e, (enum lim_kind)k));
    }
}

static void play(const char *rule)
{
    struct rig r = {.e = NULL}, again = {.e = NULL};
    struct err err;
    begin(&r);
    CHECK_OK(eng_deploy(r.e, SLICE("types"), slice_str(types), &err), err);
    CHECK_OK(eng_deploy(r.e, SLICE("m"), slice_str(rule), &err), err);
    size_t before = memory(), most = 0;
    uint64_t peak = 0;
    for (int x = 1; x <= EVENTS; x++) {
        send(&r, x);
        if (x % 100 == 0 && x < EVENTS / 2) {
            most = MAX(most, memory() - before);
            peak = MAX(peak, eng_held(r.e, LIM_STATE));
        }
        if (x == EVENTS / 2) {
            CHECK(eng_held(r.e, LIM_STATE) > BUDGET / 2);
            copy(&r, &again);
            is_like(&r, &again);
        }
        if (x > EVENTS / 2) {
            send(&again, x);
        }
    }
    is_like(&r, &again);
    (void)printf("%6.2f MiB counted, %6.2f taken: %s\n", (double)peak / (1 << 20),
                 (double)most / (1 << 20), rule);
    CHECK(peak <= BUDGET + MORE);
    CHECK(most <= 2 * (size_t)BUDGET + MEM_HUGE); /* a block of the heap that is hardly used */
    CHECK(eng_dropped(r.e, LIM_STATE) > 0 && r.hits > 0);
    eng_free(r.e);
    eng_free(again.e);
}

TEST(what_only_grows_stays_below_its_budget_and_says_so)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)printf("%s: ", cases[i].name);
        play(cases[i].rule);
    }
}
