/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the parser only: its state, the helpers every file of it uses, and the productions that
 * one file offers to the others. A production returns true (or a node) with the position behind
 * what it took, or false (NULL) with the error set; the first error stands. Nothing is undone on
 * an error: the tree is in the arena and nobody will look at it.
 */
#ifndef OPERATORS_EPL_PARSE_H
#define OPERATORS_EPL_PARSE_H

#include "operators/epl/lex.h"

/* 200 levels of brackets; a run of left-associative operators is as deep as it is long. */
enum { PARSE_MAX_DEPTH = 200, PARSE_MAX_RUN = 1000 };

struct parser {
    struct arena *a;
    struct slice text;
    const struct token *toks;
    const struct epl_pause *pause;
    uint32_t n_toks, pos, depth;
    uint32_t n_subqueries; /* of this statement */
    uint32_t n_params;     /* `?` seen so far */
    bool on_demand;        /* a query: select, insert, update, delete */
    bool no_column_list;   /* create window: `#keepall (a int)` ends the view before '(' */
    bool failed;
    struct err *err;
};

/* ---- parse.c: tokens, names, errors ---- */

static inline const struct token *parse_peek(const struct parser *p, uint32_t ahead)
{
    uint32_t at = p->pos + ahead;
    return &p->toks[at < p->n_toks ? at : p->n_toks - 1];
}

static inline bool parse_at(const struct parser *p, enum tok kind)
{
    return parse_peek(p, 0)->kind == kind;
}

static inline bool parse_at_kw(const struct parser *p, enum kw kw)
{
    return parse_peek(p, 0)->kw == kw;
}

bool parse_at_word(const struct parser *p, const char *word); /* a name by its text, any case */
void parse_skip(struct parser *p, uint32_t n);
bool parse_take(struct parser *p, enum tok kind);
bool parse_take_kw(struct parser *p, enum kw kw);
bool parse_take_word(struct parser *p, const char *word);

/* "expected <what>, found <the token>". what: "')' to close the list". Always false. */
bool parse_expected(struct parser *p, const char *what) COLD;
bool parse_fail(struct parser *p, const struct token *at, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;
bool parse_unsupported(struct parser *p, const struct token *at, const char *what) COLD;
bool parse_no_memory(struct parser *p) COLD;
bool parse_need(struct parser *p, enum tok kind, const char *why);
bool parse_need_kw(struct parser *p, enum kw kw, const char *why);
/* The opening bracket is `open`: named in the message. */
bool parse_close(struct parser *p, enum tok kind, const struct token *open);

/* May the token be a name: that is declared (columns, streams, tags), of a type, or read. */
bool parse_is_decl(const struct token *t);
bool parse_is_type(const struct token *t);
bool parse_is_prop(const struct token *t);
bool parse_decl_name(struct parser *p, struct slice *ret, const char *what);
bool parse_type_name(struct parser *p, struct slice *ret, const char *what); /* a.b.C */
bool parse_prop_name(struct parser *p, struct slice *ret, const char *what);
/* [as] name, or nothing. */
bool parse_alias(struct parser *p, struct slice *ret);
bool parse_name_list(struct parser *p, struct slice **ret, uint32_t *ret_n, const char *what);
bool parse_enter(struct parser *p); /* one level deeper; parse_leave in any case */
void parse_leave(struct parser *p);
struct span parse_span_from(const struct parser *p, const struct token *first);

/* Room for one more in an arena array of *n, zeroed: NULL at the limit, with the error set. */
void *parse_grow(struct parser *p, void *arr, uint32_t n, size_t size);
#define PARSE_PUSH(p_, arr_, n_)                                                                   \
    (((arr_) = parse_grow((p_), (arr_), (n_), sizeof *(arr_))) != NULL ? &(arr_)[(n_)++] : NULL)
void *parse_new(struct parser *p, size_t size);
#define PARSE_NEW(p_, type_) ((type_ *)parse_new((p_), sizeof(type_)))

/* ---- parse_expr.c, parse_primary.c, parse_chain.c, parse_time.c ---- */

struct ast_expr *parse_node(struct parser *p, enum ast_kind kind, const struct token *first);
struct ast_expr *parse_end(struct parser *p, struct ast_expr *e, const struct token *first);
bool parse_add_arg(struct parser *p, struct ast_expr *e, struct ast_expr *arg);
struct ast_expr *parse_expr(struct parser *p);
struct ast_expr *parse_unary(struct parser *p);
struct ast_expr *parse_concat(struct parser *p); /* an operand of comparisons */
struct ast_expr *parse_primary(struct parser *p);
struct ast_expr *parse_chain(struct parser *p);
struct ast_expr *parse_chain_behind(struct parser *p, struct ast_expr *head,
                                    const struct token *first);
struct ast_expr *parse_number(struct parser *p, bool negative);
struct ast_expr *parse_param(struct parser *p);
struct ast_expr *parse_lambda(struct parser *p);
bool parse_at_lambda(const struct parser *p);
struct ast_expr *parse_arg(struct parser *p);    /* lambda, name: value, period, *, x desc */
struct ast_expr *parse_period(struct parser *p); /* a period, or any number of seconds */
struct ast_expr *parse_period_behind(struct parser *p, struct ast_expr *part,
                                     const struct token *first);
bool parse_at_unit(const struct parser *p, uint32_t ahead);
bool parse_expr_list(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n);
bool parse_args(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n);
bool parse_cron(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n);
struct ast_expr *parse_subquery(struct parser *p, enum ast_kind kind);
struct ast_expr *parse_case(struct parser *p);

/* ---- parse_select.c, parse_output.c, parse_stream.c, parse_pattern.c, parse_matchrec.c ---- */

bool parse_select_body(struct parser *p, struct ast_select *s, bool sub);
bool parse_select_stmt(struct parser *p, struct ast_stmt *st);
bool parse_insert_into(struct parser *p, struct ast_insert *ins); /* behind `insert` */
bool parse_items(struct parser *p, struct ast_item **ret, uint32_t *ret_n);
bool parse_streams(struct parser *p, enum ast_streams *ret);
bool parse_where(struct parser *p, struct ast_expr **ret); /* or nothing */
bool parse_group_by(struct parser *p, struct ast_select *s);
bool parse_having(struct parser *p, struct ast_select *s);
bool parse_order_by(struct parser *p, struct ast_select *s);
bool parse_limit(struct parser *p, struct ast_select *s);
bool parse_output(struct parser *p, struct ast_select *s);
bool parse_sets(struct parser *p, struct ast_named **ret, uint32_t *ret_n); /* behind `set` */

bool parse_from(struct parser *p, struct ast_select *s);   /* behind `from` */
bool parse_source(struct parser *p, struct ast_stream *s); /* type(filter)[..], or a pattern */
bool parse_filter(struct parser *p, struct ast_stream *s); /* type(filter)[..] */
bool parse_contained(struct parser *p, struct ast_stream *s);
bool parse_views(struct parser *p, struct ast_stream *s);
bool parse_retain(struct parser *p, struct ast_stream *s);
bool parse_pattern_stream(struct parser *p, struct ast_stream *s); /* at `pattern` */
struct ast_pat *parse_pattern(struct parser *p);
bool parse_matchrec(struct parser *p, struct ast_matchrec **ret);

/* ---- parse_stmt.c, parse_create.c, parse_context.c, parse_on.c ---- */

bool parse_annots(struct parser *p, struct ast_annot **ret, uint32_t *ret_n);
bool parse_decl(struct parser *p, struct ast_decl *d); /* behind `expression` */
bool parse_module(struct parser *p, struct ast_module *m);
struct ast_stmt *parse_stmt(struct parser *p);
bool parse_create(struct parser *p, struct ast_stmt *st);         /* at `create` */
bool parse_create_context(struct parser *p, struct ast_stmt *st); /* behind `context` */
bool parse_on(struct parser *p, struct ast_stmt *st);             /* at `on` */
bool parse_update(struct parser *p, struct ast_stmt *st);         /* at `update` */
bool parse_delete(struct parser *p, struct ast_stmt *st);         /* at `delete` */

#endif
