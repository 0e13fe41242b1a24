/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the printer only. Two ways of writing an expression: as EPL that parses to the same tree,
 * and as the name of a column, where the rules of the original engine decide each bracket.
 */
#ifndef OPERATORS_EPL_PRINT_H
#define OPERATORS_EPL_PRINT_H

#include "operators/epl/epl.h"

/* ---- print.c: words, constants ---- */

void print_text(struct buf *b, const char *s);
void print_slice(struct buf *b, struct slice s);
void print_name(struct buf *b, struct slice name); /* declared: back-ticks around keywords */
void print_prop(struct buf *b, struct slice name); /* read: soft keywords are plain */
void print_call_name(struct buf *b, struct slice name);
void print_dotted(struct buf *b, struct slice name); /* a.b.C, each part a name */
void print_names(struct buf *b, const struct slice *names, uint32_t n);
void print_string(struct buf *b, const struct ast_expr *e);
void print_real(struct buf *b, double d, bool is_float); /* 1.0, 1.5E10 */
const char *print_unit(uint32_t place);                  /* "minutes" */

/* ---- print_expr.c ---- */

void print_expr(struct buf *b, const struct ast_expr *e);
void print_exprs(struct buf *b, struct ast_expr *const *args, uint32_t n);
/* " word e", or nothing if e is NULL */
void print_clause(struct buf *b, const char *word, const struct ast_expr *e);

/* ---- print_select.c, print_stream.c, print_pattern.c ---- */

void print_select(struct buf *b, const struct ast_select *s);
void print_items(struct buf *b, const struct ast_item *items, uint32_t n);
void print_insert(struct buf *b, const struct ast_insert *ins);
void print_sets(struct buf *b, const struct ast_named *sets, uint32_t n);
void print_tail(struct buf *b, const struct ast_select *s);
void print_streams(struct buf *b, enum ast_streams streams);
void print_alias(struct buf *b, struct slice as);
void print_filter(struct buf *b, const struct ast_stream *s);
void print_stream(struct buf *b, const struct ast_stream *s);
void print_views(struct buf *b, const struct ast_stream *s);
void print_pattern(struct buf *b, const struct ast_pat *pat);
void print_matchrec(struct buf *b, const struct ast_matchrec *m);
void print_annots(struct buf *b, const struct ast_annot *annots, uint32_t n, char between);
void print_cron(struct buf *b, struct ast_expr *const *at, uint32_t n);

/* ---- print_create.c ---- */

void print_create(struct buf *b, const struct ast_stmt *s);
void print_decl(struct buf *b, const struct ast_decl *d);

#endif
