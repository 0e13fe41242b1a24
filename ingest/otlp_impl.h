/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the mapper share. One item goes: decode into m->item, judge, put own keys in
 * front of its attributes (otlp_own), otlp_emit each event that comes of it, main one first.
 *
 * To add a signal: a request message in otlp_schema.h, a function like otlp_map_span, and its row
 * in ITEMS of otlp_map.c.
 */
#ifndef INGEST_OTLP_IMPL_H
#define INGEST_OTLP_IMPL_H

#include "core/codec/endian.h"
#include "core/event/prop.h"
#include "ingest/otlp_check.h"
#include "ingest/otlp_decode.h"
#include "ingest/otlp_target.h"

/* Content ids given in this request, to tell equal items apart by their ordinal. */
struct otlp_seen {
    struct otlp_seen_cell {
        uint64_t hash;
        uint32_t request, times;
    } * cells;
    uint32_t mask, used, request;
};
void otlp_seen_init(struct otlp_seen *s);
void otlp_seen_done(struct otlp_seen *s);
void otlp_seen_begin(struct otlp_seen *s);
/* How many times it was asked before. */
uint32_t otlp_seen_times(struct otlp_seen *s, const struct id *id);

struct otlp_map {
    struct otlp_limits limits;
    struct otlp_keys keys;
    struct otlp_shape shape;
    struct otlp_item item;
    struct otlp_targets targets;
    struct otlp_seen seen;
    struct arena *json;
    struct buf transcoded, scratch, trace_key;
    size_t trace_key_head; /* its bytes up to the trace id */
    /* Of the call. */
    const struct otlp_request *q;
    const struct otlp_sink *sink;
    struct otlp_result result;
    struct err *reterr;
    int rc; /* not 0: the sink wants no more */
};

/* Puts one own key in front of the payload. */
static inline void otlp_own(struct otlp_item *it, enum prop p, struct val v)
{
    assert(it->own > 0);
    struct val_pair *pair = &it->pairs[--it->own];
    pair->key = prop_keys[p].ptr;
    pair->key_len = (uint32_t)prop_keys[p].len;
    pair->key_id = 0;
    pair->value = v;
}
static inline void otlp_own_text(struct otlp_item *it, enum prop p, struct slice text)
{
    if (text.len > 0) {
        otlp_own(it, p, val_string(text));
    }
}
/* Unsigned numbers of 32 bits whose absence means 0. */
static inline void otlp_own_count(struct otlp_item *it, enum prop p, uint64_t n)
{
    if (n != 0) {
        otlp_own(it, p, val_int((int64_t)(uint32_t)n));
    }
}
static inline int64_t otlp_saturate(uint64_t v, bool *saturated)
{
    if (UNLIKELY(v > INT64_MAX)) {
        *saturated = true;
        return INT64_MAX;
    }
    return (int64_t)v;
}
static inline void otlp_notice(struct otlp_map *m, enum otlp_notice notice)
{
    m->result.notices[notice]++;
}

/* An event about to go: what differs from one to the other. */
struct otlp_event {
    enum bus_topic_id topic;
    enum prop_type type;
    const struct otlp_target *target;
    uint64_t ts;                       /* 0: the sender gave none */
    const uint8_t *trace_id, *span_id; /* NULL: none */
    const struct id *id;               /* NULL: of its content */
    bool saturated;
    bool extra; /* beside its item: when it cannot be written, the item stays taken */
};
/* Payload = own keys and attributes of m->item. False: not written. */
bool otlp_emit(struct otlp_map *m, const struct otlp_event *e);

/* Counts and hands out a rejected item. */
void otlp_reject(struct otlp_map *m, enum otlp_reason reason, struct slice item);

/* An id in hexadecimal, in the item's arena; null when there is no room. */
struct val otlp_hex(struct otlp_item *it, struct slice bytes);
static inline bool otlp_id_ok(struct slice id, size_t len)
{
    uint64_t any = 0;
    for (size_t i = 0; i < id.len; i++) {
        any |= (uint8_t)id.ptr[i];
    }
    return id.len == len && any != 0;
}

/* Does the item hold an exception? Then, its attributes having been decoded, makes the event of it.
 * Uses up the item's attributes. */
bool otlp_is_exception(const struct otlp_item *it);
void otlp_emit_exception(struct otlp_map *m, const struct otlp_event *like);

/* One item: a Span, Metric (all its points), LogRecord. */
void otlp_map_span(struct otlp_map *m, struct slice item);
void otlp_map_metric(struct otlp_map *m, struct slice item);
void otlp_map_log(struct otlp_map *m, struct slice item);

struct otlp_log;
/* If the record is a Kubernetes event, makes it one and answers true. */
bool otlp_map_kube(struct otlp_map *m, const struct otlp_log *log, struct slice item);

#endif
