/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a world and reads back what it sent, from the bytes: every span, log record and data point
 * with its resource. Attributes are looked up in the bytes when asked for. One struct observed
 * holds everything until observe_done.
 */
#ifndef TESTS_UNIT_LOADGEN_OBSERVE_H
#define TESTS_UNIT_LOADGEN_OBSERVE_H

#include "core/base/arena.h"
#include "core/base/hash.h"
#include "core/base/vec.h"
#include "loadgen/world.h"

struct seen {
    struct slice resource, item; /* messages; of a metric: the data point */
    struct slice name;           /* of the span or metric; body of the log record */
    struct slice trace, id, parent, link;
    int64_t start_ns, end_ns; /* points and logs: end */
    uint64_t kind;            /* of the span; severity of the log record; field of the metric */
    bool error, exception, is_monotonic;
    double value; /* histogram: sum */
    uint64_t count, bucket_count;
    int agent;
};

struct observed {
    struct arena *arena;
    VEC(struct seen) all[SIGNAL_COUNT];
    uint64_t requests, bytes;
    struct hash_state *hash;
    struct hash128 digest;
    struct world *world;
};

#define OBSERVE_START_NS (INT64_C(1785542400) * INT64_C(1000000000))

struct observe_options {
    uint64_t seed;
    const char *incident; /* or NULL */
    int seconds;
    double rate; /* 1 = 2,500 spans/s and the rest in proportion */
    size_t batch;
    bool raw; /* only digest and numbers */
};

struct observed *observe(const struct observe_options *o);
void observe_done(struct observed *o);

/* The string value of an attribute, or the absent slice. */
struct slice seen_attr(const struct seen *s, enum signal signal, const char *key);
struct slice seen_resource(const struct seen *s, const char *key);
bool seen_is(const struct seen *s, enum signal signal, const char *key, const char *value);
bool seen_of(const struct seen *s, const char *resource_key, const char *value);
/* Seconds since the start of the run. */
double seen_at(const struct seen *s);

#endif
