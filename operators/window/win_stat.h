/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums that numbers enter and leave, and what follows from them. Without numbers the sums are
 * exactly 0 again, so that rounding does not pile up for ever.
 */
#ifndef OPERATORS_WINDOW_WIN_STAT_H
#define OPERATORS_WINDOW_WIN_STAT_H

#include <math.h>
#include <stdint.h>

struct win_sums { /* of pairs (x, y); y stays 0 if there is only x */
    int64_t n;
    double x, xx, y, yy, xy;
};

static inline void win_sums_add(struct win_sums *s, double x, double y, int sign)
{
    s->n += sign;
    if (s->n == 0) {
        *s = (struct win_sums){0};
        return;
    }
    s->x += sign * x;
    s->xx += sign * x * x;
    s->y += sign * y;
    s->yy += sign * y * y;
    s->xy += sign * x * y;
}
static inline double win_mean(int64_t n, double sum)
{
    return n == 0 ? NAN : sum / (double)n;
}
static inline double win_squares(int64_t n, double sum, double sum2)
{
    double d = sum2 - sum * sum / (double)n;
    return d < 0 ? 0 : d; /* rounding */
}
/* Of a sample (n - 1), and of all. */
static inline double win_variance(int64_t n, double sum, double sum2)
{
    return n < 2 ? NAN : win_squares(n, sum, sum2) / (double)(n - 1);
}
static inline double win_variance_all(int64_t n, double sum, double sum2)
{
    return n == 0 ? NAN : win_squares(n, sum, sum2) / (double)n;
}

#endif
