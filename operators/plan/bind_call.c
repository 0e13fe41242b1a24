/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of functions with a class before them, and the choice of a row of fn.def by the types of
 * the arguments, which methods share. What can be known early is checked here: names of calendar
 * fields, date patterns, regular expressions.
 */
#include "core/base/buf.h"
#include "operators/plan/bind_fn.h"
#include "operators/sig/fn_cal.h"
#include "operators/sig/fn_regex.h"

#include <assert.h>
#include <math.h>

char bind_fn_letter(struct ty t)
{
    if (ty_is_number(t)) {
        return 'n';
    }
    switch (t.kind) {
    case TY_STRING: return 's';
    case TY_MAP: return 'm';
    case TY_LIST: return 'L';
    case TY_EVENT: return 'e';
    case TY_BOOL: return 'b';
    case TY_CHAR: return 'c';
    default: return 'o';
    }
}

static bool is_time(struct ty t)
{
    return t.kind == TY_LONG || (t.kind == TY_EVENT && t.ev->start_col >= 0);
}

static bool takes(char letter, const struct ex *arg)
{
    struct ty t = arg->ty;
    if (t.kind == TY_NULL) {
        return letter != 'k' && letter != 'y' && letter != 't' && letter != 'p';
    }
    switch (letter) {
    case 'b': return t.kind == TY_BOOL;
    case 'c': return t.kind == TY_CHAR;
    case 'i': return (ty_is_integer(t) && t.kind <= TY_INT) || t.kind == TY_CHAR;
    case 'l': return ty_is_integer(t);
    case 'F': return t.kind == TY_FLOAT;
    case 'f': return ty_is_number(t) && t.kind <= TY_FLOAT;
    case 'd': return ty_is_number(t) && t.kind <= TY_DOUBLE;
    case 'n': return ty_is_number(t);
    case 's':
    case 'k':
    case 'y':
    case 'x': return t.kind == TY_STRING;
    case 'm': return t.kind == TY_MAP;
    case 'L': return t.kind == TY_LIST;
    case 't': return is_time(t);
    case 'p': return ty_is_number(t);
    default: return true;
    }
}

static const char *word(char letter)
{
    static const char *const words[] = {
        ['b'] = "boolean",    ['c'] = "char",   ['i'] = "int",
        ['l'] = "long",       ['f'] = "float",  ['F'] = "float",
        ['d'] = "double",     ['n'] = "number", ['s'] = "string",
        ['m'] = "map",        ['L'] = "list",   ['t'] = "time",
        ['p'] = "period",     ['k'] = "field",  ['y'] = "pattern",
        ['o'] = "any",        ['x'] = "regexp", ['P'] = "x => condition",
        ['X'] = "x => value", ['R'] = "start",  ['G'] = "(result, x) => value",
    };
    const char *w = (size_t)letter < ARRAY_LEN(words) ? words[(size_t)letter] : NULL;
    return w != NULL ? w : "any";
}

/* "substring(int) or substring(int, int)" */
static void ways(enum fn_kind kind, struct slice name, char recv, struct buf *out)
{
    bool more = false;
    for (const struct fn_def *f = fn_find(kind, name, NULL); f != NULL;
         f = fn_find(kind, name, f)) {
        uint32_t low = 0, high = 0;
        if (recv != 0 && strchr(f->recv, recv) == NULL) {
            continue;
        }
        fn_arity(f, &low, &high);
        bool repeats = high > low;
        (void)buf_addf(out, "%s%s(", more ? " or " : "", f->name);
        for (uint32_t i = 0; i < low + (repeats ? 1 : 0); i++) {
            (void)buf_addf(out, "%s%s", i > 0 ? ", " : "", word(fn_arg(f, i)));
        }
        (void)buf_add_str(out, repeats ? " ...)" : ")");
        more = true;
    }
}

static int no_fit(enum fn_kind kind, struct slice name, char recv, const struct ex *x, uint32_t at,
                  struct bind *b, struct err *reterr)
{
    struct buf have, text;
    buf_init(&text, 160);
    buf_init(&have, 100);
    ways(kind, name, recv, &text);
    for (uint32_t i = at; i < x->n_args; i++) {
        struct slice t = bind_type_text(b, x->args[i]->ty);
        (void)buf_addf(&have, "%s" SLICE_FMT, i > at ? ", " : "", SLICE_ARG(t));
    }
    int rc = bind_err(reterr, x->span, "no '" SLICE_FMT "' takes (%s); there is %s",
                      SLICE_ARG(name), buf_cstr(&have), buf_cstr(&text));
    buf_done(&text);
    buf_done(&have);
    return rc;
}

/* Common type of the numbers among the arguments. */
static struct ty common(const struct ex *x, uint32_t at)
{
    struct ty t = TY(INT);
    for (uint32_t i = at; i < x->n_args; i++) {
        if (ty_is_number(x->args[i]->ty)) {
            t = i == at ? x->args[i]->ty : ty_arith(t, x->args[i]->ty);
        }
    }
    return t.kind < TY_INT ? TY(INT) : t;
}

static struct ty over(const struct ty *elem)
{
    return elem != NULL ? *elem : TY(OBJECT);
}

static struct ty result(struct bind *b, const struct fn_def *f, const struct ex *x, uint32_t at)
{
    static const enum ty_kind kinds[] = {
        ['b'] = TY_BOOL,   ['c'] = TY_CHAR,   ['i'] = TY_INT,    ['l'] = TY_LONG,
        ['f'] = TY_FLOAT,  ['d'] = TY_DOUBLE, ['s'] = TY_STRING, ['m'] = TY_MAP,
        ['o'] = TY_OBJECT, ['D'] = TY_BIGDEC, ['I'] = TY_BIGINT,
    };
    char letter = f->sig[0];
    switch (letter) {
    case 'N': return common(x, at);
    case 'E':
    case 'V': return over(x->args[0]->ty.elem);
    case 'S': return ty_list(b->a, TY(STRING));
    case 'L': return f->id == FN_KEY_SET ? ty_list(b->a, TY(STRING)) : ty_list(b->a, TY(OBJECT));
    default:
        assert((size_t)letter < ARRAY_LEN(kinds));
        return (struct ty){.kind = kinds[(size_t)letter]};
    }
}

static int check_regexp(struct bind *b, struct ex *x, const struct ex *arg, struct err *reterr)
{
    const struct fn_regex *re = NULL;
    if (arg->op != EX_CONST || arg->k.kind != DAT_STRING) {
        return 0; /* compiled when it is known */
    }
    int rc = fn_regex_in(b->a, vstr_slice(arg->k.s), &re, reterr);
    if (rc != 0) {
        err_span(reterr, arg->span.line, arg->span.col, arg->span.len);
        return rc;
    }
    x->data = re;
    return 0;
}

/* What a constant argument must be. */
static int check_constants(struct bind *b, const struct fn_def *f, struct ex *x, uint32_t at,
                           struct err *reterr)
{
    for (uint32_t i = at; i < x->n_args; i++) {
        char letter = fn_arg(f, i - at);
        struct ex *arg = x->args[i];
        if (letter == 'x') {
            int rc = check_regexp(b, x, arg, reterr);
            if (rc != 0) {
                return rc;
            }
        }
        if (letter != 'k' && letter != 'y') {
            continue;
        }
        if (arg->op != EX_CONST) {
            return bind_err(reterr, arg->span, "'%s' wants a constant here", f->name);
        }
        struct slice text = vstr_slice(arg->k.s);
        if (letter == 'k') {
            x->i = fn_cal_field(text);
            if (x->i == FIELD_NONE) {
                return bind_err(reterr, arg->span,
                                "'" SLICE_FMT
                                "' is no calendar field; there are msec sec min hour day "
                                "week month year",
                                SLICE_ARG(text));
            }
        } else {
            int rc = slice_eq_nocase(text, SLICE("iso"))
                         ? bind_err(reterr, arg->span, "'iso' is a format for reading only")
                         : fn_cal_pattern(text, reterr);
            if (rc != 0) {
                err_span(reterr, arg->span.line, arg->span.col, arg->span.len);
                return rc;
            }
        }
    }
    return 0;
}

static bool fits(const struct fn_def *f, const struct ex *x, uint32_t at)
{
    uint32_t low = 0, high = 0, n = x->n_args - at;
    fn_arity(f, &low, &high);
    if (n < low || n > high) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        bool null = f->kind == FN_DATE && x->args[at + i]->ty.kind == TY_NULL;
        if (null || !takes(fn_arg(f, i), x->args[at + i])) {
            return false;
        }
    }
    return true;
}

int bind_fn_pick(struct bind *b, enum fn_kind kind, struct slice name, char recv, struct ex *x,
                 uint32_t at, struct err *reterr)
{
    bool known = false;
    for (const struct fn_def *f = fn_find(kind, name, NULL); f != NULL;
         f = fn_find(kind, name, f)) {
        if (recv != 0 && strchr(f->recv, recv) == NULL) {
            continue;
        }
        known = true;
        if (!fits(f, x, at)) {
            continue;
        }
        int rc = check_constants(b, f, x, at, reterr);
        if (rc != 0) {
            return rc;
        }
        x->fn = f;
        x->name = slice_str(f->name);
        x->ty = result(b, f, x, at);
        return 1;
    }
    return known ? no_fit(kind, name, recv, x, at, b, reterr) : 0;
}

static bool has_dot(struct slice name)
{
    return slice_find(name, '.') < name.len;
}

/* A class that has functions, but none of that name. */
static int unknown_of_class(struct slice name, struct span span, struct err *reterr)
{
    struct slice near = fn_near(FN_STATIC, name, 0);
    struct slice plain = fn_plain_name(name);
    if (near.len > 0) {
        return bind_err(reterr, span,
                        "there is no function '" SLICE_FMT "'; did you mean '" SLICE_FMT "'?",
                        SLICE_ARG(name), SLICE_ARG(near));
    }
    struct slice of = slice_sub(plain, 0, slice_find(plain, '.') + 1);
    for (uint32_t i = 0; i < fn_n_defs; i++) {
        if (fn_defs[i].kind == FN_STATIC && slice_starts(slice_str(fn_defs[i].name), of)) {
            return bind_err(reterr, span, "there is no function '" SLICE_FMT "'", SLICE_ARG(name));
        }
    }
    return 0;
}

int bind_function(struct bind *b, struct slice name, const struct ast_seg *seg, struct span span,
                  struct ex **ret, struct err *reterr)
{
    if (fn_find(FN_STATIC, name, NULL) == NULL) {
        return has_dot(name) ? unknown_of_class(name, span, reterr) : 0;
    }
    if (seg->n_args > FN_ARGS_MAX - 1) {
        return bind_err(reterr, span, "'" SLICE_FMT "' has more than %d arguments", SLICE_ARG(name),
                        FN_ARGS_MAX - 1);
    }
    struct ex *x = ex_new(b, EX_CALL, TY(NULL), span, seg->n_args);
    int rc = bind_args(b, seg->args, seg->n_args, x, 0, reterr);
    if (rc == 0) {
        rc = bind_fn_pick(b, FN_STATIC, name, 0, x, 0, reterr);
    }
    if (rc == 1) {
        *ret = x;
    }
    return rc;
}

struct constant {
    const char *name;
    enum ty_kind kind;
    int64_t i;
    double d;
};

static const struct constant constants[] = {
    {"Integer.MAX_VALUE", TY_INT, INT32_MAX, 0},
    {"Integer.MIN_VALUE", TY_INT, INT32_MIN, 0},
    {"Long.MAX_VALUE", TY_LONG, INT64_MAX, 0},
    {"Long.MIN_VALUE", TY_LONG, INT64_MIN, 0},
    {"Double.MAX_VALUE", TY_DOUBLE, 0, 1.7976931348623157e308},
    {"Double.MIN_VALUE", TY_DOUBLE, 0, 4.9406564584124654e-324},
    {"Double.NaN", TY_DOUBLE, 0, (double)NAN},
    {"Double.POSITIVE_INFINITY", TY_DOUBLE, 0, (double)INFINITY},
    {"Double.NEGATIVE_INFINITY", TY_DOUBLE, 0, -(double)INFINITY},
    {"Math.PI", TY_DOUBLE, 0, 3.141592653589793},
    {"Math.E", TY_DOUBLE, 0, 2.718281828459045},
};

int bind_constant(struct bind *b, struct slice name, struct span span, struct ex **ret)
{
    struct slice plain = fn_plain_name(name);
    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        const struct constant *c = &constants[i];
        if (!slice_eq(plain, slice_str(c->name))) {
            continue;
        }
        struct dat v = c->kind == TY_INT    ? dat_int((int32_t)c->i)
                       : c->kind == TY_LONG ? dat_long(c->i)
                                            : dat_double(c->d);
        *ret = ex_const(b, v, ((struct ty){.kind = c->kind}), span);
        return 1;
    }
    return 0;
}
