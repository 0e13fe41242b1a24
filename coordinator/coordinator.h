/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `coordinator`: keeps rule graphs, assigns their tasks, serves the API.
 */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "core/role/role.h"

struct arena;
struct doc_engine;

extern const struct role role_coordinator;
/* What documents are compiled with. Engines are the operators' and not to be seen from here, so the
 * program says it (standalone.c), and so does a test. */
extern const struct doc_engine *const coordinator_engine;

struct coordinator_group { /* of levels of a graph */
    struct slice name;
    const struct slice *levels;
    uint32_t n_levels, parts; /* a task for each part: "tenant/graph/name/part" */
};

/* Which tasks a document makes; the same program says it. Everything lies in the arena. */
typedef int (*coordinator_layout_fn)(struct arena *a, struct slice document, uint32_t raw_parts,
                                     const struct coordinator_group **ret, uint32_t *ret_n,
                                     struct err *reterr);
extern const coordinator_layout_fn coordinator_layout;

struct coordinator_change { /* of a statement, when a document takes the place of another */
    struct slice level, statement;
    enum coordinator_fate { COORDINATOR_KEPT, COORDINATOR_BEGUN, COORDINATOR_DROPPED } fate;
};

/* What becomes of the state of statements; likewise. */
typedef int (*coordinator_diff_fn)(struct arena *a, struct slice before, struct slice after,
                                   uint32_t raw_parts, const struct coordinator_change **ret,
                                   uint32_t *ret_n, struct err *reterr);
extern const coordinator_diff_fn coordinator_diff; /* NULL: nobody is told */

#endif
