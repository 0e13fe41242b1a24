/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: runs the tasks of rule graphs. So far it serves the health pages.
 */
#include "operators/operator.h"

const struct role role_operator = {.name = "operator", .what = "runs the tasks of rule graphs"};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_operator;
const struct cmd cmd_operator = {"operator", "[OPTION...]", "runs the tasks of rule graphs", run};
