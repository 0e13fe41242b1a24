/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl SUBCOMMAND`: the language from the command line, without bus or cluster. A subcommand
 * is a row of the table in cmd_epl.c: its name, its options (core/conf rows that fill cmd_opts) and
 * a function. Options come from flags alone, neither environment nor a configuration file.
 */
#ifndef OPERATORS_CMD_CMD_EPL_H
#define OPERATORS_CMD_CMD_EPL_H

#include "core/base/cmd.h"
#include "core/conf/conf.h"
#include "operators/epl/epl.h"
#include "operators/graph/eng.h"

enum cmd_format { CMD_TEXT, CMD_JSON };

struct cmd_opts {
    int format; /* enum cmd_format */
    const char *events_file;
    int64_t events, warmup, runs, rounds, batch, partitions;
    bool reload;
    int64_t reload_every;
    const char *oracle;
    int from;    /* of bench: 0 = structs, 1 = bytes of batches */
    bool causes; /* with each row, what it is made of */
    bool allocs;
    bool unshared;                     /* no condition, no window for several statements */
    const char *limits;                /* FILE, or name=number[:policy], ... */
    const struct lim_conf *limit_conf; /* ... as read by the subcommand */
    bool peaks;                        /* and at the end how much of each there was */
    const char *const *args;           /* beside the options */
    size_t n_args;
};

struct cmd_sub {
    const char *name, *args, *summary;
    const struct conf_row *rows;
    size_t n_rows;
    size_t min_args, max_args;
    int (*run)(const struct cmd_opts *o); /* gives the exit code */
};

int cmd_check(const struct cmd_opts *o);
int cmd_print(const struct cmd_opts *o);
int cmd_explain(const struct cmd_opts *o);
struct key_plan;
/* What a statement reads, keeps and gives; order: in its engine. */
void cmd_explain_stmt(struct buf *out, const struct ast_stmt *s, uint32_t number, uint32_t line,
                      const struct key_plan *keys, uint32_t order);
int cmd_run(const struct cmd_opts *o);
int cmd_scenario(const struct cmd_opts *o);
int cmd_bench(const struct cmd_opts *o);
int cmd_functions(const struct cmd_opts *o);
int cmd_windows(const struct cmd_opts *o);
int cmd_aggregations(const struct cmd_opts *o);
int cmd_causes(const struct cmd_opts *o);

/* "kaiju epl: message" on standard error; gives CMD_USAGE. */
int cmd_fail(const struct err *e);
/* The place of an error in EPL text, with carets, or as a line of JSON; gives CMD_FINDINGS. */
int cmd_diag(const struct err *e, const char *file, struct slice text, int format);
/* Begins with `create`: such statements have no listener. */
bool cmd_stmt_creates(const struct ast_stmt *s);

enum { CMD_FILE_MAX = 64 * 1024 * 1024 };

#endif
