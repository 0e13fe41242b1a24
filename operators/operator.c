/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: runs the tasks of rule graphs. So far it makes sure of the built-in topics
 * and serves the health pages.
 */
#include "operators/operator.h"

#include <assert.h>

static int start(struct role_env *env, void **ret_state, struct err *reterr)
{
    (void)reterr;
    assert(env != NULL && ret_state != NULL);
    *ret_state = role_topics_new(env, "operator");
    return 0;
}

static void stop(void *state)
{
    role_topics_free(state);
}

const struct role role_operator = {"operator", "runs the tasks of rule graphs", start, NULL, stop};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_operator;
const struct cmd cmd_operator = {"operator", "[OPTION...]", "runs the tasks of rule graphs", run};
