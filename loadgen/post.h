/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a receiver of OTLP, over gRPC or HTTP: a bounded queue, some connections, and what a
 * good sender does when it is refused: come again after the delay it was told, else after one that
 * doubles, with jitter; give up only on what can never be taken. Loop thread.
 */
#ifndef LOADGEN_POST_H
#define LOADGEN_POST_H

#include "core/base/err.h"
#include "core/base/slice.h"
#include "loadgen/otlp_out.h"

struct loop;
struct post;

enum { POST_CONNECTIONS_MAX = 64 };

struct post_conf {
    const char *to; /* http://HOST:PORT or grpc://HOST:PORT */
    uint32_t connections;
    size_t queue_bytes;
    uint64_t seed; /* of the jitter */
};

struct post_stats {
    uint64_t requests, acknowledged, retried, refused; /* refused: given up */
    uint64_t items, items_acknowledged, items_rejected, bytes;
    uint64_t waiting;      /* requests in the queue or under way */
    double p50_ms, p99_ms; /* of acknowledged requests since the last call */
};

int post_new(struct loop *l, const struct post_conf *conf, struct post **ret_post,
             struct err *reterr) NODISCARD;
void post_free(struct post *s);
/* Room for one more request of any size? Ask before post_send. */
bool post_has_room(const struct post *s);
void post_send(struct post *s, enum signal signal, struct slice request, size_t items);
struct post_stats post_stats(struct post *s);
/* The last reason to come again or to give up; "" if there was none. */
const char *post_last_error(const struct post *s);

#endif
