/* SPDX-License-Identifier: Apache-2.0
 *
 * See cause_refs.h.
 */
#include "operators/sig/cause_refs.h"

#include "core/base/mem.h"

#include <assert.h>

enum { CAP_MIN = 4, CAP_STEP = 4, IDLE_MIN = 64 };

static inline uint32_t slot_at(const struct cause_refs *c, uint32_t i)
{
    uint32_t s = c->from + i;
    return s < c->cap ? s : s - c->cap;
}

static inline bool is_gap(struct eref r)
{
    return (r.hi | r.lo) == 0;
}

static inline bool same(struct eref a, struct eref b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* ---- the smallest hashes ---- */

/* Those that are not below the bound are left out. */
static void cut(struct cause_refs *c)
{
    while (c->n_low > 0 && c->hash[c->n_low - 1] >= c->bound) {
        c->n_low--;
    }
}

static bool before(const struct cause_refs *c, uint64_t hash, uint32_t i)
{
    uint32_t upper = (uint32_t)(hash >> 32);
    return upper != c->hash[i] ? upper < c->hash[i] : hash < cause_hash(c->v[c->slot[i]]);
}

static void low_add(struct cause_refs *c, uint32_t slot)
{
    uint64_t hash = cause_hash(c->v[slot]);
    uint32_t upper = (uint32_t)(hash >> 32);
    if (!c->all && upper >= c->bound) {
        return;
    }
    if (c->n_low == CAUSE_LOW) {
        uint32_t last = c->hash[CAUSE_LOW - 1];
        c->all = false;
        c->bound = MAX(last, upper);
        cut(c);
        if (upper >= c->bound) {
            return;
        }
    }
    uint32_t i = c->n_low++;
    assert(i < CAUSE_LOW);
    for (; i > 0 && before(c, hash, i - 1); i--) {
        c->hash[i] = c->hash[i - 1];
        c->slot[i] = c->slot[i - 1];
    }
    c->hash[i] = upper;
    c->slot[i] = slot;
}

static void low_remove(struct cause_refs *c, uint32_t slot)
{
    uint32_t i = 0;
    while (i < c->n_low && c->slot[i] != slot) {
        i++;
    }
    if (i == c->n_low) {
        return;
    }
    c->n_low--;
    for (; i < c->n_low; i++) {
        c->hash[i] = c->hash[i + 1];
        c->slot[i] = c->slot[i + 1];
    }
}

static void low_make(struct cause_refs *c)
{
    c->n_low = 0;
    c->all = true;
    for (uint32_t i = 0; i < c->len; i++) {
        uint32_t slot = slot_at(c, i);
        if (!is_gap(c->v[slot])) {
            low_add(c, slot);
        }
    }
    c->low_on = true;
}

/* Nobody has made a row for long: it is cheaper to look at all when somebody does. */
static inline void count_idle(struct cause_refs *c)
{
    if (c->low_on && ++c->idle > IDLE_MIN + 2 * c->live) {
        c->low_on = false;
    }
}

/* ---- enter, leave ---- */

/* By little: there are many groups, and each has its own largest size. */
static void grow(struct cause_refs *c)
{
    uint32_t cap = MAX((uint32_t)CAP_MIN, c->cap + MAX((uint32_t)CAP_STEP, c->cap / 4));
    struct eref *v = mem_alloc(cap * sizeof *v);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->len; i++) {
        uint32_t slot = slot_at(c, i);
        if (is_gap(c->v[slot])) {
            continue;
        }
        for (uint32_t k = 0; k < c->n_low; k++) {
            if (c->slot[k] == slot) { /* not met again: new numbers are not above the old */
                c->slot[k] = UINT32_MAX - n;
            }
        }
        v[n++] = c->v[slot];
    }
    for (uint32_t k = 0; k < c->n_low; k++) {
        c->slot[k] = UINT32_MAX - c->slot[k];
    }
    mem_free(c->v);
    c->v = v;
    c->cap = cap;
    c->from = 0;
    c->len = n;
}

void cause_refs_enter(struct cause_refs *c, struct eref r)
{
    assert(!is_gap(r));
    count_idle(c);
    if (UNLIKELY(c->len == c->cap)) {
        grow(c);
    }
    uint32_t slot = slot_at(c, c->len);
    c->v[slot] = r;
    c->len++;
    c->live++;
    if (c->low_on) {
        low_add(c, slot);
    }
}

/* Both ends are live again. */
static void trim(struct cause_refs *c)
{
    while (c->len > 0 && is_gap(c->v[c->from])) {
        c->from = slot_at(c, 1);
        c->len--;
    }
    while (c->len > 0 && is_gap(c->v[slot_at(c, c->len - 1)])) {
        c->len--;
    }
}

void cause_refs_leave(struct cause_refs *c, struct eref r)
{
    count_idle(c);
    uint32_t i = 0;
    while (i < c->len && !same(c->v[slot_at(c, i)], r)) {
        i++; /* not at all, mostly */
    }
    if (UNLIKELY(i == c->len)) {
        return;
    }
    uint32_t slot = slot_at(c, i);
    if (c->low_on) {
        low_remove(c, slot);
    }
    c->v[slot] = (struct eref){0, 0};
    c->live--;
    trim(c);
}

void cause_refs_done(struct cause_refs *c)
{
    mem_free(c->v);
    *c = (struct cause_refs){.v = NULL};
}

/* ---- the sample ---- */

static inline bool among(const struct cause_list *own, struct eref r)
{
    for (uint32_t i = 0; own != NULL && i < own->len; i++) {
        if (same(own->r[i], r)) {
            return true;
        }
    }
    return false;
}

void cause_refs_list(struct cause_refs *c, const struct cause_list *own, struct cause_list *to)
{
    c->idle = 0;
    uint32_t max = to->max;
    to->max = MIN(max, to->len + CAUSE_KEPT);
    if (c->live == 0) {
        cause_add_all(to, own);
        to->max = max;
        return;
    }
    struct eref first = c->v[c->from], last = c->v[slot_at(c, c->len - 1)];
    bool begins = to->len == 0;
    cause_add(to, first);
    cause_add(to, last);
    cause_add_all(to, own);
    if (c->live > 2 && (!c->low_on || (c->n_low < CAUSE_KEPT && !c->all))) {
        low_make(c);
    }
    uint32_t n_low = c->live > 2 ? c->n_low : 0, len = to->len;
    for (uint32_t i = 0; i < n_low && len < to->max; i++) {
        struct eref r = c->v[c->slot[i]];
        if (UNLIKELY(!begins || (i > 0 && c->hash[i] == c->hash[i - 1]))) {
            to->len = len;
            cause_add(to, r); /* it might be there */
            len = to->len;
        } else if (!same(r, first) && !same(r, last) && !among(own, r)) {
            to->r[len++] = r; /* they differ from each other */
        }
    }
    to->len = len;
    to->max = max;
}

/* ---- save and load: how many, the oldest first ---- */

void cause_refs_save(struct save *s, const struct cause_refs *c)
{
    save_u(s, c->live);
    for (uint32_t i = 0; i < c->len; i++) {
        struct eref r = c->v[slot_at(c, i)];
        if (!is_gap(r)) {
            save_u(s, r.hi);
            save_u(s, r.lo);
        }
    }
}

void cause_refs_load(struct load *l, struct cause_refs *c)
{
    assert(c->len == 0 && !c->low_on);
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        uint64_t hi = load_u(l), lo = load_u(l);
        struct eref r = {hi, lo};
        if (is_gap(r)) {
            load_fail(l, "a live event of a group that has no reference");
            return;
        }
        cause_refs_enter(c, r);
    }
}
