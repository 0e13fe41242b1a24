/* SPDX-License-Identifier: Apache-2.0
 *
 * Kubernetes events that come as log records, in the two shapes collectors give them:
 *   k8s_events receiver: reason, count and uid in attributes k8s.event.*, the object in the
 * resource as k8s.object.*, the message as body k8sobjects receiver: the whole Event object as body
 * (pulled), or {type, object} (watched); core/v1 has involvedObject and message, events.k8s.io/v1
 * regarding and note The object becomes the context, so that an event of a pod meets the pod's logs
 * and metrics. When a watch says DELETED the event has expired, which is no occurrence: that stays
 * a log record. Time: that of the record, else the latest the object names.
 */
#include "ingest/otlp_impl.h"

#include "core/base/clock.h"

enum { DAYS_TO_1970 = 719468 };

struct kube {
    struct slice reason, message, type, action, event_uid, controller;
    struct slice kind, name, name_space, uid, node, field_path;
    int64_t count;
    uint64_t ts;
    struct val object; /* null: there is only what stands above */
};

static const struct {
    struct slice kind, name_key, uid_key;
} OBJECTS[] = {
#define KUBE_OBJECT(kind, name, uid, doc)                                                          \
    {{kind, sizeof kind - 1}, {name, sizeof name - 1}, {uid, sizeof uid - 1}},
#include "ingest/otlp_kube.def"
};

/* --- RFC 3339 --- */

static bool digits(const char **p, const char *end, int n, int64_t *ret)
{
    int64_t v = 0;
    for (int i = 0; i < n; i++, (*p)++) {
        if (*p == end || **p < '0' || **p > '9') {
            return false;
        }
        v = v * 10 + (**p - '0');
    }
    *ret = v;
    return true;
}

static bool one_of(const char **p, const char *end, const char *chars)
{
    bool ok = *p < end && strchr(chars, **p) != NULL;
    *p += ok;
    return ok;
}

/* Days since 1970 in the Gregorian calendar: years begin in March, so leap days come last. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static bool read_fraction(const char **p, const char *end, int64_t *ret_ns)
{
    int64_t unit = CLOCK_NS_PER_S, ns = 0, digit;
    if (!one_of(p, end, ".")) {
        return true;
    }
    const char *from = *p;
    while (unit > 1 && digits(p, end, 1, &digit)) {
        unit /= 10;
        ns += digit * unit;
    }
    while (digits(p, end, 1, &digit)) {
    }
    *ret_ns = ns;
    return *p > from;
}

static bool read_zone(const char **p, const char *end, int64_t *ret_s)
{
    int64_t h, m;
    *ret_s = 0;
    if (one_of(p, end, "Zz")) {
        return true;
    }
    int64_t sign = *p < end && **p == '-' ? -1 : 1;
    if (!one_of(p, end, "+-") || !digits(p, end, 2, &h) || !one_of(p, end, ":") ||
        !digits(p, end, 2, &m)) {
        return false;
    }
    *ret_s = sign * (h * 3600 + m * 60);
    return true;
}

/* ns since 1970; 0 if the text is no time, or lies before. */
static uint64_t time_of(struct slice text)
{
    const char *p = text.ptr != NULL ? text.ptr : "", *end = p + text.len;
    int64_t y, mo, d, h, mi, s, ns = 0, zone;
    if (!digits(&p, end, 4, &y) || !one_of(&p, end, "-") || !digits(&p, end, 2, &mo) ||
        !one_of(&p, end, "-") || !digits(&p, end, 2, &d) || !one_of(&p, end, "Tt ") ||
        !digits(&p, end, 2, &h) || !one_of(&p, end, ":") || !digits(&p, end, 2, &mi) ||
        !one_of(&p, end, ":") || !digits(&p, end, 2, &s) || !read_fraction(&p, end, &ns) ||
        !read_zone(&p, end, &zone) || p != end || mo < 1 || mo > 12 || y > 2200) {
        return 0;
    }
    int64_t seconds = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - zone;
    return seconds > 0 ? (uint64_t)(seconds * CLOCK_NS_PER_S + ns) : 0;
}

/* --- shapes --- */

static struct slice text_of(const struct val *v)
{
    return v != NULL && v->tag == VAL_STRING ? val_slice(*v) : SLICE_NONE;
}

static struct slice get(struct val map, struct slice key)
{
    return map.tag == VAL_MAP ? text_of(val_map_get(map, key)) : SLICE_NONE;
}

static struct val get_map(struct val map, struct slice key)
{
    const struct val *v = map.tag == VAL_MAP ? val_map_get(map, key) : NULL;
    return v != NULL && v->tag == VAL_MAP ? *v : val_null();
}

static int64_t get_int(struct val map, struct slice key)
{
    const struct val *v = map.tag == VAL_MAP ? val_map_get(map, key) : NULL;
    if (v != NULL && v->tag == VAL_DOUBLE && v->d >= 0 && v->d < 0x1p53) {
        return (int64_t)v->d; /* as JSON libraries see every number */
    }
    return v != NULL && v->tag == VAL_INT ? v->i : 0;
}

static struct slice first_of(struct slice a, struct slice b)
{
    return a.len > 0 ? a : b;
}

static bool from_attributes(struct otlp_map *m, const struct otlp_log *log, struct kube *k)
{
    const struct otlp_item *it = &m->item;
    const struct otlp_targets *t = &m->targets;
    if (otlp_item_role(it, OTLP_ROLE_KUBE_REASON) == NULL) {
        return false;
    }
    const struct val *count = otlp_item_role(it, OTLP_ROLE_KUBE_COUNT);
    k->reason = text_of(otlp_item_role(it, OTLP_ROLE_KUBE_REASON));
    k->action = text_of(otlp_item_role(it, OTLP_ROLE_KUBE_ACTION));
    k->event_uid = text_of(otlp_item_role(it, OTLP_ROLE_KUBE_UID));
    k->controller = text_of(otlp_item_role(it, OTLP_ROLE_KUBE_CONTROLLER));
    k->type = first_of(text_of(otlp_item_role(it, OTLP_ROLE_KUBE_TYPE)), log->severity_text);
    k->count = count != NULL && count->tag == VAL_INT ? count->i : 0;
    k->kind = otlp_targets_text(t, SLICE("k8s.object.kind"));
    k->name = otlp_targets_text(t, SLICE("k8s.object.name"));
    k->uid = otlp_targets_text(t, SLICE("k8s.object.uid"));
    k->field_path = otlp_targets_text(t, SLICE("k8s.object.fieldpath"));
    k->node = otlp_targets_text(t, SLICE("k8s.node.name"));
    k->name_space = first_of(text_of(otlp_item_role(it, OTLP_ROLE_NAMESPACE)),
                             otlp_targets_text(t, SLICE("k8s.namespace.name")));
    struct val body = log->has_body ? otlp_any(&m->item, log->body, OTLP_VALUE_DEPTH) : val_null();
    k->message = text_of(&body);
    return true;
}

static uint64_t latest_time(struct val object)
{
    struct slice texts[] = {get(get_map(object, SLICE("series")), SLICE("lastObservedTime")),
                            get(object, SLICE("eventTime")),
                            get(object, SLICE("lastTimestamp")),
                            get(object, SLICE("deprecatedLastTimestamp")),
                            get(object, SLICE("firstTimestamp")),
                            get(get_map(object, SLICE("metadata")), SLICE("creationTimestamp"))};
    uint64_t ts = 0;
    for (size_t i = 0; ts == 0 && i < ARRAY_LEN(texts); i++) {
        ts = time_of(texts[i]);
    }
    return ts;
}

static void from_object(struct val o, struct val about, struct kube *k)
{
    struct val source = get_map(o, SLICE("source")), meta = get_map(o, SLICE("metadata"));
    source = source.tag == VAL_MAP ? source : get_map(o, SLICE("deprecatedSource"));
    k->object = o;
    k->reason = get(o, SLICE("reason"));
    k->message = first_of(get(o, SLICE("message")), get(o, SLICE("note")));
    k->type = get(o, SLICE("type"));
    k->action = get(o, SLICE("action"));
    k->controller =
        first_of(get(o, SLICE("reportingController")),
                 first_of(get(o, SLICE("reportingComponent")), get(source, SLICE("component"))));
    k->node = get(source, SLICE("host"));
    k->event_uid = get(meta, SLICE("uid"));
    k->kind = get(about, SLICE("kind"));
    k->name = get(about, SLICE("name"));
    k->uid = get(about, SLICE("uid"));
    k->field_path = get(about, SLICE("fieldPath"));
    k->name_space = first_of(get(about, SLICE("namespace")), get(meta, SLICE("namespace")));
    k->count = get_int(get_map(o, SLICE("series")), SLICE("count"));
    k->count = k->count != 0 ? k->count : get_int(o, SLICE("count"));
    k->count = k->count != 0 ? k->count : get_int(o, SLICE("deprecatedCount"));
    k->ts = latest_time(o);
}

static bool from_body(struct otlp_map *m, const struct otlp_log *log, struct kube *k)
{
    /* Only a map can be an object; its tag is the first byte. */
    if (log->body.len == 0 || (uint8_t)log->body.ptr[0] != PBWIRE_TAG(6, PBWIRE_LEN)) {
        return false;
    }
    struct val body = otlp_any(&m->item, log->body, OTLP_VALUE_DEPTH);
    struct val object = get_map(body, SLICE("object"));
    if (object.tag != VAL_MAP) {
        object = body;
    } else if (slice_eq(get(body, SLICE("type")), SLICE("DELETED"))) {
        return false;
    }
    struct val about = get_map(object, SLICE("involvedObject"));
    about = about.tag == VAL_MAP ? about : get_map(object, SLICE("regarding"));
    if (about.tag != VAL_MAP || !slice_eq(get(object, SLICE("kind")), SLICE("Event"))) {
        return false;
    }
    from_object(object, about, k);
    return true;
}

/* --- the event --- */

static void over(struct otlp_overlay *o, struct slice key, struct slice text)
{
    if (text.len > 0 && o->len < OTLP_OVERLAY_MAX) {
        o->pairs[o->len++] = val_pair(key, val_string(text));
    }
}

/* "spec.containers{name}" and the like. */
static struct slice container_of(struct slice path)
{
    size_t open = slice_find(path, '{');
    return slice_ends(path, SLICE("}")) && slice_starts(path, SLICE("spec."))
               ? slice_sub(path, open + 1, path.len - 1)
               : SLICE_NONE;
}

static const struct otlp_target *target_of(struct otlp_map *m, const struct kube *k)
{
    struct otlp_overlay o = {.len = 0};
    bool pod = slice_eq(k->kind, SLICE("Pod")), node = slice_eq(k->kind, SLICE("Node"));
    if (!node) {
        over(&o, otlp_role_key(OTLP_ROLE_NAMESPACE), k->name_space);
    }
    for (size_t i = 0; i < ARRAY_LEN(OBJECTS); i++) {
        if (slice_eq(OBJECTS[i].kind, k->kind)) {
            over(&o, OBJECTS[i].name_key, k->name);
            over(&o, OBJECTS[i].uid_key, k->uid);
        }
    }
    if (node) {
        over(&o, otlp_role_key(OTLP_ROLE_HOST), k->name);
    } else if (pod) {
        over(&o, otlp_role_key(OTLP_ROLE_NODE), k->node);
        over(&o, otlp_role_key(OTLP_ROLE_CONTAINER), container_of(k->field_path));
    }
    return o.len > 0 ? otlp_targets_overlay(&m->targets, &o) : m->targets.base;
}

static void put_own(struct otlp_item *it, const struct kube *k)
{
    otlp_own_text(it, PROP_reason, k->reason);
    otlp_own_text(it, PROP_message, k->message);
    otlp_own_text(it, PROP_type, k->type);
    otlp_own_text(it, PROP_action, k->action);
    otlp_own(it, PROP_count, val_int(k->count > 0 ? k->count : 1));
    otlp_own_text(it, PROP_object_kind, k->kind);
    otlp_own_text(it, PROP_object_name, k->name);
    otlp_own_text(it, PROP_object_uid, k->uid);
    otlp_own_text(it, PROP_field_path, k->field_path);
    otlp_own_text(it, PROP_reporting_controller, k->controller);
    otlp_own_text(it, PROP_event_uid, k->event_uid);
    if (k->object.tag == VAL_MAP) {
        otlp_own(it, PROP_body, k->object);
    }
}

/* A collector that starts again lists all events again: the same object at the same count is the
 * same event, whatever else is different. */
static bool kube_id(struct otlp_map *m, const struct kube *k, struct id *ret_id)
{
    struct val_pair pairs[] = {val_pair(prop_keys[PROP_event_uid], val_string(k->event_uid)),
                               val_pair(prop_keys[PROP_count], val_int(k->count))};
    struct rec r = {.type = prop_type_names[PROP_TYPE_KUBE],
                    .kind = REC_KUBE,
                    .payload = pairs,
                    .payload_len = ARRAY_LEN(pairs)};
    struct hash128 tenant = hash_xxh128(m->targets.tenant);
    struct err err;
    return k->event_uid.len > 0 && id_of_item(&m->scratch, &tenant, &r, ret_id, &err) == 0;
}

bool otlp_map_kube(struct otlp_map *m, const struct otlp_log *log, struct slice item)
{
    struct otlp_item *it = &m->item;
    struct kube k = {.object = {.tag = VAL_NULL}};
    struct id id;
    if (!from_attributes(m, log, &k) && !from_body(m, log, &k)) {
        return false;
    }
    struct otlp_event e = {.topic = BUS_TOPIC_K8S, .type = PROP_TYPE_KUBE};
    e.target = target_of(m, &k);
    e.ts = log->time != 0 ? log->time : k.ts != 0 ? k.ts : log->observed;
    e.id = kube_id(m, &k, &id) ? &id : NULL;
    put_own(it, &k);
    if (e.target == NULL) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
    }
    if (!it->bad) {
        (void)otlp_emit(m, &e);
    }
    if (it->bad && m->rc == 0) {
        otlp_reject(m, it->reason, item);
    }
    return true;
}
