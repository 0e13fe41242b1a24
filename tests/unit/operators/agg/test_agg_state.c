/* SPDX-License-Identifier: Apache-2.0
 *
 * State of aggregations. Each is played by chance up to some point, saved, and loaded into a fresh
 * one; from there on both must say the same. Wrong bytes must be refused, or leave something that
 * works.
 */
#include "tests/test.h"
#include "tests/unit/operators/agg/agg_fixture.h"

#include <string.h>

static const struct agg_case cases[] = {
    {"count", "count(*)", NULL, false, false},
    {"count", "count(distinct k)", NULL, false, false},
    {"count", "count(distinct a)", NULL, false, true},
    {"sum", "sum(n)", NULL, false, false},
    {"sum", "sum(x)", NULL, false, false},
    {"sum", "sum(f)", NULL, false, false},
    {"sum", "sum(l)", NULL, true, false},
    {"sum", "sum(big)", NULL, false, false},
    {"sum", "sum(distinct dec)", NULL, false, false},
    {"sum", "sum(x, filter: n > 0)", NULL, false, false},
    {"sum", "sum(x)", "sum(double)", false, false},
    {"avg", "avg(x)", NULL, false, false},
    {"avg", "avg(n)", NULL, false, false},
    {"avg", "avg(big)", NULL, false, false},
    {"min", "min(x)", NULL, false, false},
    {"min", "min(k)", NULL, false, false},
    {"min", "min(x)", NULL, true, false},
    {"max", "max(big)", NULL, false, false},
    {"max", "max(distinct n)", NULL, false, false},
    {"fmin", "fmin(x, n > 0)", NULL, false, false},
    {"fmax", "fmax(x, n < 0)", NULL, false, false},
    {"minever", "minever(k)", NULL, false, false},
    {"maxever", "maxever(x)", NULL, false, false},
    {"fminever", "fminever(x, n > 0)", NULL, false, false},
    {"fmaxever", "fmaxever(dec, n > 0)", NULL, false, false},
    {"stddev", "stddev(x)", NULL, false, false},
    {"avedev", "avedev(x)", NULL, false, false},
    {"median", "median(n)", NULL, false, false},
    {"median", "median(distinct x)", NULL, false, false},
    {"percentile", "percentile(x, 75)", NULL, false, false},
    {"first", "first(x)", NULL, false, false},
    {"first", "first(*)", NULL, true, false},
    {"first", "first(a.x, 1)", NULL, false, true},
    {"last", "last(a.*)", NULL, false, false},
    {"last", "last(k)", NULL, true, false},
    {"window", "window(*)", NULL, false, false},
    {"window", "window(b.*)", NULL, false, true},
    {"window", "window(*)", "window(*)", false, false},
    {"nth", "nth(x, 3)", NULL, false, false},
    {"nth", "nth(k, 2)", NULL, true, false},
    {"firstever", "firstever(k)", NULL, false, false},
    {"firstever", "firstever(*)", NULL, false, false},
    {"lastever", "lastever(dec)", NULL, false, false},
    {"lastever", "lastever(a.*)", NULL, false, false},
    {"countever", "countever(x)", NULL, false, false},
    {"sorted", "sorted(x)", NULL, false, false},
    {"sorted", "sorted(k desc, n)", NULL, false, false},
    {"sorted", "sorted(a.n)", NULL, false, true},
    {"sorted", "sorted(*)", "sorted(x desc)", false, false},
    {"maxby", "maxby(x)", NULL, false, false},
    {"maxby", "maxby(k, x)", NULL, true, false},
    {"minby", "minby(x, n)", NULL, false, false},
    {"minby", "minby(b.k)", NULL, false, true},
    {"maxbyever", "maxbyever(x)", NULL, false, false},
    {"minbyever", "minbyever(k, n)", NULL, false, false},
    {"rate", "rate(3)", NULL, false, false},
    {"rate", "rate(ts)", NULL, false, false},
    {"rate", "rate(ts, x)", NULL, false, false},
    {"leaving", "leaving()", NULL, false, false},
    {"countMinSketch", "countMinSketchAdd(k)", "countMinSketch()", false, false},
    {"countMinSketchAdd", "countMinSketchAdd(n)", "countMinSketch()", false, false},
};

TEST(agg_state_has_a_test_for_every_aggregation)
{
    size_t n;
    const struct agg_def *const *all = agg_all(&n);
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
            found |= strcmp(cases[k].name, all[i]->name) == 0;
        }
        if (!found) {
            test_fail(__FILE__, __LINE__, "%s has no row in cases", all[i]->name);
        }
    }
}

/* One thing that happens, the same in both worlds. b: NULL as long as there is only one. */
static void happen(uint64_t *seed, int *id, struct agg_world *a, struct agg_world *b)
{
    enum { MANY = 20 };
    bool leaves = !a->p->c->unbound && (a->n_in > MANY || (a->n_in > 0 && state_draw(seed, 5) < 2));
    size_t which = leaves && state_draw(seed, 4) == 0 ? state_draw(seed, (uint32_t)a->n_in) : 0;
    uint64_t draw = state_draw(seed, 1U << 30);
    struct agg_world *both[2] = {a, b};
    for (size_t i = 0; i < 2 && both[i] != NULL; i++) {
        if (leaves) {
            agg_world_leave(both[i], which);
        } else {
            agg_world_enter(both[i], *id, draw);
        }
    }
    ++*id;
}

static void play(const struct agg_case *c, uint64_t seed)
{
    enum { BEFORE = 100, AFTER = 100 };
    struct agg_plan p;
    static struct agg_world a, b; /* large */
    struct err err = {0};
    struct buf first;
    int id = 1;
    uint32_t before = state_draw(&seed, BEFORE);
    buf_init(&first, 1 << 26);
    agg_plan_init(&p, c);
    agg_world_init(&a, &p);
    for (uint32_t i = 0; i < before; i++) {
        happen(&seed, &id, &a, NULL);
    }
    agg_world_save(&a);
    buf_add_slice(&first, buf_slice(&p.state.bytes));
    agg_world_init(&b, &p);
    if (!agg_world_load(&b, buf_slice(&first), &err)) {
        test_fail(__FILE__, __LINE__, "%s: %s", c->call, err.msg);
    }
    agg_world_save(&b);
    if (!slice_eq(buf_slice(&first), buf_slice(&p.state.bytes))) {
        test_fail(__FILE__, __LINE__, "%s: saved again it is not the same", c->call);
    }
    buf_clear(&a.out);
    for (uint32_t i = 0; i < AFTER; i++) {
        happen(&seed, &id, &a, &b);
    }
    if (strcmp(buf_cstr(&a.out), buf_cstr(&b.out)) != 0) {
        test_fail(__FILE__, __LINE__, "%s: without\n%s\nwith\n%s", c->call, buf_cstr(&a.out),
                  buf_cstr(&b.out));
    }
    agg_world_done(&a);
    agg_world_done(&b);
    agg_plan_done(&p);
    buf_done(&first);
}

TEST(agg_state_goes_on_as_if_nothing_had_been)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (uint64_t seed = 1; seed <= 10; seed++) {
            play(&cases[i], seed * 1000 + i);
        }
    }
}

/* One byte changed, or the end cut off: refused, or something else that works. */
static void spoil(const struct agg_case *c, uint64_t seed)
{
    enum { BEFORE = 60, TRIALS = 40, AFTER = 5 };
    struct agg_plan p;
    static struct agg_world a, b;
    struct buf good;
    int id = 1;
    buf_init(&good, 1 << 26);
    agg_plan_init(&p, c);
    agg_world_init(&a, &p);
    for (uint32_t i = 0; i < BEFORE; i++) {
        happen(&seed, &id, &a, NULL);
    }
    agg_world_save(&a);
    for (uint32_t i = 0; i < TRIALS; i++) {
        struct err err = {0};
        buf_clear(&good);
        buf_add_slice(&good, buf_slice(&p.state.bytes));
        size_t at = state_draw(&seed, (uint32_t)good.len);
        if (state_draw(&seed, 4) == 0) {
            good.len = at;
        } else {
            good.ptr[at] = (char)(good.ptr[at] ^ (1 << state_draw(&seed, 8)));
        }
        agg_world_init(&b, &p);
        if (agg_world_load(&b, buf_slice(&good), &err)) {
            for (uint32_t k = 0; k < AFTER; k++) {
                happen(&seed, &id, &b, NULL);
            }
        } else {
            CHECK(err.msg[0] != '\0');
        }
        agg_world_done(&b);
    }
    agg_world_done(&a);
    agg_plan_done(&p);
    buf_done(&good);
}

TEST(agg_state_refuses_wrong_bytes_or_works)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            spoil(&cases[i], seed * 1000 + i);
        }
    }
}
