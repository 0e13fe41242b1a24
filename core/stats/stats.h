/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program counts of itself, shown as Prometheus text. A family is one row (name, kind,
 * help, labels); a series is one family with label values, found once and then changed without
 * locks or allocation, from any thread:
 *
 *     static const struct stats_row replies = {"kaiju_replies_total", STATS_COUNTER,
 *                                              "requests answered", {"protocol", "state"}};
 *     struct stats_series *s = stats_series(stats_family(st, &replies), {"otlp", "ok"});
 *     stats_add(s, 1);
 *
 * Labels come from outside, so each family has a limit of series: beyond it everybody shares the
 * series whose labels are all "other", and kaiju_stats_series_refused_total counts. What is cheaper
 * to look up than to count is a reader: a function called at each scrape.
 */
#ifndef CORE_STATS_STATS_H
#define CORE_STATS_STATS_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum stats_kind { STATS_COUNTER = 0, STATS_GAUGE = 1, STATS_HISTOGRAM = 2 };
enum { STATS_LABELS_MAX = 4, STATS_SERIES_MAX = 1000, STATS_BOUNDS_MAX = 40 };

struct stats_row {
    const char *name;
    enum stats_kind kind;
    const char *help;
    const char *labels[STATS_LABELS_MAX + 1]; /* ends with NULL */
    const double *bounds; /* HISTOGRAM: upper bounds, rising; NULL = stats_latency_bounds */
    size_t bound_count;
};

struct stats;
struct stats_family;
struct stats_series;

/* 0.1 ms to 100 s, six to the decade: p99 to within a fifth. */
extern const double stats_latency_bounds[STATS_BOUNDS_MAX];
enum { STATS_LATENCY_BOUNDS = 37 };

struct stats *stats_new(void);
void stats_free(struct stats *s);
/* The row must outlive the registry. Asking again for the same row gives the same family. */
struct stats_family *stats_family(struct stats *s, const struct stats_row *row);
/* One value for each label of the row. Never NULL. @thread any, takes a lock */
struct stats_series *stats_series(struct stats_family *f, const struct slice *values);
struct stats_series *stats_single(struct stats *s, const struct stats_row *row); /* no labels */

/* @thread any; no lock, no allocation */
void stats_add(struct stats_series *s, uint64_t n);       /* COUNTER */
void stats_set(struct stats_series *s, double value);     /* GAUGE */
void stats_observe(struct stats_series *s, double value); /* HISTOGRAM */
double stats_value(const struct stats_series *s);         /* COUNTER, GAUGE; HISTOGRAM: the count */
/* The q-quantile (0..1) of a histogram, interpolated; NaN when empty. */
double stats_quantile(const struct stats_series *s, double q);

/* fn is called at every scrape and gives its values by stats_read; @thread the one that scrapes */
struct stats_scrape;
void stats_reader(struct stats *s, void (*fn)(struct stats_scrape *scrape, void *arg), void *arg);
void stats_reader_remove(struct stats *s, void *arg);
void stats_read(struct stats_scrape *scrape, const struct stats_row *row,
                const struct slice *values, double value);

/* Prometheus text format 0.0.4, in order of registration, readers last. */
void stats_write(struct stats *s, struct buf *out);
/* Is the row's name well-formed and fit for its kind and unit? */
int stats_row_check(const struct stats_row *row, struct err *reterr) NODISCARD;

/* process_* and build information. */
void stats_process(struct stats *s, const char *version);

#endif
