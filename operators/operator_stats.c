/* SPDX-License-Identifier: Apache-2.0
 *
 * See operator_stats.h. To show one more figure: a row of its table, with where it is found.
 */
#include "operators/operator_stats.h"

#include <assert.h>

#define SECONDS(ns) ((double)(ns) / 1e9)

/* ---- slots ---- */

#define SLOT_ROW(name, kind, help)                                                                 \
    {                                                                                              \
        (name), (kind), (help), {"slot", NULL}, NULL, 0                                            \
    }

static const struct stats_row commits =
    SLOT_ROW("kaiju_slot_commits_total", STATS_COUNTER, "Transactions that were committed.");
static const struct stats_row aborts =
    SLOT_ROW("kaiju_slot_aborts_total", STATS_COUNTER, "Transactions that were sent again.");
static const struct stats_row unknowns =
    SLOT_ROW("kaiju_slot_unknown_ends_total", STATS_COUNTER,
             "Transactions whose end had to be looked up in the journal.");
static const struct stats_row restarts =
    SLOT_ROW("kaiju_slot_restarts_total", STATS_COUNTER, "Times that the slot was lost.");
static const struct stats_row partitions =
    SLOT_ROW("kaiju_slot_commit_partitions", STATS_GAUGE, "Most partitions in one transaction.");
static const struct stats_row commit_seconds = {
    "kaiju_slot_commit_seconds",
    STATS_GAUGE,
    "How long the last 128 commits took; quantile 1: the longest ever.",
    {"slot", "quantile", NULL},
    NULL,
    0};

void opstats_slot(struct operator_shown *s, struct slice slot, const struct worker_look *look)
{
    const struct slot_counts *c = &look->counts;
    stats_read(s->scrape, &commits, &slot, (double)c->commits);
    stats_read(s->scrape, &aborts, &slot, (double)c->aborts);
    stats_read(s->scrape, &unknowns, &slot, (double)c->unknowns);
    stats_read(s->scrape, &restarts, &slot, (double)look->restarts);
    stats_read(s->scrape, &partitions, &slot, (double)c->partitions_worst);
    const struct {
        struct slice quantile;
        int64_t ns;
    } took[] = {{SLICE("0.5"), c->commit_p50_ns},
                {SLICE("0.99"), c->commit_p99_ns},
                {SLICE("1"), c->commit_worst_ns}};
    for (size_t i = 0; i < ARRAY_LEN(took); i++) {
        const struct slice labels[] = {slot, took[i].quantile};
        stats_read(s->scrape, &commit_seconds, labels, SECONDS(took[i].ns));
    }
}

/* ---- tasks ---- */

struct task_row {
    struct stats_row row;
    double (*get)(const struct worker_task *t);
};

#define TASK_ROW(get_, name, kind, help)                                                           \
    {                                                                                              \
        {(name), (kind), (help), {"task", NULL}, NULL, 0}, (get_)                                  \
    }
#define GETTER(name, expr)                                                                         \
    static double name(const struct worker_task *t)                                                \
    {                                                                                              \
        return (double)(expr);                                                                     \
    }

GETTER(is_live, t->state == SLOT_LIVE)
GETTER(lag_records, t->lag.records)
GETTER(lag_seconds, SECONDS(t->lag.ns))
GETTER(clock_seconds, t->clock == MERGE_NO_CLOCK ? 0 : SECONDS(t->clock))
GETTER(taken, t->counts.taken)
GETTER(put, t->counts.put)
GETTER(late, t->counts.late)
GETTER(ticks, t->counts.ticks)
GETTER(refused, t->counts.refused)
GETTER(poison, t->counts.poison)
GETTER(waiting, t->lag.waiting_bytes)
GETTER(busy_seconds, SECONDS(t->lag.busy_ns))
GETTER(state_bytes, t->lag.state_bytes)
GETTER(nears, t->floor.nears)
GETTER(rows_held, t->rows)
GETTER(partials, t->partials)
GETTER(held_bytes, t->held)

static const struct task_row task_rows[] = {
    TASK_ROW(is_live, "kaiju_task_live", STATS_GAUGE, "1: it runs; 0: it begins, or is lost."),
    TASK_ROW(lag_records, "kaiju_task_lag_records", STATS_GAUGE,
             "Offsets of its inputs between what it took and what is there."),
    TASK_ROW(lag_seconds, "kaiju_task_lag_seconds", STATS_GAUGE,
             "Age of the oldest input that it has not taken."),
    TASK_ROW(clock_seconds, "kaiju_task_clock_seconds", STATS_GAUGE,
             "Its clock, in event time since 1970."),
    TASK_ROW(taken, "kaiju_task_inputs_total", STATS_COUNTER, "Inputs that it took."),
    TASK_ROW(put, "kaiju_task_outputs_total", STATS_COUNTER, "Events that it put out."),
    TASK_ROW(late, "kaiju_task_late_total", STATS_COUNTER, "Inputs that came behind its clock."),
    TASK_ROW(ticks, "kaiju_task_ticks_total", STATS_COUNTER, "Timers that silence has fired."),
    TASK_ROW(refused, "kaiju_task_refused_total", STATS_COUNTER,
             "Outputs that no batch would take."),
    TASK_ROW(poison, "kaiju_task_poison_total", STATS_COUNTER,
             "Inputs that could not be processed."),
    TASK_ROW(waiting, "kaiju_task_waiting_bytes", STATS_GAUGE,
             "Memory of inputs that were read and not taken."),
    TASK_ROW(busy_seconds, "kaiju_task_busy_seconds_total", STATS_COUNTER,
             "Time that it spent on inputs."),
    TASK_ROW(nears, "kaiju_task_near_retention_total", STATS_COUNTER,
             "Times that retention came near what its last snapshot needs."),
    TASK_ROW(state_bytes, "kaiju_task_state_bytes", STATS_GAUGE, "Size of its last snapshot."),
    TASK_ROW(rows_held, "kaiju_task_rows", STATS_GAUGE, "Rows that its windows and tables hold."),
    TASK_ROW(partials, "kaiju_task_partial_matches", STATS_GAUGE,
             "Matches of patterns that are not complete."),
    TASK_ROW(held_bytes, "kaiju_task_held_bytes", STATS_GAUGE,
             "What its rules hold in memory, by fixed costs: bounded by the limit `state`."),
};

static const struct stats_row waits = {
    "kaiju_task_waits_seconds",
    STATS_GAUGE,
    "For how long it has waited for one input while it has others: who holds its clock.",
    {"task", "holder", NULL},
    NULL,
    0};

/* ---- rules ---- */

static const struct stats_row rule_cost = {
    "kaiju_rule_event_seconds",
    STATS_GAUGE,
    "What an event costs the rule, by sample; of the dearest rules of each task.",
    {"task", "rule", NULL},
    NULL,
    0};
static const struct stats_row rule_events = {
    "kaiju_rule_events_total", STATS_COUNTER, "Events that reached the rule, by sample.",
    {"task", "rule", NULL},    NULL,          0};

static void show_rules(struct operator_shown *s, struct slice name, const struct worker_task *t)
{
    for (uint32_t i = 0; i < t->n_rules && s->rules < OPERATOR_RULES_SHOWN; i++) {
        const struct worker_rule *r = &t->rules[i];
        const struct slice labels[] = {name, slice_str(r->name)};
        s->rules++;
        if (r->events > 0) {
            stats_read(s->scrape, &rule_cost, labels, SECONDS(r->ns) / (double)r->events);
            stats_read(s->scrape, &rule_events, labels, (double)(r->events * ENG_METER_EVERY));
        }
    }
}

void opstats_task(struct operator_shown *s, const struct worker_task *t)
{
    assert(t->group < t->laid->layout->n_groups);
    struct slice name = t->laid->layout->groups[t->group].tasks[t->part].plan->name;
    if (t->leaving || s->tasks >= OPERATOR_TASKS_SHOWN) {
        s->passed_over += !t->leaving;
        return;
    }
    s->tasks++;
    for (size_t i = 0; i < ARRAY_LEN(task_rows); i++) {
        stats_read(s->scrape, &task_rows[i].row, &name, task_rows[i].get(t));
    }
    if (t->lag.holder[0] != '\0') {
        const struct slice labels[] = {name, slice_str(t->lag.holder)};
        stats_read(s->scrape, &waits, labels, SECONDS(t->lag.held_ns));
    }
    show_rules(s, name, t);
}

void opstats_end(struct operator_shown *s)
{
    static const struct stats_row row = {"kaiju_operator_tasks_not_shown",
                                         STATS_GAUGE,
                                         "Tasks that are here, but not in this page.",
                                         {NULL},
                                         NULL,
                                         0};
    stats_read(s->scrape, &row, NULL, (double)s->passed_over);
}
