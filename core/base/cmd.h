/* SPDX-License-Identifier: Apache-2.0
 *
 * A subcommand of `kaiju`: a row of the table in kaiju.c. A command lives with what it runs and
 * exports one such row.
 */
#ifndef CORE_BASE_CMD_H
#define CORE_BASE_CMD_H

struct cmd {
    const char *name;
    const char *args;    /* for the usage line: "TOPIC [--from WHERE]" */
    const char *summary; /* one line */
    int (*run)(const struct cmd *self, int argc, char **argv); /* argv[0] is the name */
};

/* The exit codes of every command. */
enum cmd_exit {
    CMD_OK = 0,
    CMD_FINDINGS = 1, /* it worked and found something to report */
    CMD_USAGE = 2,    /* wrong use, or an error without a code of its own */
    CMD_LINT = 3,     /* warnings, where they were said to be fatal */
    CMD_NOT_FOUND = 5,
    CMD_CONFLICT = 6,    /* somebody else changed it in between */
    CMD_UNREACHABLE = 7, /* bus or server does not answer */
    CMD_TIMEOUT = 8,
    CMD_INTERRUPTED = 130,
};

#endif
