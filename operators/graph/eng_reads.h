/* SPDX-License-Identifier: Apache-2.0
 *
 * Which columns of the events that come from outside rules may look at, so that the others need not
 * be filled (dat_intake_skip). By the words of the modules (operators/epl/whole.h): it may say too
 * many, never too few. What depends on it: events that windows hold, and so saved state, have no
 * value in the others.
 */
#ifndef OPERATORS_GRAPH_ENG_READS_H
#define OPERATORS_GRAPH_ENG_READS_H

#include "operators/sig/etype.h"

struct eng_reads;

struct eng_reads *eng_reads_new(void);
void eng_reads_free(struct eng_reads *r); /* NULL: nothing */
/* A module of the engine; all of them are to be added. */
void eng_reads_add(struct eng_reads *r, struct slice module);
/* A column for each number that is set in `ret` (n_cols of them) may be looked at. */
void eng_reads_columns(const struct eng_reads *r, const struct etype *type, bool *ret);

#endif
