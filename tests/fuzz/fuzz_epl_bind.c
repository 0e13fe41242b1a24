/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a module, deployed into an engine that has types, a named window, a table, variables
 * and a context. What is refused leaves nothing behind and has its place in the text. What is
 * accepted is played with some events and steps of the clock, saved, loaded into a fresh engine,
 * which saves the same and plays on, and undeployed: then nothing is held any more. Bounded is what
 * one event may cause; that the rest is quick is for the time limit of the fuzzer to see.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4096 };

static const char prefix[] =
    "create schema A(k string, x int, v double);\n"
    "create schema B(k string, y int);\n"
    "create schema G(k string, op string);\n"
    "create schema It(sku string, qty int, price double);\n"
    "create schema E(i int, l long, f float, d double, s string, t string, b boolean,\n"
    " o java.lang.Object, m java.util.Map, arr int[], strs string[], it It, its It[], ts long);\n"
    "create schema Metric(name string, host string, pod string, value double, ts long);\n"
    "create schema LogRecord(service string, level string, message string, latency int, ts long);\n"
    "create schema Tick(n int);\n"
    "create window Win#keepall as A; insert into Win select * from A;\n"
    "create table Tab(k string primary key, n int, total sum(double), c count(*));\n"
    "on B merge Tab where Tab.k = B.k when not matched then insert select B.k as k, y as n;\n"
    "into table Tab select sum(v) as total, count(*) as c from A group by k;\n"
    "create variable int vn = 3; create constant variable string vs = 'a';\n"
    "create context Key partition by k from A, k from B, k from G;\n"
    "create context Open initiated by G(op = 'go') as g terminated by G(op = 'stop', k = g.k);\n";

struct chunks {
    VEC(struct save_chunk) v;
};

static void fault(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %u:%u %s\n", what, e->line, e->col, e->msg);
    abort();
}

static struct eng *fresh(void)
{
    struct lim_conf limits = {.max = {[LIM_ROWS] = 200,
                                      [LIM_GROUPS] = 200,
                                      [LIM_PARTIALS] = 200,
                                      [LIM_OUTPUT] = 2000,
                                      [LIM_CASCADE] = 100}};
    return eng_new(&(struct eng_conf){.causes = true, .limits = &limits});
}

static void add(void *arg, const struct save_chunk *c)
{
    struct chunks *to = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&to->v) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void clear(struct chunks *c)
{
    VEC_EACH (&c->v, k) {
        mem_free((char *)(uintptr_t)k->bytes.ptr);
    }
    VEC_DONE(&c->v);
}

static void same(const struct chunks *a, const struct chunks *b)
{
    for (size_t i = 0; i < a->v.len || i < b->v.len; i++) {
        const struct save_chunk *x = &a->v.ptr[i < a->v.len ? i : 0];
        const struct save_chunk *y = &b->v.ptr[i < b->v.len ? i : 0];
        if (x->node != y->node || x->group != y->group || !slice_eq(x->bytes, y->bytes)) {
            size_t at = 0;
            while (at < x->bytes.len && at < y->bytes.len && x->bytes.ptr[at] == y->bytes.ptr[at]) {
                at++;
            }
            fprintf(stderr, "statement %llu, place %u, group %u: %zu and %zu bytes, from %zu\n",
                    (unsigned long long)(x->node >> 8), (unsigned)(x->node & 0xff), x->group,
                    x->bytes.len, y->bytes.len, at);
            fault("what was loaded saves something else", &(struct err){0});
        }
    }
}

/* ---- events ---- */

static struct dat value(struct vheap *h, struct ty ty, uint32_t dice)
{
    static const char *const words[] = {"a", "b", "go", "stop", "", "a,\xc3\xa4 12"};
    static const double reals[] = {0, -1.5, 2.5, 1e300, 0.1, 7};
    static const int64_t ints[] = {0, 1, 2, 3, -7, INT32_MAX};
    uint32_t at = dice % 6;
    if (dice % 13 == 12) {
        return DAT_NONE;
    }
    switch (ty.kind) {
    case TY_BOOL: return dat_bool(at % 2 != 0);
    case TY_INT: return dat_int((int32_t)ints[at]);
    case TY_LONG: return dat_long(ints[at] * 1000);
    case TY_FLOAT: return dat_float((float)ints[at] / 4);
    case TY_DOUBLE: return dat_double(reals[at]);
    case TY_STRING: return dat_str(vstr_new(h, slice_str(words[at])));
    case TY_OBJECT: return at % 2 ? dat_int(3) : dat_str(vstr_new(h, slice_str(words[at])));
    default: return DAT_NONE;
    }
}

static struct evt *make(struct eng *e, const struct etype *t, uint32_t dice)
{
    struct evt *ev = evt_new(eng_heap(e), t);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        struct ty ty = t->cols[i].ty;
        dice = dice * 1664525 + 1013904223;
        struct dat d = value(eng_heap(e), ty, dice >> 16);
        if (ty.kind == TY_EVENT && ty.ev != NULL && ty.ev != t && ty.ev->kind == ETYPE_PLAIN &&
            dice % 3 != 0) {
            d = dat_evt(make(e, ty.ev, dice));
        }
        evt_set(ev, i, d);
    }
    return ev;
}

/* What is sent and by how much the clock moves follows from the seed alone. */
static void play(struct eng *e, uint32_t dice, int steps)
{
    static const char *const types[] = {"A", "Ax", "B", "Bx", "A",  "Metric", "G",   "E",  "Ex",
                                        "C", "S",  "D", "Ix", "It", "Deploy", "Bag", "Itx"};
    static const int64_t spans[] = {1, 1000, 1000, 5000, 10000, 86400000};
    struct err err = {0};
    for (int i = 0; i < steps; i++) {
        dice = dice * 1664525 + 1013904223;
        uint32_t at = dice >> 16;
        if (at % 4 == 3) {
            eng_advance(e, eng_now(e) + spans[at / 4 % ARRAY_LEN(spans)]);
            continue;
        }
        const struct etype *t = eng_type(e, slice_str(types[at / 4 % ARRAY_LEN(types)]));
        if (t != NULL && t->kind != ETYPE_TABLE) {
            (void)eng_send(e, make(e, t, dice), &err);
        }
    }
    eng_advance_span(e, eng_now(e) + 100);
}

/* ---- one text ---- */

static void must_deploy_prefix(struct eng *e)
{
    struct err err = {0};
    if (eng_deploy(e, SLICE("prefix"), slice_str(prefix), &err) != 0) {
        fault("the prefix is refused", &err);
    }
}

static void check_place(struct slice text, const struct err *e)
{
    struct slice part = SLICE_NONE, rest = text;
    if (e->msg[0] == '\0') {
        fault("an error without a message", e);
    }
    for (uint32_t i = 0; i < e->line; i++) {
        if (!slice_split(&rest, '\n', &part) && !(i == 0 && text.len == 0)) {
            fault("an error on a line that is not there", e);
        }
    }
    if (e->line > 0 && e->col > part.len + 1) {
        fault("an error outside of the text", e);
    }
}

static size_t count(const struct eng *e)
{
    struct slice none;
    return eng_statements(e, &none, 0);
}

static void undeploy(struct eng *e, const char *id)
{
    struct err err = {0};
    if (eng_undeploy(e, slice_str(id), &err) != 0) {
        fault("cannot be undeployed", &err);
    }
}

static void end(struct eng *e)
{
    undeploy(e, "text");
    undeploy(e, "prefix");
    for (enum lim_kind k = LIM_ROWS; k <= LIM_PARTIALS; k++) {
        if (eng_held(e, k) != 0) {
            fprintf(stderr, "%llu %s\n", (unsigned long long)eng_held(e, k), lim_rows[k].name);
            fault("something is held by nobody", &(struct err){0});
        }
    }
    eng_free(e);
}

static void reload(struct eng *e, uint32_t dice)
{
    struct chunks was = {0}, now = {0};
    struct err err = {0};
    struct eng *other = fresh();
    eng_save(e, add, &was);
    if (eng_load(other, was.v.ptr, was.v.len, &err) != 0) {
        fault("what was saved is refused", &err);
    }
    eng_save(other, add, &now);
    same(&was, &now);
    play(other, dice, 4);
    end(other);
    clear(&was);
    clear(&now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { STEPS = 12 };
    if (size > TEXT_MAX) {
        return 0;
    }
    struct err err = {0};
    struct slice text = slice_of(data, size);
    struct eng *e = fresh();
    uint32_t dice = (uint32_t)size;
    must_deploy_prefix(e);
    size_t before = count(e);
    if (eng_deploy(e, SLICE("text"), text, &err) != 0) {
        check_place(text, &err);
        if (count(e) != before) {
            fault("a refused module left statements", &err);
        }
        undeploy(e, "prefix");
        eng_free(e);
        return 0;
    }
    play(e, dice, STEPS);
    reload(e, dice);
    end(e);
    return 0;
}
