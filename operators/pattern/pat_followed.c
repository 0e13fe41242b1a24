/* SPDX-License-Identifier: Apache-2.0
 *
 * `a -> b -> c`: a match of one part begins the next part with it; many may wait at once. The last
 * part's matches go up. `-[n]>` drops further beginnings while n of the right-hand part wait.
 */
#include "operators/pattern/pat_bind.h"
#include "operators/pattern/pat_local.h"

#include <assert.h>

struct followed_node {
    struct pat_node node;
    struct ex **max; /* NULL or one per arrow, NULL where there is no bound */
};

struct followed_inst {
    struct pat_inst i;
    struct {
        int64_t max;
        uint32_t waiting;
    } arrow[]; /* if the node has max */
};

static int followed_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                         struct err *reterr)
{
    struct followed_node *n = (struct followed_node *)node;
    int rc = pat_bind_kids(x, p, node, reterr);
    for (uint32_t i = 0; rc == 0 && p->max != NULL && i + 1 < p->n_kids; i++) {
        if (p->max[i] == NULL) {
            continue;
        }
        if (n->max == NULL) {
            n->max = arena_array(x->b->a, p->n_kids, sizeof *n->max);
        }
        rc = pat_bind_operand(x, p->max[i], PAT_WANT_INT, "-[n]>", &n->max[i], reterr);
    }
    return rc;
}

static size_t followed_extra(const struct pat_node *node)
{
    const struct followed_node *n = (const struct followed_node *)node;
    return n->max == NULL ? 0 : node->n_kids * sizeof(((struct followed_inst *)0)->arrow[0]);
}

static void followed_start(struct pat_inst *i)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    struct followed_inst *f = (struct followed_inst *)i;
    for (uint32_t k = 0; n->max != NULL && k + 1 < n->node.n_kids; k++) {
        f->arrow[k].waiting = 0;
        f->arrow[k].max = INT64_MAX;
        if (n->max[k] != NULL) {
            struct evt *row[2] = {NULL, i->begin};
            struct ectx c = pat_ctx(i->pat, row);
            struct dat v = ex_eval(n->max[k], &c);
            f->arrow[k].max = dat_is_integer(v) && v.i >= 0 ? v.i : INT64_MAX;
        }
    }
    pat_begin(pat_spawn(i, 0), i->begin);
}

/* A kid is over: it waits no more. */
static void gone(struct pat_inst *i, struct pat_inst *from)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    struct followed_inst *f = (struct followed_inst *)i;
    if (n->max != NULL && from->linked && from->slot > 0) {
        assert(f->arrow[from->slot - 1].waiting > 0);
        f->arrow[from->slot - 1].waiting--;
    }
    pat_quit(from);
}

static void followed_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    struct followed_inst *f = (struct followed_inst *)i;
    uint32_t at = from->slot;
    if (!from->linked) {
        return; /* it was over already: a part that ended with several matches */
    }
    if (quit) {
        gone(i, from);
    }
    if (at + 1 == n->node.n_kids) {
        pat_true(i, m, i->first == NULL);
        return;
    }
    if (pat_refuse(i->pat)) {
        if (i->first == NULL) {
            pat_false(i, true); /* nothing is left that could match */
        }
        return;
    }
    if (n->max != NULL) {
        if (f->arrow[at].waiting >= f->arrow[at].max) {
            return;
        }
        f->arrow[at].waiting++;
    }
    pat_begin(pat_spawn(i, at + 1), m);
}

static void followed_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    (void)again;
    gone(i, from);
    if (i->first == NULL) {
        pat_false(i, true);
    }
}

static void followed_tell(const struct pat_node *node, struct pat_told *ret)
{
    ret->bounded = ((const struct followed_node *)node)->max != NULL;
}

static void followed_save(struct pat_inst *i, struct save *s)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    const struct followed_inst *f = (const struct followed_inst *)i;
    for (uint32_t k = 0; n->max != NULL && k + 1 < n->node.n_kids; k++) {
        save_i(s, f->arrow[k].max);
    }
}

static void followed_load(struct pat_inst *i, struct load *l)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    struct followed_inst *f = (struct followed_inst *)i;
    for (uint32_t k = 0; n->max != NULL && k + 1 < n->node.n_kids; k++) {
        f->arrow[k].max = load_i(l);
        f->arrow[k].waiting = 0;
    }
}

static void followed_loaded(struct pat_inst *i, struct load *l)
{
    const struct followed_node *n = (const struct followed_node *)i->node;
    struct followed_inst *f = (struct followed_inst *)i;
    (void)l;
    for (const struct pat_inst *k = i->first; n->max != NULL && k != NULL; k = k->next) {
        if (k->slot > 0) {
            f->arrow[k->slot - 1].waiting++;
        }
    }
}

const struct pat_def pat_def_followed = {
    .node_bytes = sizeof(struct followed_node),
    .inst_bytes = sizeof(struct followed_inst),
    .inst_extra = followed_extra,
    .passes_on = true,
    .bind = followed_bind,
    .start = followed_start,
    .on_true = followed_true,
    .on_false = followed_false,
    .tell = followed_tell,
    .save = followed_save,
    .load = followed_load,
    .loaded = followed_loaded,
};
