/* SPDX-License-Identifier: Apache-2.0
 *
 * See range.h. Recursion is as deep as the tree: twice the logarithm of the number of leaves, or
 * so.
 */
#include "operators/route/range.h"

#include <assert.h>
#include <math.h>

static uint64_t chance(const struct route_leaf *l)
{
    uint64_t h = (l->seq + 1) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ULL;
    return h ^ (h >> 32);
}

/* Numbers are equal only while a state is being loaded (route_renumber). */
static bool before(const struct route_leaf *a, const struct route_leaf *b)
{
    return a->low != b->low   ? a->low < b->low
           : a->seq != b->seq ? a->seq < b->seq
                              : (uintptr_t)a < (uintptr_t)b;
}

static void measure(struct route_leaf *l)
{
    l->top = l->high;
    for (int i = 0; i < 2; i++) {
        if (l->kid[i] != NULL && l->kid[i]->top > l->top) {
            l->top = l->kid[i]->top;
        }
    }
}

/* The kid takes the place of its parent. */
static struct route_leaf *rotate(struct route_leaf *l, int side)
{
    struct route_leaf *kid = l->kid[side];
    l->kid[side] = kid->kid[1 - side];
    kid->kid[1 - side] = l;
    measure(l);
    measure(kid);
    return kid;
}

static struct route_leaf *add(struct route_leaf *at, struct route_leaf *l)
{
    if (at == NULL) {
        return l;
    }
    int side = before(l, at) ? 0 : 1;
    at->kid[side] = add(at->kid[side], l);
    if (chance(at->kid[side]) > chance(at)) {
        return rotate(at, side);
    }
    measure(at);
    return at;
}

void range_add(struct route_leaf **root, struct route_leaf *l)
{
    assert(!isnan(l->low) && !isnan(l->high));
    l->kid[0] = l->kid[1] = NULL;
    l->top = l->high;
    *root = add(*root, l);
}

/* Down by rotations until it has no kids. */
static struct route_leaf *sink(struct route_leaf *l)
{
    struct route_leaf **k = l->kid;
    if (k[0] == NULL && k[1] == NULL) {
        return NULL;
    }
    int side = k[0] == NULL || (k[1] != NULL && chance(k[1]) > chance(k[0])) ? 1 : 0;
    struct route_leaf *top = rotate(l, side);
    top->kid[1 - side] = sink(l);
    measure(top);
    return top;
}

static struct route_leaf *drop(struct route_leaf *at, struct route_leaf *l)
{
    assert(at != NULL);
    if (at == l) {
        return sink(l);
    }
    int side = before(l, at) ? 0 : 1;
    at->kid[side] = drop(at->kid[side], l);
    measure(at);
    return at;
}

void range_remove(struct route_leaf **root, struct route_leaf *l)
{
    *root = drop(*root, l);
}

void range_find(struct route_leaf *l, double v, void (*fn)(void *arg, struct route_leaf *l),
                void *arg)
{
    bool any = isnan(v);
    if (l == NULL || (!any && l->top < v)) {
        return;
    }
    range_find(l->kid[0], v, fn, arg);
    if (!any && l->low > v) {
        return;
    }
    if (any || l->high >= v) {
        fn(arg, l);
    }
    range_find(l->kid[1], v, fn, arg);
}
