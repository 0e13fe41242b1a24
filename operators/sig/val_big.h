/* SPDX-License-Identifier: Apache-2.0
 *
 * Big integers and decimals: unscaled / 10^scale in 128 bits. What does not fit is an error of the
 * row (the callers return false).
 */
#ifndef OPERATORS_SIG_VAL_BIG_H
#define OPERATORS_SIG_VAL_BIG_H

#include "operators/sig/val.h"

double big_to_double(const struct vbig *b);
int64_t big_to_long(const struct vbig *b);
struct val big_from(struct vheap *h, struct val v,
                    enum val_kind kind); /* a number as BIGINT, BIGDEC */
int big_cmp(struct val a, struct val b); /* numbers of any kind */
/* op: '+', '-', '*', '/', '%'. Null if there is no exact result in 128 bits. */
struct val big_arith(struct vheap *h, char op, struct val a, struct val b, enum val_kind kind);
bool big_parse(struct vheap *h, struct slice text, enum val_kind kind, struct val *ret);
void big_print(const struct vbig *b, struct buf *out);

#endif
