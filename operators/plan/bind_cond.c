/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of what gives a boolean, and of case and cast. See bind.h.
 */
#include "operators/plan/bind_impl.h"
#include "operators/sig/fn_cal.h"
#include "operators/sig/fn_parse.h"
#include "operators/sig/fn_regex.h"

#include <assert.h>

int bind_logic(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, e->op == OP_AND ? EX_AND : EX_OR, TY(BOOL), e->span, e->n_args);
    for (uint32_t i = 0; i < e->n_args; i++) {
        int rc = bind_cond(b, e->args[i], e->op == OP_AND ? "'and'" : "'or'", &x->args[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = x;
    return 0;
}

int bind_not(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_NOT, TY(BOOL), e->span, 1);
    int rc = bind_cond(b, e->args[0], "'not'", &x->args[0], reterr);
    if (rc == 0) {
        *ret = x;
    }
    return rc;
}

static int mismatch(struct bind *b, struct span span, const char *op, struct ty l, struct ty r,
                    struct err *reterr)
{
    struct slice x = bind_type_text(b, l), y = bind_type_text(b, r);
    return bind_err(reterr, span, "'%s' cannot compare a " SLICE_FMT " with a " SLICE_FMT, op,
                    SLICE_ARG(x), SLICE_ARG(y));
}

/* Which comparison two types need. */
static enum ex_op compare_op(struct ty l, struct ty r)
{
    if (ty_is_number(l) && ty_is_number(r)) {
        if (l.kind >= TY_BIGINT || r.kind >= TY_BIGINT) {
            return EX_CMP_ANY;
        }
        return ty_is_integer(l) && ty_is_integer(r) ? EX_CMP_I : EX_CMP_D;
    }
    if (l.kind == TY_STRING && r.kind == TY_STRING) {
        return EX_CMP_S;
    }
    return l.kind == TY_BOOL && r.kind == TY_BOOL ? EX_CMP_B : EX_CMP_ANY;
}

int bind_compare(struct bind *b, struct span span, enum ast_op op, struct ex *l, struct ex *r,
                 struct ex **ret, struct err *reterr)
{
    const char *text = ast_op_text(op);
    if (!ty_comparable(l->ty, r->ty)) {
        return mismatch(b, span, text, l->ty, r->ty, reterr);
    }
    bool relational = op >= OP_LT && op <= OP_GE;
    for (int i = 0; relational && i < 2; i++) {
        struct ty t = i == 0 ? l->ty : r->ty;
        if (!ty_is_number(t) && t.kind != TY_STRING && t.kind != TY_NULL) {
            struct slice have = bind_type_text(b, t);
            return bind_err(reterr, span, "'%s' wants numbers or strings, not a " SLICE_FMT, text,
                            SLICE_ARG(have));
        }
    }
    bool is = op == OP_IS || op == OP_IS_NOT;
    struct ex *x = ex_new(b, is ? EX_IS : compare_op(l->ty, r->ty), TY(BOOL), span, 2);
    x->args[0] = l;
    x->args[1] = r;
    x->cmp = op;
    x->negated = op == OP_IS_NOT;
    *ret = x;
    return 0;
}

int bind_between(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    bool range = e->kind == AST_IN_RANGE;
    struct ex *x = ex_new(b, range ? EX_RANGE : EX_BETWEEN, TY(BOOL), e->span, 3);
    int rc = bind_args(b, e->args, 3, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    for (int i = 0; i < 3; i++) {
        struct ty t = x->args[i]->ty;
        if (!ty_comparable(x->args[0]->ty, t)) {
            return mismatch(b, e->span, range ? "in" : "between", x->args[0]->ty, t, reterr);
        }
        if (!ty_is_number(t) && t.kind != TY_STRING && t.kind != TY_NULL) {
            return bind_err(reterr, x->args[i]->span, "a range wants numbers or strings");
        }
    }
    x->negated = e->negated;
    x->low_open = e->low_open;
    x->high_open = e->high_open;
    *ret = x;
    return 0;
}

int bind_in(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_IN, TY(BOOL), e->span, e->n_args);
    int rc = bind_args(b, e->args, e->n_args, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ty left = x->args[0]->ty;
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct ty t = x->args[i]->ty;
        if (t.kind == TY_LIST && left.kind != TY_LIST) {
            t = t.elem != NULL ? *t.elem : TY(OBJECT);
        } else if (t.kind == TY_MAP && left.kind != TY_MAP) {
            t = TY(OBJECT); /* its keys */
        }
        if (!ty_comparable(left, t)) {
            return mismatch(b, x->args[i]->span, "in", left, t, reterr);
        }
    }
    x->negated = e->negated;
    *ret = x;
    return 0;
}

int bind_like(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    bool like = e->kind == AST_LIKE;
    struct ex *x = ex_new(b, like ? EX_LIKE : EX_REGEXP, TY(BOOL), e->span, e->n_args);
    int rc = bind_args(b, e->args, e->n_args, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct ty t = x->args[i]->ty;
        bool fine = t.kind == TY_STRING || (i == 0 && (t.kind == TY_NULL || ty_is_number(t)));
        if (!fine) {
            struct slice have = bind_type_text(b, t);
            return bind_err(reterr, x->args[i]->span, "'%s' wants %s, not a " SLICE_FMT,
                            like ? "like" : "regexp", i == 0 ? "a string or a number" : "a string",
                            SLICE_ARG(have));
        }
    }
    x->negated = e->negated;
    if (!like && x->args[1]->op == EX_CONST && x->args[1]->k.kind == DAT_STRING) {
        const struct fn_regex *re = NULL;
        rc = fn_regex_in(b->a, vstr_slice(x->args[1]->k.s), &re, reterr);
        if (rc != 0) {
            err_span(reterr, x->args[1]->span.line, x->args[1]->span.col, x->args[1]->span.len);
            return rc;
        }
        x->data = re;
    }
    *ret = x;
    return 0;
}

int bind_is_null(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_IS, TY(BOOL), e->span, 2);
    int rc = bind_expr(b, e->args[0], &x->args[0], reterr);
    if (rc != 0) {
        return rc;
    }
    x->args[1] = ex_null(b, e->span);
    x->negated = e->negated;
    *ret = x;
    return 0;
}

/* Position of the i-th result of a case: with a value, args are x, when, then ... */
static bool is_result(uint32_t i, bool value, uint32_t n)
{
    uint32_t k = value ? i - 1 : i;
    uint32_t m = value ? n - 1 : n;
    return k % 2 == 1 || (k == m - 1 && m % 2 == 1);
}

int bind_case(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    bool value = e->kind == AST_CASE_VALUE;
    struct ex *x = ex_new(b, value ? EX_CASE_VALUE : EX_CASE, TY(NULL), e->span, e->n_args);
    int rc = bind_args(b, e->args, e->n_args, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ty t = TY(NULL);
    for (uint32_t i = value ? 1 : 0; i < e->n_args; i++) {
        struct ex *part = x->args[i];
        if (is_result(i, value, e->n_args)) {
            if (!ty_common(t, part->ty, &t)) {
                return mismatch(b, part->span, "case", t, part->ty, reterr);
            }
        } else if (!value && part->ty.kind != TY_BOOL) {
            return bind_err(reterr, part->span, "'when' wants a condition");
        } else if (value && !ty_comparable(x->args[0]->ty, part->ty)) {
            return mismatch(b, part->span, "case", x->args[0]->ty, part->ty, reterr);
        }
    }
    for (uint32_t i = value ? 1 : 0; ty_is_number(t) && i < e->n_args; i++) {
        if (is_result(i, value, e->n_args)) {
            x->args[i] = bind_number_as(b, x->args[i], t);
        }
    }
    x->ty = t;
    *ret = x;
    return 0;
}

static int type_named(struct bind *b, struct slice name, struct span span, struct ty *ret,
                      struct err *reterr)
{
    struct slice base = name;
    bool array = slice_ends(name, SLICE("[]"));
    if (array) {
        base = slice_sub(name, 0, name.len - 2);
    }
    const struct cat_entry *e = cat_type(b->cat, base);
    if (!ty_by_name(base, ret)) {
        if (e == NULL) {
            return bind_err(reterr, span, "there is no type '" SLICE_FMT "'", SLICE_ARG(name));
        }
        *ret = (struct ty){.kind = TY_EVENT, .ev = e->type};
    }
    if (array) {
        *ret = ty_list(b->a, *ret);
    }
    return 0;
}

/* What can be known to be wrong of a cast. */
static int check_cast(struct bind *b, const struct ex *x, struct ty to, struct err *reterr)
{
    const struct ex *of = x->args[0];
    struct ty t = of->ty;
    if ((t.kind == TY_BOOL || t.kind == TY_LIST) && ty_is_number(to)) {
        return bind_err(reterr, of->span, "a %s cannot be cast to a %s", ty_name(t.kind),
                        ty_name(to.kind));
    }
    bool reads = t.kind == TY_STRING || t.kind == TY_NULL || t.kind == TY_OBJECT;
    if (x->n_args > 1 && (reads ? to.kind != TY_LONG : to.kind != TY_STRING)) {
        return bind_err(
            reterr, x->span,
            "with a date format, cast makes a date or long of a string, or a string of a date");
    }
    struct slice text =
        of->op == EX_CONST && t.kind == TY_STRING ? vstr_slice(of->k.s) : SLICE_NONE;
    struct dat v = DAT_NONE;
    int64_t ms = 0;
    if (text.ptr != NULL && x->n_args > 1 && x->args[1]->op == EX_CONST) {
        struct slice format = vstr_slice(x->args[1]->k.s);
        return fn_cal_parse(text, format, 0, &ms)
                   ? 0
                   : bind_err(reterr, of->span,
                              "'" SLICE_FMT "' is no date of the format '" SLICE_FMT "'",
                              SLICE_ARG(text), SLICE_ARG(format));
    }
    if (text.ptr == NULL || x->n_args > 1 || !(ty_is_number(to) || to.kind == TY_BOOL) ||
        fn_parse_as(b->heap, text, to.kind, &v)) {
        return 0;
    }
    return bind_err(reterr, of->span, "'" SLICE_FMT "' is no %s", SLICE_ARG(text),
                    ty_name(to.kind));
}

/* dateformat: 'pattern' */
static int cast_format(struct bind *b, const struct ast_expr *arg, struct ex **ret,
                       struct err *reterr)
{
    bool named = arg->kind == AST_NAMED_ARG;
    if (named && !slice_eq_nocase(arg->text, SLICE("dateformat"))) {
        return bind_err(reterr, arg->span, "cast knows only 'dateformat:'");
    }
    int rc = bind_expr(b, named ? arg->args[0] : arg, ret, reterr);
    if (rc != 0) {
        return rc;
    }
    if ((*ret)->ty.kind != TY_STRING) {
        return bind_err(reterr, arg->span, "a date format is a string");
    }
    if ((*ret)->op == EX_CONST) {
        rc = fn_cal_pattern(vstr_slice((*ret)->k.s), reterr);
        if (rc != 0) {
            err_span(reterr, arg->span.line, arg->span.col, arg->span.len);
        }
    }
    return rc;
}

int bind_cast(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ty to = TY(NULL);
    struct ex *x = ex_new(b, EX_CAST, to, e->span, e->n_args);
    int rc = bind_args(b, e->args, 1, x, 0, reterr);
    rc = rc == 0 && e->n_args > 1 ? cast_format(b, e->args[1], &x->args[1], reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    static const char *const dates[] = {
        "date",          "java.util.Date", "calendar",     "java.util.Calendar",
        "localdatetime", "localdate",      "zoneddatetime"};
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        if (slice_eq_nocase(e->text, slice_str(dates[i]))) {
            to = TY(LONG);
        }
    }
    if (to.kind == TY_NULL) {
        rc = type_named(b, e->text, e->span, &to, reterr);
    }
    rc = rc == 0 ? check_cast(b, x, to, reterr) : rc;
    if (rc == 0) {
        x->ty = to;
        *ret = x;
    }
    return rc;
}

/* The class above those of numbers: each of them, where whether something is one is asked. */
static uint32_t any_number(struct ty *types)
{
    uint32_t n = 0;
    for (int kind = TY_BYTE; kind <= TY_BIGDEC; kind++) {
        types[n++].kind = (uint8_t)kind;
    }
    return n;
}

int bind_instanceof(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct ex *x = ex_new(b, EX_INSTANCEOF, TY(BOOL), e->span, 1);
    int rc = bind_expr(b, e->args[0], &x->args[0], reterr);
    uint32_t n = 0, most = e->n_names * (TY_BIGDEC - TY_BYTE + 1);
    struct ty *types = arena_array(b->a, most + 1, sizeof *types);
    for (uint32_t i = 0; rc == 0 && i < e->n_names; i++) {
        if (slice_eq(e->names[i], SLICE("java.lang.Number"))) {
            n += any_number(&types[n]);
        } else {
            rc = type_named(b, e->names[i], e->span, &types[n++], reterr);
        }
    }
    if (rc == 0) {
        x->data = types;
        x->i = n;
        *ret = x;
    }
    return rc;
}

int bind_quant(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    if (e->select != NULL) {
        return bind_subquery(b, e, ret, reterr);
    }
    struct ex *x = ex_new(b, EX_QUANT, TY(BOOL), e->span, e->n_args);
    int rc = bind_args(b, e->args, e->n_args, x, 0, reterr);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct ty t = x->args[i]->ty;
        if (t.kind == TY_LIST) {
            t = t.elem != NULL ? *t.elem : TY(OBJECT);
        }
        if (!ty_comparable(x->args[0]->ty, t)) {
            return mismatch(b, x->args[i]->span, ast_op_text(e->op), x->args[0]->ty, t, reterr);
        }
    }
    x->cmp = e->op;
    x->all = e->quant == 1;
    *ret = x;
    return 0;
}

int bind_subquery(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct scope *s = b->scope;
    while (s != NULL && s->subquery == NULL) {
        s = s->outer;
    }
    if (s == NULL) {
        return bind_err(reterr, e->span, "a subquery cannot stand here");
    }
    return s->subquery(b, b->scope, e, ret, s->subquery_arg, reterr);
}
