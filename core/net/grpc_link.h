/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the client: a link is one connection with its calls. Included by grpc_client.c and
 * grpc_link.c only.
 *
 *     grpc_client.c  calls, results, time
 *     grpc_link.c    one connection: connecting, bytes to and from nghttp2, its callbacks
 *
 * A call ends in three steps, because its user must not be called under nghttp2: the link puts it
 * on the client's list of finished ones, the client delivers them when the link's round is over,
 * and frees them. A call that was cancelled, or timed out, stays with its link until the stream has
 * closed (`over`).
 */
#ifndef CORE_NET_GRPC_LINK_H
#define CORE_NET_GRPC_LINK_H

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "core/net/grpc_client.h"
#include "core/net/h2_io.h"
#include "core/net/loop.h"

struct grpc_link;

struct grpc_client_call {
    struct grpc_client *client;
    struct grpc_link *link; /* NULL: finished */
    struct grpc_client_call *prev, *next;
    int32_t stream;
    bool over, has_status;
    struct slice message;
    uint8_t prefix[GRPC_PREFIX_BYTES];
    size_t sent; /* of prefix and message together */
    void (*done)(void *arg, const struct grpc_result *r);
    void *arg;
    int64_t born_ns, deadline_ns;
    enum grpc_status status;
    unsigned http;
    bool local;
    struct buf text, reply, details;
};

struct grpc_link {
    struct grpc_client *client;
    struct grpc_link *next;
    struct h2_io io;
    struct grpc_client_call *calls;
    int64_t born_ns;
    bool connected, leaving, dead, pumping;
};

struct grpc_client {
    struct loop *loop;
    struct grpc_client_conf conf;
    struct addr addr;
    char where[ADDR_TEXT_BYTES], authority[256];
    struct tls_ctx *tls;
    struct grpc_link *link; /* for new calls; NULL: to be made */
    struct grpc_link *links;
    struct grpc_client_call *finished, **finished_last;
    size_t active;
    struct loop_timer *tick, *soon;
    nghttp2_session_callbacks *callbacks;
    bool delivering, freed;
};

struct grpc_link *grpc_link_new(struct grpc_client *c);
void grpc_link_pump(struct grpc_link *l);
/* Its calls end UNAVAILABLE, with that text. Freed by grpc_link_reap. */
void grpc_link_kill(struct grpc_link *l, const char *why);
void grpc_link_reap(struct grpc_client *c); /* frees the dead */
void grpc_link_submit(struct grpc_link *l, struct grpc_client_call *call,
                      const struct grpc_ask *ask);
void grpc_link_reset(struct grpc_link *l, struct grpc_client_call *call);

/* grpc_client.c */
void grpc_client_finish(struct grpc_client_call *call);
void grpc_client_call_free(struct grpc_client_call *call);
void grpc_client_soon(struct grpc_client *c);    /* pump and deliver in the next round */
void grpc_client_deliver(struct grpc_client *c); /* may free c */

#endif
