/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_resp.h. The three responses have the same two fields; only JSON names the first one
 * after its signal.
 */
#include "ingest/otlp_resp.h"

#include "core/base/clock.h"
#include "core/codec/pbwrite.h"
#include "core/codec/utf8.h"
#include "core/event/rec_json.h"

#include <assert.h>

static const char *const REJECTED[] = {"rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"};
static const char *const NOUNS[] = {"spans", "data points", "log records"};
static const struct slice RETRY_INFO = {"type.googleapis.com/google.rpc.RetryInfo", 40};

enum { MESSAGE_MAX = 2048 };

bool otlp_resp_message(struct buf *b, enum otlp_signal signal, const struct otlp_result *result)
{
    assert(result->rejected <= result->items);
    buf_addf(b, "%llu of %llu %s rejected", (unsigned long long)result->rejected,
             (unsigned long long)result->items, NOUNS[signal]);
    const char *before = ": ";
    for (size_t i = 0; i < OTLP_REASON_COUNT; i++) {
        if (result->reasons[i] > 0) {
            buf_addf(b, "%s%llu because %s", before, (unsigned long long)result->reasons[i],
                     otlp_reason_doc((enum otlp_reason)i));
            before = "; ";
        }
    }
    return !buf_failed(b);
}

/* --- JSON --- */

/* A protobuf Duration in JSON: seconds with as many digits as it has. */
static bool add_json_duration(struct buf *b, int64_t ns)
{
    long long s = ns / CLOCK_NS_PER_S, rest = ns % CLOCK_NS_PER_S;
    return rest == 0 ? buf_addf(b, "\"%llds\"", s) : buf_addf(b, "\"%lld.%09llds\"", s, rest);
}

/* --- responses --- */

static bool success_json(struct buf *b, enum otlp_signal signal, uint64_t rejected,
                         struct slice message)
{
    buf_addf(b, "{\"partialSuccess\":{\"%s\":\"%llu\",\"errorMessage\":", REJECTED[signal],
             (unsigned long long)rejected);
    rec_json_string(b, message);
    return buf_add_str(b, "}}");
}

bool otlp_resp_success(struct buf *b, enum otlp_signal signal, enum otlp_form form,
                       const struct otlp_result *result)
{
    assert(b != NULL && result != NULL);
    if (!otlp_partial(result)) {
        return form == OTLP_PROTOBUF || buf_add_str(b, "{}");
    }
    struct buf message;
    buf_init(&message, MESSAGE_MAX);
    otlp_resp_message(&message, signal, result);
    if (form == OTLP_JSON) {
        success_json(b, signal, result->rejected, buf_slice(&message));
    } else {
        size_t partial = pbwrite_open(b, 1);
        pbwrite_varint(b, 1, result->rejected);
        pbwrite_string(b, 2, buf_slice(&message));
        pbwrite_close(b, partial);
    }
    buf_done(&message);
    return !buf_failed(b);
}

static bool status_json(struct buf *b, int code, struct slice message, int64_t retry_ns)
{
    buf_addf(b, "{\"code\":%d,\"message\":", code);
    rec_json_string(b, message);
    if (retry_ns > 0) {
        buf_addf(b, ",\"details\":[{\"@type\":\"%s\",\"retryDelay\":", RETRY_INFO.ptr);
        add_json_duration(b, retry_ns);
        buf_add_str(b, "}]");
    }
    return buf_add_str(b, "}");
}

static bool status_protobuf(struct buf *b, int code, struct slice message, int64_t retry_ns)
{
    if (code != 0) {
        pbwrite_varint(b, 1, (uint64_t)code);
    }
    if (message.len > 0) {
        pbwrite_string(b, 2, message);
    }
    if (retry_ns > 0) {
        size_t any = pbwrite_open(b, 3);
        pbwrite_string(b, 1, RETRY_INFO);
        size_t info = pbwrite_open(b, 2);
        size_t delay = pbwrite_open(b, 1);
        if (retry_ns >= CLOCK_NS_PER_S) {
            pbwrite_varint(b, 1, (uint64_t)(retry_ns / CLOCK_NS_PER_S));
        }
        if (retry_ns % CLOCK_NS_PER_S != 0) {
            pbwrite_varint(b, 2, (uint64_t)(retry_ns % CLOCK_NS_PER_S));
        }
        pbwrite_close(b, delay);
        pbwrite_close(b, info);
        pbwrite_close(b, any);
    }
    return !buf_failed(b);
}

bool otlp_resp_status(struct buf *b, enum otlp_form form, int code, struct slice message,
                      int64_t retry_ns)
{
    assert(b != NULL);
    struct buf text; /* repaired: a message may quote what a sender wrote */
    size_t len = utf8_repaired_len(message);
    buf_init(&text, len + 1);
    char *to = buf_room(&text, len);
    if (to != NULL && len > 0) {
        buf_commit(&text, (size_t)(utf8_repair(to, message) - to));
    }
    bool ok = form == OTLP_JSON ? status_json(b, code, buf_slice(&text), retry_ns)
                                : status_protobuf(b, code, buf_slice(&text), retry_ns);
    buf_done(&text);
    return ok && !buf_failed(b);
}
