/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_take.h. Mapping and encoding happen within otlp_take, so one arena and one mapper serve
 * all requests; what outlives it is a few words: whom to tell, and what.
 */
#include "ingest/otlp_take.h"

#include "core/base/mem.h"
#include "core/base/pool.h"
#include "core/stats/stats.h"

#include <assert.h>
#include <stdio.h>

enum { TAKES_MAX = 65536 };

static const struct slice protocols[OTLP_PROTOCOLS] = {SLICE("otlp_grpc"), SLICE("otlp_http")};
static const struct slice signals[] = {SLICE("traces"), SLICE("metrics"), SLICE("logs")};

static const struct stats_row replies_row = {"kaiju_ingest_replies_total",
                                             STATS_COUNTER,
                                             "Requests answered, by protocol and how they ended.",
                                             {"protocol", "state"},
                                             NULL,
                                             0};
static const struct stats_row items_row = {
    "kaiju_ingest_items_total", STATS_COUNTER, "Spans, points and records that were acknowledged.",
    {"protocol", "signal"},     NULL,          0};
static const struct stats_row rejected_row = {"kaiju_ingest_rejected_items_total",
                                              STATS_COUNTER,
                                              "Items that can never be taken, by reason.",
                                              {"protocol", "reason"},
                                              NULL,
                                              0};
static const struct stats_row notices_row = {
    "kaiju_ingest_notices_total", STATS_COUNTER, "Items that were taken, but not quite as sent.",
    {"protocol", "notice"},       NULL,          0};
static const struct stats_row ack_row = {"kaiju_ingest_ack_seconds",
                                         STATS_HISTOGRAM,
                                         "From a complete body to its acknowledgement.",
                                         {"protocol"},
                                         NULL,
                                         0};

/* Found once: counting allocates nothing and looks nothing up. */
struct counters {
    struct stats_series *replies[REPLY_COUNT], *items[ARRAY_LEN(signals)];
    struct stats_series *reasons[OTLP_REASON_COUNT], *notices[OTLP_NOTICE_COUNT], *ack;
};

struct otlp_taker {
    struct otlp_taker_conf conf;
    struct otlp_map *map;
    struct arena *arena;
    struct pool *takes;
    struct counters counters[OTLP_PROTOCOLS];
    bool draining;
};

struct otlp_take {
    struct otlp_taker *taker;
    struct publish_req *req;
    otlp_end_fn *fn;
    void *arg;
    struct otlp_result result;
    int64_t born_ns;
    enum otlp_protocol protocol;
    enum otlp_signal signal;
    bool returned; /* otlp_take has: fn frees it, not otlp_take */
    bool over;
};

static struct stats_series *series(struct stats *s, const struct stats_row *row, struct slice a,
                                   struct slice b)
{
    return stats_series(stats_family(s, row), (struct slice[]){a, b});
}

static void count_from(struct counters *c, struct stats *s, struct slice protocol)
{
    for (size_t i = 0; i < REPLY_COUNT; i++) {
        c->replies[i] = series(s, &replies_row, protocol, slice_str(reply_rows[i].name));
    }
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        c->items[i] = series(s, &items_row, protocol, signals[i]);
    }
    for (size_t i = 0; i < OTLP_REASON_COUNT; i++) {
        c->reasons[i] =
            series(s, &rejected_row, protocol, slice_str(otlp_reason_label((enum otlp_reason)i)));
    }
    for (size_t i = 0; i < OTLP_NOTICE_COUNT; i++) {
        c->notices[i] =
            series(s, &notices_row, protocol, slice_str(otlp_notice_label((enum otlp_notice)i)));
    }
    c->ack = series(s, &ack_row, protocol, SLICE_NONE);
}

struct otlp_taker *otlp_taker_new(const struct otlp_taker_conf *conf)
{
    assert(conf->publish != NULL && conf->arena_bytes > 0);
    struct otlp_taker *t = MEM_NEW(struct otlp_taker);
    t->conf = *conf;
    t->map = otlp_map_new(OTLP_LIMITS);
    t->arena = arena_new(NULL, "otlp request", conf->arena_bytes);
    t->takes = pool_new("otlp requests", sizeof(struct otlp_take), TAKES_MAX);
    for (size_t i = 0; i < OTLP_PROTOCOLS; i++) {
        count_from(&t->counters[i], conf->stats, protocols[i]);
    }
    return t;
}

void otlp_taker_free(struct otlp_taker *t)
{
    if (t != NULL) {
        pool_free(t->takes, 0);
        arena_free(t->arena);
        otlp_map_free(t->map);
        mem_free(t);
    }
}

struct publish *otlp_taker_publish(const struct otlp_taker *t)
{
    return t->conf.publish;
}

void otlp_taker_drain(struct otlp_taker *t)
{
    t->draining = true;
}

void otlp_refused(struct otlp_taker *t, enum otlp_protocol protocol, enum reply reply)
{
    assert(reply != REPLY_OK && reply != REPLY_PARTIAL);
    stats_add(t->counters[protocol].replies[reply], 1);
}

static struct otlp_end end_of(struct otlp_taker *t, enum otlp_protocol protocol, enum reply reply,
                              const char *message)
{
    stats_add(t->counters[protocol].replies[reply], 1);
    return (struct otlp_end){.reply = reply,
                             .message = slice_str(message),
                             .retry_ns =
                                 reply_rows[reply].again ? publish_retry_ns(t->conf.publish) : 0};
}

struct otlp_end otlp_refuse(struct otlp_taker *t, enum otlp_protocol protocol, enum reply reply,
                            const char *message)
{
    assert(reply != REPLY_OK && reply != REPLY_PARTIAL);
    return end_of(t, protocol, reply, message != NULL ? message : reply_rows[reply].doc);
}

void otlp_bury(struct otlp_taker *t, enum otlp_protocol protocol, const char *content_type,
               const char *detail, struct slice body)
{
    publish_dead(t->conf.publish, &(struct publish_dead){.reason = "undecodable",
                                                         .detail = detail,
                                                         .content_type = content_type,
                                                         .source = protocols[protocol],
                                                         .body = body});
}

static int on_event(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                    struct err *reterr)
{
    return publish_add(((struct otlp_take *)arg)->req, topic, key, r, reterr);
}

static void on_rejected(void *arg, enum otlp_reason reason, struct slice item)
{
    struct otlp_take *t = arg;
    publish_dead(t->taker->conf.publish,
                 &(struct publish_dead){.reason = otlp_reason_label(reason),
                                        .detail = otlp_reason_doc(reason),
                                        .content_type = "application/x-protobuf",
                                        .source = protocols[t->protocol],
                                        .body = item});
}

static void count_result(struct otlp_take *t)
{
    struct counters *c = &t->taker->counters[t->protocol];
    const struct otlp_result *r = &t->result;
    stats_add(c->items[t->signal], r->items - r->rejected);
    for (size_t i = 0; i < OTLP_REASON_COUNT; i++) {
        if (r->reasons[i] > 0) {
            stats_add(c->reasons[i], r->reasons[i]);
        }
    }
    for (size_t i = 0; i < OTLP_NOTICE_COUNT; i++) {
        if (r->notices[i] > 0) {
            stats_add(c->notices[i], r->notices[i]);
        }
    }
}

/* Tells whoever waits; frees the take unless otlp_take is still on the stack. */
static void tell(struct otlp_take *t, enum reply reply, const char *message)
{
    struct otlp_taker *taker = t->taker;
    struct otlp_end end = end_of(taker, t->protocol, reply, message);
    t->over = true;
    if (reply == REPLY_OK || reply == REPLY_PARTIAL) {
        end.result = &t->result;
        count_result(t);
        int64_t now = clock_mono(taker->conf.clock);
        stats_observe(taker->counters[t->protocol].ack, (double)(now - t->born_ns) / 1e9);
    }
    t->fn(t->arg, &end);
    if (t->returned) {
        pool_put(taker->takes, t);
    }
}

static void on_done(void *arg, const struct err *err)
{
    struct otlp_take *t = arg;
    t->req = NULL;
    enum reply reply = reply_of_err(err);
    if (reply == REPLY_OK && otlp_partial(&t->result)) {
        reply = REPLY_PARTIAL;
    }
    tell(t, reply, err != NULL ? err->msg : reply_rows[reply].doc);
}

struct code_row {
    int code;
    enum reply reply;
};

/* What otlp_map answers; anything else came from the bus. */
static const struct code_row codes[] = {
    {-ERR_CORRUPT, REPLY_UNDECODABLE}, {-ERR_TRUNCATED, REPLY_UNDECODABLE},
    {-ERR_SYNTAX, REPLY_UNDECODABLE},  {-ERR_TYPE, REPLY_UNDECODABLE},
    {-ERR_RANGE, REPLY_UNDECODABLE},   {-ERR_TOO_BIG, REPLY_TOO_LARGE},
    {-ERR_LIMIT, REPLY_TOO_LARGE},
};

static void map_failed(struct otlp_take *t, int rc, enum otlp_form form, struct slice body,
                       const struct err *err)
{
    enum reply reply = REPLY_OVERLOAD;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        reply = codes[i].code == rc ? codes[i].reply : reply;
    }
    publish_drop(t->req);
    t->req = NULL;
    if (reply == REPLY_UNDECODABLE) {
        otlp_bury(t->taker, t->protocol,
                  form == OTLP_JSON ? "application/json" : "application/x-protobuf", err->msg,
                  body);
    }
    tell(t, reply, err->msg);
}

static void run(struct otlp_take *t, enum otlp_form form, struct slice body)
{
    struct otlp_taker *taker = t->taker;
    struct otlp_sink sink = {.arg = t, .event = on_event, .rejected = on_rejected};
    struct otlp_request q = {.signal = t->signal,
                             .form = form,
                             .body = body,
                             .tenant = slice_str(taker->conf.tenant),
                             .ingest_ts = clock_wall(taker->conf.clock),
                             .arena = taker->arena};
    struct err err = {0};
    t->req = publish_begin(taker->conf.publish, SLICE("otlp"), on_done, t);
    if (t->req == NULL) {
        tell(t, REPLY_NOT_READY, reply_rows[REPLY_NOT_READY].doc);
        return;
    }
    arena_reset(taker->arena);
    int rc = otlp_map(taker->map, &q, &sink, &t->result, &err);
    if (rc != 0) {
        map_failed(t, rc, form, body, &err);
    } else {
        publish_end(t->req); /* may tell */
    }
}

struct otlp_take *otlp_take(struct otlp_taker *taker, enum otlp_protocol protocol,
                            enum otlp_signal signal, enum otlp_form form, struct slice body,
                            otlp_end_fn *fn, void *arg)
{
    assert(fn != NULL);
    struct otlp_take *t = pool_get(taker->takes);
    if (t == NULL || taker->draining) {
        struct otlp_end end =
            otlp_refuse(taker, protocol, taker->draining ? REPLY_DRAINING : REPLY_OVERLOAD, NULL);
        fn(arg, &end);
        if (t != NULL) {
            pool_put(taker->takes, t);
        }
        return NULL;
    }
    t->taker = taker;
    t->protocol = protocol;
    t->signal = signal;
    t->fn = fn;
    t->arg = arg;
    t->born_ns = clock_mono(taker->conf.clock);
    run(t, form, body);
    if (t->over) {
        pool_put(taker->takes, t);
        return NULL;
    }
    t->returned = true;
    return t;
}

void otlp_take_drop(struct otlp_take *t)
{
    if (t != NULL) {
        publish_drop(t->req);
        pool_put(t->taker->takes, t);
    }
}
