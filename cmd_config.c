/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju config reference`: the page docs/configuration.md, out of the tables of all roles; and
 * `kaiju version`. Here, beside standalone.c, because only here all roles are known.
 */
#include "coordinator/coordinator.h"
#include "core/version.h"
#include "ingest/ingest.h"
#include "operators/operator.h"

#include <stdio.h>

static int run_config(const struct cmd *self, int argc, char **argv)
{
    static const char usage[] =
        "usage: kaiju config reference\n\n"
        "Prints the reference page of all settings, in Markdown. What a role would run with:\n"
        "kaiju standalone --print-config\n";
    const struct role *const roles[] = {&role_coordinator, &role_ingest, &role_operator};
    struct conf_table tables[ROLE_TABLES_MAX];
    (void)self;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return CMD_OK;
    }
    if (argc != 2 || strcmp(argv[1], "reference") != 0) {
        fputs(usage, stderr);
        return CMD_USAGE;
    }
    conf_reference(tables, role_tables(roles, ARRAY_LEN(roles), NULL, NULL, tables), stdout);
    return CMD_OK;
}

static int run_version(const struct cmd *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    puts("kaiju " CORE_VERSION);
    return CMD_OK;
}

extern const struct cmd cmd_config, cmd_version;
const struct cmd cmd_config = {"config", "reference", "print the reference of all settings",
                               run_config};
const struct cmd cmd_version = {"version", "", "print the version", run_version};
