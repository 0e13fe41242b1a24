/* SPDX-License-Identifier: Apache-2.0
 *
 * See agg_fixture.h.
 */
#include "tests/unit/operators/agg/agg_fixture.h"

#include "operators/epl/epl.h"
#include "operators/sig/dat_big.h"
#include "tests/test.h"

#include <string.h>

enum { ID, KEY, X, N, L, F, BIG, DEC, TS };

static const struct ecol columns[] = {
    {.name = SLICE("id"), .ty = TY(INT)},     {.name = SLICE("k"), .ty = TY(STRING)},
    {.name = SLICE("x"), .ty = TY(DOUBLE)},   {.name = SLICE("n"), .ty = TY(INT)},
    {.name = SLICE("l"), .ty = TY(LONG)},     {.name = SLICE("f"), .ty = TY(FLOAT)},
    {.name = SLICE("big"), .ty = TY(BIGINT)}, {.name = SLICE("dec"), .ty = TY(BIGDEC)},
    {.name = SLICE("ts"), .ty = TY(LONG)},
};

static struct ast_expr *parse(struct agg_plan *p, const char *text)
{
    struct err err = {0};
    struct ast_expr *e = NULL;
    CHECK_OK(epl_parse_expr(p->a, slice_str(text), &e, &err), err);
    return e;
}

void agg_plan_init(struct agg_plan *p, const struct agg_case *c)
{
    struct err err = {0};
    *p = (struct agg_plan){.c = c, .a = arena_new(NULL, "test", 16 << 20), .h = vheap_new()};
    cat_init(&p->cat, p->a);
    state_fixture_init(&p->state);
    p->type = ety_new(p->a, NULL, ETYPE_PLAIN, SLICE("E"), columns, ARRAY_LEN(columns), NULL, 0);
    struct bind_stream streams[] = {
        {.alias = SLICE("a"), .type = p->type, .windowed = !c->unbound},
        {.alias = SLICE("b"), .type = p->type, .num = 1, .windowed = !c->unbound}};
    struct agg_set calls = {.windowed = !c->unbound, .into_table = c->column != NULL};
    struct scope scope = {.streams = streams, .n_streams = c->joined ? 2 : 1, .aggs = &calls};
    struct bind b = {.a = p->a, .cat = &p->cat, .heap = p->h, .agg = agg_bind};
    struct ex *e = NULL;
    if (c->column != NULL) {
        struct agg_call *column = NULL;
        CHECK_OK(agg_column_bind(&b, parse(p, c->column), p->type, &column, &err), err);
        agg_set_add(p->a, &p->set, column);
    }
    b.scope = &scope;
    CHECK_OK(bind_expr(&b, parse(p, c->call), &e, &err), err);
    CHECK_EQ(1, calls.calls.len);
    p->call = calls.calls.ptr[0];
    if (c->column == NULL) {
        agg_set_add(p->a, &p->set, calls.calls.ptr[0]);
    } else {
        CHECK_OK(agg_column_fits(&b, p->set.calls.ptr[0], p->call, &err), err);
    }
    agg_layout(p->a, &p->set, &p->layout);
    VEC_DONE(&b.used);
}

void agg_plan_done(struct agg_plan *p)
{
    state_fixture_done(&p->state);
    cat_done(&p->cat);
    arena_free(p->a);
    vheap_free(p->h);
}

void agg_world_init(struct agg_world *w, struct agg_plan *p)
{
    *w = (struct agg_world){.p = p, .h = vheap_new()};
    w->ctx = (struct ectx){.heap = w->h, .now = 1000, .row = w->row};
    w->block = agg_block_new(&p->layout);
    buf_init(&w->out, 1 << 24);
}

static void drop_row(struct agg_world *w, size_t at)
{
    for (size_t i = 0; i < 2; i++) {
        if (w->in[at][i] != NULL) {
            evt_drop(w->h, w->in[at][i]);
        }
    }
}

void agg_world_done(struct agg_world *w)
{
    agg_block_free(&w->p->layout, w->block, w->h);
    for (size_t i = 0; i < w->n_in; i++) {
        drop_row(w, i);
    }
    vheap_drain(w->h);
    CHECK_EQ(0, vheap_live(w->h));
    vheap_free(w->h);
    buf_done(&w->out);
}

/* ---- rows ---- */

static struct evt *make(struct agg_world *w, int id, uint64_t *seed)
{
    struct evt *e = evt_new(w->h, w->p->type);
    char k[2] = {(char)('a' + state_draw(seed, 6)), '\0'};
    int32_t n = (int32_t)state_draw(seed, 50) - 20;
    evt_set(e, ID, dat_int(id));
    evt_set(e, TS, dat_long(w->ctx.now));
    if (state_draw(seed, 8) == 0) {
        return e;
    }
    evt_set(e, KEY, dat_str(vstr_new(w->h, slice_str(k))));
    evt_set(e, X, dat_double(n / 7.0));
    evt_set(e, N, dat_int(n));
    evt_set(e, L, dat_long(n * 10000000000LL));
    evt_set(e, F, dat_float(n / 3.0));
    evt_set(e, BIG, big_from(w->h, dat_long(n), DAT_BIGINT));
    evt_set(e, DEC, big_from(w->h, dat_double(n / 4.0), DAT_BIGDEC));
    return e;
}

static void show(struct buf *out, struct dat v)
{
    if (v.kind == DAT_EVENT) {
        (void)buf_addf(out, "#%lld", (long long)v.ev->p[ID].i);
    } else if (v.kind == DAT_LIST && v.l->len > AGG_ROWS_MAX) { /* a sketch */
        (void)buf_addf(out, "%llx", (unsigned long long)dat_hash(v));
    } else if (v.kind == DAT_LIST) {
        for (uint32_t i = 0; i < v.l->len; i++) {
            show(out, v.l->v[i]);
            (void)buf_add_str(out, " ");
        }
    } else {
        dat_text_to(v, out);
    }
}

static void say(struct agg_world *w)
{
    w->row[0] = w->row[1] = NULL;
    show(&w->out, agg_block_value(&w->p->layout, w->block, 0, &w->ctx));
    (void)buf_add_str(&w->out, "\n");
    vheap_drain(w->h);
}

void agg_world_enter(struct agg_world *w, int id, uint64_t seed)
{
    const struct agg_call *column = w->p->set.calls.ptr[0];
    CHECK(w->n_in < AGG_ROWS_MAX);
    w->ctx.now += state_draw(&seed, 700);
    for (size_t i = 0; i < (w->p->c->joined ? 2 : 1); i++) {
        /* in a join an event comes in several rows */
        bool again = w->p->c->joined && w->n_in > 0 && state_draw(&seed, 2) == 0;
        struct evt *e = again ? w->in[state_draw(&seed, (uint32_t)w->n_in)][i] : make(w, id, &seed);
        w->row[i] = w->in[w->n_in][i] = evt_keep(e);
    }
    w->n_in++;
    agg_column_enter(column, agg_block_state(&w->p->layout, w->block, 0), w->p->call, &w->ctx);
    say(w);
}

void agg_world_leave(struct agg_world *w, size_t which)
{
    const struct agg_call *column = w->p->set.calls.ptr[0];
    CHECK(which < w->n_in);
    memcpy(w->row, w->in[which], sizeof w->row);
    agg_column_leave(column, agg_block_state(&w->p->layout, w->block, 0), w->p->call, &w->ctx);
    drop_row(w, which);
    w->n_in--;
    memmove(w->in + which, w->in + which + 1, (w->n_in - which) * sizeof w->in[0]);
    memset(w->in[w->n_in], 0, sizeof w->in[0]);
    say(w);
}

/* ---- state: the block, and the rows, as a window would hold them ---- */

static void write_world(void *arg, struct save *s)
{
    struct agg_world *w = arg;
    agg_block_save(&w->p->layout, w->block, s);
    save_i(s, w->ctx.now);
    save_u(s, w->n_in);
    for (size_t i = 0; i < w->n_in; i++) {
        save_evt(s, w->in[i][0]);
        save_evt(s, w->in[i][1]);
    }
}

static void read_world(void *arg, struct load *l)
{
    struct agg_world *w = arg;
    agg_block_load(&w->p->layout, w->block, l);
    w->ctx.now = load_i(l);
    size_t n = load_count(l, 2);
    if (n > AGG_ROWS_MAX / 2) {
        load_fail(l, "%zu rows", n);
    }
    for (size_t i = 0; i < n && load_ok(l); i++) {
        for (size_t k = 0; k < 2; k++) {
            bool is = k == 0 || w->p->c->joined;
            struct evt *e = is ? load_evt_of(l, w->p->type) : load_evt(l);
            w->in[i][k] = e != NULL ? evt_keep(e) : NULL;
        }
        w->n_in++;
    }
}

void agg_world_save(struct agg_world *w)
{
    state_fixture_save(&w->p->state, write_world, w);
}

bool agg_world_load(struct agg_world *w, struct slice bytes, struct err *reterr)
{
    bool ok = state_fixture_load(&w->p->state, bytes, w->h, read_world, w, reterr);
    vheap_drain(w->h);
    return ok;
}
