/* SPDX-License-Identifier: Apache-2.0
 *
 * See cli_findings.h. To look for one more thing: a row of a table, whose function writes into the
 * buffer what is wrong, with figures, or nothing if it is not; a line in docs/doctor.md and a case
 * in the test.
 */
#include "coordinator/cli/cli_findings.h"

#include "core/base/buf.h"
#include "core/base/clock.h"

#include <assert.h>
#include <string.h>

enum {
    TEXT_MAX = 4096,
    PARTITIONS_MANY = 64, /* of one transaction: each costs a marker at every commit */
    LATE_PERCENT = 10,
    FULL_PERCENT = 90,
    KEPT_PERCENT = 80, /* of retention: then input is about to be removed unread */
};

#define STANDS_NS   (10 * CLOCK_NS_PER_S)
#define BEHIND_NS   (5 * CLOCK_NS_PER_S)
#define SLOW_NS     CLOCK_NS_PER_S
#define UNSWEPT_NS  (10 * 60 * CLOCK_NS_PER_S)
#define SECONDS(ns) ((double)(ns) / 1e9)
#define MIBS(bytes) ((double)(bytes) / 1048576)

static const char *text(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s != NULL ? s : "";
}

static long long number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* ---- the whole ---- */

static void not_writable(const struct cli_seen *s, struct buf *out)
{
    if (json_is_false(json_object_get(s->status, "writable"))) {
        (void)buf_addf(out, "the coordinator takes no changes: %s", text(s->status, "why"));
    }
}

static void not_ready(const struct cli_seen *s, struct buf *out)
{
    if (!s->ready) {
        (void)buf_addf(out, "it is not ready: " SLICE_FMT, SLICE_ARG(slice_trim(s->ready_text)));
    }
}

static void no_workers(const struct cli_seen *s, struct buf *out)
{
    if (number(s->status, "graphs") > 0 && number(s->status, "workers") == 0) {
        (void)buf_addf(out, "there are %lld rule graphs, and no worker has reported a task",
                       number(s->status, "graphs"));
    }
}

static void name_taken(const struct cli_seen *s, struct buf *out)
{
    const json_t *list = json_object_get(s->status, "refused_workers"), *name;
    size_t i;
    json_array_foreach(list, i, name)
    {
        (void)buf_addf(out, "%s'%s'",
                       i > 0 ? ", " : "workers run nothing, for others have their name: ",
                       json_string_value(name));
    }
}

static void no_tasks(const struct cli_seen *s, struct buf *out)
{
    long long n = number(json_object_get(s->status, "phases"), "pending");
    if (n > 0 && number(s->status, "workers") > 0) {
        (void)buf_addf(out, "of %lld rule graphs no task has been reported", n);
    }
}

static void bus_full(const struct cli_seen *s, struct buf *out)
{
    const json_t *b = json_object_get(s->status, "storage");
    long long used = number(b, "used_bytes"), quota = number(b, "quota_bytes");
    if (quota > 0 && used >= quota / 100 * FULL_PERCENT) {
        (void)buf_addf(out, "the embedded bus holds %lld of %lld MiB", used >> 20, quota >> 20);
    }
}

static void bus_refuses(const struct cli_seen *s, struct buf *out)
{
    const json_t *b = json_object_get(s->status, "storage");
    long long n = number(b, "fulls") - number(json_object_get(s->was, "storage"), "fulls");
    if (s->was != NULL && n > 0) {
        (void)buf_addf(out,
                       "the bus has no room: %lld transactions were refused just now, %lld in all",
                       n, number(b, "fulls"));
        if (json_object_get(b, "disk_free_bytes") != NULL) {
            (void)buf_addf(out, "; its disk has %lld MiB free", number(b, "disk_free_bytes") >> 20);
        }
    }
}

static void bus_pins(const struct cli_seen *s, struct buf *out)
{
    const json_t *pins = json_object_get(json_object_get(s->status, "storage"), "pins"), *p;
    size_t i;
    json_array_foreach(pins, i, p)
    {
        (void)buf_addf(out, "%sprocess %lld has been reading at one point for %.0f s",
                       i > 0 ? "; " : "", number(p, "pid"), SECONDS(number(p, "held_ns")));
    }
}

static void not_swept(const struct cli_seen *s, struct buf *out)
{
    const json_t *o = json_object_get(s->status, "sweep");
    if (number(o, "waits_ns") >= UNSWEPT_NS) {
        (void)buf_addf(out,
                       "saved state that no task carries on any more may be left; it cannot be "
                       "removed, for %.0f min now: %s",
                       SECONDS(number(o, "waits_ns")) / 60, text(o, "why"));
    }
}

static const struct whole_row {
    const char *code, *severity;
    void (*look)(const struct cli_seen *s, struct buf *out);
    const char *act;
} whole_rows[] = {
    {"not_ready", "problem", not_ready,
     "see its log; a topic with another number of partitions than bus.partitions keeps its tasks "
     "from running: set bus.partitions to what it has, or another bus.prefix"},
    {"not_writable", "problem", not_writable,
     "wait for an election, or look whether the bus answers (kaiju topics)"},
    {"no_workers", "problem", no_workers, "start kaiju operator with the same bus and prefix"},
    {"name_taken", "problem", name_taken, "give each worker an operator.name of its own, or none"},
    {"no_tasks", "warning", no_tasks,
     "if it stays so, see the logs of the workers for 'a graph cannot run'"},
    {"bus_full", "problem", bus_full,
     "shorten bus.retention or raise bus.local.quota: what does not fit is refused, and senders "
     "come again"},
    {"not_swept", "warning", not_swept,
     "nothing is wrong but that the topic state is larger than it must be; see to what it waits "
     "for"},
    {"bus_refuses", "problem", bus_refuses,
     "free space on the disk of bus.local.dir, shorten bus.retention or raise bus.local.quota; "
     "nothing that was accepted is lost, senders come again"},
    {"bus_pins", "warning", bus_pins,
     "end that process: pages behind its position cannot be used again, and the file grows"},
};

/* ---- a task ---- */

struct pair { /* a task at two times */
    const json_t *before, *now, *status;
};

static bool is_live(const json_t *t)
{
    return strcmp(text(t, "state"), "live") == 0;
}

static long long more(const struct pair *p, const char *name)
{
    return number(p->now, name) - number(p->before, name);
}

static void lost(const struct pair *p, struct buf *out)
{
    if (strcmp(text(p->now, "state"), "lost") == 0) {
        (void)buf_addf(out, "is lost, and begins again each second: %s", text(p->now, "why"));
    }
}

static void failed(const struct pair *p, struct buf *out)
{
    if (is_live(p->now) && text(p->now, "why")[0] != '\0') {
        (void)buf_addf(out, "runs, but %s", text(p->now, "why"));
    }
}

static void near_retention(const struct pair *p, struct buf *out)
{
    long long kept = number(p->status, "retention_ns"), lag = number(p->now, "lag_ns");
    if (kept > 0 && lag >= kept / 100 * KEPT_PERCENT) {
        (void)buf_addf(out, "is behind by %.0f s, and its input is kept for %.0f s", SECONDS(lag),
                       SECONDS(kept));
    } else if (json_is_true(json_object_get(p->now, "floor_near"))) {
        (void)buf_addf(out,
                       "needs %s from offset %lld on if it has to begin again, and retention has "
                       "removed it up to %lld",
                       text(p->now, "floor_of"), number(p->now, "floor"),
                       number(p->now, "floor_low"));
    }
}

static void stands(const struct pair *p, struct buf *out)
{
    if (number(p->now, "waits_ns") >= STANDS_NS) {
        (void)buf_addf(out, "stands still: %s holds its clock, for %.0f s now",
                       text(p->now, "waits_for"), SECONDS(number(p->now, "waits_ns")));
        if (number(p->now, "waiting_bytes") > 0) {
            (void)buf_addf(out, "; %.1f of at most %.1f MiB of other inputs wait in its memory",
                           MIBS(number(p->now, "waiting_bytes")),
                           MIBS(number(p->now, "waiting_most")));
        }
        if (json_is_true(json_object_get(p->now, "reads_past"))) {
            (void)buf_addf(out, ", and it reads on past more of them, to what it waits for");
        }
    }
}

static void spans(const struct pair *p, struct buf *out)
{
    if (number(p->now, "span_fired") > 0) {
        (void)buf_addf(
            out,
            "fires the timers of the time between two inputs: %lld so far, and its clock "
            "is %.1f hours before the next input",
            number(p->now, "span_fired"),
            SECONDS(number(p->now, "span_to") - number(p->now, "clock")) / 3600);
    }
}

static void stuck(const struct pair *p, struct buf *out)
{
    if (is_live(p->now) && number(p->now, "span_fired") == 0 && p->before != NULL &&
        number(p->now, "lag_ns") >= BEHIND_NS && more(p, "taken") == 0 &&
        text(p->now, "waits_for")[0] == '\0') {
        (void)buf_addf(out, "takes nothing, though %lld records wait, the oldest for %.0f s",
                       number(p->now, "lag_records"), SECONDS(number(p->now, "lag_ns")));
    }
}

static void lag_grows(const struct pair *p, struct buf *out)
{
    const json_t *rule = json_array_get(json_object_get(p->now, "rules"), 0);
    if (p->before == NULL || number(p->now, "lag_ns") < BEHIND_NS || more(p, "lag_ns") <= 0 ||
        more(p, "taken") == 0) {
        return;
    }
    (void)buf_addf(out, "does not keep up: %lld records and %.1f s behind, and more each second",
                   number(p->now, "lag_records"), SECONDS(number(p->now, "lag_ns")));
    if (rule != NULL) {
        (void)buf_addf(out, "; its dearest rule is '%s' with %lld ns an event", text(rule, "name"),
                       number(rule, "ns_per_event"));
    }
}

static void aborts(const struct pair *p, struct buf *out)
{
    if (p->before != NULL && more(p, "aborts") > 0) {
        (void)buf_addf(out, "had %lld commits aborted just now, %lld in all", more(p, "aborts"),
                       number(p->now, "aborts"));
    }
}

static void slow_commits(const struct pair *p, struct buf *out)
{
    if (number(p->now, "commit_p99_ns") >= SLOW_NS) {
        (void)buf_addf(out, "commits slowly: half within %.2f s, one in a hundred takes %.2f s",
                       SECONDS(number(p->now, "commit_p50_ns")),
                       SECONDS(number(p->now, "commit_p99_ns")));
    }
}

/* The embedded bus has no markers. */
static void many_partitions(const struct pair *p, struct buf *out)
{
    if (number(p->now, "commit_partitions") > PARTITIONS_MANY &&
        strcmp(text(p->status, "bus"), "local") != 0) {
        (void)buf_addf(out, "is in a slot that writes up to %lld partitions in one transaction",
                       number(p->now, "commit_partitions"));
    }
}

static void restarts(const struct pair *p, struct buf *out)
{
    if (number(p->now, "restarts") > 0) {
        (void)buf_addf(out, "has been lost and begun again %lld times", number(p->now, "restarts"));
    }
}

static void refused(const struct pair *p, struct buf *out)
{
    const struct {
        const char *name, *what;
    } rows[] = {{"refused", "outputs did not fit into a record"},
                {"poison", "inputs could not be processed"},
                {"dropped", "late inputs were dropped"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (number(p->now, rows[i].name) > 0) {
            (void)buf_addf(out, "%s%lld %s", out->len > 0 ? ", " : "", number(p->now, rows[i].name),
                           rows[i].what);
        }
    }
}

/* What `incomplete` tells, too. */
static bool is_told(struct slice how)
{
    static const char *const own[] = {"input was lost", "what rules held was lost"};
    struct slice part;
    bool all = true;
    while (slice_split(&how, ';', &part)) {
        bool one = false;
        for (size_t i = 0; i < ARRAY_LEN(own); i++) {
            one |= slice_eq(slice_trim(part), slice_str(own[i]));
        }
        all &= one;
    }
    return all;
}

/* Lost input and rules that are not deployed have findings of their own. */
static void degraded(const struct pair *p, struct buf *out)
{
    const char *how = text(p->now, "degraded");
    if (how[0] != '\0' && text(p->now, "why")[0] == '\0' && !is_told(slice_str(how))) {
        (void)buf_addf(out, "does less than its rules say: %s", how);
    }
}

static void incomplete(const struct pair *p, struct buf *out)
{
    size_t i;
    const json_t *one, *list = json_object_get(p->now, "incomplete");
    long long n = number(p->now, "incomplete_statements");
    json_array_foreach(list, i, one)
    {
        (void)buf_addf(out, "%s%s",
                       i == 0 ? "input, or what was held, was lost that these may lack: " : ", ",
                       text(one, "statement"));
    }
    if (i > 0 && n > (long long)i) {
        (void)buf_addf(out, ", and %lld more", n - (long long)i);
    }
}

static void late(const struct pair *p, struct buf *out)
{
    long long n = number(p->now, "late"), all = number(p->now, "taken");
    if (n > 1000 && n > all / 100 * LATE_PERCENT) {
        (void)buf_addf(out, "took %lld of %lld inputs behind its clock", n, all);
    }
}

static const struct task_row {
    const char *code, *severity;
    void (*look)(const struct pair *p, struct buf *out);
    const char *act;
} task_rows[] = {
    {"task_lost", "problem", lost,
     "the words say why; if input was removed by retention, keep it longer (bus.retention); if its "
     "state is of another format, run the program that saved it, or apply the graph changed: then "
     "it begins with nothing in memory"},
    {"task_failed", "problem", failed,
     "if a rule is wrong, correct it and apply the graph again; if a record kills the process, "
     "wait: "
     "it is tried alone and passed over, and kaiju tail dlq then says which"},
    {"near_retention", "problem", near_retention,
     "keep input longer (bus.retention), or give the level more tasks (partitions)"},
    {"task_stands", "problem", stands,
     "see whether who writes that topic runs; a task above it may be lost"},
    {"task_stuck", "problem", stuck,
     "see its worker's log; the bus may take no commits (kaiju topics)"},
    {"spans_time", "warning", spans,
     "an input was much older than the one behind it, and every timer between them fires: wait, or "
     "delete the graph and apply it anew, and see who sends such times"},
    {"lag_grows", "problem", lag_grows,
     "make the rule cheaper (kaiju explain), or give its level more partitions and start workers"},
    {"aborts", "warning", aborts,
     "nothing is lost: they are sent again. Look at the bus, and at transaction timeouts"},
    {"slow_commits", "warning", slow_commits,
     "what rules put out is seen that much later: look at the disk of the bus"},
    {"many_partitions", "warning", many_partitions,
     "each costs a marker at every commit: fewer partitions, or more slots (operator.slots)"},
    {"restarts", "warning", restarts, "see its worker's log for 'lost'"},
    {"refused", "warning", refused, "kaiju tail dlq shows which, and why"},
    {"degraded", "warning", degraded,
     "that is the policy of the level's budget: raise limits in the graph, or make the rule keep "
     "less (a key, a shorter window, 'where timer:within')"},
    {"incomplete", "warning", incomplete,
     "kaiju tail dlq says what is lost; windows of time turn over, all else is whole again when "
     "the "
     "graph is deleted and applied anew. Keep input longer (bus.retention)"},
    {"late", "warning", late,
     "raise the level's bound (so much are senders out of order); of a level that others feed, its "
     "align (so long is waited for the tasks of those)"},
};

/* ---- all of it ---- */

static void add(json_t *list, const char *code, const char *severity, const char *about,
                const struct buf *what, const char *act)
{
    json_t *f = json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", code, "severity", severity, "about",
                          about, "what", "", "do", act);
    (void)json_object_set_new(f, "what", json_stringn(what->ptr, what->len));
    (void)json_array_append_new(list, f);
}

static const json_t *task_of(const json_t *tasks, const char *key)
{
    size_t i;
    json_t *t;
    json_array_foreach(tasks, i, t)
    {
        if (strcmp(text(t, "key"), key) == 0) {
            return t;
        }
    }
    return NULL;
}

static void look_at_tasks(const struct cli_seen *s, const struct task_row *row, json_t *list)
{
    struct buf what;
    size_t i;
    json_t *t;
    buf_init(&what, TEXT_MAX);
    json_array_foreach(s->now, i, t)
    {
        const struct pair p = {task_of(s->before, text(t, "key")), t, s->status};
        buf_clear(&what);
        row->look(&p, &what);
        if (what.len > 0) {
            add(list, row->code, row->severity, text(t, "key"), &what, row->act);
        }
    }
    buf_done(&what);
}

static void look_for(const struct cli_seen *s, const char *severity, json_t *list)
{
    struct buf what;
    buf_init(&what, TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(whole_rows); i++) {
        const struct whole_row *row = &whole_rows[i];
        buf_clear(&what);
        if (strcmp(row->severity, severity) == 0) {
            row->look(s, &what);
        }
        if (what.len > 0) {
            add(list, row->code, severity, "", &what, row->act);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(task_rows); i++) {
        if (strcmp(task_rows[i].severity, severity) == 0) {
            look_at_tasks(s, &task_rows[i], list);
        }
    }
    buf_done(&what);
}

json_t *cli_findings(const struct cli_seen *seen)
{
    assert(seen->status != NULL);
    json_t *list = json_array();
    look_for(seen, "problem", list);
    look_for(seen, "warning", list);
    return list;
}

size_t cli_findings_count(const json_t *findings, const char *severity)
{
    size_t i, n = 0;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        n += strcmp(text(f, "severity"), severity) == 0;
    }
    return n;
}

const char *cli_findings_code(size_t n)
{
    return n < ARRAY_LEN(whole_rows) ? whole_rows[n].code
           : n - ARRAY_LEN(whole_rows) < ARRAY_LEN(task_rows)
               ? task_rows[n - ARRAY_LEN(whole_rows)].code
               : NULL;
}
