/* SPDX-License-Identifier: Apache-2.0
 *
 * The live events of a group: pointers in order of entering, which cost a store when one enters and
 * a comparison when the oldest leaves. (They are kept: a where that reads a variable may let one in
 * and not see it leave.) Others are looked for: near the oldest, then in an index that
 * is made when it is first wanted. Groups of joins have it from the beginning, and in it how often
 * an event is in the group.
 *
 * The smallest hashes are found when a row is made. Rows are often made at every event, so those
 * that come next are remembered as well (`low`): every live event whose hash is below `bound` is
 * there. It is kept up while rows are being made, and made anew from the events when it has run dry
 * or when the last row was long ago. It says the same as the events themselves, so it is not saved.
 */
#include "operators/sig/cause.h"

#include "core/base/mem.h"

#include <assert.h>

enum { SLOTS_MIN = 4, NEAR = 16, LOW_MAX = 16, INDEX_MIN = 16, IDLE_MIN = 64 };

struct low_item {
    uint64_t hash;
    const struct evt *e;
    struct eref ref; /* its own: a list is then made without looking at events; 0: it has none */
};

struct low {
    uint32_t len;
    bool all;       /* nothing has been left out: there is no bound */
    uint64_t bound; /* of hashes left out, the smallest */
    struct low_item v[LOW_MAX];
};

struct place { /* of the index; count 0: free */
    const struct evt *e;
    uint64_t pos;
    uint32_t count;
};

struct cause_live {
    struct vheap *heap;
    struct evt **slot; /* by position & (cap - 1); NULL: it has left */
    uint32_t cap, live;
    uint64_t from, to;       /* positions; those at both ends are live */
    struct eref first, last; /* references of those at the ends, likewise: */
    bool first_known;        /* not of one that has just become the oldest */
    struct place *index;
    size_t n_index;
    bool low_on;
    uint32_t idle;  /* changes since the last row */
    struct low low; /* in one piece with the rest: fetched at one go */
};

static inline struct evt **at(const struct cause_live *l, uint64_t pos)
{
    return &l->slot[pos & (l->cap - 1)];
}

/* Both ends are live again. */
static void trim(struct cause_live *l)
{
    while (l->from < l->to && *at(l, l->from) == NULL) {
        l->from++;
    }
    while (l->from < l->to && *at(l, l->to - 1) == NULL) {
        l->to--;
    }
    if (l->from < l->to) {
        l->first_known = false;
        l->last = (*at(l, l->to - 1))->ref;
    }
}

static struct eref first_of(struct cause_live *l)
{
    if (!l->first_known) {
        l->first = (*at(l, l->from))->ref;
        l->first_known = true;
    }
    return l->first;
}

struct cause_live *cause_live_new(struct vheap *h, bool many)
{
    struct cause_live *l = MEM_NEW(struct cause_live);
    l->heap = h;
    if (many) {
        l->n_index = INDEX_MIN;
        l->index = mem_calloc(l->n_index, sizeof *l->index);
    }
    return l;
}

void cause_live_free(struct cause_live *l)
{
    if (l == NULL) {
        return;
    }
    for (uint64_t p = l->from; p < l->to; p++) {
        if (*at(l, p) != NULL) {
            evt_drop(l->heap, *at(l, p));
        }
    }
    mem_free(l->slot);
    mem_free(l->index);
    mem_free(l);
}

void cause_live_soon(const struct cause_live *l)
{
    enum { LINE = 64 };
    for (size_t i = 0; i < sizeof *l; i += LINE) {
        __builtin_prefetch((const char *)l + i);
    }
}

size_t cause_live_len(const struct cause_live *l)
{
    return l->live;
}

/* ---- the index ---- */

static size_t home_of(const struct cause_live *l, const struct evt *e)
{
    uint64_t h = (uint64_t)(uintptr_t)e * 0x9e3779b97f4a7c15ULL;
    return (size_t)(h >> 32) & (l->n_index - 1);
}

static struct place *place_of(const struct cause_live *l, const struct evt *e)
{
    size_t i = home_of(l, e);
    while (l->index[i].count > 0 && l->index[i].e != e) {
        i = (i + 1) & (l->n_index - 1);
    }
    return &l->index[i];
}

/* Again, of the events there are and with the counts there were. */
static void index_make(struct cause_live *l)
{
    struct place *old = l->index;
    size_t n_old = l->n_index;
    size_t n = INDEX_MIN;
    while (n < 4 * (size_t)l->cap) {
        n *= 2;
    }
    struct cause_live was = *l;
    l->n_index = n;
    l->index = mem_calloc(n, sizeof *l->index);
    for (uint64_t p = l->from; p < l->to; p++) {
        struct evt *e = *at(l, p);
        if (e == NULL) {
            continue;
        }
        struct place *to = place_of(l, e);
        if (to->count > 0) { /* it stands twice: once is enough from here on */
            to->count++;
            *at(l, p) = NULL;
            l->live--;
            evt_drop(l->heap, e);
            continue;
        }
        uint32_t count = n_old > 0 ? place_of(&was, e)->count : 1;
        *to = (struct place){e, p, MAX(count, 1u)};
    }
    mem_free(old);
    trim(l);
}

/* Closes the gap, so that searches end at the first free place. */
static void index_drop(struct cause_live *l, struct place *p)
{
    size_t mask = l->n_index - 1, gap = (size_t)(p - l->index);
    for (size_t i = (gap + 1) & mask; l->index[i].count > 0; i = (i + 1) & mask) {
        size_t home = home_of(l, l->index[i].e);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            l->index[gap] = l->index[i];
            gap = i;
        }
    }
    l->index[gap] = (struct place){NULL, 0, 0};
}

/* ---- the smallest hashes ---- */

static uint64_t hash_of(const struct evt *e)
{
    if (cause_has_ref(e)) {
        return cause_hash(e->ref);
    }
    struct cause_list l;
    cause_list_init(&l, 1);
    cause_add_event(&l, e);
    return l.len > 0 ? cause_hash(l.r[0]) : UINT64_MAX;
}

static void low_add(struct low *w, const struct evt *e)
{
    uint64_t hash = hash_of(e);
    if (!w->all && hash >= w->bound) {
        return;
    }
    if (w->len == LOW_MAX) {
        uint64_t last = w->v[LOW_MAX - 1].hash;
        w->all = false;
        w->bound = MAX(last, hash);
        if (hash >= last) {
            return;
        }
        w->len--;
    }
    uint32_t i = w->len++;
    for (; i > 0 && w->v[i - 1].hash > hash; i--) {
        w->v[i] = w->v[i - 1];
    }
    w->v[i] = (struct low_item){hash, e, e->ref};
}

static void low_remove(struct low *w, const struct evt *e)
{
    for (uint32_t i = 0; i < w->len; i++) {
        if (w->v[i].e == e) {
            w->len--;
            memmove(&w->v[i], &w->v[i + 1], (w->len - i) * sizeof w->v[0]);
            return;
        }
    }
}

static void low_make(struct cause_live *l)
{
    l->low.len = 0;
    l->low.all = true;
    for (uint64_t p = l->from; p < l->to; p++) {
        if (*at(l, p) != NULL) {
            low_add(&l->low, *at(l, p));
        }
    }
    l->low_on = true;
}

/* Nobody has made a row for long: it is cheaper to look at all events when somebody does. */
static void count_idle(struct cause_live *l)
{
    if (l->low_on && ++l->idle > IDLE_MIN + 2 * l->live) {
        l->low_on = false;
    }
}

/* ---- enter, leave ---- */

static void grow(struct cause_live *l)
{
    uint32_t cap = l->cap;
    if (l->live + 1 > cap / 2) { /* else it is enough to close the gaps */
        cap = MAX((uint32_t)SLOTS_MIN, cap * 2);
    }
    struct evt **to = mem_calloc(cap, sizeof *to);
    uint64_t n = 0;
    for (uint64_t p = l->from; p < l->to; p++) {
        if (*at(l, p) != NULL) {
            to[n++] = *at(l, p);
        }
    }
    mem_free(l->slot);
    l->slot = to;
    l->cap = cap;
    l->from = 0;
    l->to = n;
    if (l->index != NULL) {
        index_make(l);
    }
}

void cause_live_enter(struct cause_live *l, struct evt *e)
{
    count_idle(l);
    if (l->index != NULL) {
        struct place *p = place_of(l, e);
        if (p->count > 0) {
            p->count++;
            return;
        }
    }
    if (l->to - l->from == l->cap) {
        grow(l);
    }
    *at(l, l->to) = evt_keep(e);
    if (l->index != NULL) { /* it has four places for each slot */
        *place_of(l, e) = (struct place){e, l->to, 1};
    }
    if (l->from == l->to) {
        l->first = e->ref;
        l->first_known = true;
    }
    l->last = e->ref;
    l->to++;
    l->live++;
    if (l->low_on) {
        low_add(&l->low, e);
    }
}

/* Where it is, or l->to. Counts down what is there several times, then gives l->to, too. */
static uint64_t find(struct cause_live *l, const struct evt *e)
{
    if (l->index == NULL) {
        uint64_t end = MIN(l->to, l->from + NEAR);
        for (uint64_t p = l->from; p < end; p++) {
            if (*at(l, p) == e) {
                return p;
            }
        }
        if (end == l->to) {
            return l->to;
        }
        index_make(l);
    }
    struct place *p = place_of(l, e);
    if (p->count == 0) {
        return l->to;
    }
    if (--p->count > 0) {
        return l->to;
    }
    uint64_t pos = p->pos;
    p->count = 1; /* for index_drop it is taken */
    index_drop(l, p);
    return pos;
}

void cause_live_leave(struct cause_live *l, struct evt *e)
{
    count_idle(l);
    uint64_t pos = find(l, e);
    if (pos == l->to) {
        return;
    }
    assert(*at(l, pos) == e && l->live > 0);
    *at(l, pos) = NULL;
    l->live--;
    if (LIKELY(pos == l->from && l->live > 0 && *at(l, pos + 1) != NULL)) {
        l->from++;
        l->first_known = false; /* the next is not looked at before somebody asks */
    } else {
        trim(l);
    }
    if (l->low_on) {
        low_remove(&l->low, e);
    }
    evt_drop(l->heap, e);
}

/* ---- the sample ---- */

/* An event, by its reference if it has one. */
static inline void list_add(struct cause_list *to, struct eref ref, const struct evt *e)
{
    if (LIKELY((ref.hi | ref.lo) != 0)) {
        cause_add(to, ref);
    } else {
        cause_add_event(to, e);
    }
}

static inline bool among(const struct cause_list *l, uint32_t n, struct eref r)
{
    for (uint32_t i = 0; i < n; i++) {
        if (l->r[i].lo == r.lo && l->r[i].hi == r.hi) {
            return true;
        }
    }
    return false;
}

/* Of events that are samples themselves. */
static void list_samples(struct cause_live *l, const struct cause_list *own, struct cause_list *to)
{
    struct cause_ever all = {0};
    for (uint64_t p = l->from; p < l->to; p++) {
        if (*at(l, p) != NULL) {
            cause_ever_add(&all, 0, *at(l, p));
        }
    }
    cause_ever_list(&all, own, to);
}

void cause_live_list(struct cause_live *l, const struct cause_list *own, struct cause_list *to)
{
    l->idle = 0;
    if (l->live > 0 && !cause_has_ref(*at(l, l->from)) &&
        cause_is_sample((*at(l, l->from))->type)) {
        list_samples(l, own, to);
        return;
    }
    uint32_t max = to->max, begin = to->len;
    to->max = MIN(max, begin + CAUSE_KEPT);
    if (l->live == 0) {
        cause_add_all(to, own);
        to->max = max;
        return;
    }
    list_add(to, first_of(l), *at(l, l->from));
    list_add(to, l->last, *at(l, l->to - 1));
    cause_add_all(to, own);
    if (l->live > 2 && (!l->low_on || (l->low.len < CAUSE_KEPT && !l->low.all))) {
        low_make(l);
    }
    uint32_t ends = to->len;
    for (uint32_t i = 0; l->live > 2 && i < l->low.len && to->len < to->max; i++) {
        const struct low_item *it = &l->low.v[i];
        if (UNLIKELY((it->ref.hi | it->ref.lo) == 0 || (i > 0 && it->hash == it[-1].hash))) {
            list_add(to, it->ref, it->e);
            ends = to->len;
        } else if (!among(to, ends, it->ref)) { /* they differ from each other */
            to->r[to->len++] = it->ref;
        }
    }
    to->max = max;
}

/* ---- save and load ---- */

void cause_live_save(struct save *s, const struct cause_live *l)
{
    save_bool(s, l->index != NULL);
    save_u(s, l->live);
    for (uint64_t p = l->from; p < l->to; p++) {
        if (*at(l, p) != NULL) {
            save_evt(s, *at(l, p));
            save_u(s, l->index != NULL ? place_of(l, *at(l, p))->count : 1);
        }
    }
}

struct cause_live *cause_live_load(struct load *s)
{
    bool many = load_bool(s);
    struct cause_live *l = cause_live_new(load_heap(s), many);
    size_t n = load_count(s, 2);
    for (size_t i = 0; i < n && load_ok(s); i++) {
        struct evt *e = load_evt(s);
        uint64_t count = load_u(s);
        if (e == NULL || count == 0 || count > UINT32_MAX || (!many && count != 1)) {
            load_fail(s, "a live event of a group that is none");
            break;
        }
        cause_live_enter(l, e);
        if (many) {
            place_of(l, e)->count = (uint32_t)count;
        }
    }
    return l;
}

/* ---- both: whether there is the one, it; whether there is the other, it ---- */

void cause_save(struct save *s, const struct cause_live *live, const struct cause_ever *ever)
{
    save_bool(s, live != NULL);
    if (live != NULL) {
        cause_live_save(s, live);
    }
    save_bool(s, ever != NULL);
    if (ever != NULL) {
        cause_ever_save(s, ever);
    }
}

void cause_load(struct load *l, struct cause_live **ret_live, struct cause_ever **ret_ever)
{
    *ret_live = load_bool(l) ? cause_live_load(l) : NULL;
    *ret_ever = load_bool(l) ? MEM_NEW(struct cause_ever) : NULL;
    if (*ret_ever != NULL) {
        cause_ever_load(l, *ret_ever);
    }
}
