/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_fixture.h.
 */
#include "tests/unit/operators/window/win_fixture.h"

#include "operators/agg/agg.h"
#include "operators/epl/epl.h"
#include "tests/test.h"

#include <stdio.h>

enum { ID, KEY, X, Y, TS, N };

static const struct ecol columns[] = {
    {.name = SLICE("id"), .ty = TY(INT)},   {.name = SLICE("k"), .ty = TY(STRING)},
    {.name = SLICE("x"), .ty = TY(DOUBLE)}, {.name = SLICE("y"), .ty = TY(DOUBLE)},
    {.name = SLICE("ts"), .ty = TY(LONG)},  {.name = SLICE("n"), .ty = TY(INT)},
};

void win_plan_init(struct win_plan *p, const char *views)
{
    struct err err = {0};
    *p = (struct win_plan){.a = arena_new(NULL, "test", 16 << 20), .h = vheap_new()};
    cat_init(&p->cat, p->a);
    state_fixture_init(&p->state);
    struct etype *type =
        ety_new(p->a, NULL, ETYPE_PLAIN, SLICE("E"), columns, ARRAY_LEN(columns), NULL, 0);
    p->type = type;
    char text[500];
    (void)snprintf(text, sizeof text, "select * from E%s", views);
    struct ast_module *m = NULL;
    struct slice kept = arena_copy(p->a, slice_str(text));
    CHECK_OK(epl_parse(p->a, kept, &m, &err), err);
    const struct ast_stream *s = &m->stmts[0]->select->from[0];
    struct bind_stream stream = {.type = type};
    struct scope scope = {.streams = &stream, .n_streams = 1};
    struct bind b = {.a = p->a,
                     .cat = &p->cat,
                     .scope = &scope,
                     .heap = p->h,
                     .agg = agg_bind,
                     .agg_method = agg_method_bind};
    CHECK_OK(view_plan(&b, s, type, &p->p, &err), err);
    VEC_DONE(&b.used);
}

void win_plan_done(struct win_plan *p)
{
    state_fixture_done(&p->state);
    cat_done(&p->cat);
    arena_free(p->a);
    vheap_free(p->h);
}

/* ---- what comes out ---- */

static void row(struct buf *out, const char *sign, const struct evt *e)
{
    (void)buf_add_str(out, sign);
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        (void)buf_add_str(out, i > 0 ? "," : "");
        dat_text_to(e->p[i], out);
    }
}

static void on_rows(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct win_world *w = arg;
    (void)buf_addf(&w->out, "\n%lld:", (long long)w->ctx.now);
    for (size_t i = 0; i < n_nw; i++) {
        row(&w->out, " +", nw[i]);
    }
    for (size_t i = 0; i < n_old; i++) {
        row(&w->out, " -", old[i]);
    }
}

void win_world_init(struct win_world *w, struct win_plan *p, int64_t now)
{
    *w = (struct win_world){.p = p, .h = vheap_new(), .timers = tmr_queue_new()};
    w->ctx = (struct ectx){.heap = w->h, .now = now, .row = w->row};
    w->env = (struct view_env){.heap = w->h, .timers = w->timers, .ctx = &w->ctx};
    buf_init(&w->out, 1 << 24);
    w->v = view_new(&p->p, &w->env, on_rows, w);
    CHECK(w->v != NULL);
    vheap_drain(w->h);
}

void win_world_done(struct win_world *w)
{
    view_free(w->v);
    CHECK_EQ(0, tmr_count(w->timers));
    vheap_drain(w->h);
    CHECK_EQ(0, vheap_live(w->h));
    tmr_queue_free(w->timers);
    vheap_free(w->h);
    buf_done(&w->out);
}

/* ---- what goes in ---- */

static struct dat maybe_double(uint64_t *seed)
{
    uint32_t d = state_draw(seed, 1000);
    return d < 100 ? DAT_NONE : dat_double(d / 7.0);
}

static struct evt *make(struct win_world *w, uint32_t id, uint64_t *seed)
{
    struct evt *e = evt_new(w->h, w->p->type);
    char k[2] = {(char)('a' + state_draw(seed, 4)), '\0'};
    evt_set(e, ID, dat_int((int32_t)id));
    if (k[0] != 'd') {
        evt_set(e, KEY, dat_str(vstr_new(w->h, slice_str(k))));
    }
    evt_set(e, X, maybe_double(seed));
    evt_set(e, Y, maybe_double(seed));
    evt_set(e, TS, dat_long(w->ctx.now + state_draw(seed, 1500)));
    if (state_draw(seed, 10) > 0) {
        evt_set(e, N, dat_int((int32_t)state_draw(seed, 10)));
    }
    return e;
}

void win_world_send(struct win_world *w, uint32_t id, uint64_t seed, uint32_t n)
{
    struct evt *e[8];
    CHECK(n <= ARRAY_LEN(e));
    for (uint32_t i = 0; i < n; i++) {
        e[i] = make(w, id + i, &seed);
    }
    view_update(w->v, e, n, NULL, 0);
    vheap_drain(w->h);
}

struct pick {
    size_t at;
    struct evt *found;
};

static void pick_one(void *arg, struct evt *e)
{
    struct pick *p = arg;
    if (p->at-- == 0) {
        p->found = e;
    }
}

bool win_world_delete(struct win_world *w, size_t n)
{
    struct pick p = {n, NULL};
    view_each(w->v, pick_one, &p);
    if (p.found != NULL) {
        (void)buf_addf(&w->out, "\ndelete %lld", (long long)p.found->p[ID].i);
        view_update(w->v, NULL, 0, &p.found, 1);
    }
    vheap_drain(w->h);
    return p.found != NULL;
}

void win_world_advance(struct win_world *w, int64_t now)
{
    for (struct tmr *t; (t = tmr_pop(w->timers, now)) != NULL;) {
        t->fire(t, now);
    }
    w->ctx.now = now;
    vheap_drain(w->h);
}

struct look {
    struct win_world *w;
    VEC(struct evt *) held;
};

static void look_at(void *arg, struct evt *e)
{
    struct look *l = arg;
    row(&l->w->out, " ", e);
    *VEC_PUSH(&l->held) = e;
}

void win_world_look(struct win_world *w)
{
    struct look l = {.w = w};
    (void)buf_addf(&w->out, "\nholds");
    view_each(w->v, look_at, &l);
    for (size_t i = 0; w->p->p.prev_ok && i < l.held.len; i++) {
        const struct evt *of = l.held.ptr[i];
        size_t n = view_count(w->v, of);
        struct evt *before = view_prev(w->v, of, 1), *first = view_at(w->v, of, 0);
        (void)buf_addf(&w->out, " (%zu %lld %lld)", n,
                       before != NULL ? (long long)before->p[ID].i : -1,
                       first != NULL ? (long long)first->p[ID].i : -1);
    }
    VEC_DONE(&l.held);
    vheap_drain(w->h);
}

/* ---- state ---- */

/* As the engine does: timers made later come behind all that there were. */
static void write_world(void *arg, struct save *s)
{
    struct win_world *w = arg;
    save_u(s, tmr_places(w->timers));
    view_save(w->v, s);
}

static void read_world(void *arg, struct load *l)
{
    struct win_world *w = arg;
    uint64_t places = load_u(l);
    view_load(w->v, l);
    tmr_set_places(w->timers, places);
}

void win_world_save(struct win_world *w)
{
    state_fixture_save(&w->p->state, write_world, w);
}

bool win_world_load(struct win_world *w, struct slice bytes, struct err *reterr)
{
    bool ok = state_fixture_load(&w->p->state, bytes, w->h, read_world, w, reterr);
    vheap_drain(w->h);
    return ok;
}
