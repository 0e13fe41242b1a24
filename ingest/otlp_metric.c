/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics to events: one event for each point, whatever its kind, and one small event for each
 * exemplar that has a trace, in the partition of that trace. A point whose flag says that no value
 * was recorded carries the stale marker: a NaN of its own, in `value` or, of distributions, in
 * `sum`. Temporality stays as sent; who needs the other kind keeps state.
 */
#include "ingest/otlp_impl.h"

#include "ingest/otlp_point.h"

#include <math.h>

#define LEN(number) PBWIRE_TAG(number, PBWIRE_LEN)

enum { DOUBLE_EXP_MAX = 1024, DOUBLE_EXP_MIN = -1074, SCALE_MAX = 1100 };

static struct val kind_name(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_METRIC_GAUGE: return val_string(SLICE("gauge"));
    case OTLP_METRIC_SUM: return val_string(SLICE("sum"));
    case OTLP_METRIC_HISTOGRAM: return val_string(SLICE("histogram"));
    case OTLP_METRIC_EXP_HISTOGRAM: return val_string(SLICE("exponential_histogram"));
    default: return val_string(SLICE("summary"));
    }
}

static struct val temporality_name(uint64_t t)
{
    return val_string(t == 1   ? SLICE("delta")
                      : t == 2 ? SLICE("cumulative")
                               : SLICE("unspecified"));
}

static struct val stale(void)
{
    return val_double(endian_double(PROP_STALE_BITS));
}

/* --- distributions --- */

static void put_count(struct otlp_item *it, enum prop p, uint64_t count, bool *saturated)
{
    otlp_own(it, p, val_int(otlp_saturate(count, saturated)));
}

static void put_totals(struct otlp_item *it, const struct otlp_point *p, bool *saturated)
{
    put_count(it, PROP_count, p->count, saturated);
    if ((p->flags & OTLP_NO_RECORDED_VALUE) != 0) {
        otlp_own(it, PROP_sum, stale());
    } else if (p->has_sum) {
        otlp_own(it, PROP_sum, val_double(p->sum));
    }
    if (p->has_min) {
        otlp_own(it, PROP_min, val_double(p->min));
    }
    if (p->has_max) {
        otlp_own(it, PROP_max, val_double(p->max));
    }
}

static void put_histogram(struct otlp_item *it, const struct otlp_point *p, struct slice item,
                          bool *saturated)
{
    struct val counts = otlp_numbers(it, item, 6, OTLP_NUMBERS_FIXED, saturated);
    struct val bounds = otlp_numbers(it, item, 7, OTLP_NUMBERS_DOUBLE, saturated);
    bool ok = counts.len == 0 ? bounds.len == 0 : counts.len == bounds.len + 1;
    for (uint32_t i = 0; ok && i < bounds.len; i++) {
        ok = !isnan(bounds.list[i].d) && (i == 0 || bounds.list[i - 1].d < bounds.list[i].d);
    }
    if (!ok) {
        otlp_item_refuse(it, OTLP_REASON_BUCKETS);
    }
    put_totals(it, p, saturated);
    if (counts.len > 0) {
        otlp_own(it, PROP_bucket_counts, counts);
        otlp_own(it, PROP_bounds, bounds);
    }
}

/* A bucket with index i holds values in (2^(i * 2^-scale), 2^((i+1) * 2^-scale)]: those with
 * something in them must touch what a double can be. */
static bool buckets_fit(const struct otlp_buckets *b, int64_t scale)
{
    uint32_t first = 0, last = b->counts.len;
    while (first < last && b->counts.list[first].i == 0) {
        first++;
    }
    while (last > first && b->counts.list[last - 1].i == 0) {
        last--;
    }
    if (first == last) {
        return true;
    }
    double low = ldexp((double)(b->offset + first + 1), (int)-scale);
    double high = ldexp((double)(b->offset + last - 1), (int)-scale);
    return low > DOUBLE_EXP_MIN && high < DOUBLE_EXP_MAX;
}

static void put_buckets(struct otlp_item *it, struct slice message, int64_t scale, enum prop offset,
                        enum prop counts, bool *saturated)
{
    if (message.ptr == NULL) {
        return;
    }
    struct otlp_buckets b = otlp_decode_buckets(it, message, saturated);
    if (b.offset > INT32_MAX || b.offset < INT32_MIN || !buckets_fit(&b, scale)) {
        otlp_item_refuse(it, OTLP_REASON_SCALE);
    }
    if (b.counts.len > 0) {
        otlp_own(it, offset, val_int(b.offset));
        otlp_own(it, counts, b.counts);
    }
}

static void put_exp(struct otlp_item *it, const struct otlp_point *p, bool *saturated)
{
    if (p->scale > SCALE_MAX || p->scale < -SCALE_MAX) {
        otlp_item_refuse(it, OTLP_REASON_SCALE);
        return;
    }
    put_totals(it, p, saturated);
    otlp_own(it, PROP_scale, val_int(p->scale));
    put_count(it, PROP_zero_count, p->zero_count, saturated);
    if (p->zero_threshold != 0) {
        otlp_own(it, PROP_zero_threshold, val_double(p->zero_threshold));
    }
    put_buckets(it, p->positive, p->scale, PROP_positive_offset, PROP_positive_counts, saturated);
    put_buckets(it, p->negative, p->scale, PROP_negative_offset, PROP_negative_counts, saturated);
}

static void put_summary(struct otlp_item *it, const struct otlp_point *p, struct slice item,
                        bool *saturated)
{
    struct val *quantiles = otlp_item_array(it, p->quantiles, sizeof *quantiles);
    struct val *values = otlp_item_array(it, p->quantiles, sizeof *values);
    struct pbwire r = pbwire_of(item);
    struct pbwire_field f;
    uint32_t n = 0, field = otlp_point_fields(OTLP_METRIC_SUMMARY).quantiles;
    put_totals(it, p, saturated);
    while (quantiles != NULL && values != NULL && pbwire_next(&r, &f)) {
        double q, v;
        if (f.tag != LEN(field)) {
            continue;
        }
        otlp_decode_quantile(f.bytes, &q, &v);
        if (!(q >= 0 && q <= 1)) {
            otlp_item_refuse(it, OTLP_REASON_QUANTILE);
        }
        quantiles[n] = val_double(q);
        values[n++] = val_double(v);
    }
    otlp_own(it, PROP_quantiles, val_list(quantiles, n));
    otlp_own(it, PROP_quantile_values, val_list(values, n));
}

static void put_number(struct otlp_item *it, const struct otlp_point *p)
{
    if ((p->flags & OTLP_NO_RECORDED_VALUE) != 0) {
        otlp_own(it, PROP_value, stale());
    } else if (p->value.tag == VAL_NULL) {
        otlp_item_refuse(it, OTLP_REASON_NO_VALUE);
    } else {
        otlp_own(it, PROP_value, p->value);
    }
}

/* --- exemplars --- */

static struct val exemplar_map(struct otlp_item *it, struct slice message,
                               const struct otlp_part *p)
{
    uint32_t n = 0;
    bool saturated = false;
    struct val_pair *pairs = otlp_item_array(it, 5, sizeof *pairs);
    if (pairs == NULL) {
        return val_null();
    }
    if (p->attrs > 0) {
        pairs[n++] = val_pair(SLICE("attributes"), otlp_attr_map(it, message, 7));
    }
    if (otlp_id_ok(p->span_id, 8)) {
        pairs[n++] = val_pair(SLICE("span_id"), otlp_hex(it, p->span_id));
    }
    pairs[n++] = val_pair(SLICE("timestamp_ns"), val_int(otlp_saturate(p->time, &saturated)));
    if (otlp_id_ok(p->trace_id, 16)) {
        pairs[n++] = val_pair(SLICE("trace_id"), otlp_hex(it, p->trace_id));
    }
    pairs[n++] = val_pair(SLICE("value"), p->value);
    return val_map(pairs, n);
}

/* Exemplars with ids before those without, then the latest. */
static bool better(const struct otlp_part *a, const struct otlp_part *b)
{
    bool ids_a = otlp_id_ok(a->trace_id, 16), ids_b = otlp_id_ok(b->trace_id, 16);
    return ids_a != ids_b ? ids_a : a->time >= b->time;
}

static void put_exemplars(struct otlp_map *m, const struct otlp_point *p, uint32_t field,
                          struct slice item)
{
    struct otlp_item *it = &m->item;
    struct val *items = otlp_item_array(it, p->exemplars, sizeof *items);
    struct pbwire r = pbwire_of(item);
    struct pbwire_field f = {0};
    struct otlp_part best = {0}, one;
    uint32_t n = 0;
    while (items != NULL && pbwire_next(&r, &f)) {
        if (f.tag != LEN(field)) {
            continue;
        }
        otlp_decode_exemplar(f.bytes, &one);
        if (one.value.tag == VAL_NULL) {
            otlp_notice(m, OTLP_NOTICE_BAD_EXEMPLAR);
            continue;
        }
        best = n == 0 || better(&one, &best) ? one : best;
        items[n++] = exemplar_map(it, f.bytes, &one);
    }
    if (n == 0) {
        return;
    }
    otlp_own(it, PROP_exemplars, val_list(items, n));
    otlp_own(it, PROP_exemplar_value, best.value);
    if (otlp_id_ok(best.trace_id, 16)) {
        otlp_own(it, PROP_exemplar_trace_id, otlp_hex(it, best.trace_id));
    }
    if (otlp_id_ok(best.span_id, 8)) {
        otlp_own(it, PROP_exemplar_span_id, otlp_hex(it, best.span_id));
    }
}

/* The point was emitted: its exemplars that have a trace go to where the trace is. */
static void emit_exemplars(struct otlp_map *m, const struct otlp_metric *metric, uint32_t field,
                           struct slice item, const struct otlp_event *like)
{
    struct pbwire r = pbwire_of(item), inner;
    struct pbwire_field f, g;
    while (m->rc == 0 && pbwire_next(&r, &f)) {
        struct otlp_part p;
        if (f.tag != LEN(field)) {
            continue;
        }
        otlp_decode_exemplar(f.bytes, &p);
        if (p.value.tag == VAL_NULL || !otlp_id_ok(p.trace_id, 16)) {
            continue;
        }
        otlp_item_begin(&m->item, OTLP_ITEM);
        for (inner = pbwire_of(f.bytes); pbwire_next(&inner, &g);) {
            if (g.tag == LEN(7)) {
                otlp_item_attr(&m->item, g.bytes);
            }
        }
        otlp_own(&m->item, PROP_name, val_string(metric->name));
        otlp_own_text(&m->item, PROP_unit, metric->unit);
        otlp_own(&m->item, PROP_value, p.value);
        struct otlp_event e = *like;
        e.topic = BUS_TOPIC_SPANS;
        e.type = PROP_TYPE_EXEMPLAR;
        e.ts = p.time != 0 ? p.time : like->ts;
        e.trace_id = (const uint8_t *)p.trace_id.ptr;
        e.span_id = otlp_id_ok(p.span_id, 8) ? (const uint8_t *)p.span_id.ptr : NULL;
        e.extra = true;
        if (m->item.bad) {
            otlp_notice(m, OTLP_NOTICE_EXTRA_LOST);
        } else {
            (void)otlp_emit(m, &e);
        }
    }
}

/* --- points --- */

static void put_own(struct otlp_map *m, const struct otlp_metric *metric,
                    const struct otlp_point *p, struct slice item, bool *saturated)
{
    struct otlp_item *it = &m->item;
    otlp_own(it, PROP_name, val_string(metric->name));
    otlp_own(it, PROP_metric_type, kind_name(metric->kind));
    otlp_own_text(it, PROP_unit, metric->unit);
    otlp_own_text(it, PROP_description, metric->description);
    if (metric->metadata) {
        otlp_own(it, PROP_metadata, otlp_attr_map(it, metric->message, 12));
    }
    if (metric->kind != OTLP_METRIC_GAUGE && metric->kind != OTLP_METRIC_SUMMARY) {
        otlp_own(it, PROP_temporality, temporality_name(metric->temporality));
    }
    if (metric->kind == OTLP_METRIC_SUM) {
        otlp_own(it, PROP_monotonic, val_bool(metric->monotonic));
    }
    if (p->start != 0) {
        put_count(it, PROP_start_timestamp_ns, p->start, saturated);
    }
    otlp_own_count(it, PROP_flags, p->flags);
    switch (metric->kind) {
    case OTLP_METRIC_HISTOGRAM: put_histogram(it, p, item, saturated); break;
    case OTLP_METRIC_EXP_HISTOGRAM: put_exp(it, p, saturated); break;
    case OTLP_METRIC_SUMMARY: put_summary(it, p, item, saturated); break;
    default: put_number(it, p); break;
    }
}

static void map_point(struct otlp_map *m, const struct otlp_metric *metric, struct slice item)
{
    struct otlp_item *it = &m->item;
    uint32_t exemplars = otlp_point_fields(metric->kind).exemplars;
    struct otlp_point p;
    bool saturated = false;
    m->result.items++;
    otlp_item_begin(it, OTLP_ITEM);
    if (metric->name.len == 0) {
        otlp_item_refuse(it, OTLP_REASON_METRIC_NAME);
    } else {
        otlp_decode_point(it, metric->kind, item, &p);
        put_own(m, metric, &p, item, &saturated);
        if (p.exemplars > 0) {
            put_exemplars(m, &p, exemplars, item);
        }
    }
    const struct otlp_target *target = it->bad ? NULL : otlp_targets_item(&m->targets, it);
    if (target != NULL) {
        struct otlp_event e = {.topic = BUS_TOPIC_METRICS,
                               .type = PROP_TYPE_METRIC,
                               .target = target,
                               .ts = p.time,
                               .saturated = saturated};
        if (otlp_emit(m, &e) && p.exemplars > 0) {
            emit_exemplars(m, metric, exemplars, item, &e);
            return;
        }
    } else {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG); /* unless it was refused for a better reason */
    }
    if (it->bad && m->rc == 0) {
        otlp_reject(m, it->reason, item);
    }
}

void otlp_map_metric(struct otlp_map *m, struct slice message)
{
    struct otlp_metric metric;
    struct pbwire r = pbwire_of(message), data;
    struct pbwire_field f, g;
    uint64_t before = m->result.items;
    otlp_decode_metric(message, &metric);
    while (metric.kind != OTLP_METRIC_NONE && pbwire_next(&r, &f)) {
        if (f.tag != LEN(metric.kind)) {
            continue;
        }
        for (data = pbwire_of(f.bytes); m->rc == 0 && pbwire_next(&data, &g);) {
            if (g.tag == LEN(1)) {
                map_point(m, &metric, g.bytes);
            }
        }
    }
    if (m->result.items == before) {
        otlp_notice(m, OTLP_NOTICE_NO_DATA);
    }
}
