/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of functions and methods: arguments are evaluated into an array, then the implementation
 * runs. Which it is stands in the tables of fn_*.c. To add one: see operators/sig/fn.h.
 */
#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"

#include <assert.h>

static fn_run *find(enum fn_id id)
{
    fn_run *const *const tables[] = {fn_strings, fn_texts, fn_numbers, fn_collections, fn_dates};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (tables[i][id] != NULL) {
            return tables[i][id];
        }
    }
    return NULL;
}

static struct dat call(const struct ex *e, struct ectx *c, bool method)
{
    struct dat v[FN_ARGS_MAX];
    assert(e->fn != NULL && e->n_args <= FN_ARGS_MAX);
    for (uint32_t i = 0; i < e->n_args; i++) {
        v[i] = ex_eval(e->args[i], c);
        bool may = (e->fn->flags & FN_NULLS) != 0 && !(method && i == 0);
        if (dat_is_null(v[i]) && !may) {
            return DAT_NONE;
        }
    }
    struct fn_in in = {.e = e, .c = c, .h = c->heap, .v = v, .n = e->n_args};
    fn_run *run = find(e->fn->id);
    assert(run != NULL && "every row of fn.def has an implementation");
    /* The result is a value, not a pointer into `in`. */
    /* cppcheck-suppress returnDanglingLifetime */
    return run(&in);
}

struct dat fn_call(const struct ex *e, struct ectx *c)
{
    return call(e, c, false);
}

struct dat fn_method(const struct ex *e, struct ectx *c)
{
    return call(e, c, true);
}

struct dat fn_number(const struct fn_in *in, struct dat v)
{
    static const uint8_t kinds[] = {
        [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
        [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
        [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
    };
    if (!dat_is_number(v) || !ty_is_number(in->e->ty)) {
        return v;
    }
    return dat_as(in->h, v, kinds[in->e->ty.kind]);
}
