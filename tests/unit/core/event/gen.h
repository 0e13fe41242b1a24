/* SPDX-License-Identifier: Apache-2.0
 *
 * Random events for property tests, the cross-checks against other implementations and the
 * benchmark. A seed gives the same events always; everything lives in the arena given.
 */
#ifndef TESTS_UNIT_CORE_EVENT_GEN_H
#define TESTS_UNIT_CORE_EVENT_GEN_H

#include "core/event/rec.h"

struct gen {
    uint64_t state;
    struct arena *arena;
    bool bad_utf8; /* let some strings be no UTF-8 */
    bool no_nul;   /* let no string hold a NUL byte */
    bool no_bytes; /* make no value of type bytes */
};

void gen_init(struct gen *g, uint64_t seed, struct arena *a);
uint64_t gen_u64(struct gen *g);
uint32_t gen_below(struct gen *g, uint32_t n);
/* Numbers of every size, with the edges often. */
int64_t gen_int(struct gen *g);
double gen_double(struct gen *g); /* NaNs, the stale marker, infinities, -0, integral ones */
struct slice gen_text(struct gen *g, uint32_t max_len);
struct slice gen_blob(struct gen *g, uint32_t max_len);
struct val gen_val(struct gen *g, unsigned depth);
const struct val_pair *gen_pairs(struct gen *g, uint32_t len, unsigned depth);
struct rec_context *gen_context(struct gen *g);
void gen_rec(struct gen *g, const struct rec_context *context, struct rec *ret);
/* A batch whose events share `contexts` contexts. */
void gen_batch(struct gen *g, uint32_t contexts, uint32_t events, struct rec_batch *ret);

#endif
