/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP proxy before one broker that knows where a request begins and what it asks, so that a test
 * can lose a request, lose its answer, or deliver it late. Rules are queued per kind of request;
 * each is used once, by the next request of its kind. Threads: its own, one per connection; the
 * functions here may be called from any. To add another mishap: a value of the enum and a case in
 * proxy.c.
 */
#ifndef TESTS_KAFKA_PROXY_H
#define TESTS_KAFKA_PROXY_H

#include <stdbool.h>
#include <stdint.h>

enum proxy_api {
    PROXY_PRODUCE = 0,
    PROXY_INIT_PRODUCER_ID = 22,
    PROXY_ADD_PARTITIONS = 24,
    PROXY_END_TXN = 26,
    PROXY_APIS = 128,
};

enum proxy_act {
    PROXY_LOSE_REQUEST = 1, /* it does not arrive, the connection breaks */
    PROXY_LOSE_ANSWER = 2,  /* it arrives and is answered, then the connection breaks */
    PROXY_HOLD = 3,         /* it arrives after ms, whatever its sender has done since */
};

struct proxy;

/* "host:port" each; hosts are 127.0.0.1. */
struct proxy *proxy_new(const char *listen, const char *to);
void proxy_free(struct proxy *p);
/* After a loss no connection is let through for ms. */
void proxy_rule(struct proxy *p, enum proxy_api api, enum proxy_act act, int64_t ms);
/* No rules, no outage; and counts from 0. */
void proxy_reset(struct proxy *p);
/* How many requests of this kind clients have sent, lost ones included. */
uint32_t proxy_sent(struct proxy *p, enum proxy_api api);
/* Held requests that have been answered since, and the error code of the last such answer. */
uint32_t proxy_late(struct proxy *p, int *ret_code);

#endif
