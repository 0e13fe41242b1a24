/* SPDX-License-Identifier: Apache-2.0
 *
 * A unary call, as a handler sees it. The handler is called once the message is there, whole,
 * bounded, and unpacked unless the route wants it raw. It answers at once, or takes the call and
 * answers when it likes, from the loop's thread:
 *
 *     grpc_reply(c, SLICE_NONE);                                  at once: status 0
 *     grpc_fail(c, GRPC_INVALID_ARGUMENT, "spans: %s", err.msg);
 *     grpc_fail_retry(c, GRPC_UNAVAILABLE, delay_ns, "the bus is full");
 *     grpc_call_take(c, &ops, arg);                               and later one of the above
 *
 * A call that is neither answered nor taken when the handler returns is answered INTERNAL. `c` is
 * valid until it has been answered or ops.gone was called (the client reset the stream, the
 * connection ended, the time is over); with grpc_call_ref it is valid until grpc_call_unref, and
 * calls on one that is over do nothing. The message lives until the call is freed or
 * grpc_call_drop, whichever comes first, even when the client has gone: so memory that a handler
 * still works on stays charged. Answers leave together at the end of the loop's round. All of this
 * on the loop's thread; another thread posts to the loop.
 */
#ifndef CORE_NET_GRPC_CALL_H
#define CORE_NET_GRPC_CALL_H

#include "core/codec/inflate.h"
#include "core/net/grpc.h"

struct addr;
struct grpc_call;
struct grpc_route;
struct loop;

/* Any may be NULL. */
struct grpc_call_ops {
    void (*gone)(struct grpc_call *c, void *arg); /* no answer can be given any more */
    void (*freed)(void *arg);                     /* always, once, the last call */
};

struct slice grpc_call_path(const struct grpc_call *c);
/* Metadata by its name in lower case; the absent slice without it. Valid as long as c. "-bin"
 * values are as sent (base64). */
struct slice grpc_call_field(const struct grpc_call *c, struct slice name);
struct slice grpc_call_message(const struct grpc_call *c);
enum inflate_coding grpc_call_coding(const struct grpc_call *c); /* of a raw message */
const struct addr *grpc_call_peer(const struct grpc_call *c);
bool grpc_call_is_open(const struct grpc_call *c); /* an answer would still reach somebody */

void grpc_call_take(struct grpc_call *c, const struct grpc_call_ops *ops, void *arg);
struct grpc_call *grpc_call_ref(struct grpc_call *c);
struct grpc_call *grpc_call_unref(struct grpc_call *c); /* NULL */
/* The message is not needed any more: frees it and gives its bytes back to the budget. */
void grpc_call_drop(struct grpc_call *c);

/* Status 0 and one message (empty is fine); copied. */
void grpc_reply(struct grpc_call *c, struct slice message);
void grpc_fail(struct grpc_call *c, enum grpc_status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* With RetryInfo: the client should come again after so long. */
void grpc_fail_retry(struct grpc_call *c, enum grpc_status status, int64_t retry_ns,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);
/* With everything that google.rpc.Status can say here. */
void grpc_fail_details(struct grpc_call *c, const struct grpc_details *d);
/* With a reason's own status and text; counted by reason. */
void grpc_fail_reason(struct grpc_call *c, enum grpc_reason why);

#endif
