/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of methods by the static type of what they are called on: enumeration methods of lists,
 * date-time methods of long and of events with timestamps, getters of events (getXyz() is the
 * property xyz), then the methods of strings, maps, lists, numbers.
 */
#include "operators/plan/bind_fn.h"

#include <assert.h>

/* Column for getXyz or isXyz; -1. */
static int getter_column(const struct etype *t, struct slice method)
{
    size_t skip = slice_starts(method, SLICE("get"))  ? 3
                  : slice_starts(method, SLICE("is")) ? 2
                                                      : 0;
    if (skip == 0 || method.len == skip) {
        return -1;
    }
    struct slice as_is = slice_sub(method, skip, method.len);
    int best = -1;
    for (uint32_t i = 0; i < t->n_cols; i++) {
        struct slice name = t->cols[i].name;
        if (slice_eq(name, as_is)) {
            return (int)i;
        }
        bool rest = name.len == as_is.len &&
                    slice_eq(slice_sub(name, 1, name.len), slice_sub(as_is, 1, as_is.len));
        if (rest && slice_eq_nocase(name, as_is)) { /* xyz of getXyz */
            best = (int)i;
        }
    }
    return best;
}

static int getter(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                  struct err *reterr)
{
    int at = seg->n_args == 0 ? getter_column(recv->ty.ev, seg->name) : -1;
    if (at < 0) {
        return 0;
    }
    struct ast_seg plain = {.span = seg->span, .name = recv->ty.ev->cols[at].name};
    int rc = bind_member(b, recv, &plain, ret, reterr);
    return rc == 0 ? 1 : rc;
}

static int pick(struct bind *b, enum fn_kind kind, char letter, struct ex *recv,
                const struct ast_seg *seg, struct ex **ret, struct err *reterr)
{
    if (fn_find(kind, seg->name, NULL) == NULL) {
        return 0;
    }
    if (seg->n_args > FN_ARGS_MAX - 1) {
        return bind_err(reterr, seg->span, "'" SLICE_FMT "' has more than %d arguments",
                        SLICE_ARG(seg->name), FN_ARGS_MAX - 1);
    }
    struct ex *x = ex_new(b, EX_METHOD, TY(NULL), seg->span, seg->n_args + 1);
    x->args[0] = recv;
    int rc = bind_args(b, seg->args, seg->n_args, x, 1, reterr);
    rc = rc == 0 ? bind_fn_pick(b, kind, seg->name, letter, x, 1, reterr) : rc;
    if (rc == 1) {
        *ret = x;
    }
    return rc;
}

static int unknown(struct bind *b, const struct ex *recv, const struct ast_seg *seg,
                   struct err *reterr)
{
    char letter = bind_fn_letter(recv->ty);
    struct slice t = bind_type_text(b, recv->ty), near = SLICE_NONE;
    if (letter == 'L') {
        near = fn_near(FN_ENUM, seg->name, 'L');
    } else if (recv->ty.kind == TY_LONG) {
        near = fn_near(FN_DATE, seg->name, 't');
    }
    near = near.len > 0 ? near : fn_near(FN_METHOD, seg->name, letter);
    if (near.len > 0) {
        return bind_err(reterr, seg->span,
                        "a " SLICE_FMT " has no method '" SLICE_FMT "'; did you mean '" SLICE_FMT
                        "'?",
                        SLICE_ARG(t), SLICE_ARG(seg->name), SLICE_ARG(near));
    }
    if (fn_find(FN_ENUM, seg->name, NULL) != NULL) {
        return bind_err(reterr, seg->span, "'" SLICE_FMT "' is for lists, this is a " SLICE_FMT,
                        SLICE_ARG(seg->name), SLICE_ARG(t));
    }
    if (fn_find(FN_DATE, seg->name, NULL) != NULL) {
        return bind_err(reterr, seg->span,
                        "'" SLICE_FMT
                        "' is for times (long, or events with timestamps), this is a " SLICE_FMT,
                        SLICE_ARG(seg->name), SLICE_ARG(t));
    }
    if (recv->ty.kind == TY_OBJECT && fn_find(FN_METHOD, seg->name, NULL) != NULL) {
        return bind_err(reterr, seg->span, "an object has no method '" SLICE_FMT "': cast it first",
                        SLICE_ARG(seg->name));
    }
    return recv->ty.kind == TY_EVENT
               ? 0
               : bind_err(reterr, seg->span, "a " SLICE_FMT " has no method '" SLICE_FMT "'",
                          SLICE_ARG(t), SLICE_ARG(seg->name));
}

int bind_method(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                struct err *reterr)
{
    assert(seg->is_call);
    struct ty t = recv->ty;
    char letter = bind_fn_letter(t);
    int rc = 0;
    if (t.kind == TY_EVENT) {
        rc = getter(b, recv, seg, ret, reterr);
    } else if (t.kind == TY_LIST) {
        rc = bind_enum(b, recv, seg, ret, reterr);
    }
    bool time = t.kind == TY_LONG || (t.kind == TY_EVENT && t.ev->start_col >= 0);
    if (rc == 0 && time) {
        rc = pick(b, FN_DATE, 't', recv, seg, ret, reterr);
    }
    rc = rc == 0 ? pick(b, FN_METHOD, letter, recv, seg, ret, reterr) : rc;
    if (rc == 0 && t.kind == TY_EVENT &&
        t.ev->kind == ETYPE_ANON) { /* made by new {}: also a map */
        rc = pick(b, FN_METHOD, 'm', recv, seg, ret, reterr);
    }
    return rc == 0 ? unknown(b, recv, seg, reterr) : rc;
}
