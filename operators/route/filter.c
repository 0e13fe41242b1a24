/* SPDX-License-Identifier: Apache-2.0
 *
 * What the index makes of a filter: of its conjuncts, equalities with what is known when a leaf is
 * added become keys; without any, comparisons of one numeric column become a range (and are asked
 * again); the rest is evaluated. A rest that only the event decides is shared by all who ask it.
 */
#include "operators/route/route_impl.h"

#include "core/base/arena.h"

static bool speaks_of_event(const struct ex *e)
{
    if ((e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 && e->stream == 0) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (speaks_of_event(e->args[i])) {
            return true;
        }
    }
    return false;
}

/* Known once the leaf is added, and the same ever after. */
static bool is_fixed(const struct ex *e)
{
    switch (e->op) {
    case EX_CONST:
    case EX_PROP:
    case EX_STREAM:
    case EX_FIELD:
    case EX_INDEX:
    case EX_KEY:
    case EX_CONV:
    case EX_CONTEXT: break;
    default: return false;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_fixed(e->args[i])) {
            return false;
        }
    }
    return true;
}

/* What the match so far or the plan holds, and goes on holding. */
static bool is_path(const struct ex *e)
{
    switch (e->op) {
    case EX_CONST: return true;
    case EX_PROP:
    case EX_STREAM: return e->level == 0;
    case EX_FIELD:
    case EX_INDEX:
    case EX_KEY: return is_path(e->args[0]);
    default: return false;
    }
}

static bool is_column(const struct route_filter *f, const struct ex *e)
{
    return e->op == EX_PROP && e->level == 0 && e->stream == 0 && e->of == f->type &&
           e->ty.kind != TY_OBJECT;
}

/* Takes `column = fixed` as a key. */
static bool take_key(struct route_filter *f, const struct ex *e)
{
    bool is = e->op == EX_IS && !e->negated;
    bool equal = is || (e->op >= EX_CMP_I && e->op <= EX_CMP_ANY && e->cmp == OP_EQ);
    if (!equal || f->n_keys == ROUTE_KEYS_MAX || f->type->kind == ETYPE_VARIANT) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct ex *col = e->args[i], *other = e->args[1 - i];
        if (is_column(f, col) && is_fixed(other) && !speaks_of_event(other) &&
            other->ty.kind != TY_OBJECT) {
            f->key_slot[f->n_keys] = col->slot;
            f->null_ok = (uint8_t)(f->null_ok | (is ? 1u << f->n_keys : 0u));
            f->made = (uint8_t)(f->made | (is_path(other) ? 0u : 1u << f->n_keys));
            f->key[f->n_keys++] = other;
            return true;
        }
    }
    return false;
}

/* ---- ranges ---- */

static bool is_number_column(const struct route_filter *f, const struct ex *e)
{
    const struct ex *col = e->op == EX_CONV ? e->args[0] : e;
    return is_column(f, col) && col->ty.kind >= TY_BYTE && col->ty.kind <= TY_DOUBLE &&
           e->ty.kind >= TY_BYTE && e->ty.kind <= TY_DOUBLE;
}

static bool is_bound(const struct ex *e)
{
    return is_fixed(e) && !speaks_of_event(e) && e->ty.kind >= TY_BYTE && e->ty.kind <= TY_DOUBLE;
}

static uint16_t slot_of(const struct ex *e)
{
    return e->op == EX_CONV ? e->args[0]->slot : e->slot;
}

/* The first column that is compared is the one to go by; further bounds of it narrow the range. */
static bool may_range(const struct route_filter *f, const struct ex *col)
{
    return f->type->kind != ETYPE_VARIANT && !f->between && is_number_column(f, col) &&
           (!f->ranged || f->range_slot == slot_of(col));
}

static void take_between(struct route_filter *f, const struct ex *e)
{
    if (!e->negated && !f->ranged && may_range(f, e->args[0]) && is_bound(e->args[1]) &&
        is_bound(e->args[2])) {
        f->ranged = f->between = true;
        f->range_slot = slot_of(e->args[0]);
        f->low = e->args[1];
        f->high = e->args[2];
    }
}

static void take_range(struct route_filter *f, const struct ex *e)
{
    if (e->op == EX_BETWEEN || e->op == EX_RANGE) {
        take_between(f, e);
        return;
    }
    if ((e->op != EX_CMP_I && e->op != EX_CMP_D) || e->cmp < OP_LT || e->cmp > OP_GE) {
        return;
    }
    bool left = is_bound(e->args[1]);
    const struct ex *col = e->args[left ? 0 : 1], *bound = e->args[left ? 1 : 0];
    if (!may_range(f, col) || !is_bound(bound)) {
        return;
    }
    bool less = e->cmp == OP_LT || e->cmp == OP_LE;
    const struct ex **side = less == left ? &f->high : &f->low;
    if (*side == NULL) {
        f->ranged = true;
        f->range_slot = slot_of(col);
        *side = bound;
    }
}

struct rests {
    struct arena *a;
    struct route_filter *f;
    VEC(const struct ex *) v;
};

static void split(struct rests *r, const struct ex *e)
{
    if (e->op == EX_AND) {
        for (uint32_t i = 0; i < e->n_args; i++) {
            split(r, e->args[i]);
        }
    } else if (!take_key(r->f, e)) {
        take_range(r->f, e);
        *VEC_PUSH(&r->v) = e;
    }
}

void route_filter_init(struct arena *a, struct route_filter *f)
{
    f->n_keys = 0;
    f->null_ok = f->made = 0;
    memset(f->key_slot, 0, sizeof f->key_slot);
    f->rest = f->low = f->high = NULL;
    f->ranged = f->between = f->shared = f->known = false;
    if (f->cond == NULL) {
        return;
    }
    struct rests r = {.a = a, .f = f};
    split(&r, f->cond);
    if (r.v.len == 1) {
        f->rest = r.v.ptr[0];
    } else if (r.v.len > 1) {
        struct ex *all = ARENA_NEW(a, struct ex);
        *all = (struct ex){.op = EX_AND, .ty = TY(BOOL), .n_args = (uint32_t)r.v.len, .home = a};
        all->args = arena_array(a, r.v.len, sizeof(struct ex *));
        memcpy(all->args, r.v.ptr, r.v.len * sizeof(struct ex *));
        f->rest = all;
    }
    VEC_DONE(&r.v);
    f->shared = f->rest != NULL && route_is_of_event(f->rest);
    f->hash = f->shared ? route_ex_hash(f->rest) : 0;
}

/* ---- the same question ---- */

/* Operations whose value follows from their operands and the fields that route_asks_same compares.
 */
static bool is_plain(const struct ex *e)
{
    switch (e->op) {
    case EX_PROP: return e->level == 0 && e->stream == 0;
    case EX_CALL: return e->pure && e->data == NULL;
    case EX_CAST: return e->data == NULL;
    case EX_CONST:
    case EX_FIELD:
    case EX_DYN:
    case EX_EXISTS_DYN:
    case EX_KEY:
    case EX_INDEX:
    case EX_CONCAT:
    case EX_LIKE:
    case EX_REGEXP:
    case EX_CASE:
    case EX_CASE_VALUE:
    case EX_COALESCE:
    case EX_MIN:
    case EX_MAX: return true;
    default:
        return (e->op >= EX_CONV && e->op <= EX_BIT_XOR) || (e->op >= EX_CMP_I && e->op <= EX_IN);
    }
}

bool route_is_of_event(const struct ex *e)
{
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!route_is_of_event(e->args[i])) {
            return false;
        }
    }
    return is_plain(e);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 31);
}

uint64_t route_ex_hash(const struct ex *e)
{
    uint64_t h = mix(e->op, (uint64_t)e->cmp << 32 | e->slot);
    h = e->op == EX_CONST ? mix(h, dat_hash(e->k)) : h;
    for (uint32_t i = 0; i < e->n_args; i++) {
        h = mix(h, route_ex_hash(e->args[i]));
    }
    return h;
}

static bool same_place(const struct ex *a, const struct ex *b)
{
    return a->of == b->of && a->level == b->level && a->stream == b->stream && a->slot == b->slot &&
           slice_eq(a->name, b->name);
}

static bool same_operation(const struct ex *a, const struct ex *b)
{
    return a->op == b->op && a->cmp == b->cmp && a->i == b->i && a->fn == b->fn &&
           a->negated == b->negated && a->low_open == b->low_open && a->high_open == b->high_open &&
           a->all == b->all && ty_eq(a->ty, b->ty);
}

bool route_asks_same(const struct ex *a, const struct ex *b)
{
    if (a->n_args != b->n_args || !same_operation(a, b) || !same_place(a, b)) {
        return false;
    }
    if (a->op == EX_CONST && (a->k.kind != b->k.kind || !dat_same(a->k, b->k))) {
        return false;
    }
    for (uint32_t i = 0; i < a->n_args; i++) {
        if (!route_asks_same(a->args[i], b->args[i])) {
            return false;
        }
    }
    return true;
}
