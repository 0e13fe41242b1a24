/* SPDX-License-Identifier: Apache-2.0
 *
 * Built-in functions that are operations of their own: prev and its kin, prior, coalesce, scalar
 * min and max, typeof, exists, the clock, istream, grouping. To add one: a row in `builtins`.
 */
#include "core/base/buf.h"
#include "operators/epl/epl.h"
#include "operators/plan/bind_impl.h"

#include <assert.h>

typedef int builtin(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                    struct err *reterr);

/* The stream an expression speaks of; -1 if it is none, -2 if several. */
static int stream_of(const struct ex *e)
{
    int found = (e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 ? (int)e->stream : -1;
    for (uint32_t i = 0; i < e->n_args; i++) {
        int s = stream_of(e->args[i]);
        if (s == -2 || (s >= 0 && found >= 0 && s != found)) {
            return -2;
        }
        found = s >= 0 ? s : found;
    }
    return found;
}

static const struct bind_stream *by_num(const struct scope *s, int num)
{
    for (uint32_t i = 0; i < s->n_streams; i++) {
        if (s->streams[i].num == num) {
            return &s->streams[i];
        }
    }
    return NULL;
}

static int wants(const struct ast_seg *seg, uint32_t low, uint32_t high, struct err *reterr)
{
    if (seg->n_args >= low && seg->n_args <= high) {
        return 0;
    }
    return bind_err(reterr, seg->span, "'" SLICE_FMT "' wants %u%s%s arguments, not %u",
                    SLICE_ARG(seg->name), low, high > low ? " or " : "", high > low ? "more" : "",
                    seg->n_args);
}

static struct ex *whole_event(struct bind *b, struct span span)
{
    const struct bind_stream *s = &b->scope->streams[0];
    struct ex *x = ex_new(b, EX_STREAM, ((struct ty){.kind = TY_EVENT, .ev = s->type}), span, 0);
    x->stream = s->num;
    x->of = s->type;
    return x;
}

/* prev(n, x), prev(x, n), prev(x), prevwindow(*): what is wanted, and how far back (NULL: of all).
 */
static int prev_operands(struct bind *b, const struct ast_seg *seg, enum ex_op op,
                         struct ex **ret_value, struct ex **ret_at, struct err *reterr)
{
    bool counted = op == EX_PREV || op == EX_PREV_TAIL;
    *ret_at = counted ? ex_const(b, dat_int(op == EX_PREV ? 1 : 0), TY(INT), seg->span) : NULL;
    if (seg->star) {
        *ret_value = whole_event(b, seg->span);
        return 0;
    }
    int rc = bind_expr(b, seg->args[seg->n_args - 1], ret_value, reterr);
    if (rc != 0 || seg->n_args < 2) {
        return rc;
    }
    rc = bind_expr(b, seg->args[0], ret_at, reterr);
    if (rc == 0 && op != EX_PRIOR && !ty_is_integer((*ret_at)->ty) &&
        ty_is_integer((*ret_value)->ty)) {
        struct ex *swap = *ret_at;
        *ret_at = *ret_value;
        *ret_value = swap;
    }
    return rc;
}

static int prev_refused(const struct ast_seg *seg, enum ex_op op, const struct bind_stream *s,
                        const struct ex *at, struct err *reterr)
{
    if (s == NULL || (at != NULL && !ty_is_integer(at->ty))) {
        return bind_err(reterr, seg->span,
                        "'" SLICE_FMT "' wants a whole number and a property of one stream",
                        SLICE_ARG(seg->name));
    }
    if (op != EX_PRIOR && !s->windowed) {
        return bind_err(reterr, seg->span,
                        "'" SLICE_FMT "' wants a data window on the stream, as in #length(10)",
                        SLICE_ARG(seg->name));
    }
    if (op != EX_PRIOR && s->no_prev) {
        return bind_err(reterr, seg->span,
                        "'" SLICE_FMT
                        "' wants a single data window that has an order, as #length or #time",
                        SLICE_ARG(seg->name));
    }
    if (op == EX_PRIOR && at->op != EX_CONST) {
        return bind_err(reterr, seg->span, "'prior' wants a constant first argument");
    }
    if (op == EX_PRIOR && dat_is_integer(at->k) && at->k.i < 0) {
        return bind_err(reterr, seg->span, "'prior' looks back, not %lld events ahead",
                        -(long long)at->k.i);
    }
    return 0;
}

static struct ty prev_type(struct bind *b, enum ex_op op, struct ty value)
{
    return op == EX_PREV_COUNT ? TY(LONG) : op == EX_PREV_WINDOW ? ty_list(b->a, value) : value;
}

static int bind_prev(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                     struct err *reterr)
{
    uint32_t most = op == EX_PREV_COUNT || op == EX_PREV_WINDOW ? 1 : 2;
    int rc = seg->star ? 0 : wants(seg, op == EX_PRIOR ? 2 : 1, most, reterr);
    if (rc == 0 && (b->scope->n_streams == 0 || !b->scope->allow_prev)) {
        rc = bind_err(reterr, seg->span, "'" SLICE_FMT "' cannot stand here", SLICE_ARG(seg->name));
    }
    struct ex *value = NULL, *at = NULL;
    rc = rc == 0 ? prev_operands(b, seg, op, &value, &at, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    int num = stream_of(value);
    rc = prev_refused(seg, op, by_num(b->scope, num), at, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ex *x = ex_new(b, op, prev_type(b, op, value->ty), seg->span, at != NULL ? 2 : 1);
    x->args[0] = value;
    if (at != NULL) {
        x->args[1] = at;
        x->i = at->op == EX_CONST ? at->k.i : 0;
    }
    x->stream = (uint16_t)num;
    x->subq = b->scope->subq;
    b->uses_prev |= op != EX_PRIOR;
    b->uses_prior |= op == EX_PRIOR;
    *ret = x;
    return 1;
}

static int bind_coalesce(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                         struct err *reterr)
{
    int rc = wants(seg, 2, 64, reterr);
    struct ex *x = ex_new(b, op, TY(NULL), seg->span, seg->n_args);
    rc = rc == 0 ? bind_args(b, seg->args, seg->n_args, x, 0, reterr) : rc;
    struct ty t = TY(NULL);
    for (uint32_t i = 0; rc == 0 && i < seg->n_args; i++) {
        struct ty have = x->args[i]->ty;
        bool number = op == EX_COALESCE || ty_is_number(have) || have.kind == TY_NULL;
        if (!number || !ty_common(t, have, &t)) {
            struct slice text = bind_type_text(b, have);
            rc = bind_err(reterr, x->args[i]->span,
                          "'" SLICE_FMT "' cannot take a " SLICE_FMT " here", SLICE_ARG(seg->name),
                          SLICE_ARG(text));
        }
    }
    for (uint32_t i = 0; rc == 0 && ty_is_number(t) && i < seg->n_args; i++) {
        x->args[i] = bind_number_as(b, x->args[i], t);
    }
    if (rc != 0) {
        return rc;
    }
    x->ty = t;
    *ret = x;
    return 1;
}

static int bind_minmax(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                       struct err *reterr)
{
    bool named = seg->n_args >= 2 && seg->args[1]->kind == AST_NAMED_ARG;
    if (seg->n_args < 2 || seg->distinct || named) {
        return 0; /* the aggregation */
    }
    return bind_coalesce(b, seg, op, ret, reterr);
}

static int bind_now(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                    struct err *reterr)
{
    if (seg->n_args > 0) {
        return wants(seg, 0, 0, reterr);
    }
    *ret = ex_new(b, op, op == EX_NOW ? TY(LONG) : TY(BOOL), seg->span, 0);
    return 1;
}

static int bind_typeof(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                       struct err *reterr)
{
    int rc = wants(seg, 1, 1, reterr);
    struct ex *x = ex_new(b, op, TY(STRING), seg->span, 1);
    rc = rc == 0 ? bind_expr(b, seg->args[0], &x->args[0], reterr) : rc;
    *ret = x;
    return rc == 0 ? 1 : rc;
}

static int bind_exists(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                       struct err *reterr)
{
    int rc = wants(seg, 1, 1, reterr);
    struct ex *of = NULL;
    rc = rc == 0 ? bind_expr(b, seg->args[0], &of, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    struct ex *x = ex_new(b, op, TY(BOOL), seg->span, of->n_args);
    for (uint32_t i = 0; i < of->n_args; i++) {
        x->args[i] = of->args[i];
    }
    x->name = of->op == EX_DYN ? of->name : SLICE_NONE;
    if (of->op != EX_DYN && of->op != EX_KEY && of->op != EX_INDEX && of->op != EX_FIELD) {
        x = ex_const(b, dat_bool(true), TY(BOOL), seg->span);
    }
    *ret = x;
    return 1;
}

static int group_position(struct bind *b, const struct ast_expr *e, struct err *reterr)
{
    struct buf text;
    buf_init(&text, 4096);
    struct ast_expr bare = *e;
    bare.paren = false;
    epl_print_expr(&bare, &text);
    int at = -1;
    for (uint32_t i = 0; i < b->scope->n_group; i++) {
        if (b->scope->group_text != NULL && slice_eq(b->scope->group_text[i], buf_slice(&text))) {
            at = (int)i;
        }
    }
    buf_done(&text);
    return at >= 0 ? at : bind_err(reterr, e->span, "this is not one of the group-by expressions");
}

static int bind_grouping(struct bind *b, const struct ast_seg *seg, enum ex_op op, struct ex **ret,
                         struct err *reterr)
{
    int rc = wants(seg, 1, op == EX_GROUPING ? 1 : 30, reterr);
    uint64_t named = 0;
    for (uint32_t i = 0; rc == 0 && i < seg->n_args; i++) {
        int at = group_position(b, seg->args[i], reterr);
        if (at < 0) {
            return at;
        }
        if ((named & (1ULL << at)) != 0) {
            return bind_err(reterr, seg->args[i]->span, "this stands twice in it");
        }
        named |= 1ULL << at;
    }
    if (rc != 0) {
        return rc;
    }
    struct ex *x = ex_new(b, op, TY(INT), seg->span, seg->n_args);
    for (uint32_t n = 0, at = 0; n < seg->n_args; at++) { /* in the order of `group by` */
        if ((named & (1ULL << at)) != 0) {
            x->args[n++] = ex_const(b, dat_int((int32_t)at), TY(INT), seg->span);
            x->i = at;
        }
    }
    *ret = x;
    return 1;
}

struct builtin_row {
    const char *name;
    builtin *bind;
    enum ex_op op;
    bool bare; /* may stand without parentheses */
};

static const struct builtin_row builtins[] = {
    {"prev", bind_prev, EX_PREV, false},
    {"prevtail", bind_prev, EX_PREV_TAIL, false},
    {"prevcount", bind_prev, EX_PREV_COUNT, false},
    {"prevwindow", bind_prev, EX_PREV_WINDOW, false},
    {"prior", bind_prev, EX_PRIOR, false},
    {"coalesce", bind_coalesce, EX_COALESCE, false},
    {"min", bind_minmax, EX_MIN, false},
    {"max", bind_minmax, EX_MAX, false},
    {"current_timestamp", bind_now, EX_NOW, true},
    {"istream", bind_now, EX_ISTREAM, false},
    {"typeof", bind_typeof, EX_TYPEOF, false},
    {"exists", bind_exists, EX_EXISTS_DYN, false},
    {"grouping", bind_grouping, EX_GROUPING, false},
    {"grouping_id", bind_grouping, EX_GROUPING_ID, false},
};

int bind_builtin(struct bind *b, const struct ast_expr *chain, const struct ast_seg *seg,
                 struct ex **ret, struct err *reterr)
{
    (void)chain;
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        const struct builtin_row *r = &builtins[i];
        if ((seg->is_call || r->bare) && slice_eq_nocase(seg->name, slice_str(r->name))) {
            return r->bind(b, seg, r->op, ret, reterr);
        }
    }
    return 0;
}
