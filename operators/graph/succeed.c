/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_succeed.h. The engine before is bound once more, without running, from the modules that
 * its state names: so its statements and types are known, and each finds its counterpart. Events
 * that are kept may be of types that are gone: those are copied, as foreign ones (state_meta.c).
 */
#include "operators/graph/eng_succeed.h"

#include "core/base/mem.h"
#include "operators/graph/ident.h"
#include "operators/graph/state.h"

#include <assert.h>

struct ids {
    VEC(struct hash128) v;
};

struct taking {
    struct eng *e, *was;
    struct save_types was_types;
    struct map types; /* by number, struct etype of e */
    uint32_t *from;   /* by place in e->stmts */
    uint32_t *to;     /* by place in was->stmts: place in e->stmts, + 1 */
    struct state_rest rest;
};

/* ---- statements ---- */

static void identify(const struct eng *e, struct ids *to)
{
    VEC_EACH (&e->stmts, st) {
        *VEC_PUSH(&to->v) = stmt_ident(*st, IDENT_DEPTH);
    }
}

/* Equal ones in their order. */
static void match(struct taking *t, struct eng_succeeded *ret)
{
    struct ids now = {0}, was = {0};
    identify(t->e, &now);
    identify(t->was, &was);
    *ret = (struct eng_succeeded){.dropped = (uint32_t)was.v.len};
    for (size_t i = 0; i < now.v.len; i++) {
        size_t k = 0;
        while (k < was.v.len && (t->to[k] > 0 || t->was->stmts.ptr[k]->halted ||
                                 memcmp(&now.v.ptr[i], &was.v.ptr[k], sizeof now.v.ptr[i]) != 0)) {
            k++;
        }
        bool found = k < was.v.len;
        if (found) {
            t->to[k] = (uint32_t)i + 1;
            t->from[i] = t->was->stmts.ptr[k]->id;
        }
        ret->kept += found;
        ret->begun += !found;
        ret->dropped -= found;
    }
    VEC_DONE(&now.v);
    VEC_DONE(&was.v);
}

static size_t place_of(const struct eng *e, uint32_t id)
{
    size_t i = 0;
    while (i < e->stmts.len && e->stmts.ptr[i]->id != id) {
        i++;
    }
    return i;
}

static struct stmt *successor(const struct taking *t, uint32_t id)
{
    size_t i = place_of(t->was, id);
    return i < t->was->stmts.len && t->to[i] > 0 ? t->e->stmts.ptr[t->to[i] - 1] : NULL;
}

/* ---- types ---- */

static bool same_ty(struct ty a, struct ty b)
{
    if (a.kind != b.kind || (a.elem == NULL) != (b.elem == NULL) ||
        (a.ev == NULL) != (b.ev == NULL)) {
        return false;
    }
    return (a.elem == NULL || same_ty(*a.elem, *b.elem)) &&
           (a.ev == NULL || slice_eq(a.ev->name, b.ev->name));
}

static bool same_shape(const struct etype *a, const struct etype *b)
{
    bool same = a->kind == b->kind && a->n_supers == b->n_supers && a->n_cols == b->n_cols;
    for (uint32_t i = 0; same && i < a->n_cols; i++) {
        same = slice_eq(a->cols[i].name, b->cols[i].name) && same_ty(a->cols[i].ty, b->cols[i].ty);
    }
    return same;
}

static const struct etype *counterpart(struct taking *t, const struct etype *was);

/* Its columns' own types do not matter: no plan knows it. */
static const struct etype *copy_of(struct taking *t, const struct etype *was)
{
    struct eng *e = t->e;
    struct ecol *cols = arena_array(e->arena, was->n_cols + 1U, sizeof *cols);
    for (uint32_t i = 0; cols != NULL && i < was->n_cols; i++) {
        cols[i] = (struct ecol){.name = was->cols[i].name, .ty = {.kind = was->cols[i].ty.kind}};
    }
    enum etype_kind kind = was->kind == ETYPE_WRAP ? ETYPE_WRAP : ETYPE_ANON;
    struct etype *to = cols != NULL ? ety_new(e->arena, NULL, kind, was->name, cols,
                                              (uint32_t)was->n_cols, NULL, 0)
                                    : NULL;
    if (to == NULL) {
        return NULL;
    }
    to->start_col = was->start_col;
    to->end_col = was->end_col;
    to->supers = arena_array(e->arena, was->n_supers + 1, sizeof *to->supers);
    for (uint32_t i = 0; to->supers != NULL && i < was->n_supers; i++) {
        const struct etype_super *s = &was->supers[i];
        const struct etype *of = counterpart(t, s->type);
        uint16_t *slot = arena_array(e->arena, s->type->n_cols + 1U, sizeof *slot);
        if (of != NULL && slot != NULL && of->n_cols == s->type->n_cols) {
            memcpy(slot, s->slot, s->type->n_cols * sizeof *slot);
            to->supers[to->n_supers++] = (struct etype_super){of, slot};
        }
    }
    *VEC_PUSH(&e->foreign) = to;
    return to;
}

static const struct etype *counterpart(struct taking *t, const struct etype *was)
{
    struct stmt *st =
        was->made_by != NULL && was->made_by->owner != 0 ? successor(t, was->made_by->owner) : NULL;
    const struct etype *to = st != NULL ? ety_at(&st->types, was->made_at) : NULL;
    const struct cat_entry *c =
        to == NULL && was->name.len > 0 ? cat_type(&t->e->cat, was->name) : NULL;
    to = c != NULL ? c->type : to;
    return to != NULL && same_shape(to, was) ? to : NULL;
}

static const struct etype *type_of(void *arg, uint64_t number)
{
    struct taking *t = arg;
    struct slice key = slice_of((const char *)&number, sizeof number);
    const struct etype *to = map_get(&t->types, key);
    if (to != NULL) {
        return to;
    }
    const struct etype *was = t->was_types.type(t->was_types.arg, number);
    to = was != NULL ? counterpart(t, was) : NULL;
    to = to == NULL && was != NULL ? copy_of(t, was) : to;
    void **at = to != NULL ? map_put(&t->types, key) : NULL;
    if (at != NULL) {
        *at = (void *)(uintptr_t)to;
    }
    return to;
}

static uint64_t number_of(void *arg, const struct etype *type)
{
    (void)arg;
    (void)type;
    return UINT64_MAX; /* nothing is written */
}

/* ---- the engine itself ---- */

static int read_meta(struct taking *t, const struct save_chunk *chunks, size_t n,
                     struct err *reterr)
{
    t->was_types = state_types(t->was);
    struct load *l = load_new(&t->was_types, t->was->heap);
    int rc = err_set(reterr, ERR_CORRUPT, "saved state without the engine's own chunk");
    for (size_t i = 0; i < n; i++) {
        if (chunks[i].node == 0) {
            load_begin(l, &chunks[i]);
            rc = state_load_meta(t->was, l, &t->rest, reterr);
            break;
        }
    }
    load_free(l);
    return rc;
}

/* Clock and counters; numbers that are given from here on are new ones. */
static int go_on(struct taking *t, struct err *reterr)
{
    struct eng *e = t->e, *was = t->was;
    e->now = was->now;
    e->next_ref = t->rest.ref;
    e->serial = was->serial;
    e->at_clock.buckets = was->at_clock.buckets;
    e->at_event.buckets = was->at_event.buckets;
    tmr_set_places(e->timers, t->rest.places);
    return route_set_seq(e->route, t->rest.seq)
               ? 0
               : err_set(reterr, ERR_CORRUPT, "saved state with counters that are behind");
}

static void take_limits(struct taking *t)
{
    struct eng *e = t->e;
    e->out_second = t->was->out_second;
    e->out_cut = t->was->out_cut;
    memcpy(e->limit_turn, t->was->limit_turn, sizeof e->limit_turn);
    for (size_t i = 0; i < e->stmts.len; i++) {
        size_t k = t->from[i] > 0 ? place_of(t->was, t->from[i]) : t->was->stmts.len;
        if (k < t->was->stmts.len) {
            memcpy(e->stmts.ptr[i]->limit_turn, t->was->stmts.ptr[k]->limit_turn,
                   sizeof e->stmts.ptr[i]->limit_turn);
        }
    }
    lim_resume(&e->lim, &t->rest.lim);
}

static void take_rest(struct taking *t)
{
    VEC_EACH (&t->rest.dirty, d) {
        const struct stmt *st = d->stmt <= UINT32_MAX ? successor(t, (uint32_t)d->stmt) : NULL;
        if (st != NULL && d->at < st->insts.len) {
            eng_mark_dirty(st->insts.ptr[d->at]);
        }
    }
    t->e->vars_pending = t->rest.vars_pending;
    take_limits(t);
}

static int enlist_all(struct eng *e, const struct eng_module *modules, size_t n, struct err *reterr)
{
    struct deployment *d = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = eng_enlist(e, modules[i].id, modules[i].text, NULL, &d, reterr);
    }
    return rc;
}

int eng_succeed(struct eng *e, const struct eng_module *modules, size_t n_modules,
                const struct save_chunk *chunks, size_t n, struct eng_succeeded *ret,
                struct err *reterr)
{
    assert(e->deps.len == 0 && !e->busy);
    struct eng_conf conf = {.prioritized = e->conf.prioritized, .causes = e->conf.causes};
    struct taking t = {.e = e, .was = eng_new(&conf)};
    const struct save_types types = {number_of, type_of, &t};
    map_init(&t.types, 1 << 24);
    int rc = read_meta(&t, chunks, n, reterr);
    rc = rc == 0 ? enlist_all(e, modules, n_modules, reterr) : rc;
    t.from = mem_calloc(e->stmts.len + 1, sizeof *t.from);
    t.to = mem_calloc(t.was->stmts.len + 1, sizeof *t.to);
    if (rc == 0) {
        match(&t, ret);
        rc = go_on(&t, reterr);
    }
    rc = rc == 0 ? state_take(e, &types, chunks, n, t.from, reterr) : rc;
    if (rc == 0) {
        take_rest(&t);
        eng_settle(e);
    }
    VEC_DONE(&t.rest.dirty);
    map_done(&t.types);
    mem_free(t.from);
    mem_free(t.to);
    eng_free(t.was);
    return rc;
}
