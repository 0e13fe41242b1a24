/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_point.h. Four kinds of points have the same first fields and different others: one
 * function each, instead of one that asks for the kind at every field.
 */
#include "ingest/otlp_point.h"

#include <assert.h>

#define LEN(number)    PBWIRE_TAG(number, PBWIRE_LEN)
#define VARINT(number) PBWIRE_TAG(number, PBWIRE_VARINT)
#define I64(number)    PBWIRE_TAG(number, PBWIRE_I64)

static void decode_data(struct otlp_metric *m, struct slice data)
{
    struct pbwire r = pbwire_of(data);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == VARINT(2)) {
            m->temporality = f.value;
        } else if (f.tag == VARINT(3)) {
            m->monotonic = f.value != 0;
        }
    }
}

void otlp_decode_metric(struct slice message, struct otlp_metric *ret)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret = (struct otlp_metric){.message = message};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case LEN(1): ret->name = f.bytes; break;
        case LEN(2): ret->description = f.bytes; break;
        case LEN(3): ret->unit = f.bytes; break;
        case LEN(OTLP_METRIC_GAUGE):
        case LEN(OTLP_METRIC_SUM):
        case LEN(OTLP_METRIC_HISTOGRAM):
        case LEN(OTLP_METRIC_EXP_HISTOGRAM):
        case LEN(OTLP_METRIC_SUMMARY):
            if (ret->kind != (enum otlp_metric_kind)(f.tag >> 3)) {
                ret->temporality = 0; /* one kind takes the place of another ... */
                ret->monotonic = false;
            }
            ret->kind = (enum otlp_metric_kind)(f.tag >> 3);
            decode_data(ret, f.bytes); /* ... and pieces of the same kind add up */
            break;
        case LEN(12): ret->metadata = true; break;
        default: break;
        }
    }
}

static void decode_number(struct otlp_item *it, struct slice message, struct otlp_point *p)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(2): p->start = f.value; break;
        case I64(3): p->time = f.value; break;
        case I64(4): p->value = val_double(pbwire_double(f.value)); break;
        case LEN(5): p->exemplars++; break;
        case I64(6): p->value = val_int((int64_t)f.value); break;
        case LEN(7): otlp_item_attr(it, f.bytes); break;
        case VARINT(8): p->flags = f.value; break;
        default: break;
        }
    }
}

static void set_double(double *to, bool *has, uint64_t bits)
{
    *to = pbwire_double(bits);
    *has = true;
}

static void decode_histogram(struct otlp_item *it, struct slice message, struct otlp_point *p)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(2): p->start = f.value; break;
        case I64(3): p->time = f.value; break;
        case I64(4): p->count = f.value; break;
        case I64(5): set_double(&p->sum, &p->has_sum, f.value); break;
        case LEN(8): p->exemplars++; break;
        case LEN(9): otlp_item_attr(it, f.bytes); break;
        case VARINT(10): p->flags = f.value; break;
        case I64(11): set_double(&p->min, &p->has_min, f.value); break;
        case I64(12): set_double(&p->max, &p->has_max, f.value); break;
        default: break;
        }
    }
}

static void decode_exp(struct otlp_item *it, struct slice message, struct otlp_point *p)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case LEN(1): otlp_item_attr(it, f.bytes); break;
        case I64(2): p->start = f.value; break;
        case I64(3): p->time = f.value; break;
        case I64(4): p->count = f.value; break;
        case I64(5): set_double(&p->sum, &p->has_sum, f.value); break;
        case VARINT(6): p->scale = pbwire_sint(f.value); break;
        case I64(7): p->zero_count = f.value; break;
        case LEN(8): p->positive = f.bytes; break;
        case LEN(9): p->negative = f.bytes; break;
        case VARINT(10): p->flags = f.value; break;
        case LEN(11): p->exemplars++; break;
        case I64(12): set_double(&p->min, &p->has_min, f.value); break;
        case I64(13): set_double(&p->max, &p->has_max, f.value); break;
        case I64(14): p->zero_threshold = pbwire_double(f.value); break;
        default: break;
        }
    }
}

static void decode_summary(struct otlp_item *it, struct slice message, struct otlp_point *p)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    p->has_sum = true; /* a summary always has one */
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case I64(2): p->start = f.value; break;
        case I64(3): p->time = f.value; break;
        case I64(4): p->count = f.value; break;
        case I64(5): p->sum = pbwire_double(f.value); break;
        case LEN(6): p->quantiles++; break;
        case LEN(7): otlp_item_attr(it, f.bytes); break;
        case VARINT(8): p->flags = f.value; break;
        default: break;
        }
    }
}

struct otlp_point_fields otlp_point_fields(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_METRIC_HISTOGRAM: return (struct otlp_point_fields){8, 0};
    case OTLP_METRIC_EXP_HISTOGRAM: return (struct otlp_point_fields){11, 0};
    case OTLP_METRIC_SUMMARY: return (struct otlp_point_fields){0, 6};
    default: return (struct otlp_point_fields){5, 0};
    }
}

void otlp_decode_point(struct otlp_item *it, enum otlp_metric_kind kind, struct slice message,
                       struct otlp_point *ret)
{
    assert(it != NULL && ret != NULL);
    assert(kind != OTLP_METRIC_NONE);
    *ret = (struct otlp_point){.value = {.tag = VAL_NULL}};
    switch (kind) {
    case OTLP_METRIC_HISTOGRAM: decode_histogram(it, message, ret); break;
    case OTLP_METRIC_EXP_HISTOGRAM: decode_exp(it, message, ret); break;
    case OTLP_METRIC_SUMMARY: decode_summary(it, message, ret); break;
    default: decode_number(it, message, ret); break;
    }
}

struct otlp_buckets otlp_decode_buckets(struct otlp_item *it, struct slice message, bool *saturated)
{
    struct otlp_buckets b = {0};
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == VARINT(1)) {
            b.offset = pbwire_sint(f.value);
        }
    }
    b.counts = otlp_numbers(it, message, 2, OTLP_NUMBERS_VARINT, saturated);
    return b;
}

void otlp_decode_quantile(struct slice message, double *ret_quantile, double *ret_value)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    *ret_quantile = *ret_value = 0;
    while (pbwire_next(&r, &f)) {
        if (f.tag == I64(1)) {
            *ret_quantile = pbwire_double(f.value);
        } else if (f.tag == I64(2)) {
            *ret_value = pbwire_double(f.value);
        }
    }
}
