/* SPDX-License-Identifier: Apache-2.0
 *
 * Implementations of functions and methods: they stand in the tables of fn_*.c. To add one: see
 * operators/sig/fn.h.
 */
#include "operators/expr/fn_impl.h"

fn_run *fn_impl(enum fn_id id)
{
    fn_run *const *const tables[] = {fn_strings, fn_texts, fn_numbers, fn_collections, fn_dates};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (tables[i][id] != NULL) {
            return tables[i][id];
        }
    }
    return NULL;
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
