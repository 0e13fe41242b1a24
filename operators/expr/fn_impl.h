/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files that implement functions. An implementation gets its arguments evaluated (a
 * method's receiver first) and none of them null unless its row says FN_NULLS; the receiver never
 * is. What a Java method would throw becomes null.
 */
#ifndef OPERATORS_EXPR_FN_IMPL_H
#define OPERATORS_EXPR_FN_IMPL_H

#include "operators/expr/ectx.h"
#include "operators/sig/fn.h"

struct buf;

struct fn_in {
    const struct ex *e;
    struct ectx *c;
    struct vheap *h;
    const struct dat *v;
    uint32_t n;
};

typedef struct dat fn_run(const struct fn_in *in);

/* One table per file, by fn_id; NULL where another file has it. */
extern fn_run *const fn_strings[FN_COUNT];
extern fn_run *const fn_texts[FN_COUNT];
extern fn_run *const fn_numbers[FN_COUNT];
extern fn_run *const fn_collections[FN_COUNT];
extern fn_run *const fn_dates[FN_COUNT];

static inline struct slice fn_text_of(const struct fn_in *in, uint32_t i)
{
    return vstr_slice(in->v[i].s);
}
static inline struct dat fn_string(const struct fn_in *in, struct slice s)
{
    return dat_str(vstr_new(in->h, s));
}
/* A number as the static type of the call. */
struct dat fn_number(const struct fn_in *in, struct dat v);

/* fn_table.c: NULL if there is none. */
fn_run *fn_impl(enum fn_id id);
/* fn_format.c */
bool fn_format(struct slice format, const struct dat *args, uint32_t n, struct buf *out);
int32_t fn_hash(struct dat v); /* Java's hashCode */
/* fn_string.c */
size_t fn_units(struct slice s); /* UTF-16 units */

#endif
