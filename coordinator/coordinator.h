/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `coordinator`: keeps rule graphs, assigns their tasks, serves the API.
 */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "core/role/role.h"

struct doc_engine;

extern const struct role role_coordinator;
/* What documents are compiled with. Engines are the operators' and not to be seen from here, so the
 * program says it (standalone.c), and so does a test. */
extern const struct doc_engine *const coordinator_engine;

#endif
