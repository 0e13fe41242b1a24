/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals in the shapes of the original Kaiju: points as Telegraf, log records as Fluentd, spans as
 * Jaeger's agent sent them (builtin.def, world ORIGINAL). What rules of that time ask for by name
 * is put there under that name; everything else of today comes along.
 */
#include "core/event/prop.h"
#include "operators/sig/dat_intake_impl.h"

#include <stdio.h>

static const struct val *own(const struct rec *r, enum prop p)
{
    return rec_find_text(r->payload, r->payload_len, prop_keys[p]);
}

static double number(const struct val *v)
{
    return v == NULL ? 0 : v->tag == VAL_INT ? (double)v->i : v->tag == VAL_DOUBLE ? v->d : 0;
}

/* ---- Metric ---- */

static void put_number(struct dat_intake *in, const char *key, const struct val *v)
{
    if (v != NULL && val_is_number(*v)) {
        dat_put(in, key, dat_double(number(v)));
    }
}

static void put_at(struct dat_intake *in, double at, double v)
{
    char key[VAL_NUMBER_MAX + 1];
    size_t n = val_double_text(at, key);
    key[n] = '\0';
    dat_put(in, key, dat_double(v));
}

static void put_buckets(struct dat_intake *in, const struct rec *r)
{
    const struct val *bounds = own(r, PROP_bounds), *counts = own(r, PROP_bucket_counts);
    double sum = 0;
    if (bounds == NULL || bounds->tag != VAL_LIST || counts == NULL || counts->tag != VAL_LIST) {
        return;
    }
    for (uint32_t i = 0; i < counts->len; i++) {
        sum += number(&counts->list[i]);
        if (i < bounds->len) {
            put_at(in, number(&bounds->list[i]), sum);
        } else {
            dat_put(in, "+Inf", dat_double(sum));
        }
    }
}

static void put_quantiles(struct dat_intake *in, const struct rec *r)
{
    const struct val *at = own(r, PROP_quantiles), *v = own(r, PROP_quantile_values);
    bool ok = at != NULL && at->tag == VAL_LIST && v != NULL && v->tag == VAL_LIST;
    for (uint32_t i = 0; ok && i < at->len && i < v->len; i++) {
        put_at(in, number(&at->list[i]), number(&v->list[i]));
    }
}

static struct dat fields(struct dat_intake *in, const struct rec *r)
{
    const struct val *grows = own(r, PROP_monotonic);
    bool counter = grows != NULL && grows->tag == VAL_BOOL && grows->b;
    put_number(in, counter ? "counter" : "gauge", own(r, PROP_value));
    put_number(in, "count", own(r, PROP_count));
    put_number(in, "sum", own(r, PROP_sum));
    put_buckets(in, r);
    put_quantiles(in, r);
    return dat_put_done(in);
}

static bool has(const struct dat_intake *in, const char *key)
{
    VEC_EACH (&in->pairs, p) {
        if (slice_eq(vstr_slice(p->key.s), slice_str(key))) {
            return true;
        }
    }
    return false;
}

static void put_attributes(struct dat_intake *in, const struct rec *r, bool text)
{
    for (uint32_t i = 0; i < r->payload_len; i++) {
        struct vstr *name = dat_attribute(in, &r->payload[i]);
        struct val v = r->payload[i].value;
        if (name != NULL && v.tag != VAL_NULL) {
            struct dat d = text ? dat_words(in, v) : dat_of_val(in, v, TY(OBJECT));
            *VEC_PUSH(&in->pairs) = (struct vpair){dat_str(name), d};
        }
    }
}

static struct dat tag_map(struct dat_intake *in, const struct rec *r)
{
    static const struct {
        const char *tag;
        enum rec_name name;
    } tags[] = {
        {"namespace", REC_NAME_NAMESPACE},
        {"pod", REC_NAME_POD},
        {"pod_name", REC_NAME_POD},
        {"container", REC_NAME_CONTAINER},
        {"container_name", REC_NAME_CONTAINER},
        {"node", REC_NAME_NODE},
        {"service", REC_NAME_SERVICE},
        {"cluster", REC_NAME_CLUSTER},
    };
    put_attributes(in, r, true);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (!has(in, tags[i].tag)) {
            dat_put(in, tags[i].tag, dat_context(in, r, tags[i].name));
        }
    }
    return dat_put_done(in);
}

/* ---- FLog ---- */

static void put_prop(struct dat_intake *in, const struct rec *r, const char *key, enum prop p)
{
    const struct val *v = own(r, p);
    if (v != NULL) {
        dat_put(in, key, dat_of_val(in, *v, TY(OBJECT)));
    }
}

static void put_kube_event(struct dat_intake *in, const struct rec *r)
{
    dat_put(in, "kubernetes.labels.app", dat_str(vstr_new(in->heap, SLICE("eventrouter"))));
    put_prop(in, r, "event.reason", PROP_reason);
    put_prop(in, r, "event.message", PROP_message);
    put_prop(in, r, "event.type", PROP_type);
    put_prop(in, r, "event.count", PROP_count);
    put_prop(in, r, "event.involvedObject.kind", PROP_object_kind);
    put_prop(in, r, "event.involvedObject.name", PROP_object_name);
    put_prop(in, r, "event.involvedObject.uid", PROP_object_uid);
    put_prop(in, r, "event.source.component", PROP_reporting_controller);
    dat_put(in, "event.involvedObject.namespace", dat_context(in, r, REC_NAME_NAMESPACE));
}

static struct dat log_map(struct dat_intake *in, const struct rec *r)
{
    static const struct slice label = {"k8s.pod.label", 13};
    const struct val *body = own(r, PROP_body);
    put_attributes(in, r, false);
    if (slice_eq(r->type, prop_type_names[PROP_TYPE_KUBE])) {
        put_kube_event(in, r);
        return dat_put_done(in);
    }
    dat_put(in, "log", body != NULL ? dat_words(in, *body) : DAT_NONE);
    put_prop(in, r, "level", PROP_severity_text);
    dat_put(in, "kubernetes.namespace_name", dat_context(in, r, REC_NAME_NAMESPACE));
    dat_put(in, "kubernetes.pod_name", dat_context(in, r, REC_NAME_POD));
    dat_put(in, "kubernetes.container_name", dat_context(in, r, REC_NAME_CONTAINER));
    dat_put(in, "kubernetes.host", dat_context(in, r, REC_NAME_NODE));
    for (uint32_t i = 0; r->context != NULL && i < r->context->len; i++) {
        const struct val_pair *p = &r->context->pairs[i];
        struct slice key = val_key(p);
        size_t dot = label.len + slice_find(slice_sub(key, label.len, key.len), '.');
        if (slice_starts(key, label) && dot < key.len) { /* k8s.pod.label.x, k8s.pod.labels.x */
            char name[256];
            snprintf(name, sizeof name, "kubernetes.labels." SLICE_FMT,
                     SLICE_ARG(slice_sub(key, dot + 1, key.len)));
            dat_put(in, name, dat_words(in, p->value));
        }
    }
    return dat_put_done(in);
}

/* ---- Span ---- */

static void set(struct dat_intake *in, struct evt *e, const char *col, struct dat v)
{
    int at = ety_col(e->type, slice_str(col));
    (void)in;
    if (at >= 0) {
        evt_set(e, (size_t)at, v);
    }
}

static struct dat text_of(struct dat_intake *in, const char *s)
{
    return dat_str(vstr_new(in->heap, slice_str(s)));
}

static void add_tag(struct dat_intake *in, const struct etype *tag, struct dat key, struct val v)
{
    struct evt *e = evt_new(in->heap, tag);
    set(in, e, "key", key);
    switch (v.tag) {
    case VAL_BOOL:
        set(in, e, "vType", text_of(in, "BOOL"));
        set(in, e, "vBool", dat_bool(v.b));
        break;
    case VAL_INT:
        set(in, e, "vType", text_of(in, "LONG"));
        set(in, e, "vLong", dat_long(v.i));
        break;
    case VAL_DOUBLE:
        set(in, e, "vType", text_of(in, "DOUBLE"));
        set(in, e, "vDouble", dat_double(v.d));
        break;
    default:
        set(in, e, "vType", text_of(in, "STRING"));
        set(in, e, "vStr", dat_words(in, v));
        break;
    }
    *VEC_PUSH(&in->items) = dat_evt(e);
}

static void add_context(struct dat_intake *in, const struct etype *tag, const struct rec *r,
                        const char *key, enum rec_name name)
{
    const struct val *v = r->context != NULL ? rec_context_get(r->context, NULL, name) : NULL;
    if (v != NULL) {
        add_tag(in, tag, text_of(in, key), *v);
    }
}

static const struct etype *elem(struct ty list)
{
    return list.kind == TY_LIST && list.elem != NULL && list.elem->kind == TY_EVENT ? list.elem->ev
                                                                                    : NULL;
}

static struct dat context_tags(struct dat_intake *in, const struct rec *r, const struct etype *tag)
{
    add_context(in, tag, r, "hostname", REC_NAME_HOST);
    for (uint32_t i = 0; r->context != NULL && i < r->context->len; i++) {
        const struct val_pair *p = &r->context->pairs[i];
        add_tag(in, tag, dat_str(vstr_new(in->heap, val_key(p))), p->value);
    }
    return dat_items_done(in);
}

static struct dat span_tags(struct dat_intake *in, const struct rec *r, const struct etype *tag)
{
    add_context(in, tag, r, "kube.node_name", REC_NAME_NODE);
    add_context(in, tag, r, "kube.pod_name", REC_NAME_POD);
    add_context(in, tag, r, "kube.pod_namespace", REC_NAME_NAMESPACE);
    for (uint32_t i = 0; i < r->payload_len; i++) {
        struct vstr *name = dat_attribute(in, &r->payload[i]);
        if (name != NULL) {
            add_tag(in, tag, dat_str(name), r->payload[i].value);
        }
    }
    const struct val *kind = own(r, PROP_kind), *status = own(r, PROP_status_code);
    if (kind != NULL) {
        add_tag(in, tag, text_of(in, "span.kind"), *kind);
    }
    if (status != NULL && status->tag == VAL_STRING &&
        slice_eq(val_slice(*status), SLICE("error"))) {
        add_tag(in, tag, text_of(in, "error"), val_bool(true));
    }
    return dat_items_done(in);
}

static struct dat span_logs(struct dat_intake *in, const struct rec *r, const struct etype *log)
{
    const struct val *events = own(r, PROP_events);
    int at = ety_col(log, SLICE("fields"));
    const struct etype *tag = at >= 0 ? elem(log->cols[at].ty) : NULL;
    bool ok = events != NULL && events->tag == VAL_LIST && tag != NULL;
    struct vlist *all = vlist_new(in->heap, ok ? events->len : 0);
    for (uint32_t i = 0; ok && i < events->len; i++) {
        const struct val *name = val_map_get(events->list[i], SLICE("name"));
        const struct val *when = val_map_get(events->list[i], SLICE("timestamp_ns"));
        const struct val *more = val_map_get(events->list[i], SLICE("attributes"));
        struct evt *e = evt_new(in->heap, log);
        if (name != NULL) {
            add_tag(in, tag, text_of(in, "event"), *name);
        }
        for (uint32_t k = 0; more != NULL && more->tag == VAL_MAP && k < more->len; k++) {
            add_tag(in, tag, dat_str(vstr_new(in->heap, val_key(&more->map[k]))),
                    more->map[k].value);
        }
        set(in, e, "fields", dat_items_done(in));
        set(in, e, "timestamp",
            dat_long(when != NULL && when->tag == VAL_INT ? when->i / 1000 : 0));
        vlist_set(all, i, dat_evt(e));
    }
    return dat_list(all);
}

/* The half of an id in hexadecimal digits, as a number. */
static struct dat half(struct slice hex, size_t from)
{
    uint64_t n = 0;
    for (size_t i = from; i < from + 16 && i < hex.len; i++) {
        char c = hex.ptr[i];
        n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return dat_long((int64_t)n);
}

static void add_ref(struct dat_intake *in, const struct etype *type, const char *what,
                    struct slice trace, struct slice span)
{
    struct evt *e = evt_new(in->heap, type);
    set(in, e, "refType", text_of(in, what));
    set(in, e, "traceIdHigh", half(trace, 0));
    set(in, e, "traceIdLow", half(trace, 16));
    set(in, e, "spanId", half(span, 0));
    *VEC_PUSH(&in->items) = dat_evt(e);
}

static struct dat references(struct dat_intake *in, const struct rec *r, const struct etype *type)
{
    const struct val *parent = own(r, PROP_parent_span_id), *links = own(r, PROP_links);
    struct dat trace = dat_hex(in->heap, r->trace_id, 16);
    if (parent != NULL && parent->tag == VAL_STRING) {
        add_ref(in, type, "CHILD_OF", vstr_slice(trace.s), val_slice(*parent));
    }
    for (uint32_t i = 0; links != NULL && links->tag == VAL_LIST && i < links->len; i++) {
        const struct val *t = val_map_get(links->list[i], SLICE("trace_id"));
        const struct val *s = val_map_get(links->list[i], SLICE("span_id"));
        if (t != NULL && t->tag == VAL_STRING && s != NULL && s->tag == VAL_STRING) {
            add_ref(in, type, "FOLLOWS_FROM", val_slice(*t), val_slice(*s));
        }
    }
    return dat_items_done(in);
}

struct dat dat_orig(struct dat_intake *in, const struct rec *r, const struct builtin_col *c,
                    struct ty to)
{
    const struct etype *of = elem(to);
    switch (c->fill) {
    case BUILTIN_FIELDS: return fields(in, r);
    case BUILTIN_TAG_MAP: return tag_map(in, r);
    case BUILTIN_LOG_MAP: return log_map(in, r);
    case BUILTIN_CONTEXT_TAGS: return of != NULL ? context_tags(in, r, of) : DAT_NONE;
    case BUILTIN_SPAN_TAGS: return of != NULL ? span_tags(in, r, of) : DAT_NONE;
    case BUILTIN_SPAN_LOGS: return of != NULL ? span_logs(in, r, of) : DAT_NONE;
    case BUILTIN_REFERENCES: return of != NULL ? references(in, r, of) : DAT_NONE;
    default: return DAT_NONE;
    }
}

/* ---- Batch ---- */

static bool is_span(const struct rec *r)
{
    return slice_eq(r->type, prop_type_names[PROP_TYPE_SPAN]);
}

static struct dat process(struct dat_intake *in, const struct rec *r, struct ty to)
{
    struct evt *e = to.kind == TY_EVENT ? evt_new(in->heap, to.ev) : NULL;
    int tags = e != NULL ? ety_col(to.ev, SLICE("tags")) : -1;
    if (e == NULL) {
        return DAT_NONE;
    }
    set(in, e, "serviceName", dat_context(in, r, REC_NAME_SERVICE));
    if (tags >= 0 && elem(to.ev->cols[tags].ty) != NULL) {
        set(in, e, "tags", context_tags(in, r, elem(to.ev->cols[tags].ty)));
    }
    return dat_evt(e);
}

struct evt *dat_intake_before(struct dat_intake *in, const struct rec_batch *b, uint32_t i)
{
    const struct rec *r = &b->events[i];
    if (in->batch == NULL || !is_span(r)) {
        return NULL;
    }
    for (uint32_t k = i; k > 0; k--) { /* spans of a context mostly lie side by side */
        if (b->events[k - 1].context == r->context && is_span(&b->events[k - 1])) {
            return NULL;
        }
    }
    uint32_t n = 0;
    for (uint32_t k = i; k < b->events_len; k++) {
        n += b->events[k].context == r->context && is_span(&b->events[k]);
    }
    struct evt *e = evt_new(in->heap, in->batch);
    struct vlist *spans = vlist_new(in->heap, n);
    n = 0;
    for (uint32_t k = i; k < b->events_len; k++) {
        if (b->events[k].context == r->context && is_span(&b->events[k])) {
            vlist_set(spans, n++, dat_evt(dat_intake_event(in, &b->events[k])));
        }
    }
    int at = ety_col(in->batch, SLICE("process"));
    set(in, e, "process", at >= 0 ? process(in, r, in->batch->cols[at].ty) : DAT_NONE);
    set(in, e, "spans", dat_list(spans));
    return e;
}
