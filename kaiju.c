/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: a table of subcommands, and nothing else. Each command lives with what it runs; to
 * add one, export a `struct cmd` there and add a row here (and its line in the README's table).
 */
#include "core/base/cmd.h"
#include "core/base/slice.h"

#include <stdio.h>

extern const struct cmd cmd_standalone, cmd_ingest, cmd_operator, cmd_coordinator;
extern const struct cmd cmd_check_graph, cmd_tail, cmd_top, cmd_topics, cmd_epl, cmd_config;
extern const struct cmd cmd_explain_graph, cmd_import, cmd_replay, cmd_version;
extern const struct cmd cmd_apply, cmd_get, cmd_delete, cmd_status, cmd_doctor;

static const struct cmd *const commands[] = {
    &cmd_standalone,    &cmd_ingest, &cmd_operator, &cmd_coordinator, &cmd_check_graph,
    &cmd_apply,         &cmd_get,    &cmd_delete,   &cmd_status,      &cmd_doctor,
    &cmd_explain_graph, &cmd_import, &cmd_replay,   &cmd_tail,        &cmd_top,
    &cmd_topics,        &cmd_epl,    &cmd_config,   &cmd_version,
};

static void print_help(FILE *to)
{
    fputs(
        "Kaiju: event-driven observability. One stream of every signal, standing rules over it.\n\n"
        "usage: kaiju COMMAND [OPTION...]\n\ncommands:\n",
        to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\n`kaiju COMMAND --help` shows its options. Start with: kaiju standalone\n", to);
}

static const struct cmd *nearest(struct slice name)
{
    const struct cmd *best = NULL;
    unsigned least = 3;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        unsigned d = slice_distance(name, slice_str(commands[i]->name), 3);
        if (d < least) {
            least = d;
            best = commands[i];
        }
    }
    return best;
}

int main(int argc, char **argv)
{
    struct slice name = slice_str(argc > 1 ? argv[1] : "");
    if (name.len == 0) {
        print_help(stderr);
        return CMD_USAGE;
    }
    if (slice_eq(name, SLICE("--help")) || slice_eq(name, SLICE("-h")) ||
        slice_eq(name, SLICE("help"))) {
        print_help(stdout);
        return CMD_OK;
    }
    if (slice_eq(name, SLICE("--version"))) {
        name = SLICE("version");
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (slice_eq(name, slice_str(commands[i]->name))) {
            return commands[i]->run(commands[i], argc - 1, argv + 1);
        }
    }
    const struct cmd *hint = nearest(name);
    fprintf(stderr, "kaiju: there is no command '" SLICE_FMT "'%s%s%s; see kaiju --help\n",
            SLICE_ARG(name), hint != NULL ? ": did you mean '" : "", hint != NULL ? hint->name : "",
            hint != NULL ? "'?" : "");
    return CMD_USAGE;
}
