/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: virtual time follows the clock (or runs as fast as it can), requests go to a
 * receiver or into a file, incidents come when they were asked for, and a line a second says how it
 * goes. It ends well only if everything it sent was acknowledged.
 */
#include "core/base/clock.h"
#include "core/base/cmd.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/conf/conf.h"
#include "core/net/loop.h"
#include "core/version.h"
#include "loadgen/post.h"
#include "loadgen/world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct preset {
    const char *name;
    int scale;
    double spans, logs, metrics; /* a second */
};

/* To add one: a row, and its name below. */
static const struct preset presets[] = {
    {"demo", 1, 250, 150, 200},
    {"paper", 2, 2500, 1500, 2000},
    {"large", 8, 25000, 15000, 20000},
};
static const char *const preset_names[] = {"demo", "paper", "large", NULL};

struct settings {
    const char *to, *write, *truth, *start;
    int preset;
    int64_t seed, connections, batch, percent, duration_ns, queue_bytes;
    struct conf_map incidents;
    bool flat_out, list;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"to", CONF_STRING, AT(to), "http://127.0.0.1:4318", 0, 0, NULL, 0,
     "the receiver: http://HOST:PORT or grpc://HOST:PORT"},
    {"preset", CONF_ENUM, AT(preset), "demo", 0, 0, preset_names, 0,
     "how much: demo, paper (2500 spans, 1500 logs, 2000 metrics a second) or large"},
    {"percent", CONF_INT, AT(percent), "100", 1, 10000, NULL, 0, "of the preset's rates"},
    {"flat_out", CONF_BOOL, AT(flat_out), "false", 0, 0, NULL, 0,
     "as fast as it can be made and taken; virtual time runs ahead of the clock"},
    {"duration", CONF_DURATION, AT(duration_ns), "0s", 0, INT64_C(864000) * CLOCK_NS_PER_S, NULL, 0,
     "of virtual time; 0 = until it is interrupted"},
    {"seed", CONF_INT, AT(seed), "1", 0, INT64_MAX, NULL, 0, "equal seeds give equal bytes"},
    {"start", CONF_STRING, AT(start), "now", 0, 0, NULL, 0,
     "when virtual time begins: now, or 2026-01-31T12:00:00Z"},
    {"connections", CONF_INT, AT(connections), "4", 1, POST_CONNECTIONS_MAX, NULL, 0,
     "requests under way at a time, each on its connection"},
    {"batch", CONF_INT, AT(batch), "512", 1, 100000, NULL, 0, "items of a request at most"},
    {"queue", CONF_SIZE, AT(queue_bytes), "64MiB", 1 << 20, INT64_C(1) << 40, NULL, 0,
     "of requests that wait; when it is full time stands still"},
    {"incident", CONF_LIST, AT(incidents), NULL, 0, 0, NULL, 0,
     "NAME@TIME or NAME@TIME:DURATION after the start, such as slow-dependency@60s:120s"},
    {"list", CONF_BOOL, AT(list), "false", 0, 0, NULL, 0, "only list the incidents there are"},
    {"truth", CONF_STRING, AT(truth), NULL, 0, 0, NULL, 0,
     "file for the ground truth: JSON lines that say what, where and when"},
    {"write", CONF_STRING, AT(write), NULL, 0, 0, NULL, 0,
     "file for the requests instead of sending them: a byte for the signal, 4 for the length "
     "(big-endian), the request"},
};

struct run {
    struct settings settings;
    struct world world;
    struct loop *loop;
    struct post *post;
    struct loop_timer *tick, *report;
    FILE *file;
    int64_t began_ns; /* of the loop's time, at virtual start */
    bool made;        /* everything that will be */
    bool interrupted;
    struct post_stats before;
    int64_t ended_ns;
};

enum { STEPS_AT_ONCE = 50, TICK_MS = 20, TRUTH_BYTES = 1 << 20, EXIT_UNSENT = 1 };
#define END_PATIENCE_NS (60 * CLOCK_NS_PER_S)

static void keep_truth(struct run *r)
{
    struct buf text;
    if (r->settings.truth == NULL || !r->world.changed) {
        return;
    }
    buf_init(&text, TRUTH_BYTES);
    incident_truth(&text, &r->world.incidents, &r->world.shop, r->world.now_ns);
    FILE *f = fopen(r->settings.truth, "w");
    bool ok = f != NULL && fwrite(text.ptr, 1, text.len, f) == text.len;
    ok = f != NULL && fclose(f) == 0 && ok;
    if (!ok) {
        fprintf(stderr, "kaiju-loadgen: %s cannot be written\n", r->settings.truth);
    }
    buf_done(&text);
    r->world.changed = false;
}

static bool to_post(void *arg, int agent, enum signal signal, struct slice request, size_t items)
{
    struct run *r = arg;
    (void)agent;
    post_send(r->post, signal, request, items);
    return true;
}

static bool to_file(void *arg, int agent, enum signal signal, struct slice request, size_t items)
{
    struct run *r = arg;
    uint8_t head[5] = {(uint8_t)signal, (uint8_t)(request.len >> 24), (uint8_t)(request.len >> 16),
                       (uint8_t)(request.len >> 8), (uint8_t)request.len};
    (void)agent;
    (void)items;
    return fwrite(head, 1, sizeof head, r->file) == sizeof head &&
           fwrite(request.ptr, 1, request.len, r->file) == request.len;
}

static bool is_over(const struct run *r)
{
    return r->settings.duration_ns > 0 &&
           r->world.now_ns >= r->world.options.start_ns + r->settings.duration_ns;
}

/* Virtual time up to the clock's, as far as the queue has room. */
static void on_tick(void *arg)
{
    struct run *r = arg;
    struct outbox_sink sink = {to_post, r};
    int64_t real = loop_now_ns(r->loop) - r->began_ns;
    for (int i = 0; i < STEPS_AT_ONCE && !r->made && post_has_room(r->post); i++) {
        if (is_over(r) || r->interrupted) {
            world_finish(&r->world, &sink);
            r->world.changed = true;
            keep_truth(r);
            r->made = true;
            r->ended_ns = loop_now_ns(r->loop);
        } else if (r->settings.flat_out || r->world.now_ns - r->world.options.start_ns <= real) {
            world_step(&r->world, &sink);
            keep_truth(r);
        } else {
            break;
        }
    }
    bool late = r->made && loop_now_ns(r->loop) - r->ended_ns > END_PATIENCE_NS;
    if (r->made && (post_stats(r->post).waiting == 0 || late)) {
        loop_stop(r->loop);
        return;
    }
    loop_timer_set(r->tick, r->settings.flat_out ? 0 : TICK_MS / 2 * CLOCK_NS_PER_MS);
}

static void on_report(void *arg)
{
    struct run *r = arg;
    struct post_stats s = post_stats(r->post);
    printf("items %" PRIu64 "/s acknowledged %" PRIu64 "/s  total %" PRIu64 " rejected %" PRIu64
           "  waiting %" PRIu64 " requests, retried %" PRIu64 ", refused %" PRIu64
           "  p50 %.1f ms p99 %.1f ms%s%s\n",
           s.items - r->before.items, s.items_acknowledged - r->before.items_acknowledged,
           s.items_acknowledged, s.items_rejected, s.waiting, s.retried, s.refused, s.p50_ms,
           s.p99_ms,
           s.retried + s.refused > r->before.retried + r->before.refused ? "  last: " : "",
           s.retried + s.refused > r->before.retried + r->before.refused ? post_last_error(r->post)
                                                                         : "");
    fflush(stdout);
    r->before = s;
    loop_timer_set(r->report, CLOCK_NS_PER_S);
}

static void on_signal(void *arg, int signo)
{
    struct run *r = arg;
    (void)signo;
    if (r->interrupted) {
        loop_stop(r->loop);
    }
    r->interrupted = true;
}

static int send_all(struct run *r)
{
    struct err err;
    struct post_conf conf = {.to = r->settings.to,
                             .connections = (uint32_t)r->settings.connections,
                             .queue_bytes = (size_t)r->settings.queue_bytes,
                             .seed = (uint64_t)r->settings.seed};
    r->loop = loop_new();
    if (post_new(r->loop, &conf, &r->post, &err) != 0) {
        fprintf(stderr, "kaiju-loadgen: --to: %s\n", err.msg);
        loop_free(r->loop);
        return CMD_USAGE;
    }
    r->began_ns = loop_now_ns(r->loop);
    r->tick = loop_timer_new(r->loop, on_tick, r);
    r->report = loop_timer_new(r->loop, on_report, r);
    loop_on_signals(r->loop, on_signal, r);
    loop_timer_set(r->tick, 0);
    loop_timer_set(r->report, CLOCK_NS_PER_S);
    loop_run(r->loop);
    struct post_stats s = post_stats(r->post);
    printf("made %" PRIu64 " items in %" PRIu64 " requests, %" PRIu64
           " bytes; acknowledged %" PRIu64 " items; rejected %" PRIu64 ", refused %" PRIu64
           " requests, not answered %" PRIu64 ", retried %" PRIu64 "\n",
           s.items, s.requests, s.bytes, s.items_acknowledged, s.items_rejected, s.refused,
           s.waiting, s.retried);
    loop_timer_free(r->tick);
    loop_timer_free(r->report);
    post_free(r->post);
    loop_free(r->loop);
    return s.waiting == 0 && s.refused == 0 && s.items_rejected == 0 ? CMD_OK : EXIT_UNSENT;
}

static int write_all(struct run *r)
{
    struct outbox_sink sink = {to_file, r};
    bool ok = r->settings.duration_ns > 0;
    if (!ok) {
        fputs("kaiju-loadgen: --write wants a --duration\n", stderr);
        return CMD_USAGE;
    }
    r->file = fopen(r->settings.write, "wb");
    ok = r->file != NULL;
    while (ok && !is_over(r)) {
        ok = world_step(&r->world, &sink);
        keep_truth(r);
    }
    ok = ok && world_finish(&r->world, &sink);
    r->world.changed = true;
    keep_truth(r);
    ok = r->file != NULL && fclose(r->file) == 0 && ok;
    if (!ok) {
        fprintf(stderr, "kaiju-loadgen: %s cannot be written\n", r->settings.write);
    }
    return ok ? CMD_OK : CMD_USAGE;
}

static bool start_time(const char *text, int64_t *ret_ns)
{
    struct clock clock = clock_system();
    struct tm tm = {0};
    if (strcmp(text, "now") == 0) {
        *ret_ns = clock_wall(&clock);
        return true;
    }
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    *ret_ns = (int64_t)timegm(&tm) * CLOCK_NS_PER_S;
    return end != NULL && strcmp(end, "Z") == 0;
}

static int run_world(struct run *r)
{
    const struct settings *s = &r->settings;
    const struct preset *p = &presets[s->preset];
    double share = (double)s->percent / 100.0;
    int64_t start = 0;
    struct err err;
    if (!start_time(s->start, &start)) {
        fprintf(stderr, "kaiju-loadgen: --start '%s': expected now or 2026-01-31T12:00:00Z\n",
                s->start);
        return CMD_USAGE;
    }
    struct world_options options = {.seed = (uint64_t)s->seed,
                                    .cluster = "shop",
                                    .scale = p->scale,
                                    .start_ns = start,
                                    .tick_ns = TICK_MS * CLOCK_NS_PER_MS,
                                    .flush_ns = CLOCK_NS_PER_S,
                                    .spans_per_s = p->spans * share,
                                    .logs_per_s = p->logs * share,
                                    .metrics_per_s = p->metrics * share,
                                    .batch = (size_t)s->batch};
    world_init(&r->world, &options);
    int code = CMD_OK;
    for (size_t i = 0; code == CMD_OK && i < s->incidents.count; i++) {
        struct slice text = slice_str(s->incidents.pairs[i].value);
        if (incident_add(&r->world.incidents, text, start, &err) != 0) {
            fprintf(stderr, "kaiju-loadgen: --incident: %s\n", err.msg);
            code = CMD_USAGE;
        }
    }
    r->world.changed = true;
    if (code == CMD_OK) {
        code = s->write != NULL ? write_all(r) : send_all(r);
    }
    world_done(&r->world);
    return code;
}

int main(int argc, char **argv)
{
    static const char *const shorts[] = {"n", "duration", NULL};
    struct run *r = MEM_NEW(struct run);
    struct conf_table table = {"Load", rows, ARRAY_LEN(rows), &r->settings};
    struct conf *c = conf_new(&table, 1);
    const char *const *args;
    int code = CMD_USAGE;
    int rc = conf_load(c, &(struct conf_input){argc, argv, environ, shorts});
    log_setup(&(struct log_conf){.level = LOG_LEVEL_WARN, .fd = STDERR_FILENO, .burst = 5});
    if (conf_wants_help(c)) {
        puts("usage: kaiju-loadgen [--to URL] [--preset NAME] [--incident NAME@TIME]... "
             "[OPTION...]\n"
             "\nSends the telemetry of a small shop on a simulated cluster (version " CORE_VERSION
             ").");
        conf_help(c, stdout);
        code = CMD_OK;
    } else if (rc != 0) {
        fputs(conf_errors(c), stderr);
    } else if (conf_args(c, &args) > 0) {
        fprintf(stderr, "kaiju-loadgen: unexpected argument '%s'; see --help\n", args[0]);
    } else if (r->settings.list) {
        incident_list(stdout);
        code = CMD_OK;
    } else {
        code = run_world(r);
    }
    conf_free(c);
    mem_free(r);
    return code;
}
