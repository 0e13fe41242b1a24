/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text, as strict as Java's parse methods: no blanks within integers, blanks around
 * floating numbers only.
 */
#ifndef OPERATORS_SIG_FN_PARSE_H
#define OPERATORS_SIG_FN_PARSE_H

#include "operators/sig/dat.h"

bool fn_parse_int(struct slice s, int base, int64_t low, int64_t high, int64_t *ret);
bool fn_parse_double(struct slice s, double *ret);
/* Text as a number of that kind, or a boolean, as cast does it: blanks around it are skipped, a
 * long may end in L. */
bool fn_parse_as(struct vheap *h, struct slice text, enum ty_kind to, struct dat *ret);

#endif
