/* SPDX-License-Identifier: Apache-2.0
 *
 * The last step of the mapper: time, id, key and flags of an event, and out to the sink. The id is
 * that of what was sent, so it is taken before a time is filled in or clamped.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/event/key.h"
#include "ingest/otlp_impl.h"

enum { SEEN_FIRST = 4096, SEEN_KEEP = 1 << 17, FUTURE_S = 300 };

/* --- equal items --- */

void otlp_seen_init(struct otlp_seen *s)
{
    *s = (struct otlp_seen){.mask = SEEN_FIRST - 1};
    s->cells = mem_calloc(SEEN_FIRST, sizeof *s->cells);
}

void otlp_seen_done(struct otlp_seen *s)
{
    mem_free(s->cells);
}

void otlp_seen_begin(struct otlp_seen *s)
{
    if (++s->request == 0 || s->mask >= SEEN_KEEP) {
        mem_free(s->cells);
        otlp_seen_init(s);
        s->request = 1;
    }
    s->used = 0;
}

static struct otlp_seen_cell *seen_cell(const struct otlp_seen *s, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & s->mask;
    while (s->cells[at].request == s->request && s->cells[at].hash != hash) {
        at = (at + 1) & s->mask;
    }
    return &s->cells[at];
}

static void grow(struct otlp_seen *s)
{
    struct otlp_seen old = *s;
    s->mask = s->mask * 2 + 1;
    s->cells = mem_calloc((size_t)s->mask + 1, sizeof *s->cells);
    for (size_t i = 0; i <= old.mask; i++) {
        if (old.cells[i].request == s->request) {
            *seen_cell(s, old.cells[i].hash) = old.cells[i];
        }
    }
    mem_free(old.cells);
}

uint32_t otlp_seen_times(struct otlp_seen *s, const struct id *id)
{
    uint64_t hash = endian_be64(id->bytes);
    struct otlp_seen_cell *c = seen_cell(s, hash);
    if (c->request == s->request) {
        return c->times++;
    }
    *c = (struct otlp_seen_cell){hash, s->request, 1};
    if (++s->used > s->mask / 2) {
        grow(s);
    }
    return 0;
}

/* --- ids and keys --- */

struct val otlp_hex(struct otlp_item *it, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *to = otlp_item_array(it, bytes.len * 2, 1);
    if (to == NULL) {
        return val_null();
    }
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.ptr[i];
        to[2 * i] = digits[c >> 4];
        to[2 * i + 1] = digits[c & 15];
    }
    return val_string(slice_of(to, bytes.len * 2));
}

static bool content_id(struct otlp_map *m, const struct otlp_target *target, struct rec *r)
{
    struct err err;
    if (id_of_item(&m->scratch, &target->digest, r, &r->id, &err) != 0) {
        return false;
    }
    uint32_t times = otlp_seen_times(&m->seen, &r->id);
    if (UNLIKELY(times > 0)) {
        r->id = id_repeat(r->id, times);
    }
    return true;
}

/* Spans and exemplars by trace: the tenant's part of the key is the same all along. */
static struct slice trace_key(struct otlp_map *m, const uint8_t trace_id[16])
{
    struct buf *b = &m->trace_key;
    if (m->trace_key_head == 0) {
        buf_clear(b);
        key_add_trace(b, val_string(m->q->tenant), trace_id);
        assert(!buf_failed(b));
        m->trace_key_head = b->len - 16;
    }
    memcpy(b->ptr + m->trace_key_head, trace_id, 16);
    return buf_slice(b);
}

/* --- time --- */

static void set_time(struct otlp_map *m, const struct otlp_event *e, struct rec *r)
{
    int64_t now = m->q->ingest_ts, latest = now + FUTURE_S * CLOCK_NS_PER_S;
    if (UNLIKELY(e->ts == 0)) {
        r->ts = now;
        r->flags |= REC_FLAG_NO_TIME;
        otlp_notice(m, OTLP_NOTICE_NO_TIME);
    } else if (UNLIKELY(r->ts > latest)) {
        otlp_own(&m->item, PROP_original_timestamp_ns, val_int(r->ts));
        r->ts = now;
        r->flags |= REC_FLAG_CLAMPED;
        otlp_notice(m, OTLP_NOTICE_CLAMPED);
    }
    r->ingest_ts = now;
}

static void set_payload(const struct otlp_item *it, struct rec *r)
{
    r->payload = it->pairs + it->own;
    r->payload_len = OTLP_OWN_MAX - it->own + it->attrs;
}

/* The sink's answer: may the rest of the request go on? */
static bool sink_took(struct otlp_map *m, const struct otlp_event *e, int rc)
{
    if (LIKELY(rc == 0)) {
        m->result.events++;
        return true;
    }
    if (rc == -ERR_TOO_BIG || rc == -ERR_LIMIT || rc == -ERR_RANGE) {
        otlp_item_refuse(&m->item, OTLP_REASON_TOO_BIG);
        if (e->extra) {
            otlp_notice(m, OTLP_NOTICE_EXTRA_LOST);
        }
    } else {
        m->rc = rc;
    }
    return false;
}

bool otlp_emit(struct otlp_map *m, const struct otlp_event *e)
{
    struct rec r = {.context = &e->target->context, .type = prop_type_names[e->type]};
    bool saturated = e->saturated;
    assert(e->target->context.len > 0);
    r.kind = prop_type_kinds[e->type];
    r.ts = otlp_saturate(e->ts, &saturated);
    if (e->trace_id != NULL) {
        memcpy(r.trace_id, e->trace_id, sizeof r.trace_id);
    }
    if (e->span_id != NULL) {
        memcpy(r.span_id, e->span_id, sizeof r.span_id);
    }
    if (UNLIKELY(saturated)) {
        r.flags |= REC_FLAG_SATURATED;
        otlp_notice(m, OTLP_NOTICE_SATURATED);
    }
    set_payload(&m->item, &r);
    if (e->id != NULL) {
        r.id = *e->id;
    } else if (!content_id(m, e->target, &r)) {
        return sink_took(m, e, -ERR_TOO_BIG);
    }
    set_time(m, e, &r);
    set_payload(&m->item, &r);
    bool by_trace = r.kind == REC_SPAN && e->trace_id != NULL;
    struct slice key = by_trace ? trace_key(m, e->trace_id) : e->target->key;
    return sink_took(m, e, m->sink->event(m->sink->arg, e->topic, key, &r, m->reterr));
}

void otlp_reject(struct otlp_map *m, enum otlp_reason reason, struct slice item)
{
    assert(reason < OTLP_REASON_COUNT);
    m->result.rejected++;
    m->result.reasons[reason]++;
    if (m->sink->rejected != NULL) {
        m->sink->rejected(m->sink->arg, reason, item);
    }
}
