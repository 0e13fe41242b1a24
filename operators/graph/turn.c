/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is when one event, or one step of the clock, concerns several statements. Rules do
 * not depend on it, but what they show does where statements read what others change (a window, a
 * partition that ends). The order is that of Esper, which keeps instances of statements in a hash
 * table of Java: by bucket, and within a bucket as they came. Its hash of an instance is 31 times
 * the number of the statement plus the number of the partition (-1 without a context); the table
 * has 16 buckets to begin with and doubles when it is three quarters full.
 */
#include "operators/graph/sel.h"
#include "operators/graph/subq.h"

#include <assert.h>
#include <stdlib.h>

static int by_bucket(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->bucket != y->bucket) {
        return x->bucket < y->bucket ? -1 : 1;
    }
    return x->came < y->came ? -1 : 1;
}

void turns_begin(struct turns *t)
{
    VEC_CLEAR(&t->v);
}

void turns_add(struct turns *t, struct inst *in)
{
    if (in->turn == 0) {
        struct turn *n = VEC_PUSH(&t->v);
        n->in = in;
        n->came = (uint32_t)t->v.len;
        in->turn = n->came;
    }
}

size_t turns_order(struct turns *t)
{
    t->buckets = MAX(t->buckets, 16u);
    while (t->v.len > t->buckets / 4 * 3) {
        t->buckets *= 2;
    }
    VEC_EACH (&t->v, n) {
        uint32_t h = 31u * n->in->st->id + (uint32_t)n->in->partition;
        n->bucket = (h ^ (h >> 16)) & (t->buckets - 1);
    }
    if (t->v.len > 1) {
        qsort(t->v.ptr, t->v.len, sizeof t->v.ptr[0], by_bucket);
    }
    for (size_t i = 0; i < t->v.len; i++) {
        t->v.ptr[i].in->turn = (uint32_t)i + 1;
    }
    return t->v.len;
}

void turns_end(struct turns *t)
{
    VEC_EACH (&t->v, n) {
        n->in->turn = 0;
    }
}

static int by_turn(const void *a, const void *b)
{
    const struct route_hit *x = a, *y = b;
    uint32_t s = x->leaf->inst->turn, t = y->leaf->inst->turn;
    if (s != t) {
        return s < t ? -1 : 1;
    }
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return x->leaf->seq < y->leaf->seq ? -1 : 1;
}

void turns_of_event(struct turns *t, struct route_hits *hits)
{
    size_t first = hits->v.len;
    bool several = false;
    while (first > 0 && hits->v.ptr[first - 1].rank >> 48 == 2) {
        first--;
        several |= hits->v.ptr[first].leaf->inst != hits->v.ptr[hits->v.len - 1].leaf->inst;
    }
    size_t n = hits->v.len - first;
    if (!several) { /* they are in order of rank and number already */
        return;
    }
    turns_begin(t);
    for (size_t i = first; i < hits->v.len; i++) {
        turns_add(t, hits->v.ptr[i].leaf->inst);
    }
    if (turns_order(t) > 1) {
        qsort(hits->v.ptr + first, n, sizeof hits->v.ptr[0], by_turn);
    }
    turns_end(t);
}

/* ---- classes of statements ---- */

static bool overlap(const struct etype *a, const struct etype *b)
{
    return ety_is(a, b) || ety_is(b, a);
}

/* Several streams or subqueries take events of one type. */
static bool self_join(const struct stmt *st, const struct sel_stream *s, uint32_t n)
{
    uint32_t filters = 0;
    for (uint32_t i = 0; i < n; i++) {
        filters += s[i].kind == SRC_FILTER;
        for (uint32_t k = 0; s[i].kind == SRC_FILTER && k < i; k++) {
            if (s[k].kind == SRC_FILTER && overlap(s[i].in, s[k].in)) {
                return true;
            }
        }
    }
    for (size_t q = 0; filters > 0 && q < st->subqs.len; q++) {
        const struct etype *t = subq_event_type(st->subqs.ptr[q]);
        for (uint32_t i = 0; t != NULL && i < n; i++) {
            if (s[i].kind == SRC_FILTER && overlap(s[i].in, t)) {
                return true;
            }
        }
        for (size_t k = 0; t != NULL && k < q; k++) {
            const struct etype *u = subq_event_type(st->subqs.ptr[k]);
            if (u != NULL && overlap(t, u)) {
                return true;
            }
        }
    }
    return false;
}

/* The order of one event: statements with a filter, those without, then those that may take it
 * several times (patterns, self joins) and those that sort their rows. */
uint64_t stmt_class(const struct stmt *st, const struct sel_stream *s, uint32_t n, bool sorted)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].kind == SRC_PATTERN) {
            return 2;
        }
    }
    if (sorted || ((n > 1 || st->subqs.len > 0) && self_join(st, s, n))) {
        return 2;
    }
    return n > 0 && s[0].kind == SRC_FILTER && s[0].filter.cond != NULL ? 0 : 1;
}
