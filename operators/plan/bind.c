/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of expressions: constants, operators, conversions. Chains (properties, calls) are in
 * bind_chain.c, conditions and case in bind_cond.c. See bind.h.
 */
#include "operators/plan/bind.h"

#include "core/base/buf.h"
#include "operators/plan/bind_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { DEPTH_MAX = 400 };

int bind_err(struct err *reterr, struct span span, const char *fmt, ...)
{
    char msg[220];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    int rc = err_set(reterr, ERR_TYPE, "%s", msg);
    err_span(reterr, span.line, span.col, span.len);
    err_flags(reterr, ERR_FLAG_USER);
    return rc;
}

struct ex *ex_new(struct bind *b, enum ex_op op, struct ty ty, struct span span, uint32_t n_args)
{
    struct ex *e = ARENA_NEW(b->a, struct ex);
    assert(e != NULL && "the arena of a deployment has room for its text");
    b->n_nodes++;
    *e = (struct ex){.op = op, .ty = ty, .span = span, .n_args = n_args, .home = b->a};
    e->args = arena_array(b->a, n_args + 1, sizeof(struct ex *));
    return e;
}

struct ex *ex_const(struct bind *b, struct dat v, struct ty ty, struct span span)
{
    struct ex *e = ex_new(b, EX_CONST, ty, span, 0);
    e->k = vheap_for_good(b->heap, v); /* for good: plans live as long as their heap */
    e->pure = true;
    return e;
}

struct ex *ex_null(struct bind *b, struct span span)
{
    const struct dat none = DAT_NONE;
    return ex_const(b, none, TY(NULL), span);
}

bool ex_is_const(const struct ex *e)
{
    return e->op == EX_CONST;
}

struct slice bind_type_text(struct bind *b, struct ty t)
{
    struct buf out;
    buf_init(&out, 200);
    ty_print(t, &out);
    struct slice s = arena_copy(b->a, buf_slice(&out));
    buf_done(&out);
    return s;
}

/* Numbers: to the kind of ty, folded for constants. */
struct ex *bind_number_as(struct bind *b, struct ex *e, struct ty to)
{
    if (e->ty.kind == to.kind || e->ty.kind == TY_NULL) {
        return e;
    }
    struct ex *c = ex_new(b, EX_CONV, to, e->span, 1);
    c->args[0] = e;
    if (e->op == EX_CONST && b->heap != NULL) {
        static const uint8_t kinds[] = {
            [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
            [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
            [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
        };
        return ex_const(b, dat_as(b->heap, e->k, kinds[to.kind]), to, e->span);
    }
    return c;
}

int bind_convert(struct bind *b, struct ex *e, struct ty to, const char *what, struct ex **ret,
                 struct err *reterr)
{
    if (!ty_widens(e->ty, to) && e->ty.kind != TY_OBJECT) {
        struct slice have = bind_type_text(b, e->ty), want = bind_type_text(b, to);
        return bind_err(reterr, e->span, "%s: a " SLICE_FMT " cannot be used as a " SLICE_FMT, what,
                        SLICE_ARG(have), SLICE_ARG(want));
    }
    if (e->ty.kind == TY_OBJECT && to.kind != TY_OBJECT) {
        return bind_err(reterr, e->span, "%s: an object cannot be used as a %s; cast it", what,
                        ty_name(to.kind));
    }
    *ret = ty_is_number(to) ? bind_number_as(b, e, to) : e;
    return 0;
}

static struct ex *literal(struct bind *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_BOOL: return ex_const(b, dat_bool(e->i != 0), TY(BOOL), e->span);
    case AST_INT: return ex_const(b, dat_int((int32_t)e->i), TY(INT), e->span);
    case AST_LONG: return ex_const(b, dat_long(e->i), TY(LONG), e->span);
    case AST_FLOAT: return ex_const(b, dat_float(e->d), TY(FLOAT), e->span);
    case AST_DOUBLE: return ex_const(b, dat_double(e->d), TY(DOUBLE), e->span);
    case AST_STRING: return ex_const(b, dat_str(vstr_new(b->heap, e->text)), TY(STRING), e->span);
    default: return ex_null(b, e->span);
    }
}

int bind_args(struct bind *b, struct ast_expr *const *args, uint32_t n, struct ex *to, uint32_t at,
              struct err *reterr)
{
    for (uint32_t i = 0; i < n; i++) {
        int rc = bind_expr(b, args[i], &to->args[at + i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int not_number(struct bind *b, const struct ex *e, const char *op, struct err *reterr)
{
    struct slice t = bind_type_text(b, e->ty);
    return bind_err(reterr, e->span, "'%s' wants numbers, this is a " SLICE_FMT, op, SLICE_ARG(t));
}

static int arith(struct bind *b, struct span span, enum ast_op op, struct ex *l, struct ex *r,
                 struct ex **ret, struct err *reterr)
{
    static const enum ex_op ops[] = {[OP_ADD] = EX_ADD,
                                     [OP_SUB] = EX_SUB,
                                     [OP_MUL] = EX_MUL,
                                     [OP_DIV] = EX_DIV,
                                     [OP_MOD] = EX_MOD};
    bool null = l->ty.kind == TY_NULL || r->ty.kind == TY_NULL;
    if (!ty_is_number(l->ty) && l->ty.kind != TY_NULL) {
        return not_number(b, l, ast_op_text(op), reterr);
    }
    if (!ty_is_number(r->ty) && r->ty.kind != TY_NULL) {
        return not_number(b, r, ast_op_text(op), reterr);
    }
    struct ty t = null ? (l->ty.kind == TY_NULL ? r->ty : l->ty) : ty_arith(l->ty, r->ty);
    if (op == OP_DIV) {
        bool big = t.kind == TY_BIGDEC || t.kind == TY_BIGINT;
        t = big ? TY(BIGDEC) : TY(DOUBLE);
    }
    struct ex *e = ex_new(b, ops[op], t, span, 2);
    e->args[0] = null ? l : bind_number_as(b, l, t);
    e->args[1] = null ? r : bind_number_as(b, r, t);
    *ret = e;
    return 0;
}

static int concat(struct bind *b, struct span span, struct ex *l, struct ex *r, struct ex **ret,
                  struct err *reterr)
{
    for (int i = 0; i < 2; i++) {
        struct ex *x = i == 0 ? l : r;
        if (x->ty.kind != TY_STRING && x->ty.kind != TY_NULL && x->ty.kind != TY_CHAR) {
            struct slice t = bind_type_text(b, x->ty);
            return bind_err(reterr, x->span,
                            "'||' joins strings, this is a " SLICE_FMT "; cast it to string",
                            SLICE_ARG(t));
        }
    }
    *ret = ex_new(b, EX_CONCAT, TY(STRING), span, 2);
    (*ret)->args[0] = l;
    (*ret)->args[1] = r;
    return 0;
}

static int bits(struct bind *b, struct span span, enum ast_op op, struct ex *l, struct ex *r,
                struct ex **ret, struct err *reterr)
{
    bool bools = l->ty.kind == TY_BOOL && r->ty.kind == TY_BOOL;
    if (!bools && !(ty_is_integer(l->ty) && l->ty.kind == r->ty.kind)) {
        return bind_err(reterr, span, "'%s' wants two integers of one type, or two booleans",
                        ast_op_text(op));
    }
    struct ty t = l->ty;
    *ret = ex_new(b,
                  op == OP_BIT_AND  ? EX_BIT_AND
                  : op == OP_BIT_OR ? EX_BIT_OR
                                    : EX_BIT_XOR,
                  t, span, 2);
    (*ret)->args[0] = l;
    (*ret)->args[1] = r;
    return 0;
}

static int binary(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    if (e->op == OP_AND || e->op == OP_OR) {
        return bind_logic(b, e, ret, reterr);
    }
    struct ex *acc = NULL;
    int rc = bind_expr(b, e->args[0], &acc, reterr);
    for (uint32_t i = 1; rc == 0 && i < e->n_args; i++) {
        struct ex *r = NULL;
        rc = bind_expr(b, e->args[i], &r, reterr);
        if (rc != 0) {
            break;
        }
        if (e->op >= OP_ADD) {
            rc = arith(b, e->span, e->op, acc, r, &acc, reterr);
        } else if (e->op == OP_CONCAT) {
            rc = concat(b, e->span, acc, r, &acc, reterr);
        } else if (e->op >= OP_BIT_OR) {
            rc = bits(b, e->span, e->op, acc, r, &acc, reterr);
        } else {
            rc = bind_compare(b, e->span, e->op, acc, r, &acc, reterr);
        }
    }
    if (rc == 0) {
        *ret = acc;
    }
    return rc;
}

static int negate(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_expr(b, e->args[0], &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (!ty_is_number(x->ty) && x->ty.kind != TY_NULL) {
        return not_number(b, x, "-", reterr);
    }
    struct ty t = x->ty.kind == TY_FLOAT ? TY(DOUBLE) : ty_arith(x->ty, TY(INT));
    if (x->op == EX_CONST && x->k.kind == DAT_INT) {
        *ret = ex_const(b, dat_int((int32_t)(0u - (uint32_t)x->k.i)), TY(INT), e->span);
        return 0;
    }
    if (x->op == EX_CONST && (x->k.kind == DAT_LONG || dat_is_float(x->k))) {
        struct dat v =
            x->k.kind == DAT_LONG ? dat_long((int64_t)(0 - (uint64_t)x->k.i)) : dat_double(-x->k.d);
        *ret = ex_const(b, v, t, e->span);
        return 0;
    }
    *ret = ex_new(b, EX_NEG, t, e->span, 1);
    (*ret)->args[0] = bind_number_as(b, x, t);
    return 0;
}

static int param(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    if (b->params == NULL || e->i >= b->n_params) {
        return bind_err(reterr, e->span,
                        b->params == NULL ? "parameters are for on-demand queries"
                                          : "there is no value for this parameter");
    }
    struct dat v = b->params[e->i];
    struct ty t = TY(OBJECT);
    static const enum ty_kind kinds[] = {
        [DAT_NULL] = TY_NULL,    [DAT_BOOL] = TY_BOOL,   [DAT_CHAR] = TY_CHAR,
        [DAT_BYTE] = TY_BYTE,    [DAT_SHORT] = TY_SHORT, [DAT_INT] = TY_INT,
        [DAT_LONG] = TY_LONG,    [DAT_FLOAT] = TY_FLOAT, [DAT_DOUBLE] = TY_DOUBLE,
        [DAT_STRING] = TY_STRING};
    if (v.kind < ARRAY_LEN(kinds)) {
        t.kind = kinds[v.kind];
    }
    struct ex *x = ex_const(b, v, t, e->span);
    struct ty want = TY(NULL);
    if (e->text.len > 0 && ty_by_name(e->text, &want) && ty_is_number(want) && ty_is_number(t)) {
        x = bind_number_as(b, x, want);
    } else if (e->text.len > 0 && want.kind != TY_NULL && t.kind == TY_NULL) {
        x->ty = want;
    }
    *ret = x;
    return 0;
}

static int structure(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_NEW, TY(NULL), e->span, e->n_named);
    struct ecol *cols = arena_array(b->a, e->n_named + 1, sizeof *cols);
    for (uint32_t i = 0; i < e->n_named; i++) {
        int rc = bind_expr(b, e->named[i].e, &x->args[i], reterr);
        if (rc != 0) {
            return rc;
        }
        cols[i] = (struct ecol){.name = e->named[i].name, .ty = x->args[i]->ty};
    }
    const struct etype *t =
        ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, e->n_named, NULL, 0);
    if (t == NULL) {
        return bind_err(reterr, e->span, "a column stands twice in this structure");
    }
    x->of = t;
    x->ty = (struct ty){.kind = TY_EVENT, .ev = t};
    *ret = x;
    return 0;
}

static int array(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_ARRAY, TY(NULL), e->span, e->n_args);
    int rc = bind_args(b, e->args, e->n_args, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ty t = TY(NULL);
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!ty_common(t, x->args[i]->ty, &t)) {
            t = TY(OBJECT);
        }
    }
    for (uint32_t i = 0; i < e->n_args && ty_is_number(t); i++) {
        x->args[i] = bind_number_as(b, x->args[i], t);
    }
    x->ty = ty_list(b->a, t);
    *ret = x;
    return 0;
}

int bind_period(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    static const struct bind_unit units[] = {{0, 12},         {0, 1},         {604800000.0, 0},
                                             {86400000.0, 0}, {3600000.0, 0}, {60000.0, 0},
                                             {1000.0, 0},     {1.0, 0},       {0.001, 0}};
    bool period = e->kind == AST_PERIOD;
    uint32_t n = period ? e->n_args : 1;
    struct ex *x = ex_new(b, EX_PERIOD, TY(LONG), e->span, n);
    struct bind_unit *of = arena_array(b->a, n, sizeof *of);
    uint32_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_expr *part = period ? e->args[i] : e;
        if (part == NULL) {
            continue;
        }
        int rc = bind_expr(b, part, &x->args[used], reterr);
        if (rc != 0) {
            return rc;
        }
        if (x->args[used]->op == EX_PERIOD) { /* of a variable that stands for one */
            *ret = x->args[used];
            return 0;
        }
        if (!ty_is_number(x->args[used]->ty)) {
            return bind_err(reterr, part->span, "a period of time wants a number");
        }
        of[used] = units[period ? i : 6];
        x->i |= of[used].months != 0;
        used++;
    }
    x->n_args = used;
    x->data = of;
    *ret = x;
    return 0;
}

int bind_const_int(struct bind *b, const struct ast_expr *e, const char *what, int64_t *ret,
                   struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_expr(b, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (x->op != EX_CONST || !dat_is_integer(x->k)) {
        return bind_err(reterr, e->span, "%s wants a whole number", what);
    }
    *ret = x->k.i;
    return 0;
}

int bind_all(struct bind *b, struct ast_expr *const *e, uint32_t n, const char *what,
             struct ex **ret, struct err *reterr)
{
    struct ex *all = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct ex *x = NULL;
        int rc = bind_cond(b, e[i], what, &x, reterr);
        if (rc != 0) {
            return rc;
        }
        if (all != NULL) {
            struct ex *both = ex_new(b, EX_AND, TY(BOOL), e[i]->span, 2);
            both->args[0] = all;
            both->args[1] = x;
            x = both;
        }
        all = x;
    }
    *ret = all;
    return 0;
}

int bind_cond(struct bind *b, const struct ast_expr *e, const char *what, struct ex **ret,
              struct err *reterr)
{
    struct ex *x = NULL;
    int rc = bind_expr(b, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (x->ty.kind != TY_BOOL) {
        struct slice t = bind_type_text(b, x->ty);
        return bind_err(reterr, e->span, "%s wants a condition, this is a " SLICE_FMT, what,
                        SLICE_ARG(t));
    }
    *ret = x;
    return 0;
}

/* Where names of arguments say nothing new (dateformat: 'x'). */
static int named_arg(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    return bind_expr(b, e->args[0], ret, reterr);
}

typedef int binder(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);

static binder *const binders[AST_KIND_COUNT] = {
    [AST_PARAM] = param,
    [AST_CHAIN] = bind_chain,
    [AST_NEG] = negate,
    [AST_NOT] = bind_not,
    [AST_BINARY] = binary,
    [AST_BETWEEN] = bind_between,
    [AST_IN_LIST] = bind_in,
    [AST_IN_RANGE] = bind_between,
    [AST_LIKE] = bind_like,
    [AST_REGEXP] = bind_like,
    [AST_IS_NULL] = bind_is_null,
    [AST_CASE] = bind_case,
    [AST_CASE_VALUE] = bind_case,
    [AST_CAST] = bind_cast,
    [AST_INSTANCEOF] = bind_instanceof,
    [AST_QUANT] = bind_quant,
    [AST_EXISTS] = bind_subquery,
    [AST_SUBQUERY] = bind_subquery,
    [AST_IN_QUERY] = bind_subquery,
    [AST_NEW] = structure,
    [AST_ARRAY] = array,
    [AST_PERIOD] = bind_period,
    [AST_NAMED_ARG] = named_arg,
};

int bind_expr(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    assert(e != NULL && ret != NULL);
    if (e->kind <= AST_STRING && e->kind != AST_PARAM) {
        *ret = literal(b, e);
        return 0;
    }
    binder *f = binders[e->kind];
    if (f == NULL) {
        return bind_err(reterr, e->span, "this cannot stand here");
    }
    if (b->depth >= DEPTH_MAX) {
        return bind_err(reterr, e->span, "the expression is nested too deeply");
    }
    b->depth++;
    int rc = f(b, e, ret, reterr);
    b->depth--;
    return rc;
}
