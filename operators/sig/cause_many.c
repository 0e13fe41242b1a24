/* SPDX-License-Identifier: Apache-2.0
 *
 * See cause_many.h.
 */
#include "operators/sig/cause_many.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

enum { CAP_MIN = 4, CAP_STEP = 4, IDLE_MIN = 64 };

static inline uint32_t slot_at(const struct cause_many *c, uint32_t i)
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
static void cut(struct cause_many *c)
{
    while (c->n_low > 0 && c->hash[c->n_low - 1] >= c->bound) {
        c->n_low--;
    }
}

static bool before(const struct cause_many *c, uint64_t hash, uint32_t i)
{
    uint32_t upper = (uint32_t)(hash >> 32);
    return upper != c->hash[i] ? upper < c->hash[i] : hash < cause_hash(c->low[i]);
}

static void low_add(struct cause_many *c, struct eref r, uint64_t hash)
{
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
        c->low[i] = c->low[i - 1];
    }
    c->twice |= i > 0 && UNLIKELY(c->hash[i - 1] == upper && same(c->low[i - 1], r));
    c->hash[i] = upper;
    c->low[i] = r;
}

static void low_remove(struct cause_many *c, struct eref r, uint32_t upper)
{
    uint32_t i = 0;
    if (!c->all && upper >= c->bound) {
        return;
    }
    while (i < c->n_low && !(c->hash[i] == upper && same(c->low[i], r))) {
        i++;
    }
    if (i == c->n_low) {
        return;
    }
    c->n_low--;
    for (; i < c->n_low; i++) {
        c->hash[i] = c->hash[i + 1];
        c->low[i] = c->low[i + 1];
    }
}

static void low_make(struct cause_many *c)
{
    c->n_low = 0;
    c->all = true;
    for (uint32_t i = 0; i < c->len; i++) {
        struct eref r = c->v[slot_at(c, i)];
        if (!is_gap(r)) {
            low_add(c, r, cause_hash(r));
        }
    }
    c->low_on = true;
}

/* Nobody has made a row for long: it is cheaper to look at all when somebody does. */
static inline void count_idle(struct cause_many *c)
{
    if (c->low_on && ++c->idle > IDLE_MIN + 2 * c->live) {
        c->low_on = false;
    }
}

/* ---- enter, leave ---- */

/* Of many without gaps, as few as may be are moved. It is full. */
static void grow_in_place(struct cause_many *c, uint32_t cap)
{
    uint32_t tail = c->cap - c->from, begin = c->from, more = cap - c->cap;
    c->v = mem_realloc(c->v, cap * sizeof *c->v);
    if (begin <= more) { /* what has come round goes on behind the rest */
        memcpy(c->v + c->cap, c->v, begin * sizeof *c->v);
    } else {
        c->from = cap - tail;
        memmove(c->v + c->from, c->v + begin, tail * sizeof *c->v);
    }
    c->cap = cap;
}

/* By little: there are many groups, and each has its own largest size. */
static void grow(struct cause_many *c)
{
    enum { MANY = 4096 };
    uint32_t cap = MAX((uint32_t)CAP_MIN, c->cap + MAX((uint32_t)CAP_STEP, c->cap / 4));
    if (c->live == c->len && c->cap >= MANY) {
        grow_in_place(c, cap);
        return;
    }
    struct eref *v = mem_alloc(cap * sizeof *v);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->len; i++) {
        struct eref r = c->v[slot_at(c, i)];
        if (!is_gap(r)) {
            v[n++] = r;
        }
    }
    mem_free(c->v);
    c->v = v;
    c->cap = cap;
    c->from = 0;
    c->len = n;
}

void cause_many_enter(struct cause_many *c, struct eref r)
{
    assert(!is_gap(r));
    count_idle(c);
    if (UNLIKELY(c->len == c->cap)) {
        grow(c);
    }
    c->v[slot_at(c, c->len)] = r;
    uint64_t hash = cause_hash(r);
    c->last = r;
    c->last_hash = (uint32_t)(hash >> 32);
    if (c->len == 0) {
        c->first = r;
        c->first_hash = c->last_hash;
    }
    c->len++;
    c->live++;
    if (c->low_on) {
        low_add(c, r, hash);
    }
}

/* Both ends are live again. */
static void trim(struct cause_many *c)
{
    while (c->len > 0 && is_gap(c->v[c->from])) {
        c->from = slot_at(c, 1);
        c->len--;
    }
    if (c->len > 0) {
        c->first = c->v[c->from];
        c->first_hash = (uint32_t)(cause_hash(c->first) >> 32);
    }
    if (LIKELY(c->len > 0 && !is_gap(c->v[slot_at(c, c->len - 1)]))) {
        return;
    }
    while (c->len > 0 && is_gap(c->v[slot_at(c, c->len - 1)])) {
        c->len--;
    }
    if (c->len > 0) {
        c->last = c->v[slot_at(c, c->len - 1)];
        c->last_hash = (uint32_t)(cause_hash(c->last) >> 32);
    }
}

void cause_many_leave(struct cause_many *c, struct eref r)
{
    count_idle(c);
    uint32_t i = 0, upper = c->first_hash;
    if (UNLIKELY(c->len == 0 || !same(c->first, r))) {
        upper = (uint32_t)(cause_hash(r) >> 32);
        while (i < c->len && !same(c->v[slot_at(c, i)], r)) {
            i++;
        }
        if (i == c->len) {
            return;
        }
    }
    if (c->low_on) {
        low_remove(c, r, upper);
    }
    c->v[slot_at(c, i)] = (struct eref){0, 0};
    c->live--;
    trim(c);
}

void cause_many_done(struct cause_many *c)
{
    mem_free(c->v);
    *c = (struct cause_many){.v = NULL};
}

/* ---- the sample ---- */

/* Those with the smallest hashes are at hand. */
static inline void low_ready(struct cause_many *c)
{
    c->idle = 0;
    if (UNLIKELY(c->live > 2 && (!c->low_on || (c->n_low < CAUSE_KEPT && !c->all)))) {
        low_make(c);
    }
}

void cause_many_list(struct cause_many *c, const struct cause_list *own, struct cause_list *to)
{
    low_ready(c);
    uint32_t max = to->max;
    to->max = MIN(max, to->len + CAUSE_KEPT);
    if (c->live > 0) {
        cause_add(to, c->first);
        cause_add(to, c->last);
    }
    cause_add_all(to, own);
    for (uint32_t i = 0; c->live > 2 && i < c->n_low; i++) {
        cause_add(to, c->low[i]);
    }
    to->max = max;
}

/* Behind both ends, those that are neither, each once: how many then. */
static inline uint32_t others(const struct cause_many *c, struct eref r[CAUSE_KEPT])
{
    enum { BEHIND = CAUSE_KEPT - 2 };
    uint32_t n = 2, n_low = c->live > 2 ? c->n_low : 0, first = c->first_hash, last = c->last_hash;
    if (n_low >= BEHIND && MIN(first, last) > c->hash[BEHIND - 1] && !c->twice) { /* mostly */
        memcpy(r + n, c->low, BEHIND * sizeof *r);
        return CAUSE_KEPT;
    }
    for (uint32_t i = 0; i < n_low && n < CAUSE_KEPT; i++) {
        uint32_t hash = c->hash[i];
        if (UNLIKELY(hash == first || hash == last || c->twice)) {
            bool again = i > 0 && same(c->low[i], c->low[i - 1]);
            if (again || same(c->low[i], r[0]) || same(c->low[i], r[1])) {
                continue;
            }
        }
        r[n++] = c->low[i];
    }
    return n;
}

void cause_many_give(struct cause_many *c, struct vheap *h, struct evt *row)
{
    assert((row->ref.hi | row->ref.lo) == 0 && row->causes == NULL);
    low_ready(c);
    if (c->live == 0) {
        return;
    }
    const struct eref first = c->first, last = c->last;
    if (c->live == 1 || same(first, last)) {
        row->ref = first;
        return;
    }
    struct causes *to = causes_own(h, CAUSE_KEPT);
    to->r[0] = first;
    to->r[1] = last;
    to->len = others(c, to->r);
    row->causes = to;
}

bool cause_many_at(const struct cause_many *c, uint32_t i, struct eref *ret)
{
    assert(i < c->len);
    *ret = c->v[slot_at(c, i)];
    return !is_gap(*ret);
}
