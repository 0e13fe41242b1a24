/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run has done so far: counts, latencies to within 3%, a line each second on stderr, and at
 * the end a summary on stdout, as text or as one JSON object.
 */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include "core/base/slice.h"
#include "loadgen/otlp_out.h"

#include <stdio.h>

/* Log-linear: each power of two in 32 steps. */
enum { REPORT_STEPS = 32, REPORT_BUCKETS = 60 * REPORT_STEPS };

struct report_hist {
    uint64_t counts[REPORT_BUCKETS];
    uint64_t n;
    int64_t max;
};

struct report_counts {
    uint64_t made[SIGNAL_COUNT], taken[SIGNAL_COUNT]; /* items */
    uint64_t rejected, refused;                       /* items: in part, or with their request */
    uint64_t requests, bytes;                         /* made */
    uint64_t sent, again, unanswered; /* tries; those put off; those without any answer */
    uint64_t undirected;              /* put off by an answer that did not say for how long */
    uint64_t repeated;                /* tries that were not the first */
};

struct report {
    struct report_counts all, before;  /* before: when the last line was written */
    struct report_hist took, took_now; /* from sending to acknowledgement: all; since that line */
    struct report_hist waited;         /* from when it was due to acknowledgement */
    struct report_hist asked;          /* delays that the receiver asked for */
    int64_t start_ns, line_ns, start_cpu_ns;
    int64_t behind_ns; /* simulated time not made in its time */
};

struct report_end {
    uint64_t unacknowledged; /* requests that have not ended */
    size_t waiting;
    const char *complaint;
    bool sends;    /* to somewhere: there is something to acknowledge */
    bool flat_out; /* nothing is due at a time */
    int64_t now_ns;
};

void report_hist_add(struct report_hist *h, int64_t ns);
int64_t report_hist_quantile(const struct report_hist *h, double q); /* 0 when empty */

void report_init(struct report *r, int64_t now_ns);
void report_made(struct report *r, enum signal signal, size_t items, size_t bytes);
void report_sent(struct report *r, bool repeated);
/* asked_ns: the delay that the receiver asked for; below 0: it did not say. */
void report_again(struct report *r, bool answered, int64_t asked_ns);
void report_taken(struct report *r, enum signal signal, uint64_t items, uint64_t rejected,
                  int64_t took_ns, int64_t waited_ns);
void report_refused(struct report *r, uint64_t items);

void report_line(struct report *r, const struct report_end *at, bool json, FILE *to);
void report_summary(const struct report *r, const struct report_end *at, bool json, FILE *to);

#endif
