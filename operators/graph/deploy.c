/* SPDX-License-Identifier: Apache-2.0
 *
 * Deploying a module: every statement is bound before the first one runs, so a module is accepted
 * as a whole or leaves nothing behind. Undeploying stops statements in reverse order; what others
 * still need is refused.
 */
#include "core/base/mem.h"
#include "operators/epl/lex.h"
#include "operators/graph/ctx.h"
#include "operators/graph/faf.h"
#include "operators/graph/keys_user.h"
#include "operators/graph/state.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/stmt.h"

#include <assert.h>

enum { DEPLOYMENT_MAX = 256 << 20 };

struct kind {
    const char *name;
    int (*bind)(struct stmt *st, struct err *reterr);
};

static const struct kind kinds[] = {
    [STMT_SELECT] = {"select", stmt_select},
    [STMT_CREATE_SCHEMA] = {"create schema", stmt_create_schema},
    [STMT_CREATE_WINDOW] = {"create window", stmt_create_window},
    [STMT_CREATE_TABLE] = {"create table", stmt_create_table},
    [STMT_CREATE_VARIABLE] = {"create variable", stmt_create_variable},
    [STMT_CREATE_CONTEXT] = {"create context", stmt_create_context},
    [STMT_CREATE_EXPRESSION] = {"create expression", stmt_create_expression},
    [STMT_CREATE_INDEX] = {"create index", stmt_create_index},
    [STMT_ON_SELECT] = {"on select", stmt_on},
    [STMT_ON_DELETE] = {"on delete", stmt_on},
    [STMT_ON_UPDATE] = {"on update", stmt_on},
    [STMT_ON_MERGE] = {"on merge", stmt_on},
    [STMT_ON_SET] = {"on set", stmt_on},
    [STMT_ON_SPLIT] = {"split", stmt_on},
    [STMT_UPDATE_ISTREAM] = {"update istream", stmt_update},
};

struct bind stmt_bind(struct stmt *st)
{
    struct bind b = {.a = st->dep->arena,
                     .types = &st->types,
                     .cat = &st->eng->cat,
                     .decls = st->ast->decls,
                     .n_decls = st->ast->n_decls,
                     .heap = st->eng->heap,
                     .params = st->params,
                     .n_params = st->n_params,
                     .agg = agg_bind,
                     .agg_method = agg_method_bind};
    if (st->context != NULL) {
        ctx_bind_into(st, &b);
    }
    return b;
}

int stmt_used(struct stmt *st, struct bind *b)
{
    st->uses_prev |= b->uses_prev;
    VEC_EACH (&b->used, e) {
        bool had = false;
        for (size_t i = 0; !had && i < st->used.len; i++) {
            had = st->used.ptr[i] == *e;
        }
        if (!had) {
            *VEC_PUSH(&st->used) = *e;
        }
        st->looks_up |= (*e)->kind == CAT_TABLE;
    }
    st->looks_up |= st->subqs.len > 0;
    VEC_DONE(&b->used);
    return 0;
}

void eng_declare(struct eng *e, struct etype *t)
{
    t->id = e->next_type++;
}

struct cat_entry *eng_add(struct stmt *st, enum cat_kind kind, struct slice name,
                          struct err *reterr)
{
    struct cat_entry *e = cat_add(&st->eng->cat, kind, name, reterr);
    if (e == NULL) {
        err_span(reterr, st->ast->span.line, st->ast->span.col, st->ast->span.len);
        return NULL;
    }
    e->deployment = st->dep;
    if (st->context != NULL) {
        e->context = st->context->name;
    }
    *VEC_PUSH(&st->dep->made) = e;
    *VEC_PUSH(&st->made) = e;
    return e;
}

static bool is_created(enum ast_stmt_kind k)
{
    return k >= STMT_CREATE_SCHEMA && k <= STMT_CREATE_INDEX;
}

static void annotations(struct stmt *st)
{
    const struct ast_stmt *a = st->ast;
    st->name = epl_name(a);
    for (uint32_t i = 0; i < a->n_annots; i++) {
        const struct ast_annot *n = &a->annots[i];
        const struct ast_expr *v = n->n_values > 0 ? n->values[0].e : NULL;
        if (slice_eq_nocase(n->name, SLICE("priority")) && v != NULL) {
            st->priority = (int)v->i;
        } else if (slice_eq_nocase(n->name, SLICE("drop"))) {
            st->drop = true;
        }
    }
}

struct stmt *stmt_new(struct eng *e, struct deployment *d, const struct ast_stmt *a)
{
    struct stmt *st = ARENA_NEW(d->arena, struct stmt);
    st->eng = e;
    st->dep = d;
    st->ast = a;
    st->order = ++e->next_order;
    st->rank = (uint64_t)st->order << 16;
    st->causes = e->conf.causes;
    annotations(st);
    return st;
}

/* Variables and tables of a context are there in its partitions only. */
static int check_partial(const struct stmt *st, struct err *reterr)
{
    for (size_t i = 0; i < st->used.len; i++) {
        const struct cat_entry *e = st->used.ptr[i];
        bool mine = st->context != NULL && slice_eq(st->context->name, e->context);
        bool partial = e->kind == CAT_VAR || e->kind == CAT_TABLE;
        if (partial && e->context.len > 0 && !mine) {
            return bind_err(reterr, st->ast->span,
                            "'" SLICE_FMT "' belongs to context '" SLICE_FMT "'",
                            SLICE_ARG(e->name), SLICE_ARG(e->context));
        }
    }
    return 0;
}

int stmt_make(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    if (a->context.len > 0) {
        st->context = cat_context(&st->eng->cat, a->context);
        if (st->context == NULL) {
            return bind_err(reterr, a->span, "there is no context '" SLICE_FMT "'",
                            SLICE_ARG(a->context));
        }
        *VEC_PUSH(&st->used) = st->context;
    }
    if ((size_t)a->kind >= ARRAY_LEN(kinds) || kinds[a->kind].bind == NULL) {
        return bind_err(reterr, a->span, "this is for on-demand queries only");
    }
    int rc = stmt_check_annots(st, reterr);
    rc = rc == 0 ? kinds[a->kind].bind(st, reterr) : rc;
    rc = rc == 0 ? check_partial(st, reterr) : rc;
    rc = rc == 0 && st->context != NULL ? ctx_check(st, reterr) : rc;
    return rc == 0 ? keys_user_check(st, reterr) : rc;
}

void stmt_run(struct stmt *st)
{
    if (st->context != NULL) {
        ctx_join(st);
    } else {
        (void)st->ops->start(st, NULL);
    }
}

void stmt_stop(struct stmt *st)
{
    if (st->halted) {
        return;
    }
    state_save_rest(st);
    if (st->context != NULL) {
        ctx_leave(st);
    }
    while (st->insts.len > 0) {
        struct inst *in = *VEC_LAST(&st->insts);
        for (size_t i = 0; i < st->eng->dying.len; i++) {
            if (st->eng->dying.ptr[i] == in) {
                (void)VEC_REMOVE(&st->eng->dying, i);
                break;
            }
        }
        in->stopped = true;
        st->ops->stop(in);
    }
}

void stmt_free(struct stmt *st)
{
    st->types.owner = 0;
    VEC_DONE(&st->insts);
    hidx_done(&st->by_props);
    VEC_DONE(&st->used);
    VEC_DONE(&st->made);
    VEC_DONE(&st->subqs);
    evts_done(&st->nw);
    evts_done(&st->old);
}

static void undo(struct eng *e, struct deployment *d, size_t running)
{
    while (running > 0) {
        stmt_stop(d->stmts.ptr[--running]);
    }
    state_settle_cut(e);
    while (d->made.len > 0) {
        cat_remove(&e->cat, *VEC_LAST(&d->made));
        d->made.len--;
    }
    VEC_EACH (&d->stmts, st) {
        stmt_free(*st);
    }
    VEC_DONE(&d->stmts);
    VEC_DONE(&d->made);
    *VEC_PUSH(&e->graves) = d->arena; /* events of its types may still be held */
    mem_free(d);
}

static void enlist(struct eng *e, struct deployment *d)
{
    VEC_EACH (&d->stmts, st) {
        VEC_EACH (&(*st)->used, u) {
            if ((*u)->deployment != d) {
                (*u)->users++;
            }
        }
        *VEC_PUSH(&e->stmts) = *st;
        (*st)->id = ++e->next_stmt;
        (*st)->types.owner = (*st)->id;
    }
    *VEC_PUSH(&e->deps) = d;
    void **at = map_put(&e->dep_ids, d->id);
    assert(at != NULL);
    *at = d;
}

void eng_listen(struct deployment *d)
{
    VEC_EACH (&d->stmts, st) {
        (*st)->listened = (*st)->name.len > 0 && !is_created((*st)->ast->kind);
    }
}

/* A statement is long: who has other things to do is asked after each. */
static void breathe(struct eng *e)
{
    e->breath->left = 0;
    vheap_breathe(e->heap);
}

static void on_pause(void *arg)
{
    breathe(arg);
}

static int make_all(struct deployment *d, struct eng *e, const struct ast_module *m,
                    struct err *reterr)
{
    for (uint32_t i = 0; i < m->n_stmts; i++) {
        struct stmt *st = stmt_new(e, d, m->stmts[i]);
        *VEC_PUSH(&d->stmts) = st;
        int rc = stmt_make(st, reterr);
        if (rc != 0) {
            return rc;
        }
        breathe(e);
        if (e->breath->over) {
            return err_set(reterr, ERR_CLOSED, "nobody waits for it any more");
        }
    }
    return 0;
}

int eng_enlist(struct eng *e, struct slice id, struct slice text, const struct ast_module *parsed,
               struct deployment **ret, struct err *reterr)
{
    if (map_slot(&e->dep_ids, id) != NULL) {
        return err_set(reterr, ERR_EXISTS, "'" SLICE_FMT "' is deployed already", SLICE_ARG(id));
    }
    if (e->dep_ids.live == e->dep_ids.max) {
        return err_set(reterr, ERR_LIMIT, "there are %zu deployments already", e->dep_ids.max);
    }
    struct deployment *d = MEM_NEW(struct deployment);
    d->arena = arena_new(NULL, "deployment", DEPLOYMENT_MAX);
    d->id = arena_copy(d->arena, id);
    d->text = arena_copy(d->arena, text);
    d->first_order = e->next_order;
    d->first_stmt = e->next_stmt;
    struct ast_module *own = NULL;
    const struct epl_pause pauses = {on_pause, e};
    int rc = parsed != NULL ? 0 : epl_parse_pausing(d->arena, d->text, &pauses, &own, reterr);
    if (own != NULL) {
        epl_tell_apart(d->arena, own);
    }
    rc = rc == 0 ? make_all(d, e, parsed != NULL ? parsed : own, reterr) : rc;
    if (rc != 0) {
        undo(e, d, 0);
        return rc;
    }
    enlist(e, d);
    *ret = d;
    return 0;
}

int eng_deploy(struct eng *e, struct slice id, struct slice text, struct err *reterr)
{
    return eng_deploy_parsed(e, id, text, NULL, reterr);
}

int eng_deploy_parsed(struct eng *e, struct slice id, struct slice text,
                      const struct ast_module *parsed, struct err *reterr)
{
    struct deployment *d = NULL;
    int rc = eng_enlist(e, id, text, parsed, &d, reterr);
    if (rc != 0) {
        vheap_drain(e->heap);
        return rc;
    }
    VEC_EACH (&d->stmts, st) {
        stmt_run(*st);
        breathe(e);
    }
    eng_settle(e);
    eng_listen(d);
    return 0;
}

int eng_undeploy(struct eng *e, struct slice id, struct err *reterr)
{
    size_t at = e->deps.len; /* who goes has mostly come last */
    while (at > 0 && !slice_eq(e->deps.ptr[at - 1]->id, id)) {
        at--;
    }
    if (at == 0) {
        return err_set(reterr, ERR_NOT_FOUND, "'" SLICE_FMT "' is not deployed", SLICE_ARG(id));
    }
    struct deployment *d = e->deps.ptr[--at];
    VEC_EACH (&d->made, m) {
        if ((*m)->users > 0) {
            return err_set(reterr, ERR_EXISTS, "'" SLICE_FMT "' is still used by %u statements",
                           SLICE_ARG((*m)->name), (*m)->users);
        }
    }
    (void)VEC_REMOVE(&e->deps, at);
    (void)map_remove(&e->dep_ids, d->id);
    for (size_t k = d->stmts.len; k > 0; k--) {
        struct stmt *st = d->stmts.ptr[k - 1];
        VEC_EACH (&st->used, u) {
            if ((*u)->deployment != d) {
                (*u)->users--;
            }
        }
        for (size_t i = e->stmts.len; i > 0; i--) {
            if (e->stmts.ptr[i - 1] == st) {
                (void)VEC_REMOVE(&e->stmts, i - 1);
                break;
            }
        }
    }
    undo(e, d, d->stmts.len);
    eng_settle(e);
    return 0;
}
