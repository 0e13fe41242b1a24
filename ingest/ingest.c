/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ingest`: receives telemetry and puts it on the bus. So far it serves the
 * health pages.
 */
#include "ingest/ingest.h"

const struct role role_ingest = {.name = "ingest",
                                 .what = "receives telemetry and puts it on the bus"};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_ingest};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_ingest;
const struct cmd cmd_ingest = {"ingest", "[OPTION...]", "receives telemetry and puts it on the bus",
                               run};
