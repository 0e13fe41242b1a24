/* SPDX-License-Identifier: Apache-2.0
 *
 * like and regexp. A constant pattern of regexp was compiled by the binder; another is compiled
 * when it is used, and a wrong one fails the row.
 */
#include "operators/expr/eval_impl.h"
#include "operators/sig/fn_regex.h"

#include <assert.h>

struct val fn_like(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c), p = ex_eval(e->args[1], c);
    struct val esc = e->n_args > 2 ? ex_eval(e->args[2], c) : VAL_NONE;
    if (val_is_null(v) || p.kind != VAL_STRING) {
        return VAL_NONE;
    }
    struct slice escape = SLICE("\\");
    if (e->n_args > 2) {
        escape = esc.kind == VAL_STRING ? vstr_slice(esc.s) : SLICE_NONE;
    }
    const struct vstr *text = val_text(c->heap, v);
    return val_bool(fn_like_match(vstr_slice(text), vstr_slice(p.s), escape) != e->negated);
}

struct val fn_regexp(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c), p = ex_eval(e->args[1], c);
    if (val_is_null(v) || p.kind != VAL_STRING) {
        return VAL_NONE;
    }
    const struct vstr *text = val_text(c->heap, v);
    if (e->data != NULL) {
        return val_bool(fn_regex_whole(e->data, vstr_slice(text)) != e->negated);
    }
    struct fn_regex *re = NULL;
    struct err err = {0};
    if (fn_regex_new(vstr_slice(p.s), &re, &err) != 0) {
        ectx_fail(c, "%s", err.msg);
        return VAL_NONE;
    }
    bool matches = fn_regex_whole(re, vstr_slice(text));
    fn_regex_free(re);
    return val_bool(matches != e->negated);
}
