/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP requests to events: the pure middle between a receiver, which has the whole body unpacked,
 * and whoever publishes. No I/O, no clock, no logging.
 *
 *     struct otlp_request q = {.signal = OTLP_TRACES, .form = OTLP_JSON, .body = body,
 *                              .tenant = SLICE("default"), .ingest_ts = now, .arena = a};
 *     rc = otlp_map(m, &q, &sink, &result, &err);
 *     rc == 0:  every item was handed to the sink or rejected and counted: 200, with partial
 * success if otlp_partial(&result) -ERR_AGAIN and others that the sink returned: nothing was
 * decided, the sender repeats it otherwise (CORRUPT, TRUNCATED, SYNTAX, TYPE, RANGE: undecodable;
 * LIMIT, TOO_BIG: too large) the sink has not been called at all
 *
 * The whole body is checked before the first event goes out, which is why an undecodable request
 * leaves no traces. JSON is first written as protobuf (otlp_json.h), so there is one decoder and
 * one mapper, and the same request gives the same events in either form. The arena gets the
 * contexts, whole: keep it until the batches that the sink filled are ended; the body may go
 * before. All else that a struct rec points to is valid during the call of the sink only. One
 * struct otlp_map per thread; in steady state nothing is allocated.
 */
#ifndef INGEST_OTLP_H
#define INGEST_OTLP_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/bus/bus_topics.h"
#include "core/event/rec.h"

enum otlp_signal { OTLP_TRACES = 0, OTLP_METRICS = 1, OTLP_LOGS = 2 };
enum otlp_form { OTLP_PROTOBUF = 0, OTLP_JSON = 1 };

/* Why an item (span, data point, log record) was not taken; otlp_reason.def. */
enum otlp_reason {
#define OTLP_REASON(name, label, doc) OTLP_REASON_##name,
#include "ingest/otlp_reason.def"
    OTLP_REASON_COUNT,
};
const char *otlp_reason_label(enum otlp_reason reason); /* of a metric: "bad_trace_id" */
const char *otlp_reason_doc(enum otlp_reason reason);

/* What was taken but not quite as sent; otlp_notice.def. For counters. */
enum otlp_notice {
#define OTLP_NOTICE(name, label, doc) OTLP_NOTICE_##name,
#include "ingest/otlp_notice.def"
    OTLP_NOTICE_COUNT,
};
const char *otlp_notice_label(enum otlp_notice notice);

struct otlp_limits {
    uint32_t items;        /* spans, points or records per request; more: ERR_LIMIT */
    size_t transcoded_max; /* bytes of a JSON request once it is protobuf; more: ERR_TOO_BIG */
};
#define OTLP_LIMITS ((struct otlp_limits){1u << 20, (size_t)64 << 20})

struct otlp_request {
    enum otlp_signal signal;
    enum otlp_form form;
    struct slice body, tenant;
    int64_t ingest_ts;
    struct arena *arena;
};

struct otlp_sink {
    void *arg;
    /* One event. ERR_TOO_BIG, ERR_LIMIT, ERR_RANGE: this one cannot be written, its item counts as
     * rejected. Any other error ends the call of otlp_map and is its result. */
    int (*event)(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                 struct err *reterr);
    /* An item that is not taken: its protobuf bytes, for `dlq`. May be NULL. */
    void (*rejected)(void *arg, enum otlp_reason reason, struct slice item);
};

struct otlp_result {
    uint64_t items, rejected, events; /* items include the rejected ones */
    uint64_t reasons[OTLP_REASON_COUNT], notices[OTLP_NOTICE_COUNT];
};
/* Does the answer need a partial success? */
static inline bool otlp_partial(const struct otlp_result *r)
{
    return r->rejected > 0;
}

struct otlp_map;
struct otlp_map *otlp_map_new(struct otlp_limits limits);
void otlp_map_free(struct otlp_map *m);
int otlp_map(struct otlp_map *m, const struct otlp_request *q, const struct otlp_sink *sink,
             struct otlp_result *ret_result, struct err *reterr) NODISCARD;

#endif
