/* SPDX-License-Identifier: Apache-2.0
 *
 * See report.h.
 */
#include "loadgen/report.h"

#include "core/base/clock.h"

#include <assert.h>

static size_t bucket_of(uint64_t v)
{
    if (v < REPORT_STEPS) {
        return (size_t)v;
    }
    unsigned power = 63 - (unsigned)__builtin_clzll(v);
    size_t at =
        (size_t)(power - 4) * REPORT_STEPS + (size_t)(v >> (power - 5) & (REPORT_STEPS - 1));
    return MIN(at, (size_t)REPORT_BUCKETS - 1);
}

/* The largest value of the bucket. */
static int64_t bucket_end(size_t at)
{
    if (at < REPORT_STEPS) {
        return (int64_t)at;
    }
    unsigned power = (unsigned)(at / REPORT_STEPS) + 4;
    uint64_t step = at % REPORT_STEPS + REPORT_STEPS;
    return (int64_t)(((step + 1) << (power - 5)) - 1);
}

void report_hist_add(struct report_hist *h, int64_t ns)
{
    ns = MAX(ns, 0);
    h->counts[bucket_of((uint64_t)ns)]++;
    h->n++;
    h->max = MAX(h->max, ns);
}

int64_t report_hist_quantile(const struct report_hist *h, double q)
{
    assert(q >= 0 && q <= 1);
    uint64_t rank = (uint64_t)(q * (double)h->n), seen = 0;
    for (size_t i = 0; i < REPORT_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > rank || (seen == h->n && seen > 0)) {
            return MIN(bucket_end(i), h->max);
        }
    }
    return 0;
}

void report_init(struct report *r, int64_t now_ns)
{
    memset(r, 0, sizeof *r);
    r->start_ns = r->line_ns = now_ns;
    r->start_cpu_ns = clock_cpu_ns();
}

void report_made(struct report *r, enum signal signal, size_t items, size_t bytes)
{
    r->all.made[signal] += items;
    r->all.requests++;
    r->all.bytes += bytes;
}

void report_sent(struct report *r, bool repeated)
{
    r->all.sent++;
    r->all.repeated += repeated;
}

void report_again(struct report *r, bool answered, int64_t asked_ns)
{
    r->all.again++;
    r->all.unanswered += !answered;
    r->all.undirected += answered && asked_ns < 0;
    if (asked_ns >= 0) {
        report_hist_add(&r->asked, asked_ns);
    }
}

void report_taken(struct report *r, enum signal signal, uint64_t items, uint64_t rejected,
                  int64_t took_ns, int64_t waited_ns)
{
    r->all.taken[signal] += items;
    r->all.rejected += rejected;
    report_hist_add(&r->took, took_ns);
    report_hist_add(&r->took_now, took_ns);
    report_hist_add(&r->waited, waited_ns);
}

void report_refused(struct report *r, uint64_t items)
{
    r->all.refused += items;
}

static uint64_t sum(const uint64_t counts[SIGNAL_COUNT])
{
    return counts[SIGNAL_SPANS] + counts[SIGNAL_LOGS] + counts[SIGNAL_METRICS];
}

static double per_s(uint64_t n, double seconds)
{
    return seconds > 0 ? (double)n / seconds : 0;
}

static double as_ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void line_text(const struct report *r, const struct report_end *at, double seconds, FILE *to)
{
    const struct report_counts *a = &r->all, *b = &r->before;
    fprintf(to, "%5.0f s  ", (double)(at->now_ns - r->start_ns) / 1e9);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        fprintf(to, "%s %.0f/s  ", otlp_out_signal_name((enum signal)i),
                per_s(a->made[i] - b->made[i], seconds));
    }
    if (at->sends) {
        fprintf(to, "| acknowledged %.0f/s  rejected %llu  put off %llu  waiting %zu",
                per_s(sum(a->taken) - sum(b->taken), seconds),
                (unsigned long long)(a->rejected + a->refused - b->rejected - b->refused),
                (unsigned long long)(a->again - b->again), at->waiting);
        if (r->took_now.n > 0) {
            fprintf(to, "  | p50 %.1f ms  p99 %.1f ms",
                    as_ms(report_hist_quantile(&r->took_now, 0.5)),
                    as_ms(report_hist_quantile(&r->took_now, 0.99)));
        }
        if (a->again > b->again) {
            fprintf(to, "  (%s)", at->complaint);
        }
    }
    fputc('\n', to);
}

static void counts_json(const struct report_counts *c, FILE *to)
{
    static const char *const names[] = {"made", "acknowledged"};
    const uint64_t *const counts[] = {c->made, c->taken};
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        fprintf(to, "\"%s\":{", names[k]);
        for (int i = 0; i < SIGNAL_COUNT; i++) {
            fprintf(to, "%s\"%s\":%llu", i > 0 ? "," : "", otlp_out_signal_name((enum signal)i),
                    (unsigned long long)counts[k][i]);
        }
        fputs("},", to);
    }
    fprintf(to,
            "\"rejected\":%llu,\"refused\":%llu,\"requests\":%llu,\"bytes\":%llu,\"sent\":%llu,"
            "\"put_off\":%llu,\"unanswered\":%llu,\"undirected\":%llu,\"repeated\":%llu",
            (unsigned long long)c->rejected, (unsigned long long)c->refused,
            (unsigned long long)c->requests, (unsigned long long)c->bytes,
            (unsigned long long)c->sent, (unsigned long long)c->again,
            (unsigned long long)c->unanswered, (unsigned long long)c->undirected,
            (unsigned long long)c->repeated);
}

static void hist_json(const char *name, const struct report_hist *h, FILE *to)
{
    fprintf(to,
            ",\"%s\":{\"least_ms\":%.3f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,"
            "\"max_ms\":%.3f}",
            name, as_ms(report_hist_quantile(h, 0)), as_ms(report_hist_quantile(h, 0.5)),
            as_ms(report_hist_quantile(h, 0.9)), as_ms(report_hist_quantile(h, 0.99)),
            as_ms(h->max));
}

void report_line(struct report *r, const struct report_end *at, bool json, FILE *to)
{
    double seconds = (double)(at->now_ns - r->line_ns) / 1e9;
    if (json) {
        fprintf(to, "{\"at_s\":%.3f,", (double)(at->now_ns - r->start_ns) / 1e9);
        counts_json(&r->all, to);
        hist_json("took", &r->took_now, to);
        fprintf(to, ",\"waiting\":%zu}\n", at->waiting);
    } else {
        line_text(r, at, seconds, to);
    }
    fflush(to);
    r->before = r->all;
    r->line_ns = at->now_ns;
    memset(&r->took_now, 0, sizeof r->took_now);
}

static void summary_json(const struct report *r, const struct report_end *at, double seconds,
                         double cpu, FILE *to)
{
    fprintf(to, "{\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"behind_s\":%.3f,", seconds, cpu,
            (double)r->behind_ns / 1e9);
    counts_json(&r->all, to);
    hist_json("took", &r->took, to);
    hist_json("asked_delay", &r->asked, to);
    if (!at->flat_out) {
        hist_json("from_due", &r->waited, to);
    }
    fprintf(to, ",\"unacknowledged_requests\":%llu}\n", (unsigned long long)at->unacknowledged);
}

static void summary_text(const struct report *r, const struct report_end *at, double seconds,
                         double cpu, FILE *to)
{
    const struct report_counts *a = &r->all;
    fprintf(to,
            "%-14s %llu requests, %.1f MB, in %.1f s with %.2f s of CPU (%.0f items per CPU "
            "second)\n",
            "made", (unsigned long long)a->requests, (double)a->bytes / 1e6, seconds, cpu,
            per_s(sum(a->made), cpu));
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        fprintf(to, "%-14s %llu made, %llu acknowledged (%.0f/s)\n",
                otlp_out_signal_name((enum signal)i), (unsigned long long)a->made[i],
                (unsigned long long)a->taken[i],
                per_s(at->sends ? a->taken[i] : a->made[i], seconds));
    }
    if (r->behind_ns > CLOCK_NS_PER_S / 10) {
        fprintf(to, "%-14s %.1f s: the receiver or this machine did not keep up\n", "behind",
                (double)r->behind_ns / 1e9);
    }
    if (!at->sends) {
        return;
    }
    fprintf(to,
            "%-14s %llu tries, %llu of them repeated, %llu put off (%llu without a delay), %llu "
            "without an answer\n",
            "sent", (unsigned long long)a->sent, (unsigned long long)a->repeated,
            (unsigned long long)a->again, (unsigned long long)a->undirected,
            (unsigned long long)a->unanswered);
    fprintf(to, "%-14s %llu rejected, %llu refused, %llu requests unacknowledged\n", "not taken",
            (unsigned long long)a->rejected, (unsigned long long)a->refused,
            (unsigned long long)at->unacknowledged);
    if (r->took.n > 0) {
        fprintf(to, "%-14s p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.1f ms\n", "latency",
                as_ms(report_hist_quantile(&r->took, 0.5)),
                as_ms(report_hist_quantile(&r->took, 0.9)),
                as_ms(report_hist_quantile(&r->took, 0.99)), as_ms(r->took.max));
    }
    if (r->took.n > 0 && !at->flat_out) {
        fprintf(to, "%-14s p50 %.2f ms, p99 %.2f ms (with the time it waited to be sent)\n",
                "from due", as_ms(report_hist_quantile(&r->waited, 0.5)),
                as_ms(report_hist_quantile(&r->waited, 0.99)));
    }
    if (at->complaint[0] != '\0') {
        fprintf(to, "%-14s %s\n", "last complaint", at->complaint);
    }
}

void report_summary(const struct report *r, const struct report_end *at, bool json, FILE *to)
{
    double seconds = (double)(at->now_ns - r->start_ns) / 1e9;
    double cpu = (double)(clock_cpu_ns() - r->start_cpu_ns) / 1e9;
    assert(seconds >= 0);
    if (json) {
        summary_json(r, at, seconds, cpu, to);
    } else {
        summary_text(r, at, seconds, cpu, to);
    }
    fflush(to);
}
