/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju replay` without --verify: any graph over a range of the raw topics. What its tasks write
 * goes to topics of its own: on the bus itself with --to-topics, else on an embedded bus in a
 * directory that lives as long as the command, from which the events are printed in the end, by
 * time, author and number: equal runs print equal lines.
 */
#include "operators/cmd/cmd_replay.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_in.h"
#include "core/event/rec_json.h"
#include "operators/replay/replay_free.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    INPUTS_MAX = 32,
    TEXT_MAX = 1 << 30,
    BATCH_ARENA = 256 << 20,
    KEYS_MAX = 1 << 16,
    KEYS_BYTES = 16 << 20,
    PATH_BYTES = 1024,
};

/* What a signal handler may touch. */
PROCESS_WIDE
static atomic_bool interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    atomic_store(&interrupted, true);
}

struct line { /* an event that came out */
    int64_t ts;
    uint64_t author, number;
    uint32_t topic, part;
    size_t at, len; /* of its text */
};

struct free_run {
    struct cmd_replay *r;
    struct replay_plan *plan;
    struct bus *work; /* == the tool's with --to-topics */
    char dir[PATH_BYTES];
    VEC(struct replay_part) parts;
    VEC(struct line) lines;
    struct buf text;
};

/* ---- the bus it works on ---- */

static void remove_dir(const char *dir)
{
    char path[PATH_BYTES + 300];
    DIR *d = opendir(dir);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        (void)unlink(path); /* not . and .. */
    }
    if (d != NULL) {
        closedir(d);
    }
    (void)rmdir(dir);
}

static int open_private(struct free_run *f, struct err *reterr)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(f->dir, sizeof f->dir, "%s/kaiju-replay-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(f->dir) == NULL) {
        int rc = err_set(reterr, ERR_IO, "%s: no directory can be made there", f->dir);
        f->dir[0] = '\0';
        return rc;
    }
    const struct bus_conf conf = {
        .kind = BUS_LOCAL,
        .prefix = "",
        .local = {.dir = f->dir, .map_bytes = (uint64_t)f->r->tool.settings.map_bytes}};
    return bus_new(&conf, &f->work, reterr);
}

/* The tool has opened the bus for reading. */
static int open_for_writing(struct free_run *f, struct err *reterr)
{
    struct bus_tool *t = &f->r->tool;
    struct bus_conf conf = bus_settings_conf(&t->settings, t->properties);
    if (bus_kind(t->bus) == BUS_LOCAL) {
        tapes_free(f->r->tapes);
        f->r->tapes = NULL;
        bus_client_free(t->client);
        bus_free(t->bus);
        t->client = NULL;
        t->bus = NULL;
        int rc = bus_new(&conf, &t->bus, reterr);
        if (rc != 0) {
            return err_wrap(reterr, "--to-topics writes, and only one program may");
        }
        t->client = bus_client_new(t->bus, "replay");
    }
    f->work = t->bus;
    return 0;
}

/* ---- the range ---- */

static int find_range(struct free_run *f, struct err *reterr)
{
    struct slice topics[INPUTS_MAX];
    uint32_t n = replay_inputs(f->plan, topics, INPUTS_MAX);
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        for (uint32_t p = 0; p < f->r->raw_parts && rc == 0; p++) {
            struct replay_part part = {.topic = topics[i], .part = p};
            rc = tapes_by_time(f->r->tapes, topics[i], p, f->r->from_ms, &part.from, reterr);
            rc = rc == 0 ? tapes_by_time(f->r->tapes, topics[i], p, f->r->to_ms, &part.end, reterr)
                         : rc;
            *VEC_PUSH(&f->parts) = part;
        }
    }
    return rc;
}

/* ---- what came out ---- */

static void add_line(struct free_run *f, const struct rec *e, uint64_t author, uint64_t number,
                     uint32_t topic, uint32_t part)
{
    struct line l = {e->ts, author, number, topic, part, f->text.len, 0};
    if (rec_json_event(&f->text, e, NULL) && buf_add_byte(&f->text, '\n')) {
        l.len = f->text.len - l.at;
        *VEC_PUSH(&f->lines) = l;
    }
}

static int read_output(struct free_run *f, struct tapes *tapes, struct batch_in *decoder,
                       uint32_t topic, uint32_t part, struct err *reterr)
{
    struct arena *a = arena_new(NULL, "output", BATCH_ARENA);
    const struct bus_record *r;
    struct tape *t = NULL;
    int rc = tape_open(tapes, f->plan->outputs[topic], part, BUS_FROM_START, &t, reterr);
    while (rc >= 0 && t != NULL && (rc = tape_next(t, &r, reterr)) == 1) {
        struct rec_batch b = {0};
        struct head h;
        arena_reset(a);
        if (!head_of(r, &h) || h.count == 0 ||
            batch_in_read(decoder, a, r->value, &b, reterr) != 0) {
            continue;
        }
        for (uint32_t i = 0; i < b.events_len; i++) {
            add_line(f, &b.events[i], h.lineage, h.first + b.events[i].n, topic, part);
        }
    }
    tape_close(t);
    arena_free(a);
    if (rc == 0 && buf_failed(&f->text)) {
        rc = err_set(reterr, ERR_TOO_BIG, "more than 1 GiB of text came out: use --to-topics");
    }
    return rc;
}

static int in_order(const void *x, const void *y)
{
    const struct line *a = x, *b = y;
    int by_number = (a->number > b->number) - (a->number < b->number);
    int by_author = (a->author > b->author) - (a->author < b->author);
    int by_place = (a->topic > b->topic) - (a->topic < b->topic);
    by_place = by_place != 0 ? by_place : (a->part > b->part) - (a->part < b->part);
    return a->ts != b->ts   ? (a->ts > b->ts ? 1 : -1)
           : by_author != 0 ? by_author
           : by_number != 0 ? by_number
                            : by_place;
}

static int print_outputs(struct free_run *f, struct err *reterr)
{
    struct bus_client *c = bus_client_new(f->work, "outputs");
    struct tapes *tapes = tapes_new(c, f->r->settings.timeout_ns);
    struct intern *keys = intern_new(KEYS_MAX, KEYS_BYTES);
    struct schema_reg *reg = schema_reg_new();
    struct batch_in *decoder = batch_in_new(BATCH_LIMITS, keys, reg);
    int rc = 0;
    buf_init(&f->text, TEXT_MAX);
    for (uint32_t i = 0; i < f->plan->n_outputs && rc == 0; i++) {
        uint32_t parts = 0;
        rc = tapes_partitions(tapes, f->plan->outputs[i], &parts, reterr);
        for (uint32_t p = 0; p < parts && rc == 0; p++) {
            rc = read_output(f, tapes, decoder, i, p, reterr);
        }
    }
    if (rc == 0 && f->lines.len > 0) {
        qsort(f->lines.ptr, f->lines.len, sizeof *f->lines.ptr, in_order);
    }
    for (size_t i = 0; i < f->lines.len && rc == 0; i++) {
        (void)fwrite(f->text.ptr + f->lines.ptr[i].at, 1, f->lines.ptr[i].len, stdout);
    }
    fflush(stdout);
    buf_done(&f->text);
    batch_in_free(decoder);
    schema_reg_free(reg);
    intern_free(keys);
    tapes_free(tapes);
    bus_client_free(c);
    return rc;
}

static void say(const struct free_run *f, const struct replay_counts *c, int64_t took_ns)
{
    const char *form = f->r->settings.format == CMD_JSON
                           ? "{\"mode\":\"free\",\"topics\":\"%s%.*s*\",\"inputs\":%" PRIu64
                             ",\"late\":%" PRIu64 ",\"events\":%" PRIu64 ",\"refused\":%" PRIu64
                             ",\"poison\":%" PRIu64 ",\"seconds\":%.3f}\n"
                           : "kaiju replay: %s%.*s*: %" PRIu64 " inputs, %" PRIu64
                             " of them late; %" PRIu64 " events put out, %" PRIu64
                             " refused, %" PRIu64 " poison; %.3f s\n";
    const char *prefix = f->r->settings.to_topics ? f->r->tool.settings.prefix : "";
    fprintf(stderr, form, prefix, (int)f->plan->prefix.len, f->plan->prefix.ptr, c->taken, c->late,
            c->put, c->refused, c->poison, (double)took_ns / 1e9);
}

/* ---- a run ---- */

static int run(struct free_run *f, struct err *reterr)
{
    struct cmd_replay *r = f->r;
    const struct clock clock = clock_system();
    int64_t began = clock_mono(&clock);
    struct replay_counts counts;
    char id[64];
    (void)snprintf(id, sizeof id, "%" PRIx64, (uint64_t)(clock_wall(&clock) / CLOCK_NS_PER_MS));
    struct slice prefix =
        slice_str(arena_printf(r->arena, "bt.%s.", r->settings.id != NULL ? r->settings.id : id));
    f->plan = replay_plan_make(r->arena, r->layout, prefix);
    int rc = find_range(f, reterr);
    if (rc == 0) {
        rc = r->settings.to_topics ? open_for_writing(f, reterr) : open_private(f, reterr);
    }
    const struct replay_free free = {.work = f->work,
                                     .source = r->tool.bus,
                                     .plan = f->plan,
                                     .parts = f->parts.ptr,
                                     .n_parts = (uint32_t)f->parts.len,
                                     .to = r->to_ms * CLOCK_NS_PER_MS,
                                     .commit_ns = 50 * CLOCK_NS_PER_MS,
                                     .threads = (uint32_t)r->settings.threads,
                                     .stop = &interrupted};
    rc = rc == 0 ? replay_free_run(&free, &counts, reterr) : rc;
    if (rc == 0 && !r->settings.to_topics) {
        rc = print_outputs(f, reterr);
    }
    if (rc == 0) {
        say(f, &counts, clock_mono(&clock) - began);
    }
    return rc;
}

bool cmd_replay_free(struct cmd_replay *r)
{
    struct free_run f = {.r = r};
    struct sigaction act = {.sa_handler = on_interrupt};
    struct err e;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    int rc = run(&f, &e);
    if (f.work != NULL && f.work != r->tool.bus) {
        bus_free(f.work);
    }
    if (f.dir[0] != '\0') {
        remove_dir(f.dir);
    }
    VEC_DONE(&f.parts);
    VEC_DONE(&f.lines);
    bool ok = rc == 0 || bus_tool_fail(&r->tool, &e);
    if (atomic_load(&interrupted)) {
        r->tool.code = CMD_INTERRUPTED;
    }
    return ok;
}
