/* SPDX-License-Identifier: Apache-2.0
 *
 * Big integers and decimals: unscaled / 10^scale in 128 bits. What does not fit is an error of the
 * row (the callers return false).
 */
#ifndef OPERATORS_SIG_DAT_BIG_H
#define OPERATORS_SIG_DAT_BIG_H

#include "operators/sig/dat.h"

double big_to_double(const struct vbig *b);
int64_t big_to_long(const struct vbig *b);
struct dat big_from(struct vheap *h, struct dat v,
                    enum dat_kind kind); /* a number as BIGINT, BIGDEC */
int big_cmp(struct dat a, struct dat b); /* numbers of any kind */
/* op: '+', '-', '*', '/', '%'. Null if there is no exact result in 128 bits. */
struct dat big_arith(struct vheap *h, char op, struct dat a, struct dat b, enum dat_kind kind);
bool big_parse(struct vheap *h, struct slice text, enum dat_kind kind, struct dat *ret);
void big_print(const struct vbig *b, struct buf *out);

#endif
