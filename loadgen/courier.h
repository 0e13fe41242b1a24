/* SPDX-License-Identifier: Apache-2.0
 *
 * Carries requests until they are acknowledged: at least once, in any order. What the receiver does
 * not take now comes again after the delay it asked for, or else after one that doubles from try to
 * try, with jitter; what it will never take is counted as refused. At most `connections` requests
 * are under way; the rest waits, oldest first, those that come again before new ones. The loop's
 * thread.
 */
#ifndef LOADGEN_COURIER_H
#define LOADGEN_COURIER_H

#include "loadgen/report.h"
#include "loadgen/rng.h"
#include "loadgen/sender.h"

#include <stdio.h>

struct courier;
struct loop;

struct courier_conf {
    int connections;
    size_t waiting_bytes_max;   /* courier_is_full beyond */
    struct rng rng;             /* jitter */
    FILE *ledger;               /* a line for each request that ended; NULL: none */
    void (*on_room)(void *arg); /* a request has ended */
    void *arg;
};

struct courier *courier_new(struct loop *l, struct sender *sender, const struct courier_conf *conf,
                            struct report *report);
/* What has not ended is counted as unacknowledged, and told to the ledger. */
void courier_free(struct courier *c);
/* Copies the body. `number` is the request's, for the ledger. */
void courier_submit(struct courier *c, uint64_t number, enum signal signal, struct slice body,
                    size_t items);
bool courier_is_full(const struct courier *c);
size_t courier_waiting(const struct courier *c); /* requests that have not ended */
/* What the receiver said last when it did not take something; "" if it never did. */
const char *courier_complaint(const struct courier *c);

/* The delay before try number `tries` + 1: what was asked for, else doubling; with jitter. */
int64_t courier_delay_ns(int tries, int64_t asked_ns, struct rng *rng);

#endif
