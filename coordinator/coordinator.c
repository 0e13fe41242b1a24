/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `coordinator`: keeps rule graphs, assigns their tasks, serves the API. So far it makes
 * sure of the built-in topics and serves the health pages.
 */
#include "coordinator/coordinator.h"

#include <assert.h>

static int start(struct role_env *env, void **ret_state, struct err *reterr)
{
    (void)reterr;
    assert(env != NULL && ret_state != NULL);
    *ret_state = role_topics_new(env, "coordinator");
    return 0;
}

static void stop(void *state)
{
    role_topics_free(state);
}

const struct role role_coordinator = {
    "coordinator", "keeps rule graphs, assigns their tasks, serves the API", start, NULL, stop};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_coordinator;
const struct cmd cmd_coordinator = {"coordinator", "[OPTION...]",
                                    "keeps rule graphs, assigns their tasks, serves the API", run};
