/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju topics`: what lies on the bus. Offsets may have gaps, so the span of a topic is an upper
 * bound of its records, and the column says so.
 */
#include "core/base/mem.h"
#include "core/bus/bus_tool.h"
#include "core/bus/bus_topics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { TAG_LIST = 1, TAG_BOUNDS = 2 };

struct settings {
    int format;
    int64_t timeout_ns;
};

static const char *const formats[] = {"table", "json", NULL};
static const struct conf_row rows[] = {
    {"output", CONF_ENUM, offsetof(struct settings, format), "table", 0, 0, formats, 0,
     "how to print (-o)"},
    BUS_TOOL_TIMEOUT(offsetof(struct settings, timeout_ns)),
};
static const char *const shorts[] = {"o", "output", NULL};

struct line {
    char name[BUS_NAME_MAX + 1];
    uint32_t partitions;
    enum bus_cleanup cleanup;
    int64_t retention_ms, span;
};

static const char *cleanup_name(enum bus_cleanup cleanup)
{
    return cleanup == BUS_DELETE ? "delete" : cleanup == BUS_COMPACT ? "compact" : "compact,delete";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

static void keep(struct line *to, const struct bus_topic_spec *t)
{
    size_t n = t->name.len < BUS_NAME_MAX ? t->name.len : BUS_NAME_MAX;
    memcpy(to->name, t->name.ptr, n);
    to->name[n] = '\0';
    to->partitions = t->partitions;
    to->cleanup = t->cleanup;
    to->retention_ms = t->retention_ms;
    to->span = 0;
}

static bool measure(struct bus_tool *t, struct line *line)
{
    struct bus_ev ev;
    struct err e;
    struct bus_tp tp = {.topic = bus_topic(t->client, slice_str(line->name))};
    for (; tp.part < line->partitions; tp.part++) {
        if (bus_bounds(t->client, tp, TAG_BOUNDS, &e) != 0) {
            return bus_tool_fail(t, &e);
        }
        if (!bus_tool_answer(t, TAG_BOUNDS, &ev)) {
            return false;
        }
        line->span += ev.end - ev.offset;
    }
    return true;
}

static void print_table(const struct line *lines, uint32_t n)
{
    printf("%-24s %10s %-15s %10s %14s  %s\n", "TOPIC", "PARTITIONS", "CLEANUP", "RETENTION",
           "RECORDS (<=)", "WHAT");
    for (uint32_t i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        const struct bus_topic_row *row = bus_topic_row(slice_str(l->name));
        char keeps[32] = "forever";
        if (l->retention_ms >= 0) {
            snprintf(keeps, sizeof keeps, "%.4gh", (double)l->retention_ms / 3600000.0);
        }
        printf("%-24s %10" PRIu32 " %-15s %10s %14" PRId64 "  %s\n", l->name, l->partitions,
               cleanup_name(l->cleanup), keeps, l->span, row != NULL ? row->doc : "");
    }
}

static void print_json(const struct line *lines, uint32_t n)
{
    /* The names are legal topic names: letters, digits, '.', '_' and '-'. */
    for (uint32_t i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        printf("{\"topic\":\"%s\",\"partitions\":%" PRIu32
               ",\"cleanup\":\"%s\",\"retention_ms\":%" PRId64 ",\"records_at_most\":%" PRId64
               "}\n",
               l->name, l->partitions, cleanup_name(l->cleanup), l->retention_ms, l->span);
    }
}

static bool show(struct bus_tool *t, int format)
{
    struct bus_ev ev;
    struct err e;
    if (bus_list(t->client, TAG_LIST, &e) != 0) {
        return bus_tool_fail(t, &e);
    }
    if (!bus_tool_answer(t, TAG_LIST, &ev)) {
        return false;
    }
    uint32_t n = ev.count;
    struct line *lines = mem_calloc(n + 1, sizeof *lines);
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        keep(&lines[i], &ev.topics[i]);
    }
    qsort(lines, n, sizeof *lines, by_name);
    for (uint32_t i = 0; ok && i < n; i++) {
        ok = measure(t, &lines[i]);
    }
    if (ok) {
        (format == 0 ? print_table : print_json)(lines, n);
    }
    mem_free(lines);
    return ok;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct settings settings;
    struct conf_table own = {"Topics", rows, ARRAY_LEN(rows), &settings};
    struct bus_tool t;
    const char *const *args;
    if (bus_tool_open(&t, self, &own, shorts, argc, argv)) {
        t.timeout_ns = settings.timeout_ns;
        if (conf_args(t.conf, &args) > 0) {
            struct err e;
            err_set(&e, ERR_USAGE, "unexpected argument '%s'; see --help", args[0]);
            bus_tool_fail(&t, &e);
        } else {
            show(&t, settings.format);
        }
    }
    return bus_tool_close(&t);
}

extern const struct cmd cmd_topics;
const struct cmd cmd_topics = {"topics", "[-o table|json]", "list the topics of the bus", run};
