/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be done with two values, or with one as another: hashing, comparing, converting, text.
 */
#ifndef OPERATORS_SIG_DAT_OP_H
#define OPERATORS_SIG_DAT_OP_H

#include "operators/sig/dat_type.h"

struct vheap;

uint64_t dat_hash(struct dat v); /* equal numbers of any kind hash alike */
/* Same value for grouping and `is`: numbers by value, null is null, NaN is NaN, maps and lists by
 * content, events by reference. */
bool dat_same(struct dat a, struct dat b);
/* -1, 0, 1 for ordering: null lowest, NaN highest, strings by UTF-16 code units. */
int dat_cmp(struct dat a, struct dat b);
double dat_to_double(struct dat v); /* of a number */
int64_t dat_to_long(struct dat v);  /* truncates */
/* A number as another kind: widening, narrowing wraps. */
struct dat dat_as(struct vheap *h, struct dat v, enum dat_kind kind);
/* As text the way Java's toString gives it: 1.0E10, shortest digits. */
struct vstr *dat_text(struct vheap *h, struct dat v);
void dat_text_to(struct dat v, struct buf *out);
/* Shortest digits of a finite number above 0, which is 0.digits * 10^exp; how many there are. */
int dat_digits(double d, bool is_float, char ret_digits[24], int *ret_exp);

#endif
