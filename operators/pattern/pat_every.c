/* SPDX-License-Identifier: Apache-2.0
 *
 * `every X`: a match of X is passed up and X begins anew, with what every itself was begun with. A
 * filter directly below has not ended, so nothing is begun. A kid that turns true while it is being
 * begun (`not`) is ended again: else it would never come to an end.
 */
#include "operators/pattern/pat_bind.h"

#include <assert.h>

static int every_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                      struct err *reterr)
{
    assert(p->n_kids == 1);
    return pat_bind_kids(x, p, n, reterr);
}

static void every_start(struct pat_inst *i)
{
    struct pat_inst *kid;
    pat_probe(i, i->begin, &kid);
}

static void every_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    struct pat_inst *kid;
    if (quit) {
        pat_quit(from);
    }
    if (!from->node->def->keeps_on) {
        pat_probe(i, i->begin, &kid);
    }
    pat_true(i, m, false);
}

static void every_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    struct pat_inst *kid;
    pat_quit(from);
    if (!again) {
        pat_false(i, false);
        return;
    }
    pat_probe(i, i->begin, &kid);
}

const struct pat_def pat_def_every = {
    .node_bytes = sizeof(struct pat_node),
    .inst_bytes = sizeof(struct pat_inst),
    .keeps_filter = true,
    .holds_begin = true,
    .bind = every_bind,
    .start = every_start,
    .on_true = every_true,
    .on_false = every_false,
};
