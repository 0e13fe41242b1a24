/* SPDX-License-Identifier: Apache-2.0
 *
 * like and regexp. A constant pattern of regexp was compiled by the binder; another is compiled
 * when it is used, and a wrong one fails the row.
 */
#include "operators/expr/eval_impl.h"
#include "operators/sig/fn_regex.h"

#include <assert.h>

struct dat fn_like(const struct ex *e, struct ectx *c, const struct dat *args)
{
    struct dat v = args[0], p = args[1], esc = e->n_args > 2 ? args[2] : DAT_NONE;
    if (dat_is_null(v) || p.kind != DAT_STRING) {
        return DAT_NONE;
    }
    struct slice escape = SLICE("\\");
    if (e->n_args > 2) {
        escape = esc.kind == DAT_STRING ? vstr_slice(esc.s) : SLICE_NONE;
    }
    const struct vstr *text = dat_text(c->heap, v);
    return dat_bool(fn_like_match(vstr_slice(text), vstr_slice(p.s), escape) != e->negated);
}

struct dat fn_regexp(const struct ex *e, struct ectx *c, const struct dat *args)
{
    struct dat v = args[0], p = args[1];
    if (dat_is_null(v) || p.kind != DAT_STRING) {
        return DAT_NONE;
    }
    const struct vstr *text = dat_text(c->heap, v);
    if (e->data != NULL) {
        return dat_bool(fn_regex_whole(e->data, vstr_slice(text)) != e->negated);
    }
    struct fn_regex *re = NULL;
    struct err err = {0};
    if (fn_regex_new(vstr_slice(p.s), &re, &err) != 0) {
        ectx_fail(c, "%s", err.msg);
        return DAT_NONE;
    }
    bool matches = fn_regex_whole(re, vstr_slice(text));
    fn_regex_free(re);
    return dat_bool(matches != e->negated);
}
