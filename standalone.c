/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju standalone`: the three roles in one process, on one loop and one bus, which is the
 * embedded one unless told otherwise. The one place where the roles meet.
 */
#include "coordinator/coordinator.h"
#include "ingest/ingest.h"
#include "operators/operator.h"

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator, &role_ingest, &role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_standalone;
const struct cmd cmd_standalone = {"standalone", "[OPTION...]",
                                   "everything in one process, without Kafka: start here", run};
