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
#include "operators/shard/layout_diff.h"

const struct doc_engine *const coordinator_engine = &eng_doc;

/* The tasks that operators make of a document, as the coordinator wants to be told. */
static int lay_out(struct arena *a, struct slice document, uint32_t raw_parts,
                   const struct coordinator_group **ret, uint32_t *ret_n, struct err *reterr)
{
    const struct layout_conf conf = {.raw_parts = raw_parts, .groups_only = true};
    struct layout *l = NULL;
    int rc = layout_make(a, document, &conf, &l, reterr);
    if (rc != 0) {
        return rc;
    }
    struct coordinator_group *to = arena_array(a, l->n_groups + 1, sizeof *to);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        const struct layout_group *g = &l->groups[i];
        struct slice *levels = arena_array(a, g->n + 1, sizeof *levels);
        for (uint32_t k = 0; k < g->n; k++) {
            levels[k] = l->levels[g->first + k];
        }
        to[i] = (struct coordinator_group){g->name, levels, g->n, g->parts};
    }
    *ret = to;
    *ret_n = l->n_groups;
    return 0;
}

const coordinator_layout_fn coordinator_layout = lay_out;

static int diff(struct arena *a, struct slice before, struct slice after, uint32_t raw_parts,
                const struct coordinator_change **ret, uint32_t *ret_n, struct err *reterr)
{
    static const enum coordinator_fate fates[] = {[LAYOUT_KEPT] = COORDINATOR_KEPT,
                                                  [LAYOUT_BEGUN] = COORDINATOR_BEGUN,
                                                  [LAYOUT_DROPPED] = COORDINATOR_DROPPED};
    const struct layout_conf conf = {.raw_parts = raw_parts};
    struct layout_change *v = NULL;
    uint32_t n = 0;
    int rc = layout_diff(a, before, after, &conf, &v, &n, reterr);
    if (rc != 0) {
        return rc;
    }
    struct coordinator_change *to = arena_array(a, n + 1, sizeof *to);
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (struct coordinator_change){v[i].level, v[i].statement, fates[v[i].fate]};
    }
    *ret = to;
    *ret_n = n;
    return 0;
}

const coordinator_diff_fn coordinator_diff = diff;

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator, &role_ingest, &role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_standalone;
const struct cmd cmd_standalone = {"standalone", "[OPTION...]",
                                   "everything in one process, without Kafka: start here", run};
