/* SPDX-License-Identifier: Apache-2.0
 *
 * See stats.h. Values are atomics, changed with relaxed order: a scrape sees each value whole, not
 * all of them at one instant. A lock guards only the lists of families and series.
 */
#include "core/stats/stats.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

struct stats_series {
    struct stats_family *family;
    char *labels;           /* {a="x",b="y"} without braces; "" for none */
    _Atomic uint64_t value; /* COUNTER: the number; GAUGE: bits of a double; HISTOGRAM: the count */
    _Atomic uint64_t sum_bits;
    _Atomic uint64_t *buckets; /* HISTOGRAM: bound_count + 1, not cumulative */
};

struct stats_family {
    struct stats *stats;
    const struct stats_row *row;
    const double *bounds;
    size_t bound_count, label_count;
    struct map series; /* by labels */
    struct stats_series *other;
};

struct reader {
    void (*fn)(struct stats_scrape *scrape, void *arg);
    void *arg;
};

struct stats {
    pthread_mutex_t lock;
    VEC(struct stats_family *) families;
    VEC(struct reader) readers;
    _Atomic uint64_t refused;
};

/* What the readers gave, row by row: the text format wants the lines of one row together, and
 * several readers may show the same one. */
struct scraped {
    const struct stats_row *row;
    struct buf lines;
};

struct stats_scrape {
    VEC(struct scraped) rows;
    size_t max_bytes;
};

const double stats_latency_bounds[STATS_BOUNDS_MAX] = {
    0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003,
    0.005,  0.007,   0.01,   0.015,  0.02,   0.03,   0.05,  0.07,   0.1,   0.15,
    0.2,    0.3,     0.5,    0.7,    1,      1.5,    2,     3,      5,     7,
    10,     15,      20,     30,     50,     70,     100};

static const struct stats_row refused_row = {
    .name = "kaiju_stats_series_refused_total",
    .kind = STATS_COUNTER,
    .help = "Label values beyond a family's limit of series, counted under \"other\".",
};

struct stats *stats_new(void)
{
    struct stats *s = MEM_NEW(struct stats);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void series_free(struct stats_series *s)
{
    if (s != NULL) {
        mem_free(s->labels);
        mem_free((void *)s->buckets);
        mem_free(s);
    }
}

void stats_free(struct stats *s)
{
    if (s == NULL) {
        return;
    }
    VEC_EACH (&s->families, f) {
        MAP_EACH (&(*f)->series, e) {
            series_free(e->value);
        }
        map_done(&(*f)->series);
        series_free((*f)->other);
        mem_free(*f);
    }
    VEC_DONE(&s->families);
    VEC_DONE(&s->readers);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct stats_family *stats_family(struct stats *s, const struct stats_row *row)
{
    assert(s != NULL && row != NULL);
    assert(stats_row_check(row, NULL) == 0);
    pthread_mutex_lock(&s->lock);
    struct stats_family *found = NULL;
    VEC_EACH (&s->families, f) {
        if ((*f)->row == row || strcmp((*f)->row->name, row->name) == 0) {
            found = *f;
        }
    }
    if (found == NULL) {
        found = MEM_NEW(struct stats_family);
        found->stats = s;
        found->row = row;
        found->bounds = row->bounds != NULL ? row->bounds : stats_latency_bounds;
        found->bound_count = row->bounds != NULL ? row->bound_count : STATS_LATENCY_BOUNDS;
        while (row->labels[found->label_count] != NULL) {
            found->label_count++;
        }
        map_init(&found->series, STATS_SERIES_MAX);
        *VEC_PUSH(&s->families) = found;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void add_labels(struct buf *out, const struct stats_row *row, const struct slice *values)
{
    for (size_t i = 0; row->labels[i] != NULL; i++) {
        buf_addf(out, "%s%s=\"", i > 0 ? "," : "", row->labels[i]);
        for (size_t k = 0; k < values[i].len; k++) {
            char c = values[i].ptr[k];
            if (c == '\\' || c == '"') {
                buf_addf(out, "\\%c", c);
            } else if (c == '\n') {
                buf_add_str(out, "\\n");
            } else {
                buf_add_byte(out, (uint8_t)c);
            }
        }
        buf_add_byte(out, '"');
    }
}

static struct stats_series *series_new(struct stats_family *f, struct slice labels)
{
    struct stats_series *s = MEM_NEW(struct stats_series);
    s->family = f;
    s->labels = mem_dup(labels.ptr, labels.len);
    if (f->row->kind == STATS_HISTOGRAM) {
        s->buckets = mem_calloc(f->bound_count + 1, sizeof *s->buckets);
    }
    return s;
}

static struct stats_series *other_series(struct stats_family *f)
{
    if (f->other == NULL) {
        struct buf labels;
        const struct slice values[STATS_LABELS_MAX] = {SLICE("other"), SLICE("other"),
                                                       SLICE("other"), SLICE("other")};
        buf_init(&labels, 1024);
        add_labels(&labels, f->row, values);
        f->other = series_new(f, buf_slice(&labels));
        buf_done(&labels);
    }
    atomic_fetch_add_explicit(&f->stats->refused, 1, memory_order_relaxed);
    return f->other;
}

struct stats_series *stats_series(struct stats_family *f, const struct slice *values)
{
    assert(f != NULL && (values != NULL || f->label_count == 0));
    struct buf labels;
    buf_init(&labels, 4096);
    add_labels(&labels, f->row, values);
    pthread_mutex_lock(&f->stats->lock);
    void **slot = buf_failed(&labels) ? NULL : map_put(&f->series, buf_slice(&labels));
    struct stats_series *s;
    if (slot == NULL) {
        s = other_series(f);
    } else if (*slot == NULL) {
        s = *slot = series_new(f, buf_slice(&labels));
    } else {
        s = *slot;
    }
    pthread_mutex_unlock(&f->stats->lock);
    buf_done(&labels);
    return s;
}

struct stats_series *stats_single(struct stats *s, const struct stats_row *row)
{
    assert(row->labels[0] == NULL);
    return stats_series(stats_family(s, row), NULL);
}

static uint64_t to_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

void stats_add(struct stats_series *s, uint64_t n)
{
    assert(s->family->row->kind == STATS_COUNTER);
    atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
}

void stats_set(struct stats_series *s, double value)
{
    assert(s->family->row->kind == STATS_GAUGE);
    atomic_store_explicit(&s->value, to_bits(value), memory_order_relaxed);
}

void stats_observe(struct stats_series *s, double value)
{
    assert(s->family->row->kind == STATS_HISTOGRAM);
    size_t low = 0, high = s->family->bound_count;
    while (low < high) { /* the first bound that is >= value */
        size_t mid = (low + high) / 2;
        if (s->family->bounds[mid] < value) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    atomic_fetch_add_explicit(&s->buckets[low], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->value, 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&s->sum_bits, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&s->sum_bits, &old,
                                                  to_bits(from_bits(old) + value),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

double stats_value(const struct stats_series *s)
{
    uint64_t v = atomic_load_explicit(&s->value, memory_order_relaxed);
    return s->family->row->kind == STATS_GAUGE ? from_bits(v) : (double)v;
}

double stats_quantile(const struct stats_series *s, double q)
{
    const struct stats_family *f = s->family;
    assert(f->row->kind == STATS_HISTOGRAM && q >= 0 && q <= 1);
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i <= f->bound_count; i++) {
        total += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
    }
    double rank = q * (double)total;
    for (size_t i = 0; i < f->bound_count && total > 0; i++) {
        uint64_t here = atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        if (here > 0 && (double)(seen + here) >= rank) {
            double low = i > 0 ? f->bounds[i - 1] : 0;
            return low + (f->bounds[i] - low) * ((rank - (double)seen) / (double)here);
        }
        seen += here;
    }
    return total > 0 ? f->bounds[f->bound_count - 1] : NAN;
}

void stats_reader(struct stats *s, void (*fn)(struct stats_scrape *scrape, void *arg), void *arg)
{
    assert(fn != NULL);
    pthread_mutex_lock(&s->lock);
    *VEC_PUSH(&s->readers) = (struct reader){fn, arg};
    pthread_mutex_unlock(&s->lock);
}

void stats_reader_remove(struct stats *s, void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = s->readers.len; i > 0; i--) {
        if (s->readers.ptr[i - 1].arg == arg) {
            VEC_REMOVE(&s->readers, i - 1);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static void write_number(struct buf *out, double v)
{
    if (isnan(v)) {
        buf_add_str(out, "NaN\n");
    } else if (isinf(v)) {
        buf_add_str(out, v > 0 ? "+Inf\n" : "-Inf\n");
    } else if (v == floor(v) && fabs(v) < 1e15) {
        buf_addf(out, "%.0f\n", v);
    } else {
        buf_addf(out, "%.17g\n", v);
    }
}

static void write_head(struct buf *out, const struct stats_row *row)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
             kinds[row->kind]);
}

static void write_line(struct buf *out, const char *name, const char *suffix, const char *labels,
                       double value)
{
    buf_addf(out, "%s%s%s%s%s ", name, suffix, labels[0] != '\0' ? "{" : "", labels,
             labels[0] != '\0' ? "}" : "");
    write_number(out, value);
}

static void write_histogram(struct buf *out, const struct stats_series *s)
{
    const struct stats_family *f = s->family;
    const char *name = f->row->name, *comma = s->labels[0] != '\0' ? "," : "";
    uint64_t sum = 0;
    for (size_t i = 0; i <= f->bound_count; i++) {
        sum += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        if (i < f->bound_count) {
            buf_addf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, s->labels, comma, f->bounds[i],
                     (unsigned long long)sum);
        } else {
            buf_addf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, s->labels, comma,
                     (unsigned long long)sum);
        }
    }
    write_line(out, name, "_sum", s->labels,
               from_bits(atomic_load_explicit(&s->sum_bits, memory_order_relaxed)));
    /* The count of the buckets just written, so that the two agree. */
    write_line(out, name, "_count", s->labels, (double)sum);
}

static void write_series(struct buf *out, const struct stats_series *s)
{
    if (s->family->row->kind == STATS_HISTOGRAM) {
        write_histogram(out, s);
    } else {
        write_line(out, s->family->row->name, "", s->labels, stats_value(s));
    }
}

static struct scraped *find_scraped(struct stats_scrape *scrape, const struct stats_row *row)
{
    VEC_EACH (&scrape->rows, r) {
        if (r->row == row) {
            return r;
        }
    }
    struct scraped *r = VEC_PUSH(&scrape->rows);
    r->row = row;
    buf_init(&r->lines, scrape->max_bytes);
    return r;
}

void stats_read(struct stats_scrape *scrape, const struct stats_row *row,
                const struct slice *values, double value)
{
    assert(row->kind != STATS_HISTOGRAM);
    struct buf labels;
    buf_init(&labels, 4096);
    add_labels(&labels, row, values);
    write_line(&find_scraped(scrape, row)->lines, row->name, "", buf_cstr(&labels), value);
    buf_done(&labels);
}

static void write_scraped(struct stats_scrape *scrape, struct buf *out)
{
    VEC_EACH (&scrape->rows, r) {
        write_head(out, r->row);
        buf_add_slice(out, buf_slice(&r->lines));
        out->failed = out->failed || buf_failed(&r->lines);
        buf_done(&r->lines);
    }
    VEC_DONE(&scrape->rows);
}

void stats_write(struct stats *s, struct buf *out)
{
    assert(out != NULL);
    pthread_mutex_lock(&s->lock);
    VEC_EACH (&s->families, f) {
        if ((*f)->series.live > 0 || (*f)->other != NULL) {
            write_head(out, (*f)->row);
        }
        MAP_EACH (&(*f)->series, e) {
            write_series(out, e->value);
        }
        if ((*f)->other != NULL) {
            write_series(out, (*f)->other);
        }
    }
    struct stats_scrape scrape = {.max_bytes = out->max};
    stats_read(&scrape, &refused_row, NULL, (double)atomic_load(&s->refused));
    VEC_EACH (&s->readers, r) {
        r->fn(&scrape, r->arg);
    }
    write_scraped(&scrape, out);
    pthread_mutex_unlock(&s->lock);
}

static bool legal(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.len > 0;
}

int stats_row_check(const struct stats_row *row, struct err *reterr)
{
    struct slice name = slice_str(row->name);
    bool total = slice_ends(name, SLICE("_total"));
    if (!legal(name)) {
        return err_set(reterr, ERR_USAGE, "metric '%s': lower-case letters, digits, '_'",
                       row->name);
    }
    if (row->help == NULL || row->help[0] == '\0' || strchr(row->help, '\n') != NULL) {
        return err_set(reterr, ERR_USAGE, "metric %s: needs one line of help", row->name);
    }
    if (total != (row->kind == STATS_COUNTER)) {
        return err_set(reterr, ERR_USAGE, "metric %s: counters, and only they, end in _total",
                       row->name);
    }
    if (slice_ends(name, SLICE("_ms")) || slice_ends(name, SLICE("_kb")) ||
        slice_ends(name, SLICE("_count")) || slice_ends(name, SLICE("_sum"))) {
        return err_set(reterr, ERR_USAGE, "metric %s: base units (_seconds, _bytes), no _count",
                       row->name);
    }
    for (size_t i = 0; i < STATS_LABELS_MAX && row->labels[i] != NULL; i++) {
        if (!legal(slice_str(row->labels[i]))) {
            return err_set(reterr, ERR_USAGE, "metric %s: label '%s'", row->name, row->labels[i]);
        }
    }
    return 0;
}
