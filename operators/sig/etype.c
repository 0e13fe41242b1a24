/* SPDX-License-Identifier: Apache-2.0
 *
 * Event types. See etype.h.
 */
#include "operators/sig/etype.h"

#include "core/base/arena.h"

#include <assert.h>

int ety_col(const struct etype *t, struct slice name)
{
    assert(t != NULL);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        if (slice_eq(t->cols[i].name, name)) {
            return (int)i;
        }
    }
    return -1;
}

const uint16_t *ety_view(const struct etype *t, const struct etype *of)
{
    for (uint32_t i = 0; i < t->n_supers; i++) {
        if (t->supers[i].type == of) {
            return t->supers[i].slot;
        }
    }
    return NULL;
}

static bool takes(const struct etype *variant, const struct etype *t)
{
    if (variant->kind != ETYPE_VARIANT) {
        return false;
    }
    if (variant->open && variant->n_variants == 0) {
        return true;
    }
    for (uint32_t i = 0; i < variant->n_variants; i++) {
        if (t == variant->variants[i] || ety_view(t, variant->variants[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool ety_is(const struct etype *t, const struct etype *of)
{
    return t == of || ety_view(t, of) != NULL || takes(of, t);
}

static bool doubled(const struct ecol *cols, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = i + 1; j < n; j++) {
            if (slice_eq(cols[i].name, cols[j].name)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_super(const struct etype_super *s, uint32_t n, const struct etype *t)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].type == t) {
            return true;
        }
    }
    return false;
}

/* All supertypes, each with where its columns lie. */
static bool set_supers(struct arena *a, struct etype *t, const struct etype *const *supers,
                       uint32_t n)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < n; i++) {
        all += 1 + supers[i]->n_supers;
    }
    t->supers = arena_array(a, all + 1, sizeof *t->supers);
    if (t->supers == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j <= supers[i]->n_supers; j++) {
            const struct etype *s = j == 0 ? supers[i] : supers[i]->supers[j - 1].type;
            if (has_super(t->supers, t->n_supers, s)) {
                continue;
            }
            uint16_t *slot = arena_array(a, s->n_cols + 1, sizeof *slot);
            if (slot == NULL) {
                return false;
            }
            for (uint32_t k = 0; k < s->n_cols; k++) {
                int at = ety_col(t, s->cols[k].name);
                assert(at >= 0);
                slot[k] = (uint16_t)at;
            }
            t->supers[t->n_supers++] = (struct etype_super){s, slot};
        }
    }
    return true;
}

static void list(struct etypes *in, struct etype *t)
{
    t->made_by = in;
    t->made_at = ++in->n;
    *(in->last != NULL ? &in->last->made_next : &in->first) = t;
    in->last = t;
}

const struct etype *ety_at(const struct etypes *t, uint32_t place)
{
    const struct etype *e = t->first;
    while (e != NULL && e->made_at != place) {
        e = e->made_next;
    }
    return e;
}

/* Those of cols whose values may be objects. */
static bool set_objs(struct arena *a, struct etype *t)
{
    uint16_t *objs = arena_array(a, t->n_cols + 1, sizeof *objs);
    for (uint32_t i = 0; objs != NULL && i < t->n_cols; i++) {
        enum ty_kind k = t->cols[i].ty.kind;
        bool plain = k == TY_BOOL || k == TY_CHAR || (k >= TY_BYTE && k <= TY_DOUBLE);
        if (!plain) {
            objs[t->n_objs++] = (uint16_t)i;
        }
    }
    t->objs = objs;
    return objs != NULL;
}

struct etype *ety_new(struct arena *a, struct etypes *made_by, enum etype_kind kind,
                      struct slice name, const struct ecol *cols, uint32_t n_cols,
                      const struct etype *const *supers, uint32_t n_supers)
{
    struct etype *t = ARENA_NEW(a, struct etype);
    uint32_t room = n_cols;
    for (uint32_t i = 0; i < n_supers; i++) {
        room += supers[i]->n_cols;
    }
    struct ecol *all = arena_array(a, room + 1, sizeof *all);
    if (t == NULL || all == NULL || doubled(cols, n_cols)) {
        return NULL;
    }
    *t = (struct etype){
        .name = arena_copy(a, name), .kind = kind, .cols = all, .start_col = -1, .end_col = -1};
    for (uint32_t i = 0; i < n_supers; i++) {
        for (uint32_t k = 0; k < supers[i]->n_cols; k++) {
            if (ety_col(t, supers[i]->cols[k].name) < 0) {
                all[t->n_cols++] = supers[i]->cols[k];
            }
        }
        if (t->start_col < 0 && supers[i]->start_col >= 0) {
            t->start_col = ety_col(t, supers[i]->cols[supers[i]->start_col].name);
        }
        if (t->end_col < 0 && supers[i]->end_col >= 0) {
            t->end_col = ety_col(t, supers[i]->cols[supers[i]->end_col].name);
        }
    }
    for (uint32_t i = 0; i < n_cols; i++) {
        int at = ety_col(t, cols[i].name);
        struct ecol *to = at >= 0 ? &all[at] : &all[t->n_cols++];
        *to = cols[i];
        to->name = arena_copy(a, cols[i].name);
    }
    if (!set_objs(a, t) || !set_supers(a, t, supers, n_supers)) {
        return NULL;
    }
    if (made_by != NULL) {
        list(made_by, t);
    }
    return t;
}
