/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the index only.
 */
#ifndef OPERATORS_ROUTE_ROUTE_IMPL_H
#define OPERATORS_ROUTE_ROUTE_IMPL_H

#include "operators/route/route.h"

/* test.c: a condition that several leaves ask, evaluated once per event. */
struct route_test {
    const struct etype *type;
    uint64_t hash;
    uint64_t event; /* the one it was last asked about */
    bool answer;
    struct route_leaf *asking; /* at least one */
    struct route_test *next;
};

struct route_tests {
    struct route_test **buckets;
    size_t n_buckets, count;
};

/* route.c: a leaf whose keys and bounds are known. */
struct route_leaf *route_add_known(struct route *r, const struct route_filter *f,
                                   const struct dat *key, double low, double high, void *arg);
struct vheap *route_heap(struct route *r);

void route_test_join(struct route_tests *t, struct route_leaf *l);
void route_test_leave(struct route_tests *t, struct route_leaf *l);
void route_tests_done(struct route_tests *t);

#endif
