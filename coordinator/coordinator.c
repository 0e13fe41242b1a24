/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `coordinator`: keeps rule graphs, assigns their tasks, serves the API. So far it
 * serves the health pages.
 */
#include "coordinator/coordinator.h"

const struct role role_coordinator = {
    .name = "coordinator", .what = "keeps rule graphs, assigns their tasks, serves the API"};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_coordinator;
const struct cmd cmd_coordinator = {"coordinator", "[OPTION...]",
                                    "keeps rule graphs, assigns their tasks, serves the API", run};
