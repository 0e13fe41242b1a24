/* SPDX-License-Identifier: Apache-2.0
 *
 * See rng.h.
 */
#include "loadgen/rng.h"

#include <assert.h>

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct rng rng_fork(struct rng *r, uint64_t salt)
{
    return (struct rng){rng_next(r) ^ salt * UINT64_C(0xd1342543de82ef95)};
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    assert(n > 0);
    return (uint64_t)((unsigned __int128)rng_next(r) * n >> 64);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

bool rng_chance(struct rng *r, double p)
{
    return rng_unit(r) < p;
}

double rng_latency(struct rng *r, double median)
{
    /* u / (1 - u) of a uniform u is log-logistic: median 1. Its cube-root-like power without pow():
     * a mix of a narrow body and a rational tail. */
    double u = rng_unit(r);
    double body = 0.6 + 0.8 * u;
    double tail = u > 0.9 ? 0.25 * (u - 0.9) / (1.0025 - u) : 0;
    return median * (body + tail);
}
