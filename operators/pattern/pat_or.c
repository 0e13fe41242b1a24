/* SPDX-License-Identifier: Apache-2.0
 *
 * `a or b`: any match goes up. A part that is over with its match ends the others; it is false when
 * all parts are.
 */
#include "operators/pattern/pat_bind.h"

static int or_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                   struct err *reterr)
{
    return pat_bind_kids(x, p, n, reterr);
}

static void or_start(struct pat_inst *i)
{
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        (void)pat_spawn(i, k);
    }
    for (struct pat_inst *k = i->first, *next; k != NULL; k = next) {
        if (!k->dead) {
            pat_begin(k, i->begin);
        }
        next = k->next;
    }
}

static void or_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    (void)from;
    if (quit) {
        pat_quit_kids(i);
    }
    pat_true(i, m, quit);
}

static void or_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    (void)again;
    pat_quit(from);
    if (i->first == NULL) {
        pat_false(i, true);
    }
}

const struct pat_def pat_def_or = {
    .node_bytes = sizeof(struct pat_node),
    .inst_bytes = sizeof(struct pat_inst),
    .one_each = true,
    .bind = or_bind,
    .start = or_start,
    .on_true = or_true,
    .on_false = or_false,
};
