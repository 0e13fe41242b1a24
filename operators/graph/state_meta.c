/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's own chunk: clock, counters, modules; and how types are numbered. A type is named by
 * the statement whose binding made it and its place there (statement << 20 | place). A statement
 * may be gone while events of its types are still held: such types are *foreign*, listed in the
 * engine in the order in which they were met, and written out.
 */
#include "operators/graph/state.h"

#include "operators/graph/eng_state.h"
#include "operators/graph/limit.h"

#include <assert.h>

enum { PLACE_BITS = 20, COLS_MAX = 1 << 16 };
#define FOREIGN    (1ULL << 63)
#define SERIAL_MAX (1ULL << 62) /* what is counted never gets there */

/* ---- types ---- */

static uint64_t number(void *arg, const struct etype *t)
{
    struct eng *e = arg;
    if (t->made_by != NULL && t->made_by->owner != 0) {
        return (uint64_t)t->made_by->owner << PLACE_BITS | t->made_at;
    }
    size_t i = 0;
    while (i < e->foreign.len && e->foreign.ptr[i] != t) {
        i++;
    }
    if (i == e->foreign.len) {
        *VEC_PUSH(&e->foreign) = t;
    }
    return FOREIGN | i;
}

static struct stmt *stmt_number(const struct eng *e, uint64_t id)
{
    size_t low = 0, high = e->stmts.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (e->stmts.ptr[mid]->id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < e->stmts.len && e->stmts.ptr[low]->id == id ? e->stmts.ptr[low] : NULL;
}

static const struct etype *type(void *arg, uint64_t n)
{
    const struct eng *e = arg;
    if ((n & FOREIGN) != 0) {
        n &= ~FOREIGN;
        return n < e->foreign.len ? e->foreign.ptr[n] : NULL;
    }
    const struct stmt *st = stmt_number(e, n >> PLACE_BITS);
    return st != NULL ? ety_at(&st->types, (uint32_t)n & ((1U << PLACE_BITS) - 1)) : NULL;
}

struct save_types state_types(struct eng *e)
{
    return (struct save_types){.number = number, .type = type, .arg = e};
}

static void save_ty(struct save *s, struct ty ty)
{
    save_u(s, ty.kind);
    bool elem = (ty.kind == TY_MAP || ty.kind == TY_LIST) && ty.elem != NULL;
    save_bool(s, elem);
    if (elem) {
        save_ty(s, *ty.elem);
    }
}

/* No plan knows the type any more, so what events its columns hold does not matter. */
static struct ty load_ty(struct load *l, struct arena *a, int depth)
{
    uint64_t kind = load_u(l);
    bool elem = load_bool(l);
    if (kind > TY_LIST || (elem && (depth == 0 || (kind != TY_MAP && kind != TY_LIST)))) {
        load_fail(l, "a type of kind %llu", (unsigned long long)kind);
        return TY(OBJECT);
    }
    struct ty ty = {.kind = (enum ty_kind)kind};
    if (elem) {
        struct ty of = load_ty(l, a, depth - 1);
        ty = kind == TY_MAP ? ty_map(a, of) : ty_list(a, of);
    }
    return ty;
}

static void save_type(struct save *s, const struct etype *t)
{
    save_u(s, t->kind == ETYPE_WRAP ? ETYPE_WRAP : ETYPE_ANON);
    save_bytes(s, t->name);
    save_i(s, t->start_col);
    save_i(s, t->end_col);
    save_u(s, t->n_cols);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        save_bytes(s, t->cols[i].name);
        save_ty(s, t->cols[i].ty);
    }
}

static const struct etype *load_type(struct eng *e, struct load *l)
{
    enum { DEPTH = 16 };
    uint64_t kind = load_u(l);
    struct slice name = load_bytes(l);
    int64_t start = load_i(l), end = load_i(l);
    size_t n = load_count(l, 2);
    struct ecol *cols = n < COLS_MAX ? arena_array(e->arena, n + 1, sizeof *cols) : NULL;
    if (cols == NULL || kind > ETYPE_WRAP) {
        load_fail(l, "a type of %zu columns", n);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        cols[i].name = load_bytes(l);
        cols[i].ty = load_ty(l, e->arena, DEPTH);
    }
    bool in = start >= -1 && start < (int64_t)n && end >= -1 && end < (int64_t)n;
    struct etype *t = load_ok(l) && in ? ety_new(e->arena, NULL, (enum etype_kind)kind, name, cols,
                                                 (uint32_t)n, NULL, 0)
                                       : NULL;
    if (t == NULL) {
        load_fail(l, "a type that cannot be");
        return NULL;
    }
    t->start_col = (int)start;
    t->end_col = (int)end;
    return t;
}

/* Supertypes, when all types are there: which, and where their columns lie. */
static void save_supers(struct eng *e, struct save *s, const struct etype *t)
{
    save_u(s, t->n_supers);
    for (uint32_t i = 0; i < t->n_supers; i++) {
        const struct etype_super *u = &t->supers[i];
        save_u(s, number(e, u->type));
        for (uint32_t k = 0; k < u->type->n_cols; k++) {
            save_u(s, u->slot[k]);
        }
    }
}

static void load_supers(struct eng *e, struct load *l, struct etype *t)
{
    size_t n = load_count(l, 1);
    t->supers = arena_array(e->arena, n + 1, sizeof *t->supers);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        const struct etype *of = type(e, load_u(l));
        if (of == NULL || of->n_cols > t->n_cols || t->supers == NULL) {
            load_fail(l, "a supertype that does not exist");
            return;
        }
        uint16_t *slot = arena_array(e->arena, of->n_cols + 1U, sizeof *slot);
        for (uint32_t k = 0; k < of->n_cols; k++) {
            uint64_t at = load_u(l);
            if (slot == NULL || at >= t->n_cols || t->cols[at].ty.kind != of->cols[k].ty.kind) {
                load_fail(l, "a column of a supertype that is none");
                return;
            }
            slot[k] = (uint16_t)at;
        }
        t->supers[t->n_supers++] = (struct etype_super){of, slot};
    }
}

static void save_foreign(struct eng *e, struct save *s)
{
    for (size_t i = 0; i < e->foreign.len; i++) { /* supertypes may add some */
        for (uint32_t k = 0; k < e->foreign.ptr[i]->n_supers; k++) {
            (void)number(e, e->foreign.ptr[i]->supers[k].type);
        }
    }
    save_u(s, e->foreign.len);
    for (size_t i = 0; i < e->foreign.len; i++) {
        save_type(s, e->foreign.ptr[i]);
    }
    for (size_t i = 0; i < e->foreign.len; i++) {
        save_supers(e, s, e->foreign.ptr[i]);
    }
}

static void load_foreign(struct eng *e, struct load *l)
{
    size_t n = load_count(l, 4);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        const struct etype *t = load_type(e, l);
        if (t != NULL) {
            *VEC_PUSH(&e->foreign) = t;
        }
    }
    for (size_t i = 0; i < n && load_ok(l); i++) {
        load_supers(e, l, (struct etype *)(uintptr_t)e->foreign.ptr[i]);
    }
}

/* ---- modules ---- */

static void save_modules(const struct eng *e, struct save *s)
{
    save_u(s, e->deps.len);
    VEC_EACH (&e->deps, d) {
        save_bytes(s, (*d)->id);
        save_bytes(s, (*d)->text);
        save_u(s, (*d)->first_order);
        save_u(s, (*d)->first_stmt);
    }
}

static uint32_t load_u32(struct load *l)
{
    enum { MANY = 1 << 30 };
    uint64_t v = load_u(l);
    if (v > MANY) {
        load_fail(l, "%llu statements", (unsigned long long)v);
        return 0;
    }
    return (uint32_t)v;
}

static int load_modules(struct eng *e, struct load *l, struct err *reterr)
{
    size_t n = load_count(l, 4);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct slice id = load_bytes(l), text = load_bytes(l);
        uint32_t order = load_u32(l), stmt = load_u32(l);
        if (!load_ok(l) || order < e->next_order || stmt < e->next_stmt) {
            load_fail(l, "modules out of order");
            break;
        }
        e->next_order = order;
        e->next_stmt = stmt;
        struct deployment *d = NULL;
        int rc = eng_enlist(e, id, text, NULL, &d, reterr);
        if (rc != 0) {
            return err_wrap(reterr, "module '" SLICE_FMT "' of the saved state", SLICE_ARG(id));
        }
    }
    return 0;
}

/* ---- the engine ---- */

void state_save_meta(struct eng *e, struct save *s)
{
    save_u(s, SAVE_FORMAT);
    save_bool(s, e->conf.prioritized);
    save_bool(s, e->conf.causes);
    save_i(s, e->now);
    save_modules(e, s);
    save_foreign(e, s);
    save_u(s, e->dirty.len);
    VEC_EACH (&e->dirty, in) {
        save_u(s, (*in)->st->id);
        save_u(s, (*in)->at);
    }
    save_bool(s, e->vars_pending);
    save_u(s, e->at_clock.buckets);
    save_u(s, e->at_event.buckets);
    save_u(s, e->next_ref);
    save_u(s, e->serial);
    save_u(s, tmr_places(e->timers));
    save_u(s, route_seq(e->route));
    save_u(s, e->next_order);
    save_u(s, e->next_stmt);
    eng_limit_save(e, s);
}

/* 0 or a power of two (turn.c). */
static uint32_t load_buckets(struct load *l)
{
    uint32_t n = load_u32(l);
    if ((n & (n - 1)) != 0) {
        load_fail(l, "%u buckets of turns", n);
    }
    return n;
}

static int load_head(struct eng *e, struct load *l, struct err *reterr)
{
    uint64_t format = load_u(l);
    bool prioritized = load_bool(l), causes = load_bool(l);
    if (!load_ok(l) || format != SAVE_FORMAT) {
        return err_set(reterr, ERR_MISMATCH, "saved state of format %llu, this is %d",
                       (unsigned long long)format, SAVE_FORMAT);
    }
    if (prioritized != e->conf.prioritized || causes != e->conf.causes) {
        return err_set(reterr, ERR_MISMATCH, "saved state with %s",
                       prioritized != e->conf.prioritized ? "other priorities"
                                                          : "or without causes");
    }
    e->now = load_i(l);
    return 0;
}

int state_load_meta(struct eng *e, struct load *l, struct state_rest *ret, struct err *reterr)
{
    int rc = load_head(e, l, reterr);
    rc = rc == 0 ? load_modules(e, l, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    load_foreign(e, l);
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        uint64_t id = load_u(l);
        *VEC_PUSH(&ret->dirty) = (struct state_dirty){id, load_u(l)};
    }
    ret->vars_pending = load_bool(l);
    e->at_clock.buckets = load_buckets(l);
    e->at_event.buckets = load_buckets(l);
    ret->ref = load_u(l);
    e->serial = load_u(l);
    ret->places = load_u(l);
    ret->seq = load_u(l);
    ret->order = load_u32(l);
    ret->stmt = load_u32(l);
    eng_limit_load(e, l, &ret->lim);
    if (ret->order < e->next_order || ret->stmt < e->next_stmt) {
        load_fail(l, "counters that are behind");
    }
    return load_end(l, reterr);
}

int state_set_rest(struct eng *e, const struct state_rest *r, struct err *reterr)
{
    VEC_EACH (&r->dirty, d) {
        const struct stmt *st = stmt_number(e, d->stmt);
        if (st == NULL || d->at >= st->insts.len) {
            return err_set(reterr, ERR_CORRUPT,
                           "saved state names an instance that does not exist");
        }
        eng_mark_dirty(st->insts.ptr[d->at]);
    }
    e->vars_pending = r->vars_pending;
    e->next_ref = r->ref;
    tmr_set_places(e->timers, r->places);
    if (!route_set_seq(e->route, r->seq) || r->seq > SERIAL_MAX || e->serial > SERIAL_MAX) {
        return err_set(reterr, ERR_CORRUPT, "saved state with counters that are behind");
    }
    e->next_order = r->order;
    e->next_stmt = r->stmt;
    lim_resume(&e->lim, &r->lim);
    e->lim.used[LIM_STATE] = r->lim.used[LIM_STATE];
    return 0;
}
