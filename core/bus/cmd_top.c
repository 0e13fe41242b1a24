/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju top`: what arrives, as a table that refreshes: events per second by type and service, and
 * the latest errors, from the raw topics' ends on; and what the tasks of rules do, out of
 * ctl.tasks.
 */
#include "core/base/arena.h"
#include "core/bus/bus_tool.h"
#include "core/bus/bus_topics.h"
#include "core/bus/top_tasks.h"
#include "core/bus/top_view.h"
#include "core/event/batch_in.h"

#include <assert.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    TAG_DESCRIBE = 1,
    TAG_TASKS = 2,
    EVENTS_AT_ONCE = 64,
    KEYS_MAX = 100000,
    KEYS_BYTES = 16 << 20,
    BATCH_BYTES = 256 << 20,
    SCREEN_BYTES = 64 << 10,
};

struct settings {
    int64_t every_ns, rounds, timeout_ns;
    bool hints;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"every", CONF_DURATION, AT(every_ns), "1s", 100 * CLOCK_NS_PER_MS, 3600 * CLOCK_NS_PER_S, NULL,
     0, "time between two tables"},
    {"rounds", CONF_INT, AT(rounds), "0", 0, INT64_MAX, NULL, 0,
     "end after so many tables; 0 = never (-n)"},
    {"hints", CONF_BOOL, AT(hints), "false", 0, 0, NULL, 0, "also say what to try next"},
    BUS_TOOL_TIMEOUT(AT(timeout_ns)),
};
static const char *const shorts[] = {"n", "rounds", NULL};

static const enum bus_topic_id watched[] = {BUS_TOPIC_METRICS, BUS_TOPIC_LOGS, BUS_TOPIC_SPANS,
                                            BUS_TOPIC_K8S, BUS_TOPIC_EVENTS};

struct top {
    struct bus_tool tool;
    struct settings settings;
    struct bus_reader *reader;
    struct top_view *view;
    struct top_tasks *tasks;
    struct intern *keys;
    struct schema_reg *schemas;
    struct batch_in *in;
    struct arena *arena;
    struct buf screen;
    bool terminal;
};

/* What a signal handler may touch. */
PROCESS_WIDE
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

static const char *topic_name(enum bus_topic_id id)
{
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        if (bus_topic_rows[i].id == id) {
            return bus_topic_rows[i].name;
        }
    }
    return "";
}

static bool watch(struct top *t, enum bus_topic_id id)
{
    struct bus_client *c = t->tool.client;
    struct bus_tp tp = {.topic = bus_topic(c, slice_str(topic_name(id)))};
    struct bus_ev ev;
    struct err e;
    if (bus_describe(c, tp.topic, TAG_DESCRIBE, &e) != 0) {
        return bus_tool_fail(&t->tool, &e);
    }
    if (!bus_tool_answer(&t->tool, TAG_DESCRIBE, &ev)) {
        return false;
    }
    for (uint32_t n = ev.topics[0].partitions; tp.part < n; tp.part++) {
        if (bus_assign(t->reader, tp, BUS_FROM_END, 0, &e) != 0) {
            return bus_tool_fail(&t->tool, &e);
        }
    }
    return true;
}

static bool open_all(struct top *t)
{
    t->reader = bus_reader_new(t->tool.client);
    t->keys = intern_new(KEYS_MAX, KEYS_BYTES);
    t->schemas = schema_reg_new();
    t->in = batch_in_new(BATCH_LIMITS, t->keys, t->schemas);
    t->arena = arena_new(NULL, "top", BATCH_BYTES);
    t->view = top_view_new();
    t->tasks = top_tasks_new();
    t->terminal = isatty(STDOUT_FILENO) == 1;
    buf_init(&t->screen, SCREEN_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
        if (!watch(t, watched[i])) {
            return false;
        }
    }
    struct bus_tp tasks = {bus_topic(t->tool.client, SLICE("ctl.tasks")), 0};
    struct err e;
    return bus_assign(t->reader, tasks, BUS_FROM_START, TAG_TASKS, &e) == 0 ||
           bus_tool_fail(&t->tool, &e);
}

static void close_all(struct top *t)
{
    if (t->reader != NULL) {
        bus_reader_free(t->reader);
        buf_done(&t->screen);
        top_view_free(t->view);
        top_tasks_free(t->tasks);
        arena_free(t->arena);
        batch_in_free(t->in);
        schema_reg_free(t->schemas);
        intern_free(t->keys);
    }
}

static const char hints[] =
    "\nTRY NEXT\n"
    "  kaiju tail --type LogRecord --filter 'severity_number=17'    errors as they are logged\n"
    "  kaiju tail --type Span --filter 'service.name=checkout'      one service's spans\n"
    "  kaiju topics                                                 what lies on the bus\n";

static void show(struct top *t)
{
    struct winsize size = {.ws_col = 120};
    char time[CLOCK_TEXT_BYTES];
    const struct clock *clock = bus_clock(t->tool.client);
    if (t->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size.ws_col = 120;
    }
    buf_clear(&t->screen);
    buf_add_str(&t->screen, t->terminal ? "\x1b[H\x1b[2J" : "");
    buf_addf(&t->screen, "kaiju top  %s  bus: %s\n\n", clock_text(clock_wall(clock), time),
             bus_kind_name(bus_kind(t->tool.bus)));
    top_view_show(t->view, clock_mono(clock), MAX(size.ws_col, 40), &t->screen);
    top_tasks_show(t->tasks, clock_mono(clock), &t->screen);
    buf_add_str(&t->screen, t->settings.hints ? hints : "");
    buf_add_byte(&t->screen, '\n');
    fwrite(t->screen.ptr, 1, t->screen.len, stdout);
    fflush(stdout);
}

static bool on_event(struct top *t, const struct bus_ev *ev)
{
    struct rec_batch batch;
    struct err e;
    if (ev->kind == BUS_EV_ERROR && ev->reader != NULL) {
        /* Retention was faster than we: what matters is now. */
        return bus_seek(t->reader, ev->tp, BUS_FROM_END, &e) == 0 || bus_tool_fail(&t->tool, &e);
    }
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && ev->tag == TAG_TASKS && i < ev->count; i++) {
        top_tasks_add(t->tasks, ev->records[i].key, ev->records[i].value);
    }
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && ev->tag != TAG_TASKS && i < ev->count; i++) {
        arena_reset(t->arena);
        if (batch_in_read(t->in, t->arena, ev->records[i].value, &batch, NULL) == 0) {
            top_view_add(t->view, &batch);
        }
    }
    return true;
}

static void follow(struct top *t)
{
    struct bus_ev evs[EVENTS_AT_ONCE];
    const struct clock *clock = bus_clock(t->tool.client);
    int64_t due = clock_mono(clock) + t->settings.every_ns, left = t->settings.rounds;
    bool more = true;
    while (more && interrupted == 0) {
        int n = bus_poll(t->tool.client, evs, EVENTS_AT_ONCE);
        for (int i = 0; i < n && more; i++) {
            more = on_event(t, &evs[i]);
        }
        if (clock_mono(clock) >= due) {
            show(t);
            due += t->settings.every_ns;
            more = more && --left != 0;
        } else if (n == 0) {
            bus_wait(t->tool.client, MIN(due - clock_mono(clock), 100 * CLOCK_NS_PER_MS));
        }
    }
    if (interrupted != 0) {
        t->tool.code = CMD_INTERRUPTED;
    }
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct top t = {0};
    struct conf_table own = {"Top", rows, ARRAY_LEN(rows), &t.settings};
    struct sigaction act = {.sa_handler = on_interrupt};
    if (bus_tool_open(&t.tool, self, &own, shorts, argc, argv)) {
        t.tool.timeout_ns = t.settings.timeout_ns;
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        if (open_all(&t)) {
            follow(&t);
        }
    }
    close_all(&t);
    return bus_tool_close(&t.tool);
}

extern const struct cmd cmd_top;
const struct cmd cmd_top = {"top", "[--every 1s] [-n TABLES]",
                            "show what arrives, latest errors, and what rules do", run};
