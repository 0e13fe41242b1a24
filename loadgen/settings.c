/* SPDX-License-Identifier: Apache-2.0
 *
 * See settings.h.
 */
#include "loadgen/settings.h"

#include "core/base/clock.h"

#include <assert.h>
#include <time.h>

struct preset {
    const char *name;
    double per_s[SIGNAL_COUNT]; /* spans, logs, metrics */
    int scale;
};

static const struct preset presets[] = {
#define PRESET(id, name, spans, logs, metrics, scale, doc)                                         \
    {(name),                                                                                       \
     {[SIGNAL_SPANS] = (spans), [SIGNAL_LOGS] = (logs), [SIGNAL_METRICS] = (metrics)},             \
     (scale)},
#include "loadgen/preset.def"
#undef PRESET
};

static const char *const preset_names[] = {
#define PRESET(id, name, spans, logs, metrics, scale, doc) (name),
#include "loadgen/preset.def"
#undef PRESET
    NULL};

enum only { ONLY_ALL = 0, ONLY_SPANS, ONLY_LOGS, ONLY_METRICS };
static const char *const only_names[] = {"all", "spans", "logs", "metrics", NULL};
static const char *const encodings[] = {"protobuf", "json", NULL};
static const char *const codings[] = {"none", "gzip", "deflate", "zstd", NULL};
static const char *const outputs[] = {"text", "json", NULL};

#define AT(member) offsetof(struct loadgen_settings, member)
#define HOUR       (3600 * CLOCK_NS_PER_S)

static const struct conf_row rows[] = {
    {"to", CONF_STRING, AT(to), NULL, 0, 0, NULL, 0,
     "the receiver: grpc://HOST:PORT, http://HOST:PORT, grpcs:// or https:// with TLS; discard: "
     "goes nowhere and measures the generator. Unless --write says where the requests "
     "go: " LOADGEN_TO},
    {"preset", CONF_ENUM, AT(preset), "demo", 0, 0, preset_names, 0,
     "how much of what: demo 600 items/s, paper 6,000 (2,500 spans, 1,500 logs, 2,000 metrics), "
     "fleet 60,000"},
    {"rate", CONF_INT, AT(rate), "0", 0, 10000000, NULL, 0,
     "items per second in all, in the proportions of the preset; 0 = as the preset says"},
    {"only", CONF_ENUM, AT(only), "all", 0, 0, only_names, 0, "one signal instead of all three"},
    {"flat_out", CONF_BOOL, AT(flat_out), "false", 0, 0, NULL, 0,
     "as fast as the receiver acknowledges, not at a rate"},
    {"connections", CONF_INT, AT(connections), "8", 1, 1024, NULL, 0,
     "connections, each with one request at a time"},
    {"batch", CONF_INT, AT(batch), "512", 1, 100000, NULL, 0, "items of a request at most"},
    {"flush", CONF_DURATION, AT(flush_ns), "1s", LOADGEN_TICK_NS, 60 * CLOCK_NS_PER_S, NULL, 0,
     "how long an agent collects before it sends less than a batch"},
    {"seed", CONF_INT, AT(seed), "1", 0, INT64_MAX, NULL, 0,
     "equal seeds and options make equal bytes; with --start-time in every run"},
    {"start_time", CONF_STRING, AT(start_time), "now", 0, 0, NULL, 0,
     "of the simulated world: now, or 2026-01-31T12:00:00Z"},
    {"duration", CONF_DURATION, AT(duration_ns), "0s", 0, 24 * 365 * HOUR, NULL, 0,
     "how long; 0 = until SIGINT. Of the simulated time where nothing is sent"},
    {"items", CONF_INT, AT(items), "0", 0, INT64_MAX, NULL, 0, "stop after so many; 0 = never"},
    {"incident", CONF_LIST, AT(incidents), NULL, 0, 0, NULL, 0,
     "NAME@START or NAME@START:LENGTH, for example slow-dependency@60s:2m; may be repeated"},
    {"list_incidents", CONF_BOOL, AT(list_incidents), "false", 0, 0, NULL, 0,
     "shows the incidents there are, and leaves"},
    {"truth", CONF_STRING, AT(truth), NULL, 0, 0, NULL, 0,
     "file for the ground truth: what went wrong, where, when; one JSON object a line"},
    {"write", CONF_STRING, AT(write), NULL, 0, 0, NULL, 0,
     "file, or directory/ for one file each: the requests go there; and to --to if that is given"},
    {"ledger", CONF_STRING, AT(ledger), NULL, 0, 0, NULL, 0,
     "file for the fate of each request: number, signal, items, outcome; JSON lines"},
    {"encoding", CONF_ENUM, AT(encoding), "protobuf", 0, 0, encodings, 0, "json: over http only"},
    {"compress", CONF_ENUM, AT(compress), "none", 0, 0, codings, 0, "of the request bodies"},
    {"cluster", CONF_STRING, AT(cluster), "demo", 0, 0, NULL, 0, "name of the simulated cluster"},
    {"scale", CONF_INT, AT(scale), "0", 0, SHOP_SCALE_MAX, NULL, 0,
     "replicas of each service times this (35 pods at 1); 0 = as the preset says"},
    {"timeout", CONF_DURATION, AT(timeout_ns), "30s", CLOCK_NS_PER_MS, HOUR, NULL, 0,
     "of one try of a request"},
    {"drain_timeout", CONF_DURATION, AT(drain_ns), "30s", 0, HOUR, NULL, 0,
     "how long the end waits for acknowledgements"},
    {"queue", CONF_SIZE, AT(queue_bytes), "64MiB", 1024, INT64_C(1) << 40, NULL, 0,
     "requests waiting to be sent: when it is full, the world stands still"},
    {"tls.ca_file", CONF_STRING, AT(ca_file), NULL, 0, 0, NULL, 0,
     "PEM file of the authorities of the receiver's certificate, instead of the system's"},
    {"tls.cert_file", CONF_STRING, AT(cert_file), NULL, 0, 0, NULL, 0,
     "PEM file of a certificate of our own and its chain, for receivers that want one"},
    {"tls.key_file", CONF_STRING, AT(key_file), NULL, 0, 0, NULL, 0,
     "PEM file of that certificate's key"},
    {"output", CONF_ENUM, AT(output), "text", 0, 0, outputs, 0, "of the report"},
    {"quiet", CONF_BOOL, AT(quiet), "false", 0, 0, NULL, 0, "no line each second"},
};

struct conf_table loadgen_settings_table(struct loadgen_settings *s)
{
    return (struct conf_table){"Load", rows, ARRAY_LEN(rows), s};
}

/* "now", or RFC 3339 in UTC to the second. */
static int parse_start(const char *text, int64_t wall_ns, int64_t *ret_ns, struct err *reterr)
{
    struct tm tm = {0};
    if (strcmp(text, "now") == 0) {
        *ret_ns = wall_ns;
        return 0;
    }
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL || strcmp(end, "Z") != 0) {
        return err_set(reterr, ERR_USAGE, "--start-time %s: expected now or 2026-01-31T12:00:00Z",
                       text);
    }
    *ret_ns = (int64_t)timegm(&tm) * CLOCK_NS_PER_S;
    return 0;
}

/* Items per second of each signal. Flat out, the nominal rate is one that no receiver reaches, so
 * that the simulated time does not run ahead of the real one. */
static void rates(const struct loadgen_settings *s, struct world_options *o)
{
    static const double flat_out_per_s = 1e6;
    const struct preset *p = &presets[s->preset];
    double per_s[SIGNAL_COUNT], all = 0;
    memcpy(per_s, p->per_s, sizeof per_s);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        bool wanted = (o->signals >> i & 1) != 0;
        all += wanted ? per_s[i] : 0;
    }
    double wanted = s->rate > 0 ? (double)s->rate : s->flat_out ? flat_out_per_s : all;
    assert(all > 0);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        per_s[i] *= wanted / all;
    }
    o->spans_per_s = per_s[SIGNAL_SPANS];
    o->logs_per_s = per_s[SIGNAL_LOGS];
    o->metrics_per_s = per_s[SIGNAL_METRICS];
    /* Requests are made whatever is sent of them: as few as will do for what they leave behind. */
    if (s->only == ONLY_LOGS) {
        o->spans_per_s = per_s[SIGNAL_LOGS] / 4;
    } else if (s->only == ONLY_METRICS) {
        o->spans_per_s = MIN(per_s[SIGNAL_SPANS], per_s[SIGNAL_METRICS] / 4);
    }
}

int loadgen_settings_world(const struct loadgen_settings *s, int64_t wall_ns,
                           struct world_options *ret_options, struct err *reterr)
{
    struct world_options o = {.seed = (uint64_t)s->seed,
                              .cluster = s->cluster,
                              .tick_ns = LOADGEN_TICK_NS,
                              .flush_ns = s->flush_ns,
                              .batch = (size_t)s->batch};
    int rc = parse_start(s->start_time, wall_ns, &o.start_ns, reterr);
    if (rc != 0) {
        return rc;
    }
    o.scale = s->scale > 0 ? (int)s->scale : presets[s->preset].scale;
    o.signals = s->only == ONLY_ALL ? (1u << SIGNAL_COUNT) - 1 : 1u << (s->only - ONLY_SPANS);
    rates(s, &o);
    *ret_options = o;
    return 0;
}

int loadgen_settings_incidents(const struct loadgen_settings *s, struct world *w,
                               struct err *reterr)
{
    for (size_t i = 0; i < s->incidents.count; i++) {
        int rc =
            incident_add(&w->incidents, slice_str(s->incidents.pairs[i].value), w->now_ns, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
