/* SPDX-License-Identifier: Apache-2.0
 *
 * Log records to events. One that holds an exception becomes an ExceptionEvent beside its
 * LogRecord, the same that a span's exception becomes; one that is a Kubernetes event becomes a
 * KubeEvent instead (otlp_kube.c).
 */
#include "ingest/otlp_impl.h"

#include "core/codec/text.h"

enum { SEVERITY_MAX = 24 };

static const struct {
    struct slice text;
    uint8_t number;
} SEVERITIES[] = {
#define SEVERITY(text, number, doc) {{text, sizeof text - 1}, number},
#include "ingest/otlp_severity.def"
};

static int64_t severity(const struct otlp_log *log)
{
    if (log->severity != 0 && log->severity <= SEVERITY_MAX) {
        return (int64_t)log->severity;
    }
    for (size_t i = 0; log->severity_text.len > 0 && i < ARRAY_LEN(SEVERITIES); i++) {
        if (slice_eq_nocase(log->severity_text, SEVERITIES[i].text)) {
            return SEVERITIES[i].number;
        }
    }
    return 0;
}

/* An id of the record, or one that its attributes name in hexadecimal; short ones (64 bits of a
 * trace id) are padded in front. NULL: none. */
static const uint8_t *log_id(struct otlp_map *m, struct slice sent, enum otlp_role role, size_t len)
{
    struct otlp_item *it = &m->item;
    if (otlp_id_ok(sent, len)) {
        return (const uint8_t *)sent.ptr;
    }
    if (sent.len > 0 && sent.len != len) {
        otlp_notice(m, OTLP_NOTICE_BAD_LOG_ID);
    }
    const struct val *v = otlp_item_role(it, role);
    if (v == NULL || v->tag != VAL_STRING || (v->len != 2 * len && v->len != len)) {
        return NULL;
    }
    uint8_t *id = otlp_item_array(it, len, 1);
    if (id == NULL) {
        return NULL;
    }
    memset(id, 0, len);
    size_t bytes = v->len / 2;
    bool ok = text_get_hex(val_slice(*v), id + len - bytes, bytes) == (int64_t)bytes;
    return ok && otlp_id_ok(slice_of(id, len), len) ? id : NULL;
}

static void put_own(struct otlp_map *m, const struct otlp_log *log, bool *saturated)
{
    struct otlp_item *it = &m->item;
    if (log->has_body) {
        otlp_own(it, PROP_body, otlp_any(it, log->body, OTLP_VALUE_DEPTH));
    }
    otlp_own(it, PROP_severity_number, val_int(severity(log)));
    otlp_own_text(it, PROP_severity_text, log->severity_text);
    const struct val *legacy = otlp_item_role(it, OTLP_ROLE_EVENT_NAME);
    if (log->event_name.len > 0) {
        otlp_own(it, PROP_event_name, val_string(log->event_name));
    } else if (legacy != NULL) {
        otlp_own(it, PROP_event_name, *legacy);
    }
    if (log->observed != 0) {
        otlp_own(it, PROP_observed_timestamp_ns, val_int(otlp_saturate(log->observed, saturated)));
    }
    otlp_own_count(it, PROP_flags, log->flags);
    otlp_own_count(it, PROP_dropped_attributes_count, log->dropped_attrs);
}

static bool emit_log(struct otlp_map *m, const struct otlp_log *log)
{
    struct otlp_item *it = &m->item;
    struct otlp_event e = {.topic = BUS_TOPIC_LOGS, .type = PROP_TYPE_LOG};
    put_own(m, log, &e.saturated);
    e.target = otlp_targets_item(&m->targets, it);
    e.ts = log->time != 0 ? log->time : log->observed;
    e.trace_id = log_id(m, log->trace_id, OTLP_ROLE_TRACE_ID, 16);
    e.span_id = log_id(m, log->span_id, OTLP_ROLE_SPAN_ID, 8);
    if (e.target == NULL) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
    }
    if (it->bad || !otlp_emit(m, &e)) {
        return false;
    }
    if (otlp_is_exception(it) || slice_eq(log->event_name, SLICE("exception"))) {
        otlp_emit_exception(m, &e);
    }
    return true;
}

void otlp_map_log(struct otlp_map *m, struct slice item)
{
    struct otlp_item *it = &m->item;
    struct otlp_log log;
    m->result.items++;
    otlp_item_begin(it, OTLP_ITEM);
    otlp_decode_log(it, item, &log);
    bool taken = !it->bad && (otlp_map_kube(m, &log, item) || emit_log(m, &log));
    if (!taken && m->rc == 0) {
        otlp_reject(m, it->reason, item);
    }
}
