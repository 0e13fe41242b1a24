/* SPDX-License-Identifier: Apache-2.0
 *
 * The index against itself without: each random filter is deployed as it is, and as the negation of
 * its negation, which says the same but gives the index neither key nor range. Both must take the
 * same events, while statements come and go; and equal conditions are asked once.
 */
#include "core/base/buf.h"
#include "operators/graph/eng_impl.h"
#include "operators/graph/eng_wants.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>

enum { STATEMENTS = 60, ROUNDS = 3000 };

struct dice {
    uint64_t at;
};

static uint32_t roll(struct dice *d, uint32_t n)
{
    d->at += 0x9e3779b97f4a7c15ULL;
    uint64_t x = d->at;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((x ^ (x >> 31)) % n);
}

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    (void)buf_addf(arg, "%.*s:%zu ", (int)statement.len, statement.ptr, rows->n_nw);
}

static struct eng *open_engine(struct buf *out, bool unshared)
{
    struct err err;
    err_clear(&err);
    struct eng *e =
        eng_new(&(struct eng_conf){.on_rows = on_rows, .arg = out, .unshared = unshared});
    CHECK_OK(eng_deploy(e, SLICE("types"),
                        SLICE("create schema M(i int, l long, d double, s string);"
                              "create schema N() inherits M;"),
                        &err),
             err);
    return e;
}

static void a_term(struct dice *d, struct buf *to)
{
    static const char *const cols[] = {"i", "l", "d"};
    static const char *const ops[] = {"<", "<=", ">", ">=", "=", "!="};
    const char *col = cols[roll(d, 3)];
    int a = (int)roll(d, 9) - 4, b = (int)roll(d, 9) - 4;
    switch (roll(d, 9)) {
    case 0: (void)buf_addf(to, "%s between %d and %d", col, a, b); break;
    case 1: (void)buf_addf(to, "%s in [%d:%d)", col, a, b); break;
    case 2: (void)buf_addf(to, "%s in (%d, %d)", col, a, b); break;
    case 3: (void)buf_addf(to, "%d.5 %s d", a, ops[roll(d, 4)]); break;
    case 4: (void)buf_addf(to, "s = '%c'", 'a' + (int)roll(d, 3)); break;
    case 5: (void)buf_addf(to, "%s %s i * 2", col, ops[roll(d, 6)]); break;
    case 6: (void)buf_addf(to, "(%s > %d or s is null)", col, a); break;
    default: (void)buf_addf(to, "%s %s %d", col, ops[roll(d, 6)], a); break;
    }
}

static void a_filter(struct dice *d, struct buf *to)
{
    buf_clear(to);
    a_term(d, to);
    for (uint32_t n = roll(d, 3); n > 0; n--) {
        (void)buf_add_str(to, " and ");
        a_term(d, to);
    }
}

static void deploy(struct eng *e, uint32_t n, const char *cond, const char *type)
{
    char id[16], text[600];
    struct err err;
    err_clear(&err);
    (void)snprintf(id, sizeof id, "d%u", n);
    (void)snprintf(text, sizeof text, "@name('s%u') select * from %s(%s)", n, type, cond);
    CHECK_OK(eng_deploy(e, slice_str(id), slice_str(text), &err), err);
}

static void undeploy(struct eng *e, uint32_t n)
{
    char id[16];
    struct err err;
    err_clear(&err);
    (void)snprintf(id, sizeof id, "d%u", n);
    CHECK_OK(eng_undeploy(e, slice_str(id), &err), err);
}

static struct evt *event_of(struct eng *e, struct dice d)
{
    struct vheap *h = eng_heap(e);
    struct evt *ev = evt_new(h, eng_type(e, roll(&d, 4) == 0 ? SLICE("N") : SLICE("M")));
    if (roll(&d, 6) > 0) {
        evt_set(ev, 0, dat_int((int32_t)roll(&d, 11) - 5));
    }
    if (roll(&d, 6) > 0) {
        evt_set(ev, 1, dat_long((int64_t)roll(&d, 11) - 5));
    }
    if (roll(&d, 6) > 0) {
        evt_set(ev, 2, dat_double(roll(&d, 12) == 0 ? (double)NAN : (double)roll(&d, 21) / 2 - 5));
    }
    if (roll(&d, 3) > 0) {
        char c = (char)('a' + (char)roll(&d, 3));
        evt_set(ev, 3, dat_str(vstr_new(h, (struct slice){&c, 1})));
    }
    return ev;
}

static void send(struct eng *e, struct dice d)
{
    struct err err;
    err_clear(&err);
    CHECK_OK(eng_send(e, event_of(e, d), &err), err);
}

TEST(route_index_finds_what_asking_all_finds)
{
    struct buf out[3], cond, negated;
    struct eng *e[3];
    bool there[STATEMENTS] = {false};
    struct dice d = {7};
    buf_init(&cond, 4096);
    buf_init(&negated, 4096);
    for (int i = 0; i < 3; i++) {
        buf_init(&out[i], 1 << 20);
        e[i] = open_engine(&out[i], i == 1);
    }
    size_t taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t n = roll(&d, STATEMENTS);
        if (roll(&d, 4) == 0) {
            const char *type = roll(&d, 5) == 0 ? "N" : "M";
            a_filter(&d, &cond);
            buf_clear(&negated);
            (void)buf_addf(&negated, "not (not (%s))", buf_cstr(&cond));
            for (int i = 0; i < 3; i++) {
                if (there[n]) {
                    undeploy(e[i], n);
                } else {
                    deploy(e[i], n, buf_cstr(i == 2 ? &negated : &cond), type);
                }
            }
            there[n] = !there[n];
        }
        for (int i = 0; i < 3; i++) {
            buf_clear(&out[i]);
            send(e[i], (struct dice){(uint64_t)round * 77});
        }
        CHECK_STR(buf_cstr(&out[0]), buf_cstr(&out[1]));
        CHECK_STR(buf_cstr(&out[0]), buf_cstr(&out[2]));
        taken += out[0].len;
    }
    CHECK(taken > ROUNDS);
    CHECK(route_evals(e[0]->route) < route_evals(e[1]->route));
    CHECK(2 * route_evals(e[0]->route) < route_evals(e[2]->route));
    for (int i = 0; i < 3; i++) {
        eng_free(e[i]);
        buf_done(&out[i]);
    }
    buf_done(&cond);
    buf_done(&negated);
}

/* Each of a thousand rules waits for another range: an event costs those that it reaches. */
TEST(route_ranges_that_do_not_contain_the_value_cost_nothing)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    struct eng *e = open_engine(&out, false);
    for (uint32_t n = 0; n < 1000; n++) {
        char cond[64];
        (void)snprintf(cond, sizeof cond, "d >= %u and d < %u", 100 + n, 102 + n);
        deploy(e, n, cond, "M");
    }
    struct err err;
    err_clear(&err);
    struct evt *ev = evt_new(eng_heap(e), eng_type(e, SLICE("M")));
    evt_set(ev, 2, dat_double(500.5));
    CHECK_OK(eng_send(e, ev, &err), err);
    CHECK_STR(buf_cstr(&out), "s399:1 s400:1 ");
    CHECK(route_evals(e->route) <= 4);
    eng_free(e);
    buf_done(&out);
}

/* A thousand rules with one condition ask it once. */
TEST(route_equal_conditions_are_asked_once)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    struct eng *e = open_engine(&out, false);
    for (uint32_t n = 0; n < 1000; n++) {
        deploy(e, n, "s like 'x%' and l > i", "M");
    }
    uint64_t before = route_evals(e->route);
    send(e, (struct dice){1});
    CHECK_EQ(1, (long)(route_evals(e->route) - before));
    eng_free(e);
    buf_done(&out);
}

/* Whether the wants of an engine's rules take the event, in an engine without rules. */
static bool is_wanted(struct eng *b, struct route *r, struct dice d)
{
    struct route_hits hits = {0};
    struct evt *e = event_of(b, d);
    bool wanted = false;
    route_probe(r, e, &hits);
    VEC_EACH (&hits.v, h) {
        wanted |= route_want_spans(h->leaf, e);
    }
    VEC_DONE(&hits.v);
    vheap_drain(eng_heap(b));
    return wanted;
}

TEST(wants_take_all_that_filters_take)
{
    enum { FILTERS = 400, EVENTS = 40 };
    struct buf out, cond;
    struct dice d = {11};
    uint32_t taken = 0, spared = 0, wanted = 0;
    buf_init(&out, 1 << 20);
    buf_init(&cond, 4096);
    struct eng *b = open_engine(&out, false);
    for (uint32_t i = 0; i < FILTERS; i++) {
        const int64_t now = 0;
        struct eng *e = open_engine(&out, false);
        struct route *r = route_new(eng_heap(b), &now, false);
        struct route_filter filter;
        struct route_leaf *l = NULL;
        struct eng_wants w = {0};
        const char *type = roll(&d, 5) == 0 ? "N" : "M";
        a_filter(&d, &cond);
        deploy(e, 0, buf_cstr(&cond), type);
        CHECK(eng_wants(e, &w));
        if (w.v.len > 0) { /* else it takes nothing */
            CHECK(route_want_add(r, eng_type(b, slice_str(type)), &w.v.ptr[0], &filter, NULL, &l));
        }
        for (uint32_t k = 0; k < EVENTS; k++) {
            struct dice of = {(uint64_t)i * 1000 + k};
            buf_clear(&out);
            send(e, of);
            bool is = is_wanted(b, r, of);
            CHECK(is || out.len == 0);
            taken += out.len > 0;
            wanted += is;
            spared += !is;
        }
        if (l != NULL) {
            route_remove(r, l);
        }
        route_free(r);
        VEC_DONE(&w.v);
        eng_free(e);
    }
    CHECK(taken > 1000);
    CHECK(2 * spared > FILTERS * EVENTS && spared + wanted == FILTERS * EVENTS);
    eng_free(b);
    buf_done(&out);
    buf_done(&cond);
}
