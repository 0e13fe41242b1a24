/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/loadgen/observe.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/pbwire.h"
#include "tests/test.h"

enum { F_GAUGE = 5, F_SUM = 7, F_HISTOGRAM = 9 };

static double as_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* The value of `key` among the KeyValue fields with that number. */
static struct slice attr_in(struct slice message, uint32_t number, const char *key)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f, g;
    while (pbwire_next(&r, &f)) {
        if (f.tag != PBWIRE_TAG(number, PBWIRE_LEN)) {
            continue;
        }
        struct pbwire pair = pbwire_of(f.bytes);
        struct slice name = SLICE_NONE, value = SLICE_NONE;
        while (pbwire_next(&pair, &g)) {
            if (g.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
                name = g.bytes;
            } else if (g.tag == PBWIRE_TAG(2, PBWIRE_LEN)) {
                value = g.bytes;
            }
        }
        if (slice_eq(name, slice_str(key))) {
            struct pbwire any = pbwire_of(value);
            while (pbwire_next(&any, &g)) {
                if (g.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
                    return g.bytes;
                }
            }
        }
    }
    return SLICE_NONE;
}

struct slice seen_attr(const struct seen *s, enum signal signal, const char *key)
{
    uint32_t number = signal == SIGNAL_SPANS   ? 9
                      : signal == SIGNAL_LOGS  ? 6
                      : s->kind == F_HISTOGRAM ? 9
                                               : 7;
    return attr_in(s->item, number, key);
}

struct slice seen_resource(const struct seen *s, const char *key)
{
    return attr_in(s->resource, 1, key);
}

bool seen_is(const struct seen *s, enum signal signal, const char *key, const char *value)
{
    return slice_eq(seen_attr(s, signal, key), slice_str(value));
}

bool seen_of(const struct seen *s, const char *resource_key, const char *value)
{
    return slice_eq(seen_resource(s, resource_key), slice_str(value));
}

double seen_at(const struct seen *s)
{
    return (double)(s->end_ns - OBSERVE_START_NS) / 1e9;
}

static void read_span(struct seen *s)
{
    struct pbwire r = pbwire_of(s->item);
    struct pbwire_field f, g;
    while (pbwire_next(&r, &f)) {
        switch (pbwire_number(&f)) {
        case 1: s->trace = f.bytes; break;
        case 2: s->id = f.bytes; break;
        case 4: s->parent = f.bytes; break;
        case 5: s->name = f.bytes; break;
        case 6: s->kind = f.value; break;
        case 7: s->start_ns = (int64_t)f.value; break;
        case 8: s->end_ns = (int64_t)f.value; break;
        case 11: s->exception = true; break;
        case 13: s->link = f.bytes; break;
        case 15: {
            struct pbwire status = pbwire_of(f.bytes);
            while (pbwire_next(&status, &g)) {
                s->error |= g.tag == PBWIRE_TAG(3, PBWIRE_VARINT) && g.value == 2;
            }
            break;
        }
        default: break;
        }
    }
    CHECK(!pbwire_bad(&r));
}

static void read_log(struct seen *s)
{
    struct pbwire r = pbwire_of(s->item);
    struct pbwire_field f, g;
    while (pbwire_next(&r, &f)) {
        switch (pbwire_number(&f)) {
        case 1: s->end_ns = (int64_t)f.value; break;
        case 2: s->kind = f.value; break;
        case 9: s->trace = f.bytes; break;
        case 10: s->id = f.bytes; break;
        case 5: {
            struct pbwire body = pbwire_of(f.bytes);
            while (pbwire_next(&body, &g)) {
                s->name = g.bytes;
            }
            break;
        }
        default: break;
        }
    }
    CHECK(!pbwire_bad(&r));
    s->exception = seen_attr(s, SIGNAL_LOGS, "exception.type").ptr != NULL;
}

static void read_point(struct seen *s)
{
    struct pbwire r = pbwire_of(s->item);
    struct pbwire_field f;
    bool histogram = s->kind == F_HISTOGRAM;
    while (pbwire_next(&r, &f)) {
        switch (pbwire_number(&f)) {
        case 2: s->start_ns = (int64_t)f.value; break;
        case 3: s->end_ns = (int64_t)f.value; break;
        case 4:
            s->value = histogram ? s->value : as_double(f.value);
            s->count = histogram ? f.value : 0;
            break;
        case 5: s->value = as_double(f.value); break;
        case 6:
            for (size_t i = 0; histogram && i + 8 <= f.bytes.len; i += 8) {
                uint64_t n;
                memcpy(&n, f.bytes.ptr + i, 8);
                s->bucket_count += n;
            }
            s->value = histogram ? s->value : (double)(int64_t)f.value;
            break;
        default: break;
        }
    }
    CHECK(!pbwire_bad(&r));
}

static void add_item(struct observed *o, enum signal signal, const struct seen *base)
{
    struct seen *s = VEC_PUSH(&o->all[signal]);
    *s = *base;
    if (signal == SIGNAL_SPANS) {
        read_span(s);
    } else if (signal == SIGNAL_LOGS) {
        read_log(s);
    } else {
        read_point(s);
    }
}

/* The points of a Metric. */
static size_t add_metric(struct observed *o, const struct seen *base)
{
    struct seen one = *base;
    struct pbwire r = pbwire_of(base->item);
    struct pbwire_field f, g;
    size_t before = o->all[SIGNAL_METRICS].len;
    while (pbwire_next(&r, &f)) {
        uint32_t number = pbwire_number(&f);
        if (number == 1) {
            one.name = f.bytes;
        } else if (number == F_GAUGE || number == F_SUM || number == F_HISTOGRAM) {
            struct pbwire data = pbwire_of(f.bytes);
            one.kind = number;
            while (pbwire_next(&data, &g)) {
                one.is_monotonic |= number == F_SUM && g.tag == PBWIRE_TAG(3, PBWIRE_VARINT);
            }
            data = pbwire_of(f.bytes);
            while (pbwire_next(&data, &g)) {
                if (g.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
                    one.item = g.bytes;
                    add_item(o, SIGNAL_METRICS, &one);
                }
            }
        }
    }
    CHECK(!pbwire_bad(&r));
    return o->all[SIGNAL_METRICS].len - before;
}

static size_t add_scope(struct observed *o, enum signal signal, struct seen *base,
                        struct slice scope)
{
    struct pbwire r = pbwire_of(scope);
    struct pbwire_field f;
    size_t items = 0;
    while (pbwire_next(&r, &f)) {
        if (f.tag == PBWIRE_TAG(2, PBWIRE_LEN)) {
            base->item = f.bytes;
            if (signal == SIGNAL_METRICS) {
                items += add_metric(o, base);
            } else {
                add_item(o, signal, base);
                items++;
            }
        }
    }
    CHECK(!pbwire_bad(&r));
    return items;
}

static size_t read_request(struct observed *o, int agent, enum signal signal, struct slice request)
{
    struct pbwire r = pbwire_of(request);
    struct pbwire_field f, g;
    size_t items = 0;
    while (pbwire_next(&r, &f)) {
        CHECK_EQ(PBWIRE_TAG(1, PBWIRE_LEN), f.tag);
        struct pbwire group = pbwire_of(f.bytes);
        struct seen base = {.agent = agent};
        while (pbwire_next(&group, &g)) {
            if (g.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
                base.resource = g.bytes;
            } else {
                items += add_scope(o, signal, &base, g.bytes);
            }
        }
    }
    CHECK(!pbwire_bad(&r));
    return items;
}

struct run {
    struct observed *o;
    const struct observe_options *options;
};

static bool take(void *arg, int agent, enum signal signal, struct slice request, size_t items)
{
    struct run *run = arg;
    struct observed *o = run->o;
    int head[2] = {agent, (int)signal};
    hash_add(o->hash, head, sizeof head);
    hash_add(o->hash, request.ptr, request.len);
    o->requests++;
    o->bytes += request.len;
    CHECK(items > 0 && items <= run->options->batch);
    if (!run->options->raw) {
        struct slice copy = arena_copy(o->arena, request);
        CHECK(copy.len == request.len);
        CHECK_EQ(items, read_request(o, agent, signal, copy));
    }
    return true;
}

struct observed *observe(const struct observe_options *options)
{
    struct observed *o = MEM_NEW(struct observed);
    struct outbox_sink sink = {take, &(struct run){o, options}};
    struct err e;
    o->arena = arena_new(NULL, "observed", (size_t)1 << 30);
    o->hash = hash_new();
    o->world = MEM_NEW(struct world);
    world_init(o->world, &(struct world_options){.seed = options->seed,
                                                 .cluster = "demo",
                                                 .scale = 1,
                                                 .start_ns = OBSERVE_START_NS,
                                                 .tick_ns = 10 * CLOCK_NS_PER_MS,
                                                 .flush_ns = 200 * CLOCK_NS_PER_MS,
                                                 .spans_per_s = 2500 * options->rate,
                                                 .logs_per_s = 1500 * options->rate,
                                                 .metrics_per_s = 2000 * options->rate,
                                                 .batch = options->batch});
    if (options->incident != NULL) {
        struct slice rest = slice_str(options->incident), one;
        while (slice_split(&rest, ' ', &one)) {
            CHECK_OK(incident_add(&o->world->incidents, one, OBSERVE_START_NS, &e), e);
        }
    }
    for (int i = 0; i < options->seconds * 100; i++) {
        CHECK(world_step(o->world, &sink));
    }
    CHECK(world_finish(o->world, &sink));
    o->digest = hash_end(o->hash);
    return o;
}

void observe_done(struct observed *o)
{
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        VEC_DONE(&o->all[i]);
    }
    arena_free(o->arena);
    hash_free(o->hash);
    world_done(o->world);
    mem_free(o->world);
    mem_free(o);
}
