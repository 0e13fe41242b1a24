/* SPDX-License-Identifier: Apache-2.0
 *
 * `not X`: true from its beginning; false when X turned true for good.
 */
#include "operators/pattern/pat_bind.h"

static int not_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                    struct err *reterr)
{
    return pat_bind_kids(x, p, n, reterr);
}

static void not_start(struct pat_inst *i)
{
    pat_begin(pat_spawn(i, 0), i->begin);
    if (!i->dead) {
        pat_true(i, i->begin, false);
    }
}

static void not_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    (void)m;
    if (quit) {
        pat_quit(from);
        pat_false(i, true);
    }
}

static void not_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    (void)i;
    (void)again;
    pat_quit(from); /* it can never turn true any more */
}

const struct pat_def pat_def_not = {
    .node_bytes = sizeof(struct pat_node),
    .inst_bytes = sizeof(struct pat_inst),
    .one_each = true,
    .is_not = true,
    .holds_begin = true,
    .bind = not_bind,
    .start = not_start,
    .on_true = not_true,
    .on_false = not_false,
};
