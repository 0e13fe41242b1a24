/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju standalone`: the three roles in one process, on one loop and one bus, which is the
 * embedded one unless told otherwise. The one place where the roles meet, and where the coordinator
 * gets the engine that it checks documents with.
 */
#include "coordinator/coordinator.h"
#include "ingest/ingest.h"
#include "operators/graph/eng_doc.h"
#include "operators/operator.h"

const struct doc_engine *const coordinator_engine = &eng_doc;

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator, &role_ingest, &role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_standalone;
const struct cmd cmd_standalone = {"standalone", "[OPTION...]",
                                   "everything in one process, without Kafka: start here", run};
