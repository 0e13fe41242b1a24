/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `kaiju epl`, and what its subcommands share: options, files, errors. See cmd_epl.h.
 * To add a subcommand: a function, a row.
 */
#include "operators/cmd/cmd_epl.h"

#include "core/event/key.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static const char *const formats[] = {"text", "json", NULL};
static const char *const shorts[] = {"o", "output", NULL};

#define ROW_OUTPUT                                                                                 \
    {                                                                                              \
        "output", CONF_ENUM, offsetof(struct cmd_opts, format), "text", 0, 0, formats, 0,          \
            "how to print (-o)"                                                                    \
    }
#define ROW_CAUSES                                                                                 \
    {                                                                                              \
        "causes", CONF_BOOL, offsetof(struct cmd_opts, causes), "false", 0, 0, NULL, 0,            \
            "tell with each row which events it is made of"                                        \
    }
#define ROW_UNSHARED                                                                               \
    {                                                                                              \
        "unshared", CONF_BOOL, offsetof(struct cmd_opts, unshared), "no", 0, 0, NULL, 0,           \
            "equal conditions are evaluated, equal windows kept one by one"                        \
    }
#define ROW_COUNT(name_, field_, max_, doc_)                                                       \
    {                                                                                              \
        name_, CONF_INT, offsetof(struct cmd_opts, field_), "0", 0, max_, NULL, 0, doc_            \
    }

static const struct conf_row output_rows[] = {ROW_OUTPUT};
static const struct conf_row run_rows[] = {
    ROW_OUTPUT,
    ROW_CAUSES,
    {"events", CONF_STRING, offsetof(struct cmd_opts, events_file), NULL, 0, 0, NULL, 0,
     "file of events and clock steps, one JSON object a line; - is standard input"},
};
static const char *const sources[] = {"event", "batch", NULL};
static const struct conf_row scenario_rows[] = {
    ROW_CAUSES,
    ROW_COUNT("partitions", partitions, KEY_PARTITIONS_MAX,
              "engines to divide the events among; 0: one alone"),
    {"reload", CONF_BOOL, offsetof(struct cmd_opts, reload), "no", 0, 0, NULL, 0,
     "after each step save the engine, load a new one, and go on with that"},
    ROW_COUNT("reload-every", reload_every, 1000000000, "... after each so many steps"),
    ROW_UNSHARED,
    {"limits", CONF_STRING, offsetof(struct cmd_opts, limits), NULL, 0, 0, NULL, 0,
     "limits of the engine: a file, or name=number[:policy] with commas between them"},
    {"peaks", CONF_BOOL, offsetof(struct cmd_opts, peaks), "no", 0, 0, NULL, 0,
     "tell at the end the most that was held at a time of what has a limit"},
};
static const struct conf_row bench_rows[] = {
    ROW_OUTPUT,
    {"from", CONF_ENUM, offsetof(struct cmd_opts, from), "event", 0, 0, sources, 0,
     "what is sent: event structs, or batches in bytes, decoded within the measure"},
    {"causes", CONF_BOOL, offsetof(struct cmd_opts, causes), "on", 0, 0, NULL, 0,
     "whether rows tell their causes"},
    ROW_UNSHARED,
    {"allocs", CONF_BOOL, offsetof(struct cmd_opts, allocs), "off", 0, 0, NULL, 0,
     "count allocations per event, too"},
    ROW_COUNT("events", events, 1000000000, "events to measure; 0: as the file says"),
    ROW_COUNT("warmup", warmup, 1000000000, "events before that; 0: as the file says"),
    ROW_COUNT("runs", runs, 100, "measurements, of which the best counts; 0: three"),
    ROW_COUNT("rounds", rounds, 100,
              "turns that this engine and that of --oracle take, of which the best count; 0: one"),
    ROW_COUNT("batch", batch, 1000000, "events made at a time, outside of the measure; 0: 4096"),
    {"oracle", CONF_STRING, offsetof(struct cmd_opts, oracle), NULL, 0, 0, NULL, 0,
     "command that measures another engine: COMMAND --bench FILE --events N"},
};

#define ROWS(rows_) (rows_), ARRAY_LEN(rows_)

static const struct cmd_sub subs[] = {
    {"check", "FILE... [-o text|json]", "say what is wrong with statements, and where",
     ROWS(output_rows), 1, 1000, cmd_check},
    {"print", "FILE", "print statements as they were understood", NULL, 0, 1, 1, cmd_print},
    {"explain", "FILE [-o text|json]",
     "show what each statement reads, keeps and gives, and by which keys it may be cut into parts",
     ROWS(output_rows), 1, 1, cmd_explain},
    {"run", "FILE --events EVENTS [--causes] [-o text|json]",
     "run statements over events in a file", ROWS(run_rows), 1, 1, cmd_run},
    {"scenario",
     "FILE [--causes] [--reload] [--reload-every N] [--unshared] [--partitions N] [--limits "
     "LIMITS] "
     "[--peaks]",
     "run a scenario and print what is delivered, or whether N engines deliver the same",
     ROWS(scenario_rows), 1, 1, cmd_scenario},
    {"bench", "FILE|DIRECTORY... [OPTION...]", "measure events per second and memory",
     ROWS(bench_rows), 1, 1000, cmd_bench},
    {"functions", "[-o text|json]", "list functions and methods", ROWS(output_rows), 0, 0,
     cmd_functions},
    {"windows", "[-o text|json]", "list data windows and views", ROWS(output_rows), 0, 0,
     cmd_windows},
    {"aggregations", "[-o text|json]", "list aggregations", ROWS(output_rows), 0, 0,
     cmd_aggregations},
    {"causes", "[-o text|json]", "list which events rows name as their causes", ROWS(output_rows),
     0, 0, cmd_causes},
};

int cmd_fail(const struct err *e)
{
    assert(e->code != ERR_OK);
    fflush(stdout);
    fprintf(stderr, "kaiju epl: %s\n", e->msg);
    return CMD_USAGE;
}

int cmd_diag(const struct err *e, const char *file, struct slice text, int format)
{
    struct buf b;
    buf_init(&b, 1024 * 1024);
    if (format == CMD_JSON) {
        epl_diag_json(e, slice_str(file), &b);
    } else {
        epl_diag_text(e, slice_str(file), text, &b);
    }
    fflush(stdout);
    FILE *to = format == CMD_JSON ? stdout : stderr;
    buf_print(&b, to);
    if (b.len > 0 && b.ptr[b.len - 1] != '\n') {
        fputc('\n', to);
    }
    buf_done(&b);
    return CMD_FINDINGS;
}

bool cmd_stmt_creates(const struct ast_stmt *s)
{
    return s->kind >= STMT_CREATE_SCHEMA && s->kind <= STMT_CREATE_INDEX;
}

static void print_help(FILE *to)
{
    fputs("usage: kaiju epl SUBCOMMAND [OPTION...]\n\n"
          "Statements in EPL: checked, explained, run over events of a file, measured.\n\n",
          to);
    for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
        fprintf(to, "  %-13s %s\n", subs[i].name, subs[i].summary);
    }
    fputs("\n`kaiju epl SUBCOMMAND --help` shows its options.\n", to);
}

static int usage(const struct cmd_sub *sub, FILE *to)
{
    fprintf(to, "usage: kaiju epl %s %s\n\n%s\n", sub->name, sub->args, sub->summary);
    return to == stdout ? CMD_OK : CMD_USAGE;
}

static int run_sub(const struct cmd_sub *sub, int argc, char **argv)
{
    struct cmd_opts o = {.format = CMD_TEXT};
    struct conf_table table = {"Options", sub->rows, sub->n_rows, &o};
    struct conf *c = conf_new(&table, 1);
    int code;
    int rc = conf_load(c, &(struct conf_input){argc, argv, NULL, shorts});
    if (conf_wants_help(c)) {
        code = usage(sub, stdout);
        conf_help(c, stdout);
    } else if (rc != 0) {
        fputs(conf_errors(c), stderr);
        code = CMD_USAGE;
    } else {
        o.n_args = conf_args(c, &o.args);
        bool fits = o.n_args >= sub->min_args && o.n_args <= sub->max_args;
        code = fits ? sub->run(&o) : usage(sub, stderr);
    }
    conf_free(c);
    return code;
}

static int run(const struct cmd *self, int argc, char **argv)
{
    (void)self;
    struct slice name = slice_str(argc > 1 ? argv[1] : "");
    if (slice_eq(name, SLICE("--help")) || slice_eq(name, SLICE("-h"))) {
        print_help(stdout);
        return CMD_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(subs); i++) {
        if (slice_eq(name, slice_str(subs[i].name))) {
            return run_sub(&subs[i], argc - 1, argv + 1);
        }
    }
    if (name.len > 0) {
        fprintf(stderr, "kaiju epl: there is no subcommand '" SLICE_FMT "'\n\n", SLICE_ARG(name));
    }
    print_help(stderr);
    return CMD_USAGE;
}

extern const struct cmd cmd_epl;
const struct cmd cmd_epl = {"epl", "SUBCOMMAND [OPTION...]",
                            "check, explain, run and measure statements", run};
