/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_doc.h.
 */
#include "operators/graph/eng_doc.h"

#include "operators/graph/on.h"
#include "operators/graph/sel.h"

static const struct etype *shown(const struct sel_plan *p)
{
    if (p->into != NULL) {
        return NULL;
    }
    const struct etype *to = p->insert != NULL ? ins_type(p->insert) : NULL;
    return to != NULL && to->kind != ETYPE_TABLE && to->kind != ETYPE_VARIANT ? to : p->out;
}

const struct etype *eng_rows_type(const struct eng *e, struct slice deployment)
{
    for (size_t i = e->deps.len; i > 0; i--) { /* it is mostly the last */
        const struct deployment *d = e->deps.ptr[i - 1];
        if (!slice_eq(d->id, deployment) || d->stmts.len != 1) {
            continue;
        }
        const struct stmt *st = d->stmts.ptr[0];
        switch (st->ast->kind) {
        case STMT_SELECT: return shown(st->plan);
        case STMT_ON_SELECT: return shown(&((const struct on_plan *)st->plan)->select);
        default: return NULL;
        }
    }
    return NULL;
}

static void *open_engine(const struct lim_conf *limits)
{
    return eng_new(&(struct eng_conf){.limits = limits});
}

static void close_engine(void *engine)
{
    eng_free(engine);
}

static int deploy(void *engine, struct slice id, struct slice text, struct err *reterr)
{
    return eng_deploy(engine, id, text, reterr);
}

static const struct etype *type(void *engine, struct slice name)
{
    return eng_type(engine, name);
}

static const struct etype *rows(void *engine, struct slice id)
{
    return eng_rows_type(engine, id);
}

const struct doc_engine eng_doc = {
    .open = open_engine, .close = close_engine, .deploy = deploy, .type = type, .rows = rows};
