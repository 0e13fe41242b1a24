/* SPDX-License-Identifier: Apache-2.0
 *
 * What both OTLP receivers do with a body once they have it, whole and unpacked: map it, publish
 * its events, and say how it ended, when the bus has decided. Loop thread.
 *
 *     t = otlp_take(taker, OTLP_TRACES, OTLP_PROTOBUF, body, on_end, call);
 *
 * on_end is called exactly once, at once if nothing has to be waited for (then NULL is returned),
 * unless otlp_take_drop comes first. The body is not needed any more when otlp_take returns.
 */
#ifndef INGEST_OTLP_TAKE_H
#define INGEST_OTLP_TAKE_H

#include "ingest/budget.h"
#include "ingest/otlp.h"
#include "ingest/publish.h"
#include "ingest/reply.h"

struct otlp_taker;
struct otlp_take;
struct stats;

struct otlp_end {
    enum reply reply;
    const struct otlp_result *result; /* OK and PARTIAL */
    struct slice message;             /* for people; the others */
    int64_t retry_ns;                 /* of replies that say `again`; else 0 */
};
typedef void otlp_end_fn(void *arg, const struct otlp_end *end);

enum otlp_protocol { OTLP_GRPC = 0, OTLP_HTTP = 1, OTLP_PROTOCOLS = 2 };

struct otlp_taker_conf {
    struct publish *publish;
    struct stats *stats;
    const struct clock *clock;
    const char *tenant;
    size_t arena_bytes; /* for one request: contexts, and what JSON becomes */
};

struct otlp_taker *otlp_taker_new(const struct otlp_taker_conf *conf);
void otlp_taker_free(struct otlp_taker *t);
struct publish *otlp_taker_publish(const struct otlp_taker *t);
void otlp_taker_drain(struct otlp_taker *t); /* refuses what comes from now on */

struct otlp_take *otlp_take(struct otlp_taker *t, enum otlp_protocol protocol,
                            enum otlp_signal signal, enum otlp_form form, struct slice body,
                            otlp_end_fn *fn, void *arg);
void otlp_take_drop(struct otlp_take *t); /* NULL is fine */

/* Ends that come before there is a body: counted here, with what the sender should be told. */
struct otlp_end otlp_refuse(struct otlp_taker *t, enum otlp_protocol protocol, enum reply reply,
                            const char *message);
/* Only counts: it has been answered already. */
void otlp_refused(struct otlp_taker *t, enum otlp_protocol protocol, enum reply reply);
/* A body that could not be unpacked or read goes to `dlq`. */
void otlp_bury(struct otlp_taker *t, enum otlp_protocol protocol, const char *content_type,
               const char *detail, struct slice body);

#endif
