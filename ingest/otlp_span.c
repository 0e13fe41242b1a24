/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans to events, and exceptions out of their events. A span is one event, complete with the
 * events and links in it; each event in it that is an exception becomes an ExceptionEvent beside
 * the logs of the same subject, too.
 */
#include "ingest/otlp_impl.h"

#define LEN(number) PBWIRE_TAG(number, PBWIRE_LEN)

enum { EVENTS = 11, LINKS = 13 };

static const struct slice KINDS[] = {{"unspecified", 11}, {"internal", 8}, {"server", 6},
                                     {"client", 6},       {"producer", 8}, {"consumer", 8}};
static const struct slice STATUSES[] = {{"unset", 5}, {"ok", 2}, {"error", 5}};

/* --- events and links in a span --- */

static void put(struct val_pair *pairs, uint32_t *n, struct slice key, struct val v)
{
    pairs[(*n)++] = val_pair(key, v);
}

/* Keys in ascending order, as maps want them. */
static struct val event_map(struct otlp_item *it, struct slice message)
{
    struct otlp_part p;
    uint32_t n = 0;
    bool saturated = false;
    otlp_decode_event(message, &p);
    struct val_pair *pairs = otlp_item_array(it, 4, sizeof *pairs);
    if (pairs == NULL) {
        return val_null();
    }
    if (p.attrs > 0) {
        put(pairs, &n, SLICE("attributes"), otlp_attr_map(it, message, 3));
    }
    if (p.dropped_attrs > 0) {
        put(pairs, &n, SLICE("dropped_attributes_count"),
            val_int((int64_t)(uint32_t)p.dropped_attrs));
    }
    put(pairs, &n, SLICE("name"), val_string(p.name));
    put(pairs, &n, SLICE("timestamp_ns"), val_int(otlp_saturate(p.time, &saturated)));
    return val_map(pairs, n);
}

static struct val link_map(struct otlp_item *it, struct slice message, const struct otlp_part *p)
{
    uint32_t n = 0;
    struct val_pair *pairs = otlp_item_array(it, 6, sizeof *pairs);
    if (pairs == NULL) {
        return val_null();
    }
    if (p->attrs > 0) {
        put(pairs, &n, SLICE("attributes"), otlp_attr_map(it, message, 4));
    }
    if (p->dropped_attrs > 0) {
        put(pairs, &n, SLICE("dropped_attributes_count"),
            val_int((int64_t)(uint32_t)p->dropped_attrs));
    }
    if (p->flags > 0) {
        put(pairs, &n, SLICE("flags"), val_int((int64_t)p->flags));
    }
    put(pairs, &n, SLICE("span_id"), otlp_hex(it, p->span_id));
    put(pairs, &n, SLICE("trace_id"), otlp_hex(it, p->trace_id));
    if (p->trace_state.len > 0) {
        put(pairs, &n, SLICE("trace_state"), val_string(p->trace_state));
    }
    return val_map(pairs, n);
}

static void add_events(struct otlp_item *it, struct slice span, uint32_t count)
{
    struct val *items = otlp_item_array(it, count, sizeof *items);
    struct pbwire r = pbwire_of(span);
    struct pbwire_field f;
    uint32_t n = 0;
    while (items != NULL && pbwire_next(&r, &f)) {
        if (f.tag == LEN(EVENTS)) {
            items[n++] = event_map(it, f.bytes);
        }
    }
    otlp_own(it, PROP_events, val_list(items, n));
}

static void add_links(struct otlp_map *m, struct slice span, uint32_t count)
{
    struct otlp_item *it = &m->item;
    struct val *items = otlp_item_array(it, count, sizeof *items);
    struct pbwire r = pbwire_of(span);
    struct pbwire_field f;
    uint32_t n = 0;
    while (items != NULL && pbwire_next(&r, &f)) {
        struct otlp_part p;
        if (f.tag != LEN(LINKS)) {
            continue;
        }
        otlp_decode_link(f.bytes, &p);
        if (otlp_id_ok(p.trace_id, 16) && otlp_id_ok(p.span_id, 8)) {
            items[n++] = link_map(it, f.bytes, &p);
        } else {
            otlp_notice(m, OTLP_NOTICE_BAD_LINK);
        }
    }
    otlp_own(it, PROP_links, val_list(items, n));
}

/* --- exceptions --- */

bool otlp_is_exception(const struct otlp_item *it)
{
    return otlp_item_role(it, OTLP_ROLE_EXCEPTION_TYPE) != NULL ||
           otlp_item_role(it, OTLP_ROLE_EXCEPTION_MESSAGE) != NULL;
}

/* "true" and "false" in words count as what they say. */
static struct val as_bool(struct val v)
{
    if (v.tag == VAL_STRING && slice_eq_nocase(val_slice(v), SLICE("true"))) {
        return val_bool(true);
    }
    return v.tag == VAL_STRING && slice_eq_nocase(val_slice(v), SLICE("false")) ? val_bool(false)
                                                                                : v;
}

/* Takes the attributes that became own keys out of the payload. */
static void drop_marks(struct otlp_item *it)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < it->attrs; i++) {
        const struct val_pair *p = &it->pairs[OTLP_OWN_MAX + i];
        const struct otlp_key *known = otlp_key_find(it->keys, val_key(p));
        if (known == NULL || known->role < OTLP_ROLE_EXCEPTION_TYPE ||
            known->role > OTLP_ROLE_EXCEPTION_ESCAPED) {
            it->pairs[OTLP_OWN_MAX + kept++] = *p;
        }
    }
    it->attrs = kept;
    it->roles = 0;
}

void otlp_emit_exception(struct otlp_map *m, const struct otlp_event *like)
{
    static const struct {
        enum otlp_role role;
        enum prop prop;
    } marks[] = {{OTLP_ROLE_EXCEPTION_TYPE, PROP_exception_type},
                 {OTLP_ROLE_EXCEPTION_MESSAGE, PROP_exception_message},
                 {OTLP_ROLE_EXCEPTION_STACKTRACE, PROP_exception_stacktrace},
                 {OTLP_ROLE_EXCEPTION_ESCAPED, PROP_escaped}};
    struct otlp_item *it = &m->item;
    struct otlp_event e = *like;
    it->own = OTLP_OWN_MAX;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        const struct val *v = otlp_item_role(it, marks[i].role);
        if (v != NULL) {
            otlp_own(it, marks[i].prop, marks[i].prop == PROP_escaped ? as_bool(*v) : *v);
        }
    }
    drop_marks(it);
    e.topic = BUS_TOPIC_LOGS;
    e.type = PROP_TYPE_EXCEPTION;
    e.id = NULL;
    e.extra = true;
    (void)otlp_emit(m, &e);
}

static void emit_exceptions(struct otlp_map *m, struct slice span, const struct otlp_event *like)
{
    struct pbwire r = pbwire_of(span), event;
    struct pbwire_field f, g;
    while (m->rc == 0 && pbwire_next(&r, &f)) {
        struct otlp_part p;
        if (f.tag != LEN(EVENTS)) {
            continue;
        }
        otlp_decode_event(f.bytes, &p);
        otlp_item_begin(&m->item, OTLP_ITEM);
        for (event = pbwire_of(f.bytes); pbwire_next(&event, &g);) {
            if (g.tag == LEN(3)) {
                otlp_item_attr(&m->item, g.bytes);
            }
        }
        if (m->item.bad) {
            otlp_notice(m, OTLP_NOTICE_EXTRA_LOST);
        } else if (slice_eq(p.name, SLICE("exception")) || otlp_is_exception(&m->item)) {
            struct otlp_event e = *like;
            e.ts = p.time != 0 ? p.time : like->ts;
            otlp_emit_exception(m, &e);
        }
    }
}

/* --- spans --- */

static struct val named(const struct slice *names, size_t n, uint64_t number)
{
    return val_string(names[number < n ? number : 0]);
}

static bool judge(struct otlp_item *it, const struct otlp_span *s)
{
    if (!otlp_id_ok(s->trace_id, 16)) {
        otlp_item_refuse(it, OTLP_REASON_TRACE_ID);
    } else if (!otlp_id_ok(s->span_id, 8)) {
        otlp_item_refuse(it, OTLP_REASON_SPAN_ID);
    } else if (s->parent_id.len != 0 && s->parent_id.len != 8) {
        otlp_item_refuse(it, OTLP_REASON_PARENT_ID);
    }
    return !it->bad;
}

static void put_own(struct otlp_map *m, const struct otlp_span *s, struct slice item)
{
    struct otlp_item *it = &m->item;
    otlp_own(it, PROP_name, val_string(s->name));
    otlp_own(it, PROP_kind, named(KINDS, ARRAY_LEN(KINDS), s->kind));
    otlp_own(it, PROP_status_code, named(STATUSES, ARRAY_LEN(STATUSES), s->status));
    otlp_own_text(it, PROP_status_message, s->status_message);
    if (s->end != 0 && s->start != 0) {
        otlp_own(it, PROP_duration_ns, val_int((int64_t)(s->end - s->start)));
    }
    if (otlp_id_ok(s->parent_id, 8)) {
        otlp_own(it, PROP_parent_span_id, otlp_hex(it, s->parent_id));
    }
    otlp_own_text(it, PROP_trace_state, s->trace_state);
    otlp_own_count(it, PROP_flags, s->flags);
    otlp_own_count(it, PROP_dropped_attributes_count, s->dropped_attrs);
    otlp_own_count(it, PROP_dropped_events_count, s->dropped_events);
    otlp_own_count(it, PROP_dropped_links_count, s->dropped_links);
    if (s->events > 0) {
        add_events(it, item, s->events);
    }
    if (s->links > 0) {
        add_links(m, item, s->links);
    }
}

void otlp_map_span(struct otlp_map *m, struct slice item)
{
    struct otlp_item *it = &m->item;
    struct otlp_span s;
    m->result.items++;
    otlp_item_begin(it, OTLP_ITEM);
    otlp_decode_span(it, item, &s);
    if (judge(it, &s)) {
        put_own(m, &s, item);
    }
    if (!it->bad) {
        const uint8_t *trace_id = (const uint8_t *)s.trace_id.ptr;
        const uint8_t *span_id = (const uint8_t *)s.span_id.ptr;
        struct id id = id_of_span(trace_id, span_id, (uint8_t)s.kind);
        struct otlp_event e = {.topic = BUS_TOPIC_SPANS,
                               .type = PROP_TYPE_SPAN,
                               .target = m->targets.base,
                               .ts = s.start,
                               .trace_id = trace_id,
                               .span_id = span_id,
                               .id = &id};
        if (otlp_emit(m, &e) && s.events > 0) {
            emit_exceptions(m, item, &e);
            return; /* whatever became of these, the span is taken */
        }
    }
    if (it->bad && m->rc == 0) {
        otlp_reject(m, it->reason, item);
    }
}
