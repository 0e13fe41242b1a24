/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of statements share: instances, binding, declaring, and the binder of each kind.
 */
#ifndef OPERATORS_GRAPH_STMT_H
#define OPERATORS_GRAPH_STMT_H

#include "operators/graph/eng_impl.h"

/* ---- inst.c ---- */
void inst_init(struct inst *in, struct stmt *st, struct evt *props);
void inst_done(struct inst *in);
static inline struct ectx inst_ctx(const struct inst *in, struct evt **row)
{
    struct ectx c = in->ctx;
    c.row = row;
    c.now = in->eng->now;
    return c;
}
extern const struct ectx_ops eng_ectx_ops;
struct pat_env inst_pat_env(const struct inst *in);
struct inst *inst_of(const struct stmt *st, const struct evt *props); /* the partition's instance */

/* Its partition has ended: last output, no more events; freed at the end of the step. */
void inst_end(struct inst *in);

/* ---- deploy.c ---- */
/* A binder for a statement: scope is set by the caller. */
struct bind stmt_bind(struct stmt *st);
int stmt_used(struct stmt *st, struct bind *b);   /* takes over b->used */
void eng_declare(struct eng *e, struct etype *t); /* gives it an id */
struct cat_entry *eng_add(struct stmt *st, enum cat_kind kind, struct slice name,
                          struct err *reterr);

/* Bound and listed, not begun. */
int eng_enlist(struct eng *e, struct slice id, struct slice text, const struct ast_module *parsed,
               struct deployment **ret, struct err *reterr) NODISCARD;
void eng_listen(struct deployment *d); /* from now on rows are delivered */
struct stmt *stmt_new(struct eng *e, struct deployment *d, const struct ast_stmt *a);
int stmt_make(struct stmt *st, struct err *reterr);
int stmt_check_annots(const struct stmt *st, struct err *reterr);
bool stmt_has_annot(const struct ast_stmt *ast, const char *name);
void stmt_run(struct stmt *st);
void stmt_stop(struct stmt *st);
void stmt_free(struct stmt *st);

/* Binders of statement kinds: fill st->ops and st->plan. */
int stmt_select(struct stmt *st, struct err *reterr);
int stmt_create_schema(struct stmt *st, struct err *reterr);
int stmt_create_window(struct stmt *st, struct err *reterr);
int stmt_create_table(struct stmt *st, struct err *reterr);
int stmt_create_variable(struct stmt *st, struct err *reterr);
int stmt_create_context(struct stmt *st, struct err *reterr);
int stmt_create_expression(struct stmt *st, struct err *reterr);
int stmt_create_index(struct stmt *st, struct err *reterr);
int stmt_on(struct stmt *st, struct err *reterr); /* select, delete, update, merge, set, split */
int stmt_update(struct stmt *st, struct err *reterr);
/* into table T: binds, runs a batch of rows. */
struct sel_plan;
struct sel_inst;
int into_bind(struct stmt *st, struct bind *b, const struct ast_select *s, struct sel_plan *p,
              struct err *reterr);
void into_rows(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
const struct table *into_rows_of(const struct sel_plan *p);
/* Rows inserted into a table by a statement. */
struct table;
/* The table of an `into table`. */
struct into_plan;
struct table *into_target(const struct into_plan *p);
void table_put(struct table *t, struct evt *e, struct inst *from);

#endif
