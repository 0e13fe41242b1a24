/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of causes, and the sample of a group that nothing leaves. See cause.h.
 */
#include "operators/sig/cause.h"

#include "core/base/hash.h"
#include "core/codec/endian.h"

#include <assert.h>

enum { DEPTH_MAX = 8 }; /* of events in columns of events */

static struct ref bytes_of(struct eref r)
{
    struct ref b = {{0}};
    endian_put_be64(b.bytes, r.hi);
    endian_put_be64(b.bytes + 8, r.lo);
    return b;
}

static struct eref number_of(const struct ref *b)
{
    return (struct eref){endian_be64(b->bytes), endian_be64(b->bytes + 8)};
}

/* As ref_hash of its bytes, which are the numbers in big-endian order: xxh64 of just two words. */
static inline uint64_t hash_of(struct eref r)
{
    const uint64_t p1 = 0x9e3779b185ebca87ULL, p2 = 0xc2b2ae3d27d4eb4fULL,
                   p3 = 0x165667b19e3779f9ULL, p4 = 0x85ebca77c2b2ae63ULL,
                   p5 = 0x27d4eb2f165667c5ULL;
    const uint64_t word[] = {__builtin_bswap64(r.hi), __builtin_bswap64(r.lo)};
    uint64_t h = p5 + sizeof word;
    for (size_t i = 0; i < ARRAY_LEN(word); i++) {
        uint64_t k = word[i] * p2;
        h ^= (k << 31 | k >> 33) * p1;
        h = (h << 27 | h >> 37) * p1 + p4;
    }
    h = (h ^ (h >> 33)) * p2;
    h = (h ^ (h >> 29)) * p3;
    return h ^ (h >> 32);
}

uint64_t cause_hash(struct eref r)
{
    return hash_of(r);
}

int cause_cmp(struct eref a, struct eref b)
{
    if (a.hi != b.hi) {
        return a.hi < b.hi ? -1 : 1;
    }
    return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/* ---- lists ---- */

void cause_add(struct cause_list *l, struct eref r)
{
    assert(l->max <= CAUSE_MAX);
    for (uint32_t i = 0; i < l->len; i++) {
        if (cause_cmp(l->r[i], r) == 0) {
            return;
        }
    }
    if (l->len < l->max) {
        l->r[l->len++] = r;
    }
}

void cause_add_all(struct cause_list *l, const struct cause_list *from)
{
    for (uint32_t i = 0; from != NULL && i < from->len; i++) {
        cause_add(l, from->r[i]);
    }
}

static void add_value(struct cause_list *l, struct dat v, int depth);

static void add_event(struct cause_list *l, const struct evt *e, int depth)
{
    if (cause_has_ref(e)) {
        cause_add(l, e->ref);
    } else if (e->causes != NULL) {
        for (uint32_t i = 0; i < e->causes->len; i++) {
            cause_add(l, e->causes->r[i]);
        }
    } else if (depth < DEPTH_MAX) {
        for (uint32_t i = 0; i < e->type->n_cols && l->len < l->max; i++) {
            add_value(l, e->p[i], depth + 1);
        }
    }
}

static void add_value(struct cause_list *l, struct dat v, int depth)
{
    if (v.kind == DAT_EVENT) {
        add_event(l, v.ev, depth);
    } else if (v.kind == DAT_LIST) {
        for (uint32_t i = 0; i < v.l->len && l->len < l->max; i++) {
            if (v.l->v[i].kind == DAT_EVENT) {
                add_event(l, v.l->v[i].ev, depth);
            }
        }
    }
}

void cause_add_event(struct cause_list *l, const struct evt *e)
{
    if (e != NULL) {
        add_event(l, e, 0);
    }
}

void cause_add_sample(struct cause_list *l, struct evt *const *v, size_t n)
{
    struct cause_ever all = {0};
    if (n <= CAUSE_KEPT) {
        for (size_t i = 0; i < n; i++) {
            cause_add_event(l, v[i]);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        cause_ever_add(&all, (int64_t)i, v[i]);
    }
    cause_ever_list(&all, NULL, l);
}

void cause_give(struct vheap *h, struct evt *row, const struct cause_list *l)
{
    assert(!cause_has_ref(row) && row->causes == NULL);
    if (l->len == 1) {
        row->ref = l->r[0];
    } else if (l->len > 1) {
        row->causes = causes_own(h, l->len);
        memcpy(row->causes->r, l->r, l->len * sizeof l->r[0]);
    }
}

struct causes *cause_list_of(struct vheap *h, const struct evt *row)
{
    struct cause_list l;
    if (cause_has_ref(row)) {
        struct causes *one = causes_new(h, 1);
        one->r[0] = row->ref;
        return one;
    }
    if (row->causes != NULL) {
        return row->causes;
    }
    cause_list_init(&l, CAUSE_MAX);
    cause_add_event(&l, row);
    struct causes *c = l.len > 0 ? causes_new(h, l.len) : NULL;
    if (c != NULL) {
        memcpy(c->r, l.r, l.len * sizeof l.r[0]);
    }
    return c;
}

/* ---- ever ---- */

static inline void ever_add(struct cause_ever *s, int64_t at, struct eref r)
{
    struct ref_set *set = &s->set;
    uint64_t hash = hash_of(r);
    bool later =
        at > set->last.at || (at == set->last.at && cause_cmp(r, number_of(&set->last.ref)) >= 0);
    if (LIKELY(later && set->len == REF_CAUSES && hash > set->hash[REF_CAUSES - 1])) {
        set->last = (struct ref_at){at, bytes_of(r)};
        return;
    }
    ref_set_add_hashed(set, at, bytes_of(r), hash);
}

bool cause_is_sample(const struct etype *t)
{
    return ety_col(t, SLICE(CAUSE_FROM)) >= 0 && ety_col(t, SLICE(CAUSE_TO)) >= 0;
}

/* Those that were left out had larger hashes than all there are but first and last: so the union is
 * the sample of all. */
static void ever_add_sample(struct cause_ever *s, const struct evt *e)
{
    struct dat from = e->p[ety_col(e->type, SLICE(CAUSE_FROM))];
    struct dat to = e->p[ety_col(e->type, SLICE(CAUSE_TO))];
    uint32_t n = e->causes != NULL ? MIN(e->causes->len, (uint32_t)REF_CAUSES) : 0;
    struct ref_set set;
    ref_set_init(&set);
    if (n == 0 || dat_is_null(from) || dat_is_null(to)) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        ref_set_add(&set, 0, bytes_of(e->causes->r[i]));
    }
    set.first = (struct ref_at){dat_to_long(from), bytes_of(e->causes->r[0])};
    set.last = (struct ref_at){dat_to_long(to), bytes_of(e->causes->r[n > 1 ? 1 : 0])};
    ref_set_union(&s->set, &set);
}

void cause_ever_add(struct cause_ever *s, int64_t at, const struct evt *e)
{
    assert(s != NULL);
    if (e != NULL && cause_has_ref(e)) {
        ever_add(s, at, e->ref);
        return;
    }
    if (e != NULL && cause_is_sample(e->type)) {
        ever_add_sample(s, e);
        return;
    }
    struct cause_list l;
    cause_list_init(&l, CAUSE_KEPT);
    cause_add_event(&l, e);
    for (uint32_t i = 0; i < l.len; i++) {
        ever_add(s, at, l.r[i]);
    }
}

void cause_ever_union(struct cause_ever *into, const struct cause_ever *other)
{
    ref_set_union(&into->set, &other->set);
}

void cause_ever_list(const struct cause_ever *s, const struct cause_list *own,
                     struct cause_list *to)
{
    struct ref all[REF_CAUSES];
    uint32_t n = ref_set_list(&s->set, all), ends = n > 1 ? 2 : n;
    uint32_t max = to->max;
    to->max = MIN(max, to->len + CAUSE_KEPT);
    for (uint32_t i = 0; i < ends; i++) {
        cause_add(to, number_of(&all[i]));
    }
    cause_add_all(to, own);
    for (uint32_t i = ends; i < n; i++) {
        cause_add(to, number_of(&all[i]));
    }
    to->max = max;
}

static void save_ref(struct save *s, const struct ref *r)
{
    save_bytes(s, slice_of(r->bytes, sizeof r->bytes));
}

static struct ref load_ref(struct load *l)
{
    struct ref r = {{0}};
    struct slice b = load_bytes(l);
    if (b.len != sizeof r.bytes) {
        load_fail(l, "a reference of %zu bytes", b.len);
        return r;
    }
    memcpy(r.bytes, b.ptr, sizeof r.bytes);
    return r;
}

void cause_ever_save(struct save *s, const struct cause_ever *c)
{
    const struct ref_set *set = &c->set;
    save_u(s, set->len);
    if (set->len == 0) {
        return;
    }
    save_i(s, set->first.at);
    save_ref(s, &set->first.ref);
    save_i(s, set->last.at);
    save_ref(s, &set->last.ref);
    for (uint32_t i = 0; i < set->len; i++) {
        save_ref(s, &set->low[i]);
    }
}

void cause_ever_load(struct load *s, struct cause_ever *c)
{
    struct ref_set *set = &c->set;
    *c = (struct cause_ever){0};
    size_t n = load_count(s, sizeof(struct ref));
    if (n > REF_CAUSES) {
        load_fail(s, "%zu causes are kept", n);
        return;
    }
    if (n == 0) {
        return;
    }
    set->first.at = load_i(s);
    set->first.ref = load_ref(s);
    set->last.at = load_i(s);
    set->last.ref = load_ref(s);
    for (size_t i = 0; i < n && load_ok(s); i++) {
        set->low[i] = load_ref(s);
        set->hash[i] = ref_hash(&set->low[i]);
        if (i > 0 && set->hash[i] < set->hash[i - 1]) {
            load_fail(s, "causes that are kept are out of order");
        }
    }
    set->len = (uint32_t)n;
}
