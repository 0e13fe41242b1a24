/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju tail`: events as they arrive, from one topic of any bus. It reads like everybody else, as
 * a client of the bus, and changes nothing.
 */
#include "core/bus/bus_tool.h"
#include "core/bus/bus_topics.h"
#include "core/bus/tail_show.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

enum { TAG_DESCRIBE = UINT16_MAX + 1, TAG_TIME, EVENTS_AT_ONCE = 64, PARTITIONS_MAX = 1024 };

struct settings {
    const char *type, *from;
    struct conf_map filters;
    int format;
    int64_t limit, timeout_ns;
    bool follow;
};

static const char *const formats[] = {"table", "json", NULL};
#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"type", CONF_STRING, AT(type), NULL, 0, 0, NULL, 0,
     "only events of this type, such as Metric, Span, LogRecord, KubeEvent; stands for the topic"},
    {"filter", CONF_LIST, AT(filters), NULL, 0, 0, NULL, 0,
     "only events where key=value, key!=value or key~part; may be repeated (-f)"},
    {"from", CONF_STRING, AT(from), "end", 0, 0, NULL, 0,
     "where to begin: start, end, -5m, an offset, or 2026-01-31T12:00:00Z"},
    {"output", CONF_ENUM, AT(format), "table", 0, 0, formats, 0, "how to print (-o)"},
    {"limit", CONF_INT, AT(limit), "0", 0, INT64_MAX, NULL, 0, "end after so many; 0 = never (-n)"},
    {"follow", CONF_BOOL, AT(follow), "true", 0, 0, NULL, 0,
     "wait for more at the end; false: stop there"},
    BUS_TOOL_TIMEOUT(AT(timeout_ns)),
};
static const char *const shorts[] = {"o", "output", "n", "limit", "f", "filter", NULL};

/* Where events of a type are found: to add one, a row. What is not named here is derived. */
struct type_row {
    const char *type, *topic;
};
static const struct type_row types[] = {
    {"Metric", "metrics"},       {"LogRecord", "logs"}, {"ExceptionEvent", "logs"},
    {"Span", "spans"},           {"KubeEvent", "k8s"},  {"ProfileSample", "profiles"},
    {"Alert", "alerts.history"},
};

struct tail {
    struct bus_tool tool;
    struct settings settings;
    struct bus_reader *reader;
    struct tail_show *show;
    struct bus_tp tp;
    uint32_t partitions, at_end;
    bool ended[PARTITIONS_MAX];
    uint64_t left;
};

/* What a signal handler may touch. */
PROCESS_WIDE
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

static bool usage(struct tail *t, const char *fmt, const char *what)
{
    struct err e;
    err_set(&e, ERR_USAGE, fmt, what);
    return bus_tool_fail(&t->tool, &e);
}

static const char *topic_of_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].type, type) == 0) {
            return types[i].topic;
        }
    }
    return "events";
}

static bool choose_topic(struct tail *t, const char **ret_topic)
{
    const char *const *args;
    size_t n = conf_args(t->tool.conf, &args);
    if (n > 1) {
        return usage(t, "unexpected argument '%s': one topic at a time; see --help", args[1]);
    }
    if (n == 0 && t->settings.type == NULL) {
        return usage(t, "say %s; `kaiju topics` lists what is there", "which TOPIC, or --type");
    }
    *ret_topic = n == 1 ? args[0] : topic_of_type(t->settings.type);
    return true;
}

static bool make_show(struct tail *t, const char *topic)
{
    const struct bus_topic_row *row = bus_topic_row(slice_str(topic));
    struct tail_show_conf conf = {
        .format = (enum tail_format)t->settings.format,
        .type = t->settings.type != NULL ? slice_str(t->settings.type) : SLICE_NONE,
        .topic_id = row != NULL ? (uint16_t)row->id : 0,
    };
    struct err e;
    if (t->settings.filters.count > TAIL_FILTERS_MAX) {
        return usage(t, "more filters than %s", "16, the most that one tail takes");
    }
    for (size_t i = 0; i < t->settings.filters.count; i++) {
        struct slice text = slice_str(t->settings.filters.pairs[i].value);
        if (tail_filter_parse(text, &conf.filters[conf.filter_count++], &e) != 0) {
            return bus_tool_fail(&t->tool, &e);
        }
    }
    t->show = tail_show_new(&conf);
    return true;
}

static bool find_partitions(struct tail *t, const char *topic)
{
    struct bus_ev ev;
    struct err e;
    t->tp.topic = bus_topic(t->tool.client, slice_str(topic));
    if (t->tp.topic == 0) {
        return usage(t, "'%s' is no name of a topic: letters, digits, '.', '_', '-'", topic);
    }
    if (bus_describe(t->tool.client, t->tp.topic, TAG_DESCRIBE, &e) != 0) {
        return bus_tool_fail(&t->tool, &e);
    }
    if (!bus_tool_answer(&t->tool, TAG_DESCRIBE, &ev)) {
        if (t->tool.code == CMD_NOT_FOUND) {
            fputs("`kaiju topics` lists what is there; with another bus: --bus-kind and its "
                  "settings\n",
                  stderr);
        }
        return false;
    }
    t->partitions = ev.topics[0].partitions;
    assert(t->partitions <= PARTITIONS_MAX);
    return true;
}

static bool assign_all(struct tail *t)
{
    struct tail_from from;
    struct bus_ev ev;
    struct err e;
    int64_t now_ms = clock_wall(bus_clock(t->tool.client)) / CLOCK_NS_PER_MS;
    if (tail_from_parse(slice_str(t->settings.from), now_ms, &from, &e) != 0) {
        return bus_tool_fail(&t->tool, &e);
    }
    int64_t offsets[PARTITIONS_MAX];
    for (uint32_t p = 0; p < t->partitions; p++) {
        struct bus_tp tp = {t->tp.topic, p};
        offsets[p] = from.offset;
        if (from.kind != TAIL_FROM_TIME) {
            continue;
        }
        if (bus_by_time(t->tool.client, tp, from.time_ms, TAG_TIME, &e) != 0) {
            return bus_tool_fail(&t->tool, &e);
        }
        if (!bus_tool_answer(&t->tool, TAG_TIME, &ev)) {
            return false;
        }
        offsets[p] = ev.offset;
    }
    t->reader = bus_reader_new(t->tool.client);
    for (uint32_t p = 0; p < t->partitions; p++) {
        struct bus_tp tp = {t->tp.topic, p};
        if (bus_assign(t->reader, tp, offsets[p], p, &e) != 0) {
            return bus_tool_fail(&t->tool, &e);
        }
    }
    return true;
}

/* A position that retention has passed by, or that does not exist yet, goes to the nearest one. */
static bool on_error(struct tail *t, const struct bus_ev *ev)
{
    struct err e;
    int64_t to = ev->err->code == ERR_GONE ? BUS_FROM_START : BUS_FROM_END;
    if (ev->reader == NULL || (ev->err->code != ERR_GONE && ev->err->code != ERR_RANGE)) {
        return bus_tool_fail(&t->tool, ev->err);
    }
    fprintf(stderr, "kaiju tail: partition %u: %s; going on from the %s\n", ev->tp.part,
            ev->err->msg, to == BUS_FROM_START ? "start" : "end");
    return bus_seek(t->reader, ev->tp, to, &e) == 0 || bus_tool_fail(&t->tool, &e);
}

/* False: it is over. */
static bool on_event(struct tail *t, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_ERROR) {
        return on_error(t, ev);
    }
    if (ev->kind == BUS_EV_END && !t->ended[ev->tp.part]) {
        t->ended[ev->tp.part] = true;
        t->at_end++;
    }
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && i < ev->count && t->left > 0; i++) {
        t->left -= tail_show_record(t->show, ev->tp.part, &ev->records[i], t->left, stdout);
    }
    return t->left > 0 && (t->settings.follow || t->at_end < t->partitions);
}

static void follow(struct tail *t)
{
    struct bus_ev evs[EVENTS_AT_ONCE];
    bool more = true;
    while (more && interrupted == 0) {
        int n = bus_poll(t->tool.client, evs, EVENTS_AT_ONCE);
        for (int i = 0; i < n && more; i++) {
            more = on_event(t, &evs[i]);
        }
        if (n == 0) {
            /* Whoever reads a pipe sees each event when it came; an error means he has left. */
            more = fflush(stdout) == 0 && more;
            bus_wait(t->tool.client, 200 * CLOCK_NS_PER_MS);
        }
    }
    fflush(stdout);
    if (interrupted != 0) {
        t->tool.code = CMD_INTERRUPTED;
    }
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct tail t = {.left = UINT64_MAX};
    struct conf_table own = {"Tail", rows, ARRAY_LEN(rows), &t.settings};
    const char *topic = NULL;
    struct sigaction act = {.sa_handler = on_interrupt};
    bool ready = bus_tool_open(&t.tool, self, &own, shorts, argc, argv);
    t.tool.timeout_ns = t.settings.timeout_ns;
    if (ready && choose_topic(&t, &topic) && make_show(&t, topic) && find_partitions(&t, topic) &&
        assign_all(&t)) {
        if (t.settings.limit > 0) {
            t.left = (uint64_t)t.settings.limit;
        }
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGTERM, &act, NULL);
        follow(&t);
    }
    if (t.reader != NULL) {
        bus_reader_free(t.reader);
    }
    tail_show_free(t.show);
    return bus_tool_close(&t.tool);
}

extern const struct cmd cmd_tail;
const struct cmd cmd_tail = {"tail",
                             "TOPIC|--type TYPE [--filter 'k=v'] [--from WHERE] [-o table|json]",
                             "show events as they arrive", run};
