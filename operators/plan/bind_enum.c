/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of enumeration methods. A lambda's parameters are slots of the evaluation's array; slots
 * are given back when the method is bound, so that only nested lambdas need more of them.
 */
#include "operators/plan/bind_fn.h"

#include <assert.h>

enum {
    SLOTS = 32,     /* ECTX_LAMBDA_MAX */
    NESTED_MAX = 4, /* each level multiplies the work */
};

static bool is_lambda_letter(char c)
{
    return c == 'P' || c == 'X' || c == 'G';
}

static struct ty elem_of(const struct ex *list)
{
    return list->ty.elem != NULL ? *list->ty.elem : TY(OBJECT);
}

/* The row that takes these arguments, lambdas where it wants them. */
static const struct fn_def *choose(const struct ast_seg *seg)
{
    for (const struct fn_def *f = fn_find(FN_ENUM, seg->name, NULL); f != NULL;
         f = fn_find(FN_ENUM, seg->name, f)) {
        uint32_t low = 0, high = 0;
        fn_arity(f, &low, &high);
        bool fits = seg->n_args == low;
        for (uint32_t i = 0; fits && i < seg->n_args; i++) {
            fits = is_lambda_letter(fn_arg(f, i)) == (seg->args[i]->kind == AST_LAMBDA);
            bool two = fits && i > 0 && is_lambda_letter(fn_arg(f, i)) &&
                       is_lambda_letter(fn_arg(f, i - 1));
            fits &= !two || seg->args[i]->n_names == seg->args[i - 1]->n_names;
        }
        if (fits) {
            return f;
        }
    }
    return NULL;
}

static int bad_call(const struct ast_seg *seg, struct err *reterr)
{
    const struct fn_def *f = fn_find(FN_ENUM, seg->name, NULL);
    uint32_t low = 0, high = 0;
    fn_arity(f, &low, &high);
    const char *how = low == 0                         ? "no argument or a lambda"
                      : fn_arg(f, 0) == 'R'            ? "a start value and (result, x) => value"
                      : low == 2                       ? "two lambdas: x => key, x => value"
                      : is_lambda_letter(fn_arg(f, 0)) ? "a lambda, as in x => x > 1"
                      : fn_arg(f, 0) == 'L'            ? "a list"
                                                       : "a number";
    return bind_err(reterr, seg->span, "'%s' wants %s", f->name, how);
}

static int param(struct bind *b, const struct ast_expr *lambda, uint32_t i, struct ty ty,
                 int8_t *ret_slot, struct err *reterr)
{
    *ret_slot = -1;
    if (i >= lambda->n_names) {
        return 0;
    }
    if (b->lambda_next >= SLOTS) {
        return bind_err(reterr, lambda->span, "lambdas within lambdas have more than %d parameters",
                        SLOTS);
    }
    struct bind_param *p = ARENA_NEW(b->a, struct bind_param);
    *p = (struct bind_param){
        .name = lambda->names[i], .ty = ty, .slot = b->lambda_next, .next = b->scope->params};
    b->scope->params = p;
    *ret_slot = (int8_t)b->lambda_next++;
    return 0;
}

/* Binds the body with the parameters in place. */
static int lambda(struct bind *b, const struct ast_expr *e, char letter, struct ty elem,
                  struct ty acc, struct fn_lambda *ret_slots, struct ex **ret, struct err *reterr)
{
    uint32_t first = letter == 'G' ? 1 : 0;
    if (e->n_names < first + 1 || e->n_names > first + 3) {
        return bind_err(reterr, e->span, "the lambda wants %u to %u parameters, not %u", first + 1,
                        first + 3, e->n_names);
    }
    if (b->lambda_depth >= NESTED_MAX) {
        return bind_err(reterr, e->span, "more than %d lambdas within one another", NESTED_MAX);
    }
    struct bind_param *save = b->scope->params;
    b->lambda_depth++;
    *ret_slots = (struct fn_lambda){.is = true, .acc = -1};
    int rc = first == 1 ? param(b, e, 0, acc, &ret_slots->acc, reterr) : 0;
    rc = rc == 0 ? param(b, e, first, elem, &ret_slots->value, reterr) : rc;
    rc = rc == 0 ? param(b, e, first + 1, TY(INT), &ret_slots->index, reterr) : rc;
    rc = rc == 0 ? param(b, e, first + 2, TY(INT), &ret_slots->size, reterr) : rc;
    if (rc == 0 && letter == 'P') {
        rc = bind_cond(b, e->args[0], "the lambda", ret, reterr);
    } else if (rc == 0) {
        rc = bind_expr(b, e->args[0], ret, reterr);
    }
    b->scope->params = save;
    b->lambda_depth--;
    return rc;
}

static bool alike(struct ty a, struct ty b, bool same_kind)
{
    bool loose =
        a.kind == TY_OBJECT || b.kind == TY_OBJECT || a.kind == TY_NULL || b.kind == TY_NULL;
    return loose || (ty_comparable(a, b) && (!same_kind || a.kind == b.kind));
}

static int plain_arg(struct bind *b, const struct fn_def *f, char letter, const struct ast_expr *e,
                     struct ty list, struct ex **ret, struct err *reterr)
{
    int rc = bind_expr(b, e, ret, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ty t = (*ret)->ty;
    if (letter == 'i' && !ty_is_integer(t)) {
        return bind_err(reterr, e->span, "'%s' wants a whole number", f->name);
    }
    bool may_null = f->id == FN_SEQUENCE_EQUAL;
    if (letter == 'L' && t.kind != TY_LIST && !(may_null && t.kind == TY_NULL)) {
        return bind_err(reterr, e->span, "'%s' wants a list", f->name);
    }
    bool sets = f->id != FN_SEQUENCE_EQUAL; /* the elements are kept, or looked for by equality */
    if (letter == 'L' && t.kind == TY_LIST && t.elem != NULL && list.elem != NULL &&
        !alike(*t.elem, *list.elem, sets)) {
        struct slice x = bind_type_text(b, list), y = bind_type_text(b, t);
        return bind_err(reterr, e->span, "'%s' of a " SLICE_FMT " cannot take a " SLICE_FMT,
                        f->name, SLICE_ARG(x), SLICE_ARG(y));
    }
    if (letter == 'R' && t.kind == TY_NULL) {
        return bind_err(reterr, e->span, "'%s' wants a start value that is not null", f->name);
    }
    return 0;
}

static int want_number(const struct fn_def *f, struct ty t, struct span span, struct err *reterr)
{
    if (ty_is_number(t)) {
        return 0;
    }
    return bind_err(reterr, span, "'%s' wants numbers, not a %s", f->name, ty_name(t.kind));
}

static struct ty sum_type(struct ty t)
{
    return t.kind < TY_INT ? TY(INT) : t;
}

/* The type of the result; `of` is what the last lambda gives, or the element. */
static int result(struct bind *b, const struct fn_def *f, struct ex *x, struct ty elem,
                  struct ty of, struct err *reterr)
{
    bool orders = f->id == FN_MIN || f->id == FN_MAX || f->id == FN_MIN_BY || f->id == FN_MAX_BY ||
                  f->id == FN_ORDER_BY || f->id == FN_ORDER_BY_DESC;
    if (orders && (of.kind == TY_EVENT || of.kind == TY_MAP || of.kind == TY_LIST)) {
        return bind_err(reterr, x->span, "'%s' wants values that have an order", f->name);
    }
    switch (f->sig[0]) {
    case '=': x->ty = x->args[0]->ty; return 0;
    case 'E': x->ty = elem; return 0;
    case 'b': x->ty = TY(BOOL); return 0;
    case 'i': x->ty = TY(INT); return 0;
    case 'd': x->ty = TY(DOUBLE); return want_number(f, of, x->span, reterr);
    case 'U': x->ty = sum_type(of); return want_number(f, of, x->span, reterr);
    case 'B': x->ty = of; return 0;
    case 'Q': x->ty = ty_list(b->a, of); return 0;
    case 'M':
        x->ty = f->id == FN_TO_MAP ? ty_map(b->a, of)
                                   : ty_map(b->a, ty_list(b->a, x->n_args > 2 ? of : elem));
        return 0;
    default: /* A: of the start value */
        x->ty = x->args[1]->ty;
        return bind_convert(b, x->args[2], x->ty, f->name, &x->args[2], reterr);
    }
}

int bind_enum(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
              struct err *reterr)
{
    assert(recv->ty.kind == TY_LIST);
    if (fn_find(FN_ENUM, seg->name, NULL) == NULL) {
        return 0;
    }
    const struct fn_def *f = choose(seg);
    if (f == NULL) {
        return bad_call(seg, reterr);
    }
    struct ty elem = elem_of(recv), of = elem;
    if ((f->flags & FN_SCALAR) != 0 && elem.kind == TY_EVENT) {
        return bind_err(reterr, seg->span, "'%s' of events wants to know by what: x => x.property",
                        f->name);
    }
    struct ex *x = ex_new(b, EX_ENUM, TY(NULL), seg->span, seg->n_args + 1);
    struct fn_lambda *slots = arena_array(b->a, seg->n_args + 1, sizeof *slots);
    uint16_t save = b->lambda_next;
    int rc = 0;
    x->args[0] = recv;
    x->fn = f;
    x->data = slots;
    x->name = slice_str(f->name);
    for (uint32_t i = 0; rc == 0 && i < seg->n_args; i++) {
        char letter = fn_arg(f, i);
        struct ty acc = i > 0 ? x->args[i]->ty : TY(NULL);
        if (is_lambda_letter(letter)) {
            rc = lambda(b, seg->args[i], letter, elem, acc, &slots[i + 1], &x->args[i + 1], reterr);
            of = rc == 0 ? x->args[i + 1]->ty : of;
        } else {
            rc = plain_arg(b, f, letter, seg->args[i], recv->ty, &x->args[i + 1], reterr);
        }
    }
    b->lambda_next = save;
    rc = rc == 0 ? result(b, f, x, elem, of, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    *ret = x;
    return 1;
}
