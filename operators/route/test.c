/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions that several leaves ask, by a hash of what they ask. What is compared, and evaluated,
 * is always the condition of a leaf that is there: plans go away with their statements.
 */
#include "operators/route/route_impl.h"

#include "core/base/mem.h"

#include <assert.h>

enum { BUCKETS_MIN = 16 };

static struct route_test **home(const struct route_tests *t, uint64_t hash)
{
    return &t->buckets[hash & (t->n_buckets - 1)];
}

static void grow(struct route_tests *t)
{
    struct route_tests to = {.n_buckets = MAX((size_t)BUCKETS_MIN, 2 * t->n_buckets)};
    to.buckets = mem_calloc(to.n_buckets, sizeof(struct route_test *));
    for (size_t i = 0; i < t->n_buckets; i++) {
        for (struct route_test *q = t->buckets[i], *next; q != NULL; q = next) {
            next = q->next;
            q->next = *home(&to, q->hash);
            *home(&to, q->hash) = q;
        }
    }
    mem_free(t->buckets);
    to.count = t->count;
    *t = to;
}

static struct route_test *find(const struct route_tests *t, const struct route_filter *f)
{
    struct route_test *q = t->n_buckets == 0 ? NULL : *home(t, f->hash);
    while (q != NULL && (q->hash != f->hash || q->type != f->type ||
                         !route_asks_same(q->asking->filter->rest, f->rest))) {
        q = q->next;
    }
    return q;
}

void route_test_join(struct route_tests *t, struct route_leaf *l)
{
    assert(l->filter->shared && l->test == NULL);
    struct route_test *q = find(t, l->filter);
    if (q == NULL) {
        if (t->count >= t->n_buckets) {
            grow(t);
        }
        q = MEM_NEW(struct route_test);
        q->type = l->filter->type;
        q->hash = l->filter->hash;
        q->next = *home(t, q->hash);
        *home(t, q->hash) = q;
        t->count++;
    }
    l->test = q;
    l->asks_prev = NULL;
    l->asks_next = q->asking;
    if (q->asking != NULL) {
        q->asking->asks_prev = l;
    }
    q->asking = l;
}

void route_test_leave(struct route_tests *t, struct route_leaf *l)
{
    struct route_test *q = l->test;
    l->test = NULL;
    if (l->asks_next != NULL) {
        l->asks_next->asks_prev = l->asks_prev;
    }
    if (l->asks_prev != NULL) {
        l->asks_prev->asks_next = l->asks_next;
    } else {
        q->asking = l->asks_next;
    }
    if (q->asking != NULL) {
        return;
    }
    struct route_test **at = home(t, q->hash);
    while (*at != q) {
        at = &(*at)->next;
    }
    *at = q->next;
    t->count--;
    mem_free(q);
}

void route_tests_done(struct route_tests *t)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        for (struct route_test *q = t->buckets[i], *next; q != NULL; q = next) {
            next = q->next;
            mem_free(q);
        }
    }
    mem_free(t->buckets);
    *t = (struct route_tests){NULL, 0, 0};
}
