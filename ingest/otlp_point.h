/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics and their points, decoded as otlp_decode.h does it. A metric's name, unit and temporality
 * may stand behind its points, so the points stay bytes until all of that is known.
 */
#ifndef INGEST_OTLP_POINT_H
#define INGEST_OTLP_POINT_H

#include "ingest/otlp_decode.h"

/* Field numbers of the data of a Metric. */
enum otlp_metric_kind {
    OTLP_METRIC_NONE = 0,
    OTLP_METRIC_GAUGE = 5,
    OTLP_METRIC_SUM = 7,
    OTLP_METRIC_HISTOGRAM = 9,
    OTLP_METRIC_EXP_HISTOGRAM = 10,
    OTLP_METRIC_SUMMARY = 11,
};

/* Points: the fields 1 of every field `kind` of the message. */
struct otlp_metric {
    struct slice name, description, unit, message;
    enum otlp_metric_kind kind;
    uint64_t temporality;
    bool monotonic, metadata;
};
void otlp_decode_metric(struct slice message, struct otlp_metric *ret);

enum { OTLP_NO_RECORDED_VALUE = 1 }; /* flag of points */

struct otlp_point {
    uint64_t start, time, flags, count, zero_count;
    struct val value; /* of gauges and sums; null = absent */
    double sum, min, max, zero_threshold;
    bool has_sum, has_min, has_max;
    int64_t scale;
    struct slice positive, negative; /* absent, or Buckets */
    uint32_t exemplars, quantiles;
};
/* Field numbers that differ from kind to kind. */
struct otlp_point_fields {
    uint32_t exemplars, quantiles;
};
struct otlp_point_fields otlp_point_fields(enum otlp_metric_kind kind);
/* Attributes go into the item. */
void otlp_decode_point(struct otlp_item *it, enum otlp_metric_kind kind, struct slice message,
                       struct otlp_point *ret);

struct otlp_buckets {
    int64_t offset;
    struct val counts;
};
struct otlp_buckets otlp_decode_buckets(struct otlp_item *it, struct slice message,
                                        bool *saturated);
void otlp_decode_quantile(struct slice message, double *ret_quantile, double *ret_value);

#endif
