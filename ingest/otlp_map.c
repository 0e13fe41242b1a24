/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp.h. The walk over a request: resources, scopes in them, items in those. The resource may
 * stand behind its scopes, and the scope behind its items (protobuf does not promise an order), so
 * each level is read twice, the first time without looking inside.
 */
#include "core/base/mem.h"
#include "ingest/otlp_impl.h"
#include "ingest/otlp_json.h"

#define LEN(number) PBWIRE_TAG(number, PBWIRE_LEN)

enum { SCRATCH_MAX = 64 << 20, KEY_MAX = 64 << 10, KEEP_BYTES = 4 << 20 };

static void (*const ITEMS[])(struct otlp_map *m, struct slice item) = {
    [OTLP_TRACES] = otlp_map_span,
    [OTLP_METRICS] = otlp_map_metric,
    [OTLP_LOGS] = otlp_map_log,
};

/* --- words --- */

static const struct {
    const char *label, *doc;
} REASONS[] = {
#define OTLP_REASON(name, label, doc) {label, doc},
#include "ingest/otlp_reason.def"
};
static const char *const NOTICES[] = {
#define OTLP_NOTICE(name, label, doc) label,
#include "ingest/otlp_notice.def"
};

const char *otlp_reason_label(enum otlp_reason reason)
{
    assert(reason < OTLP_REASON_COUNT);
    return REASONS[reason].label;
}

const char *otlp_reason_doc(enum otlp_reason reason)
{
    assert(reason < OTLP_REASON_COUNT);
    return REASONS[reason].doc;
}

const char *otlp_notice_label(enum otlp_notice notice)
{
    assert(notice < OTLP_NOTICE_COUNT);
    return NOTICES[notice];
}

/* --- the object --- */

struct otlp_map *otlp_map_new(struct otlp_limits limits)
{
    struct otlp_map *m = MEM_NEW(struct otlp_map);
    m->limits = limits;
    otlp_keys_init(&m->keys);
    otlp_shape_init(&m->shape);
    otlp_item_init(&m->item, &m->keys);
    otlp_targets_init(&m->targets);
    otlp_seen_init(&m->seen);
    m->json = arena_new(NULL, "otlp json", limits.transcoded_max);
    buf_init(&m->transcoded, limits.transcoded_max);
    buf_init(&m->scratch, SCRATCH_MAX);
    buf_init(&m->trace_key, KEY_MAX);
    return m;
}

void otlp_map_free(struct otlp_map *m)
{
    if (m == NULL) {
        return;
    }
    otlp_item_done(&m->item);
    otlp_targets_done(&m->targets);
    otlp_seen_done(&m->seen);
    arena_free(m->json);
    buf_done(&m->transcoded);
    buf_done(&m->scratch);
    buf_done(&m->trace_key);
    mem_free(m);
}

/* --- the walk --- */

/* An item that was not looked at, because its resource or scope cannot be taken. */
static void reject_unseen(struct otlp_map *m, enum otlp_reason reason, struct slice item)
{
    if (m->q->signal != OTLP_METRICS) {
        m->result.items++;
        otlp_reject(m, reason, item);
        return;
    }
    struct pbwire metric = pbwire_of(item), data;
    struct pbwire_field f, g;
    while (pbwire_next(&metric, &f)) {
        if ((f.tag & 7) != PBWIRE_LEN || f.tag < LEN(5) || f.tag > LEN(11)) {
            continue;
        }
        for (data = pbwire_of(f.bytes); pbwire_next(&data, &g);) {
            if (g.tag == LEN(1)) {
                m->result.items++;
                otlp_reject(m, reason, g.bytes);
            }
        }
    }
}

static void map_scope(struct otlp_map *m, struct slice scope, bool resource_ok)
{
    struct pbwire r = pbwire_of(scope);
    struct pbwire_field f;
    bool ok = resource_ok && otlp_targets_scope(&m->targets, &m->item, scope);
    enum otlp_reason reason = m->item.reason;
    while (m->rc == 0 && pbwire_next(&r, &f)) {
        if (f.tag != LEN(2)) {
            continue;
        }
        if (LIKELY(ok)) {
            ITEMS[m->q->signal](m, f.bytes);
        } else {
            reject_unseen(m, reason, f.bytes);
        }
    }
}

static void map_resource(struct otlp_map *m, struct slice resource)
{
    struct pbwire r = pbwire_of(resource);
    struct pbwire_field f;
    bool ok = otlp_targets_resource(&m->targets, &m->item, resource);
    enum otlp_reason reason = m->item.reason;
    while (m->rc == 0 && pbwire_next(&r, &f)) {
        if (f.tag == LEN(2)) {
            m->item.reason = ok ? m->item.reason : reason;
            map_scope(m, f.bytes, ok);
        } else if (f.tag == LEN(OTLP_OLD_SCOPES)) {
            otlp_notice(m, OTLP_NOTICE_OLD_SCOPES);
        }
    }
}

static int map_body(struct otlp_map *m, struct slice body)
{
    uint32_t items;
    int rc = otlp_check(&m->shape, otlp_request_message(m->q->signal), body, m->limits.items,
                        &items, m->reterr);
    if (rc != 0) {
        return rc;
    }
    struct pbwire r = pbwire_of(body);
    struct pbwire_field f;
    while (m->rc == 0 && pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            map_resource(m, f.bytes);
        }
    }
    /* Fewer if a metric has data of two kinds, of which one counts. */
    assert(m->result.items <= items);
    m->result.notices[OTLP_NOTICE_DUPLICATE_KEY] += m->targets.duplicates;
    return m->rc;
}

static int transcode(struct otlp_map *m, struct slice *body)
{
    int rc =
        otlp_json(otlp_request_message(m->q->signal), *body, m->json, &m->transcoded, m->reterr);
    *body = buf_slice(&m->transcoded);
    return rc;
}

/* Memory that one large request needed is not kept for the small ones. */
static void finish(struct otlp_map *m)
{
    arena_reset(m->json);
    buf_clear(&m->transcoded);
    if (m->transcoded.cap > KEEP_BYTES) {
        buf_done(&m->transcoded);
        buf_init(&m->transcoded, m->limits.transcoded_max);
    }
    if (m->scratch.cap > KEEP_BYTES) {
        buf_done(&m->scratch);
        buf_init(&m->scratch, SCRATCH_MAX);
    }
    m->q = NULL;
    m->sink = NULL;
    m->reterr = NULL;
}

int otlp_map(struct otlp_map *m, const struct otlp_request *q, const struct otlp_sink *sink,
             struct otlp_result *ret_result, struct err *reterr)
{
    assert(m != NULL && q != NULL && q->arena != NULL);
    assert(sink != NULL && sink->event != NULL && ret_result != NULL);
    m->q = q;
    m->sink = sink;
    m->reterr = reterr;
    m->rc = 0;
    m->result = (struct otlp_result){0};
    m->trace_key_head = 0;
    otlp_targets_begin(&m->targets, q->arena, q->tenant);
    otlp_seen_begin(&m->seen);
    struct slice body = q->body;
    int rc = q->form == OTLP_JSON ? transcode(m, &body) : 0;
    rc = rc != 0 ? rc : map_body(m, body);
    if (rc == 0) {
        *ret_result = m->result;
    }
    finish(m);
    return rc;
}
