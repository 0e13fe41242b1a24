/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is when one event, or one step of the clock, concerns several statements. Rules do
 * not depend on it, but what they show does where statements read what others change (a window, a
 * partition that ends). The order is that of Esper, which keeps instances of statements in a hash
 * table of Java: by bucket, and within a bucket as they came. Its hash of an instance is 31 times
 * the number of the statement plus the number of the partition (-1 without a context); the table
 * has 16 buckets to begin with and doubles when it is three quarters full.
 */
#include "operators/graph/eng_impl.h"

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
