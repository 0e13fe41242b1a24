/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju replay`: rules over what is in the topics already. With --verify what ran is run again
 * from its journal and compared (this file); without, any graph is run over a range
 * (cmd_replay_free.c).
 */
#include "operators/cmd/cmd_replay.h"

#include "core/base/mem.h"
#include "core/event/rec_graph.h"
#include "core/event/rec_json.h"
#include "operators/cmd/cmd_graph.h"
#include "operators/replay/replay_exact.h"
#include "operators/replay/replay_time.h"

#include <inttypes.h>
#include <jansson.h>

enum { ARENA_MAX = 256 << 20, LINE_MAX_BYTES = 4 << 20 };

static const char *const formats[] = {"text", "json", NULL};
#define AT(member) offsetof(struct cmd_replay_settings, member)
static const struct conf_row rows[] = {
    {"graph", CONF_STRING, AT(graph), NULL, 0, 0, NULL, 0,
     "a graph that was applied: NAME or TENANT/NAME (-g)"},
    {"file", CONF_STRING, AT(file), NULL, 0, 0, NULL, 0,
     "a graph document instead, - is standard input (-f)"},
    {"from", CONF_STRING, AT(from), "-1h", 0, 0, NULL, 0,
     "where the range begins: 2026-01-31T12:00:00Z, ms since 1970, or back from now: -1h"},
    {"to", CONF_STRING, AT(to), "now", 0, 0, NULL, 0, "the first moment behind the range"},
    {"verify", CONF_BOOL, AT(verify), "false", 0, 0, NULL, 0,
     "run what ran again from its journal, and compare; exit code 1: it differs, 5: it cannot"},
    {"events", CONF_BOOL, AT(events), "false", 0, 0, NULL, 0,
     "with --verify: print the events that are made, a line of JSON each"},
    {"task", CONF_STRING, AT(task), NULL, 0, 0, NULL, 0,
     "with --verify: only tasks whose name contains this"},
    {"to-topics", CONF_BOOL, AT(to_topics), "false", 0, 0, NULL, 0,
     "without --verify: write into topics bt.<id>.* of the bus instead of printing"},
    {"id", CONF_STRING, AT(id), NULL, 0, 0, NULL, 0,
     "name of the run in those topics; as a rule the time"},
    {"threads", CONF_INT, AT(threads), "2", 1, 64, NULL, 0, "without --verify: so many at once"},
    {"output", CONF_ENUM, AT(format), "text", 0, 0, formats, 0, "how to report (-o)"},
    BUS_TOOL_TIMEOUT(AT(timeout_ns)),
};
static const char *const shorts[] = {"o", "output", "f", "file", "g", "graph", NULL};

static bool usage(struct cmd_replay *r, const char *what)
{
    struct err e;
    err_set(&e, ERR_USAGE, "%s; see --help", what);
    return bus_tool_fail(&r->tool, &e);
}

/* ---- the graph ---- */

static bool is_key(struct slice key, struct slice name)
{
    size_t slash = 0;
    while (slash < name.len && name.ptr[slash] != '/') {
        slash++;
    }
    struct slice tenant = slash < name.len ? slice_sub(name, 0, slash) : SLICE("default");
    name = slash < name.len ? slice_sub(name, slash + 1, name.len) : name;
    return key.len == tenant.len + 1 + name.len && slice_starts(key, tenant) &&
           key.ptr[tenant.len] == '/' && slice_eq(slice_sub(key, tenant.len + 1, key.len), name);
}

/* What ctl.graphs says of it last: its life, and its document where that is not given. */
static int look_up(struct cmd_replay *r, struct slice name, bool given, struct err *reterr)
{
    const struct bus_record *rec;
    struct tape *t;
    int rc = tape_open(r->tapes, SLICE("ctl.graphs"), 0, BUS_FROM_START, &t, reterr);
    if (rc != 0) {
        return rc;
    }
    while ((rc = tape_next(t, &rec, reterr)) == 1) {
        if (!is_key(rec->key, name)) {
            continue;
        }
        struct rec_graph g = {.deleted = true}; /* as of a record that says it is gone */
        const char *why = rec->value.ptr != NULL ? rec_graph_read(&g, rec->key, rec->value) : NULL;
        if (why != NULL) {
            fprintf(stderr, "kaiju: a record of ctl.graphs is passed over (" SLICE_FMT "): %s\n",
                    SLICE_ARG(rec->key), why);
            continue;
        }
        r->life = g.life;
        if (!given) {
            buf_clear(&r->text);
            (void)(!g.deleted && buf_add_slice(&r->text, g.document));
        }
        rec_graph_done(&g);
    }
    tape_close(t);
    return rc;
}

static int find_graph(struct cmd_replay *r, struct err *reterr)
{
    int rc = look_up(r, slice_str(r->settings.graph), false, reterr);
    if (rc == 0 && r->text.len == 0) {
        rc = err_set(reterr, ERR_NOT_FOUND,
                     "there is no graph '%s' now; give the document that ran with -f",
                     r->settings.graph);
    }
    return rc;
}

static bool read_file(struct cmd_replay *r)
{
    struct cmd_graph g;
    int code = cmd_graph_open(&g, r->settings.file);
    if (code == CMD_OK && g.notes.errors > 0) {
        cmd_graph_say(&g, r->settings.file, CMD_TEXT);
        code = CMD_FINDINGS;
    }
    (void)buf_add_slice(&r->text, buf_slice(&g.text));
    cmd_graph_close(&g);
    r->tool.code = code;
    return code == CMD_OK;
}

static bool lay_out(struct cmd_replay *r)
{
    struct err e;
    if (r->settings.file != NULL && !read_file(r)) {
        return false;
    }
    if (r->settings.file == NULL && find_graph(r, &e) != 0) {
        return bus_tool_fail(&r->tool, &e);
    }
    if (tapes_partitions(r->tapes, SLICE("metrics"), &r->raw_parts, &e) != 0) {
        return bus_tool_fail(&r->tool, &e);
    }
    struct layout_conf conf = {.raw_parts = r->raw_parts, .life = r->life};
    if (layout_make(r->arena, buf_slice(&r->text), &conf, &r->layout, &e) != 0) {
        return bus_tool_fail(&r->tool, &e);
    }
    if (r->settings.file == NULL || !r->settings.verify) {
        return true;
    }
    const struct layout *d = r->layout; /* it ran in the life that is now */
    const char *key =
        arena_printf(r->arena, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(d->tenant), SLICE_ARG(d->name));
    bool known = look_up(r, slice_str(key), true, &e) == 0;
    conf.life = r->life;
    if (known && r->life > 0 &&
        layout_make(r->arena, buf_slice(&r->text), &conf, &r->layout, &e) != 0) {
        return bus_tool_fail(&r->tool, &e);
    }
    return true;
}

static bool read_times(struct cmd_replay *r)
{
    int64_t now_ms = clock_wall(bus_clock(r->tool.client)) / CLOCK_NS_PER_MS;
    struct err e;
    const struct {
        const char *name, *text;
        int64_t *to;
    } times[] = {{"from", r->settings.from, &r->from_ms}, {"to", r->settings.to, &r->to_ms}};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (replay_time_parse(times[i].name, slice_str(times[i].text), now_ms, times[i].to, &e) !=
            0) {
            return bus_tool_fail(&r->tool, &e);
        }
    }
    const int64_t most = INT64_MAX / CLOCK_NS_PER_MS;
    return (r->from_ms < r->to_ms && r->from_ms > -most && r->to_ms < most) ||
           usage(r, "the range is empty: --from must be before --to");
}

/* ---- exact ---- */

static void print_event(void *arg, const struct replay_event *e)
{
    struct cmd_replay *r = arg;
    struct buf b;
    if (e->rec->ts < r->from_ms * CLOCK_NS_PER_MS || e->rec->ts >= r->to_ms * CLOCK_NS_PER_MS) {
        return; /* of a record that only touches the range */
    }
    buf_init(&b, LINE_MAX_BYTES);
    if (rec_json_event(&b, e->rec, NULL) && buf_add_byte(&b, '\n')) {
        buf_print(&b, stdout);
    }
    buf_done(&b);
}

static void print_time(const char *before, int64_t ns)
{
    struct buf b;
    buf_init(&b, 100);
    if (ns != MERGE_NO_CLOCK && rec_json_time(&b, ns)) {
        printf("%s" SLICE_FMT, before, (int)b.len - 2, b.ptr + 1);
    }
    buf_done(&b);
}

static void say_text(const struct task_plan *p, const struct replay_report *r, const char *failed)
{
    printf(SLICE_FMT ": ", SLICE_ARG(p->name));
    if (failed != NULL) {
        printf("cannot be replayed: %s\n", failed);
        return;
    }
    if (r->records == 0) {
        printf("nothing in the range");
    } else {
        printf("%s; records %" PRIu64 " to %" PRIu64, replay_is_same(r) ? "same" : "DIFFERS",
               r->first, r->last);
        print_time(", clock ", r->clock_from);
        print_time(" to ", r->clock);
        printf("; %" PRIu64 " inputs, %" PRIu64 " events made, %" PRIu64 " found the same",
               r->inputs, r->held.made, r->held.same);
    }
    const struct {
        const char *text;
        uint64_t n;
    } more[] = {{"is the record whose state was in the archive", r->archive},
                {"records before the range", r->before},
                {"records came out otherwise", r->differ},
                {"events differ from the topic's", r->held.differ},
                {"events are not in their topic", r->held.missing},
                {"events in a topic were not made", r->held.extra},
                {"events can no longer be compared: retention", r->held.gone},
                {"records of an engine of another number: sums unchecked", r->unchecked},
                {"records of other rules passed over (-f takes their document)", r->other_rules},
                {"records whose beginning is gone passed over", r->headless}};
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        if (more[i].n > 0) {
            printf("; %" PRIu64 " %s", more[i].n, more[i].text);
        }
    }
    printf("\n");
    if (r->first_difference[0] != '\0') {
        printf("  first difference: %s\n", r->first_difference);
    }
}

static json_t *say_json(const struct task_plan *p, const struct replay_report *r,
                        const char *failed)
{
    json_t *j = json_pack("{s:s%}", "task", p->name.ptr, p->name.len);
    const struct {
        const char *key;
        uint64_t n;
    } numbers[] = {{"first_record", r->first},
                   {"last_record", r->last},
                   {"records", r->records},
                   {"records_before", r->before},
                   {"archived_record", r->archive},
                   {"records_differ", r->differ},
                   {"records_unchecked", r->unchecked},
                   {"records_of_other_rules", r->other_rules},
                   {"records_without_beginning", r->headless},
                   {"inputs", r->inputs},
                   {"events_made", r->held.made},
                   {"events_same", r->held.same},
                   {"events_differ", r->held.differ},
                   {"events_missing", r->held.missing},
                   {"events_extra", r->held.extra},
                   {"events_gone", r->held.gone}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_object_set_new(j, numbers[i].key, json_integer((json_int_t)numbers[i].n));
    }
    json_object_set_new(j, "same", json_boolean(failed == NULL && replay_is_same(r)));
    if (failed != NULL) {
        json_object_set_new(j, "error", json_string(failed));
    }
    if (r->first_difference[0] != '\0') {
        json_t *first = json_string(r->first_difference); /* NULL: cut within a character */
        json_object_set_new(j, "first_difference", first != NULL ? first : json_string("?"));
    }
    return j;
}

struct verdict {
    struct replay_report *report; /* of one task */
    json_t *tasks;
    uint64_t played;
    uint32_t journal_parts, seen, refused;
    bool same;
};

static void one_task(struct cmd_replay *r, const struct slot_task *task, struct verdict *v)
{
    const struct replay_exact x = {.tapes = r->tapes,
                                   .task = task,
                                   .journal = SLICE("journal"),
                                   .archive = SLICE("state.archive"),
                                   .journal_parts = v->journal_parts,
                                   .from = r->from_ms * CLOCK_NS_PER_MS,
                                   .to = r->to_ms * CLOCK_NS_PER_MS,
                                   .topics = true,
                                   .on_event = r->settings.events ? print_event : NULL,
                                   .arg = r};
    struct err e;
    bool ok = replay_exact(&x, v->report, &e) == 0;
    v->seen++;
    v->refused += !ok;
    v->same &= ok && replay_is_same(v->report);
    v->played += v->report->records;
    if (r->settings.format == CMD_JSON) {
        json_array_append_new(v->tasks, say_json(task->plan, v->report, ok ? NULL : e.msg));
    } else {
        say_text(task->plan, v->report, ok ? NULL : e.msg);
    }
}

static bool say_verdict(struct cmd_replay *r, const struct verdict *v)
{
    const char *verdict = v->refused > 0 ? "REFUSED" : v->same ? "same" : "DIFFERENT";
    if (r->settings.format == CMD_JSON) {
        json_t *all = json_pack("{s:s s:b s:I s:I s:I s:O}", "mode", "exact", "same", v->same,
                                "records", (json_int_t)v->played, "from_ms", (json_int_t)r->from_ms,
                                "to_ms", (json_int_t)r->to_ms, "tasks", v->tasks);
        (void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        printf("\n");
        json_decref(all);
    } else {
        printf("%s: %" PRIu64 " records of the journal replayed", verdict, v->played);
        printf(v->refused > 0 ? "; %u tasks cannot be\n" : "\n", v->refused);
    }
    r->tool.code = v->refused > 0 ? CMD_NOT_FOUND : v->same ? CMD_OK : CMD_FINDINGS;
    return true;
}

bool cmd_replay_exact(struct cmd_replay *r)
{
    const struct layout *l = r->layout;
    const char *only = r->settings.task != NULL ? r->settings.task : "";
    struct err e;
    struct verdict v = {
        .report = MEM_NEW(struct replay_report), .tasks = json_array(), .same = true};
    bool ok = tapes_partitions(r->tapes, SLICE("journal"), &v.journal_parts, &e) == 0;
    for (uint32_t g = 0; ok && g < l->n_groups; g++) {
        for (uint32_t i = 0; i < l->groups[g].parts; i++) {
            const struct slot_task *task = &l->groups[g].tasks[i];
            if (strstr(arena_str(r->arena, task->plan->name), only) != NULL) {
                one_task(r, task, &v);
            }
        }
    }
    if (ok && v.seen == 0) {
        err_set(&e, ERR_NOT_FOUND, "no task of these rules has '%s' in its name; see kaiju explain",
                only);
        ok = false;
    }
    ok = ok ? say_verdict(r, &v) : bus_tool_fail(&r->tool, &e);
    mem_free(v.report);
    json_decref(v.tasks);
    return ok;
}

/* ---- the command ---- */

static bool is_sound(struct cmd_replay *r)
{
    const struct cmd_replay_settings *s = &r->settings;
    if (s->graph == NULL && s->file == NULL) {
        return usage(r, "which rules? --graph NAME of a graph that was applied, or -f graph.yaml");
    }
    if (s->graph != NULL && s->file != NULL) {
        return usage(r, "either --graph or -f, not both");
    }
    if (s->verify && s->to_topics) {
        return usage(r, "--verify writes nothing: no --to-topics with it");
    }
    return s->verify || (!s->events && s->task == NULL) ||
           usage(r, "--events and --task belong to --verify");
}

static int run(const struct cmd *self, int argc, char **argv)
{
    struct cmd_replay r = {.arena = arena_new(NULL, "replay", ARENA_MAX)};
    struct conf_table own = {"Replay", rows, ARRAY_LEN(rows), &r.settings};
    buf_init(&r.text, CMD_FILE_MAX);
    bool ready = bus_tool_open(&r.tool, self, &own, shorts, argc, argv);
    r.tool.timeout_ns = r.settings.timeout_ns;
    if (ready && is_sound(&r) && read_times(&r)) {
        r.tapes = tapes_new(r.tool.client, r.settings.timeout_ns);
        if (lay_out(&r)) {
            (void)(r.settings.verify ? cmd_replay_exact(&r) : cmd_replay_free(&r));
        }
        tapes_free(r.tapes);
    }
    buf_done(&r.text);
    arena_free(r.arena);
    return bus_tool_close(&r.tool);
}

extern const struct cmd cmd_replay;
const struct cmd cmd_replay = {
    "replay", "--graph NAME|-f FILE [--from TIME] [--to TIME] [--verify]",
    "run rules again over what is in the topics: compare with what ran, or try others", run};
