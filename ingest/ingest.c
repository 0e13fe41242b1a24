/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ingest`: receives telemetry and puts it on the bus. So far it makes sure of the
 * built-in topics and serves the health pages.
 */
#include "ingest/ingest.h"

#include <assert.h>

static int start(struct role_env *env, void **ret_state, struct err *reterr)
{
    (void)reterr;
    assert(env != NULL && ret_state != NULL);
    *ret_state = role_topics_new(env, "ingest");
    return 0;
}

static void stop(void *state)
{
    role_topics_free(state);
}

const struct role role_ingest = {"ingest", "receives telemetry and puts it on the bus", start, NULL,
                                 stop};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_ingest};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_ingest;
const struct cmd cmd_ingest = {"ingest", "[OPTION...]", "receives telemetry and puts it on the bus",
                               run};
