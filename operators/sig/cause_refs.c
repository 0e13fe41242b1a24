/* SPDX-License-Identifier: Apache-2.0
 *
 * See cause_refs.h. Places are found and moved 16 bytes at a time, without a branch that would
 * depend on hashes: those could not be foreseen.
 */
#include "operators/sig/cause_refs.h"

#include "core/base/mem.h"

#include <assert.h>

enum { LANES = 8, BYTES = 16, PIECE_MAX = 0x7fff, HALF = 32 };

struct words { /* a vector */
    int16_t v __attribute__((vector_size(16)));
};
struct bytes {
    int8_t v __attribute__((vector_size(16)));
};

_Static_assert(CAUSE_FEW % LANES == 0 && CAUSE_FEW <= 2 * BYTES, "vectors are whole");
_Static_assert(CAUSE_FEW_PAD == 2 * BYTES + 2, "both ends have one byte more");

/* ---- references in 8 bytes ---- */

static inline bool fits(const struct cause_few *c, struct eref r)
{
    return (((r.hi ^ c->base.hi) | (r.lo - c->base.lo)) >> HALF) == 0;
}

static inline uint64_t packed(const struct cause_few *c, struct eref r)
{
    return r.hi << HALF | (r.lo - c->base.lo);
}

static inline struct eref at(const struct cause_few *c, uint32_t i)
{
    uint64_t v = c->v[i];
    return (struct eref){c->base.hi | v >> HALF, c->base.lo + (uint32_t)v};
}

struct pair { /* a reference as a vector: hi, lo */
    uint64_t v __attribute__((vector_size(16)));
};
struct quad {
    uint32_t v __attribute__((vector_size(16)));
};

static inline struct pair base_of(const struct cause_few *c)
{
    return (struct pair){{c->base.hi, c->base.lo}};
}

/* at(c, i) in four instructions: the halves of v are spread, the base is added. */
static inline void put_at(struct eref *to, const struct cause_few *c, struct pair base, uint32_t i)
{
    struct pair v = {{c->v[i], 0}};
    struct quad halves;
    memcpy(&halves, &v, sizeof halves);
    halves.v = __builtin_shufflevector(halves.v, halves.v, 1, 2, 0, 3);
    memcpy(&v, &halves, sizeof v);
    v.v += base.v;
    memcpy(to, &v, sizeof *to);
}

/* The base is chosen for r: those that are there fit it, too, or false and nothing has changed. */
static bool rebase(struct cause_few *c, struct eref r)
{
    struct cause_few to = {.len = c->len};
    to.base = (struct eref){r.hi >> HALF << HALF, r.lo - (1ULL << (HALF - 1))};
    for (uint32_t i = 0; i < c->len; i++) {
        if (!fits(&to, at(c, i))) {
            return false;
        }
        to.v[i] = packed(&to, at(c, i));
    }
    c->base = to.base;
    memcpy(c->v, to.v, sizeof c->v);
    return true;
}

/* ---- places by hash ---- */

static inline int16_t piece_of(uint64_t hash)
{
    return (int16_t)(PIECE_MAX - (int16_t)(hash >> 49));
}

/* How many have a smaller hash by its piece: a greater piece; whether some have the same. */
static inline uint32_t rank_of(const struct cause_few *c, int16_t piece, bool *ret_alike)
{
    struct words more = {{0}}, like = {{0}}, w;
    for (uint32_t i = 0; i < CAUSE_FEW; i += LANES) {
        memcpy(&w, c->piece + i, sizeof w);
        more.v -= w.v > piece;
        like.v |= w.v == piece;
    }
    uint64_t n[2], e[2];
    memcpy(n, &more, sizeof n);
    memcpy(e, &like, sizeof e);
    *ret_alike = (e[0] | e[1]) != 0;
    return (uint32_t)((n[0] + n[1]) * 0x0001000100010001ULL >> 48);
}

/* Likewise, by the whole hash. */
static uint32_t rank_slowly(const struct cause_few *c, uint64_t hash)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->len; i++) {
        n += cause_hash(at(c, i)) < hash ? 1 : 0;
    }
    return n;
}

static inline struct bytes places(uint32_t from)
{
    const struct bytes first = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    return (struct bytes){first.v + (int8_t)from};
}

/* order[1 + rank] = place, those from there on one further. */
static inline void order_add(struct cause_few *c, uint32_t rank, uint32_t place)
{
    struct bytes now[2], up[2];
    memcpy(now, c->order + 1, sizeof now);
    memcpy(up, c->order, sizeof up);
    for (uint32_t k = 0; k < 2; k++) {
        struct bytes p = places(k * BYTES);
        struct bytes below = {p.v < (int8_t)rank}, here = {p.v == (int8_t)rank};
        now[k].v =
            (now[k].v & below.v) | (here.v & (int8_t)place) | (up[k].v & ~(below.v | here.v));
    }
    memcpy(c->order + 1, now, sizeof now);
}

/* Without order[1 + rank], which is `place`: later ones are one less. */
static inline void order_remove(struct cause_few *c, uint32_t rank, uint32_t place)
{
    struct bytes now[2], down[2];
    memcpy(now, c->order + 1, sizeof now);
    memcpy(down, c->order + 2, sizeof down);
    for (uint32_t k = 0; k < 2; k++) {
        struct bytes below = {places(k * BYTES).v < (int8_t)rank};
        struct bytes left = {(now[k].v & below.v) | (down[k].v & ~below.v)};
        now[k].v = left.v + (left.v > (int8_t)place);
    }
    memcpy(c->order + 1, now, sizeof now);
}

static bool any_alike(const struct cause_few *c)
{
    bool alike = false;
    for (uint32_t i = 1; i < c->len; i++) {
        alike |= c->piece[c->order[i]] == c->piece[c->order[i + 1]];
    }
    return alike;
}

/* ---- enter, leave ---- */

static COLD void make_many(struct cause_refs *c)
{
    const struct cause_few was = c->few;
    c->many = (struct cause_many){.v = NULL};
    c->is_many = true;
    for (uint32_t i = 0; i < was.len; i++) {
        cause_many_enter(&c->many, at(&was, i));
    }
}

static inline void add(struct cause_few *c, struct eref r)
{
    bool alike = false;
    uint64_t hash = cause_hash(r);
    int16_t piece = piece_of(hash);
    uint32_t rank = rank_of(c, piece, &alike);
    if (UNLIKELY(alike)) {
        rank = rank_slowly(c, hash);
        c->alike = true;
    }
    assert(rank <= c->len);
    order_add(c, rank, c->len);
    c->piece[c->len] = piece;
    c->v[c->len++] = packed(c, r);
}

void cause_refs_enter(struct cause_refs *c, struct eref r)
{
    assert((r.hi | r.lo) != 0);
    struct cause_few *few = &c->few;
    if (!c->is_many && UNLIKELY(few->len == CAUSE_FEW || !(fits(few, r) || rebase(few, r)))) {
        make_many(c);
    }
    if (c->is_many) {
        cause_many_enter(&c->many, r);
    } else {
        add(few, r);
    }
}

/* Where it stands by hash; it is v[i]. */
static inline uint32_t place_of(const struct cause_few *c, uint32_t i)
{
    bool alike;
    uint32_t rank = rank_of(c, c->piece[i], &alike);
    while (UNLIKELY(c->order[1 + rank] != i)) { /* of those that are alike */
        rank++;
    }
    assert(rank < c->len);
    return rank;
}

static inline void remove_at(struct cause_few *c, uint32_t i)
{
    uint32_t behind = c->len - 1u - i;
    order_remove(c, place_of(c, i), i);
    memmove(c->v + i, c->v + i + 1, behind * sizeof c->v[0]);
    memmove(c->piece + i, c->piece + i + 1, (behind + 1) * sizeof c->piece[0]);
    c->len--;
    c->piece[c->len] = 0;
    if (UNLIKELY(c->alike)) {
        c->alike = any_alike(c);
    }
}

void cause_refs_leave(struct cause_refs *c, struct eref r)
{
    struct cause_few *few = &c->few;
    if (c->is_many) {
        cause_many_leave(&c->many, r);
        return;
    }
    if (!fits(few, r)) {
        return;
    }
    uint64_t v = packed(few, r);
    uint32_t i = 0;
    while (i < few->len && UNLIKELY(few->v[i] != v)) {
        i++;
    }
    if (LIKELY(i < few->len)) {
        remove_at(few, i);
    }
}

uint32_t cause_refs_len(const struct cause_refs *c)
{
    return c->is_many ? c->many.live : c->few.len;
}

void cause_refs_done(struct cause_refs *c)
{
    if (c->is_many) {
        cause_many_done(&c->many);
    }
    *c = (struct cause_refs){.is_many = false};
}

/* ---- the sample ---- */

void cause_refs_list(struct cause_refs *c, const struct cause_list *own, struct cause_list *to)
{
    const struct cause_few *few = &c->few;
    if (c->is_many) {
        cause_many_list(&c->many, own, to);
        return;
    }
    uint32_t max = to->max;
    to->max = MIN(max, to->len + CAUSE_KEPT);
    if (few->len > 0) {
        cause_add(to, at(few, 0));
        cause_add(to, at(few, few->len - 1u));
    }
    cause_add_all(to, own);
    for (uint32_t i = 1; i <= few->len; i++) {
        cause_add(to, at(few, few->order[i]));
    }
    to->max = max;
}

void cause_refs_give(struct cause_refs *c, struct vheap *h, struct evt *row)
{
    assert((row->ref.hi | row->ref.lo) == 0 && row->causes == NULL);
    const struct cause_few *few = &c->few;
    if (c->is_many) {
        cause_many_give(&c->many, h, row);
        return;
    }
    if (UNLIKELY(few->alike)) {
        struct cause_list l;
        cause_list_init(&l, CAUSE_KEPT);
        cause_refs_list(c, NULL, &l);
        cause_give(h, row, &l);
        return;
    }
    if (few->len < 2) {
        row->ref = few->len > 0 ? at(few, 0) : (struct eref){0, 0};
        return;
    }
    struct causes *to = causes_own(h, CAUSE_KEPT);
    const struct pair base = base_of(few);
    uint32_t n = 2, last = few->len - 1u;
    put_at(&to->r[0], few, base, 0);
    put_at(&to->r[1], few, base, last);
    for (const uint8_t *o = few->order + 1, *end = o + last; o <= end && n < CAUSE_KEPT; o++) {
        uint32_t place = *o;
        put_at(&to->r[n], few, base, place); /* it stays there unless it is one of the ends: */
        n += place - 1 < last - 1;           /* place 0 or `last`, which is the greatest */
    }
    to->len = n;
    row->causes = to;
}

/* ---- save and load: how many, the oldest first ---- */

static void save_ref(struct save *s, struct eref r)
{
    save_u(s, r.hi);
    save_u(s, r.lo);
}

void cause_refs_save(struct save *s, const struct cause_refs *c)
{
    struct eref r;
    save_u(s, cause_refs_len(c));
    for (uint32_t i = 0; !c->is_many && i < c->few.len; i++) {
        save_ref(s, at(&c->few, i));
    }
    for (uint32_t i = 0; c->is_many && i < c->many.len; i++) {
        if (cause_many_at(&c->many, i, &r)) {
            save_ref(s, r);
        }
    }
}

void cause_refs_load(struct load *l, struct cause_refs *c)
{
    assert(cause_refs_len(c) == 0);
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        uint64_t hi = load_u(l), lo = load_u(l);
        struct eref r = {hi, lo};
        if ((hi | lo) == 0) {
            load_fail(l, "a live event of a group that has no reference");
            return;
        }
        cause_refs_enter(c, r);
    }
}
