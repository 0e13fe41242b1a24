/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters of streams. A column compared with a constant or a tag's property goes into the route
 * index under the column's own type, so a value that would have to be narrowed is refused.
 */
#include "operators/plan/bind_impl.h"

static bool is_own_column(const struct ex *e)
{
    return e->op == EX_PROP && e->level == 0 && e->stream == 0;
}

/* A constant, or a property of an earlier tag. */
static bool is_given(const struct ex *e)
{
    switch (e->op) {
    case EX_CONST: return true;
    case EX_FIELD: return is_given(e->args[0]);
    case EX_PROP: return e->level == 0 && e->stream == 1;
    default: return false;
    }
}

static int check_pair(struct bind *b, const struct ex *col, const struct ex *value,
                      struct err *reterr)
{
    if (!is_own_column(col) || !is_given(value) || !ty_is_number(col->ty) ||
        !ty_is_number(value->ty)) {
        return 0;
    }
    if (ty_widens(value->ty, col->ty) || (ty_is_integer(col->ty) && ty_is_integer(value->ty) &&
                                          value->op == EX_CONST && value->ty.kind <= TY_INT)) {
        return 0;
    }
    struct slice c = bind_type_text(b, col->ty), v = bind_type_text(b, value->ty);
    return bind_err(reterr, value->span,
                    "in a filter a " SLICE_FMT " column cannot be compared with a " SLICE_FMT
                    ": move it to where, "
                    "or cast it",
                    SLICE_ARG(c), SLICE_ARG(v));
}

static int check(struct bind *b, const struct ex *e, struct err *reterr)
{
    int rc = 0;
    switch (e->op) {
    case EX_AND:
        for (uint32_t i = 0; rc == 0 && i < e->n_args; i++) {
            rc = check(b, e->args[i], reterr);
        }
        return rc;
    case EX_CMP_I:
    case EX_CMP_D:
        rc = check_pair(b, e->args[0], e->args[1], reterr);
        return rc == 0 ? check_pair(b, e->args[1], e->args[0], reterr) : rc;
    case EX_IN: /* but not ranges: those compare as numbers of the wider type */
        for (uint32_t i = 1; rc == 0 && i < e->n_args; i++) {
            rc = check_pair(b, e->args[0], e->args[i], reterr);
        }
        return rc;
    default: return 0;
    }
}

int bind_filters(struct bind *b, struct ast_expr *const *e, uint32_t n, struct ex **ret,
                 struct err *reterr)
{
    struct ex *all = NULL;
    int rc = bind_all(b, e, n, "a filter", &all, reterr);
    if (rc == 0 && all != NULL) {
        rc = check(b, all, reterr);
    }
    if (rc == 0) {
        *ret = all;
    }
    return rc;
}
