/* SPDX-License-Identifier: Apache-2.0
 *
 * One statement whose only state is its pattern or match_recognize, in an engine of its own, to be
 * saved, loaded into another and played on there. Events of A, B and C come by chance; types as in
 * pat_fixture.h. What it put out is text.
 */
#ifndef TESTS_UNIT_OPERATORS_PATTERN_STATE_RIG_H
#define TESTS_UNIT_OPERATORS_PATTERN_STATE_RIG_H

#include "operators/graph/sel.h"
#include "operators/pattern/mr.h"

struct rig {
    struct eng *e;
    struct buf out;
    const struct etype *types[8];
    uint32_t n_types;
};

struct dice {
    uint64_t at;
};
uint32_t dice_roll(struct dice *d, uint32_t n); /* below n */

void rig_open(struct rig *r, const char *text); /* the statement; the schemas stand before it */
void rig_close(struct rig *r);
/* An event or a step of the clock, chosen by the dice. */
void rig_play(struct rig *r, struct dice *d);
struct slice rig_rows(struct rig *r); /* since the rig was opened, or rig_forget */
void rig_forget(struct rig *r);
void rig_save(struct rig *r, struct buf *to);
/* Stops what the statement began by itself and loads; clock and counters are those of `like`. */
int rig_load(struct rig *r, const struct rig *like, struct slice bytes, struct err *reterr);
/* From that statement on by chance, saved and loaded again and again, compared at each step. */
void rig_compare(const char *text, uint32_t seed, uint32_t rounds);
/* Wrong bytes: either they are refused and nothing is left behind, or they can be played on. */
void rig_break(const char *text, uint32_t seed, uint32_t rounds);

#endif
