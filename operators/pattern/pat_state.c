/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading a pattern: its tree of instances, each as its kind, the match it was begun
 * with, its kids in their order (which part each is), and what its kind adds (pat_def.save, load).
 * References to kids are not written: a kind whose kids are one of each part finds them again by
 * their slot. Timers come back with their due time and place, leaves of the route index with their
 * number, so that the order of everything to come is the same.
 *
 * Matches are the pattern's own affair, not events with a serial: each is numbered when it is first
 * written (its columns follow) and is that number from then on. A tag that repeats is one event in
 * the parts of its until and a list behind it.
 *
 * A load that fails leaves a pattern that was never started: what had been built quits.
 */
#include "operators/pattern/pat_impl.h"

#include <assert.h>

/* Kinds by number, from 1: their rows in pat.def. */
static const struct pat_def *const kinds[] = {
#define PAT(name, text, locality, doc) &pat_def_##name,
#include "operators/pattern/pat.def"
#undef PAT
};

static uint64_t kind_of(const struct pat_node *n)
{
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (kinds[k] == n->def) {
            return k + 1;
        }
    }
    assert(false && "every kind has a row");
    return 0;
}

struct pat_inst *pat_kid(const struct pat_inst *i, uint32_t slot)
{
    for (struct pat_inst *k = i->first; k != NULL; k = k->next) {
        if (k->slot == slot) {
            return k;
        }
    }
    return NULL;
}

/* ---- save ---- */

void pat_save_match(struct pat *p, struct save *s, struct evt *m)
{
    if (m == NULL || m->mark != 0) {
        save_u(s, m == NULL ? 0 : m->mark);
        return;
    }
    assert(m->type == p->plan->type);
    *VEC_PUSH(&p->named) = m;
    m->mark = (uint32_t)p->named.len;
    save_u(s, m->mark);
    save_u(s, m->serial);
    save_vals(s, m->p, m->type->n_cols);
}

static void inst_save(struct pat_inst *i, struct save *s)
{
    size_t n = 0;
    assert(!i->dead && !i->probing);
    for (const struct pat_inst *k = i->first; k != NULL; k = k->next) {
        n++;
    }
    save_u(s, kind_of(i->node));
    pat_save_match(i->pat, s, i->begin);
    save_u(s, n);
    for (struct pat_inst *k = i->first; k != NULL; k = k->next) {
        save_u(s, k->slot);
        inst_save(k, s);
    }
    if (i->node->def->save != NULL) {
        i->node->def->save(i, s);
    }
}

void pat_save(struct pat *p, struct save *s)
{
    assert(p->depth == 0 && !p->freeing);
    VEC_CLEAR(&p->named);
    pat_save_match(p, s, p->begin);
    save_u(s, p->refused);
    save_u(s, p->out.len);
    VEC_EACH (&p->out, m) {
        pat_save_match(p, s, *m);
    }
    save_bool(s, p->root != NULL);
    if (p->root != NULL) {
        inst_save(p->root, s);
    }
    VEC_EACH (&p->named, m) {
        (*m)->mark = 0;
    }
}

/* ---- load ---- */

/* A tag's value: its event, or events, or nothing. What a column that is not a tag holds is fine.
 */
static bool fits(const struct ecol *c, struct dat v)
{
    const struct etype *t = c->ty.kind == TY_LIST && c->ty.elem != NULL ? c->ty.elem->ev : c->ty.ev;
    if (v.kind == DAT_LIST) {
        for (uint32_t i = 0; i < v.l->len; i++) {
            if (v.l->v[i].kind != DAT_EVENT || !ety_is(v.l->v[i].ev->type, t)) {
                return false;
            }
        }
        return c->ty.kind == TY_LIST;
    }
    return dat_is_null(v) || (v.kind == DAT_EVENT && ety_is(v.ev->type, t));
}

bool pat_fits(const struct pat *p, int col, struct dat v)
{
    return fits(&p->plan->type->cols[col], v);
}

struct evt *pat_load_match(struct pat *p, struct load *l)
{
    uint64_t number = load_u(l);
    if (number <= p->named.len) {
        return number > 0 ? p->named.ptr[number - 1] : NULL;
    }
    const struct etype *t = p->plan->type;
    if (number != p->named.len + 1) {
        load_fail(l, "match %llu of %zu", (unsigned long long)number, p->named.len);
        return NULL;
    }
    struct evt *m = evt_new(p->env->heap, t);
    m->serial = load_u(l);
    for (uint32_t k = 0; k < t->n_cols && load_ok(l); k++) {
        struct dat v = load_val(l);
        if (!fits(&t->cols[k], v)) {
            load_fail(l, "a value that is no event of its tag");
            return NULL;
        }
        evt_set(m, k, v);
    }
    *VEC_PUSH(&p->named) = m;
    return m;
}

static void inst_load(struct pat_inst *i, struct load *l)
{
    const struct pat_node *n = i->node;
    uint64_t kind = load_u(l);
    if (kind != kind_of(n)) {
        load_fail(l, "a part of kind %llu where the pattern has %llu", (unsigned long long)kind,
                  (unsigned long long)kind_of(n));
        return;
    }
    pat_begun_with(i, pat_load_match(i->pat, l));
    for (size_t kids = load_count(l, 4); kids > 0 && load_ok(l); kids--) {
        uint64_t slot = load_u(l);
        if (slot >= n->n_kids || (n->def->one_each && pat_kid(i, (uint32_t)slot) != NULL)) {
            load_fail(l, "part %llu of %u, or twice", (unsigned long long)slot, n->n_kids);
            return;
        }
        inst_load(pat_spawn(i, (uint32_t)slot), l); /* no deeper than the plan */
    }
    if (load_ok(l) && n->def->load != NULL) {
        n->def->load(i, l);
    }
}

void pat_load(struct pat *p, struct load *l)
{
    assert(p->root == NULL && p->depth == 0 && p->out.len == 0);
    pat_enter(p);
    VEC_CLEAR(&p->named);
    struct evt *begin = pat_load_match(p, l);
    p->refused = load_u(l);
    for (size_t n = load_count(l, 1); n > 0 && load_ok(l); n--) {
        struct evt *m = pat_load_match(p, l);
        if (m == NULL) {
            load_fail(l, "a match that is none");
            break;
        }
        *VEC_PUSH(&p->out) = evt_keep(m);
    }
    if (p->begin != NULL) {
        evt_drop(p->env->heap, p->begin);
    }
    p->begin = begin != NULL ? evt_keep(begin) : NULL;
    if (load_bool(l)) {
        inst_load(pat_root(p), l);
    }
    pat_leave(p);
    if (!load_ok(l)) {
        VEC_EACH (&p->out, m) {
            evt_drop(p->env->heap, *m);
        }
        VEC_CLEAR(&p->out);
        pat_stop(p);
        if (p->begin != NULL) {
            evt_drop(p->env->heap, p->begin);
            p->begin = NULL;
        }
    }
}
