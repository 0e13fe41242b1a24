/* SPDX-License-Identifier: Apache-2.0
 *
 * The generator's only source of chance: splitmix64, seeded. Every actor that draws has a stream of
 * its own (rng_fork), so that adding a draw in one place does not change what happens elsewhere.
 * Transcendental functions are avoided where their last bit could differ between C libraries.
 */
#ifndef LOADGEN_RNG_H
#define LOADGEN_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
struct rng rng_fork(struct rng *r, uint64_t salt);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 .. n-1 */
double rng_unit(struct rng *r);                /* [0, 1) */
bool rng_chance(struct rng *r, double p);
/* Around the median, with a long right tail as latencies have: about 1 in 100 is four times it. */
double rng_latency(struct rng *r, double median);

#endif
