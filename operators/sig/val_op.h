/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be done with two values, or with one as another: hashing, comparing, converting, text.
 */
#ifndef OPERATORS_SIG_VAL_OP_H
#define OPERATORS_SIG_VAL_OP_H

#include "operators/sig/val_type.h"

struct vheap;

uint64_t val_hash(struct val v); /* equal numbers of any kind hash alike */
/* Same value for grouping and `is`: numbers by value, null is null, NaN is NaN, maps and lists by
 * content, events by reference. */
bool val_same(struct val a, struct val b);
/* -1, 0, 1 for ordering: null lowest, NaN highest, strings by UTF-16 code units. */
int val_cmp(struct val a, struct val b);
double val_to_double(struct val v); /* of a number */
int64_t val_to_long(struct val v);  /* truncates */
/* A number as another kind: widening, narrowing wraps. */
struct val val_as(struct vheap *h, struct val v, enum val_kind kind);
/* As text the way Java's toString gives it: 1.0E10, shortest digits. */
struct vstr *val_text(struct vheap *h, struct val v);
void val_text_to(struct val v, struct buf *out);
/* Shortest digits of a finite number above 0, which is 0.digits * 10^exp; how many there are. */
int val_digits(double d, bool is_float, char ret_digits[24], int *ret_exp);

#endif
