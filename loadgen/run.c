/* SPDX-License-Identifier: Apache-2.0
 *
 * See run.h. Written only: a plain loop. Sent: the loop's timer makes the ticks that are due, or,
 * flat out, each acknowledgement makes room for the next ones. The end: the world stops, what the
 * agents hold is sent, and acknowledgements are waited for; a second signal does not wait.
 */
#include "loadgen/run.h"

#include "core/base/clock.h"
#include "core/base/cmd.h"
#include "core/base/mem.h"
#include "core/net/loop.h"
#include "core/net/tls.h"
#include "loadgen/courier.h"
#include "loadgen/pace.h"
#include "loadgen/pack.h"
#include "loadgen/writer.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

enum { JSON_BYTES_MAX = 512 * 1024 * 1024, FLAT_OUT_PER_CONNECTION = 4, FLAT_OUT_STEPS = 4 };
static const enum inflate_coding codings[] = {INFLATE_IDENTITY, INFLATE_GZIP, INFLATE_DEFLATE,
                                              INFLATE_ZSTD};

struct run {
    const struct loadgen_settings *settings;
    struct world *world;
    struct outbox_sink sink;
    struct report report;
    struct pack *pack;
    struct writer *writer;
    FILE *ledger;
    struct buf json;
    uint64_t number, made; /* requests, items */
    struct clock clock;
    int64_t end_ns; /* of the simulated time; flat out: of the loop's */
    /* when something is sent */
    struct loop *loop;
    struct sender *sender;
    struct courier *courier;
    struct loop_timer *tick, *second, *drain;
    struct pace pace;
    bool ending, failed;
    struct err err;
};

static bool on_request(void *arg, int agent, enum signal signal, struct slice request, size_t items)
{
    struct run *r = arg;
    const struct loadgen_settings *s = r->settings;
    (void)agent;
    if (s->encoding == LOADGEN_ENCODING_JSON) {
        buf_clear(&r->json);
        otlp_out_json(&r->json, signal, request);
        request = buf_slice(&r->json);
    }
    struct slice body = pack_body(r->pack, request);
    r->number++;
    r->made += items;
    report_made(&r->report, signal, items, body.len);
    if (r->writer != NULL && writer_put(r->writer, r->number, signal, body, items, &r->err) != 0) {
        r->failed = true;
        return false;
    }
    if (r->courier != NULL) {
        courier_submit(r->courier, r->number, signal, body, items);
    }
    return s->items == 0 || r->made < (uint64_t)s->items;
}

/* --- the ground truth --- */

static int write_truth(struct run *r, struct err *reterr)
{
    const char *path = r->settings->truth;
    struct buf b;
    if (path == NULL) {
        return 0;
    }
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        return err_set(reterr, ERR_IO, "--truth %s: %s", path, strerror(errno));
    }
    buf_init(&b, 1 << 20);
    incident_truth(&b, &r->world->incidents, &r->world->shop, r->world->now_ns);
    bool written = fwrite(b.ptr, 1, b.len, f) == b.len;
    buf_done(&b);
    if (fclose(f) != 0 || !written) {
        return err_set(reterr, ERR_IO, "--truth %s: %s", path, strerror(errno));
    }
    return 0;
}

/* One tick. False: the run ends. */
static bool step(struct run *r)
{
    bool go_on = world_step(r->world, &r->sink);
    if (r->world->changed) {
        r->world->changed = false;
        if (write_truth(r, &r->err) != 0) {
            r->failed = true;
            return false;
        }
    }
    return go_on;
}

/* --- what is only written --- */

static int run_written(struct run *r)
{
    while (r->world->now_ns < r->end_ns && step(r)) {
    }
    if (!r->failed && (r->settings->items == 0 || r->made < (uint64_t)r->settings->items)) {
        (void)world_finish(r->world, &r->sink);
    }
    return r->failed ? -(int)r->err.code : 0;
}

/* --- what is sent --- */

static struct report_end state_of(const struct run *r)
{
    bool sends = r->courier != NULL && !sender_discards(r->sender);
    return (struct report_end){.unacknowledged =
                                   r->courier != NULL ? courier_waiting(r->courier) : 0,
                               .waiting = r->courier != NULL ? courier_waiting(r->courier) : 0,
                               .complaint = r->courier != NULL ? courier_complaint(r->courier) : "",
                               .sends = sends,
                               .flat_out = r->settings->flat_out,
                               .now_ns = clock_mono(&r->clock)};
}

static void leave_if_idle(struct run *r)
{
    if (r->ending && courier_waiting(r->courier) == 0) {
        loop_stop(r->loop);
    }
}

static void on_drained(void *arg)
{
    struct run *r = arg;
    loop_stop(r->loop);
}

static void end(struct run *r)
{
    if (r->ending) {
        return;
    }
    r->ending = true;
    loop_timer_cancel(r->tick);
    if (!r->failed) {
        (void)world_finish(r->world, &r->sink);
    }
    loop_timer_set(r->drain, r->settings->drain_ns);
    leave_if_idle(r);
}

static void make_flat_out(struct run *r)
{
    size_t enough = (size_t)r->settings->connections * FLAT_OUT_PER_CONNECTION;
    bool over = r->settings->duration_ns > 0 && loop_now_ns(r->loop) >= r->end_ns;
    for (int i = 0; i < FLAT_OUT_STEPS && !over && courier_waiting(r->courier) < enough; i++) {
        over = !step(r);
    }
    if (over) {
        end(r);
    } else if (courier_waiting(r->courier) < enough) {
        loop_timer_set(r->tick, 0);
    }
}

static void make_in_time(struct run *r)
{
    int64_t now = loop_now_ns(r->loop);
    int64_t due = pace_due(&r->pace, now, courier_is_full(r->courier));
    bool over = false;
    for (int64_t i = 0; i < due && !over; i++) {
        over = (r->settings->duration_ns > 0 && r->world->now_ns >= r->end_ns) || !step(r);
    }
    r->report.behind_ns = r->pace.behind_ns;
    if (over) {
        end(r);
    } else {
        loop_timer_set(r->tick, pace_wait_ns(&r->pace, loop_now_ns(r->loop)));
    }
}

static void on_tick(void *arg)
{
    struct run *r = arg;
    if (!r->ending) {
        (r->settings->flat_out ? make_flat_out : make_in_time)(r);
    }
}

static void on_room(void *arg)
{
    struct run *r = arg;
    leave_if_idle(r);
    if (r->settings->flat_out && !r->ending) {
        loop_timer_set(r->tick, 0);
    }
}

static void on_second(void *arg)
{
    struct run *r = arg;
    struct report_end at = state_of(r);
    report_line(&r->report, &at, r->settings->output == 1, stderr);
    if (r->ledger != NULL) {
        fflush(r->ledger);
    }
    loop_timer_set(r->second, CLOCK_NS_PER_S);
}

static void on_signal(void *arg, int signo)
{
    struct run *r = arg;
    if (r->ending) {
        _exit(128 + signo);
    }
    end(r);
}

static int open_courier(struct run *r, struct err *reterr)
{
    const struct loadgen_settings *s = r->settings;
    struct sender_conf conf = {.connections = (int)s->connections,
                               .timeout_ns = s->timeout_ns,
                               .json = s->encoding == LOADGEN_ENCODING_JSON,
                               .coding = codings[s->compress]};
    struct tls_conf tls = {
        .ca_file = s->ca_file, .cert_file = s->cert_file, .key_file = s->key_file};
    r->loop = loop_new();
    int rc =
        sender_new(r->loop, s->to != NULL ? s->to : LOADGEN_TO, &tls, &conf, &r->sender, reterr);
    if (rc != 0) {
        return rc;
    }
    r->courier = courier_new(r->loop, r->sender,
                             &(struct courier_conf){.connections = (int)s->connections,
                                                    .waiting_bytes_max = (size_t)s->queue_bytes,
                                                    .rng = {(uint64_t)s->seed ^ 0x6a09e667f3bcc909},
                                                    .ledger = r->ledger,
                                                    .on_room = on_room,
                                                    .arg = r},
                             &r->report);
    r->tick = loop_timer_new(r->loop, on_tick, r);
    r->second = loop_timer_new(r->loop, on_second, r);
    r->drain = loop_timer_new(r->loop, on_drained, r);
    return 0;
}

static int run_sent(struct run *r)
{
    int64_t now = loop_now_ns(r->loop);
    r->end_ns = r->settings->flat_out ? now + r->settings->duration_ns
                                      : r->world->now_ns + r->settings->duration_ns;
    pace_init(&r->pace, now, LOADGEN_TICK_NS);
    loop_on_signals(r->loop, on_signal, r);
    loop_timer_set(r->tick, 0);
    if (!r->settings->quiet) {
        loop_timer_set(r->second, CLOCK_NS_PER_S);
    }
    loop_run(r->loop);
    return r->failed ? -(int)r->err.code : 0;
}

static void close_courier(struct run *r)
{
    if (r->loop != NULL) {
        courier_free(r->courier);
        sender_free(r->sender);
        loop_timer_free(r->tick);
        loop_timer_free(r->second);
        loop_timer_free(r->drain);
        loop_free(r->loop);
    }
}

/* --- both --- */

static int open_files(struct run *r, struct err *reterr)
{
    const struct loadgen_settings *s = r->settings;
    const char *suffix = s->encoding == LOADGEN_ENCODING_JSON ? "json" : "pb";
    int rc = 0;
    if (s->write != NULL) {
        rc = writer_open(s->write, suffix, &r->writer, reterr);
    }
    if (rc == 0 && s->ledger != NULL) {
        r->ledger = fopen(s->ledger, "w");
        rc = r->ledger != NULL
                 ? 0
                 : err_set(reterr, ERR_IO, "--ledger %s: %s", s->ledger, strerror(errno));
    }
    return rc == 0 ? write_truth(r, reterr) : rc;
}

static int open_run(struct run *r, bool sends, struct err *reterr)
{
    struct world_options options;
    int rc = loadgen_settings_world(r->settings, clock_wall(&r->clock), &options, reterr);
    if (rc != 0) {
        return rc;
    }
    world_init(r->world, &options);
    r->pack = pack_new(codings[r->settings->compress]);
    r->end_ns = r->world->now_ns + r->settings->duration_ns;
    rc = loadgen_settings_incidents(r->settings, r->world, reterr);
    if (rc == 0) {
        rc = open_files(r, reterr);
    }
    if (rc == 0 && sends) {
        rc = open_courier(r, reterr);
    }
    if (rc == 0 && !sends && r->settings->duration_ns == 0 && r->settings->items == 0) {
        rc = err_set(reterr, ERR_USAGE, "--write without --duration or --items would never end");
    }
    return rc;
}

static int exit_code(const struct report_counts *c, const struct report_end *at)
{
    uint64_t taken = 0;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        taken += c->taken[i];
    }
    if (!at->sends || (at->unacknowledged == 0 && c->rejected == 0 && c->refused == 0)) {
        return CMD_OK;
    }
    bool answered = taken + c->rejected + c->refused + (c->again - c->unanswered) > 0;
    return !answered && c->unanswered > 0 ? CMD_UNREACHABLE : CMD_FINDINGS;
}

int loadgen_run(const struct loadgen_settings *s)
{
    bool sends = s->to != NULL || s->write == NULL;
    struct run r = {.settings = s, .clock = clock_system()};
    struct err e;
    int code = CMD_USAGE;
    r.world = MEM_NEW(struct world);
    r.sink = (struct outbox_sink){on_request, &r};
    buf_init(&r.json, JSON_BYTES_MAX);
    report_init(&r.report, clock_mono(&r.clock));
    err_clear(&e);
    int rc = open_run(&r, sends, &e);
    if (rc == 0) {
        rc = sends ? run_sent(&r) : run_written(&r);
        e = rc != 0 ? r.err : e;
        struct report_end at = state_of(&r);
        report_summary(&r.report, &at, s->output == 1, stdout);
        code = exit_code(&r.report.all, &at);
    }
    if (rc == 0) {
        rc = write_truth(&r, &e);
    }
    close_courier(&r);
    struct err late;
    if (writer_close(r.writer, &late) != 0 && rc == 0) {
        rc = -(int)late.code;
        e = late;
    }
    if (r.ledger != NULL && fclose(r.ledger) != 0 && rc == 0) {
        rc = err_set(&e, ERR_IO, "--ledger %s: %s", s->ledger, strerror(errno));
    }
    if (rc != 0) {
        fprintf(stderr, "kaiju-loadgen: %s\n", e.msg);
        code = e.code == ERR_UNAVAILABLE ? CMD_UNREACHABLE : CMD_USAGE;
    }
    pack_free(r.pack);
    world_done(r.world);
    mem_free(r.world);
    buf_done(&r.json);
    return code;
}
