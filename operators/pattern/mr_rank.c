/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of the matches that are complete at the same time are reported: in each partition, of those
 * that begin at the same row one; and `after match skip past last row` drops those that begin
 * within one that is reported.
 */
#include "operators/pattern/mr_impl.h"

#include <assert.h>
#include <stdlib.h>

bool mr_better(const struct mr *m, const struct mr_partial *a, const struct mr_partial *b)
{
    if (a->end != b->end) { /* of withheld ones: the longer */
        return a->end > b->end;
    }
    for (uint16_t i = 0; i < m->plan->n_counts; i++) {
        if (a->count[i] > b->count[i]) {
            return true;
        }
    }
    return false;
}

/* By partition, in the order they were met, then by first row. */
static int order(const struct mr_partial *a, const struct mr_partial *b)
{
    if (a->part->mark != b->part->mark) {
        return a->part->mark < b->part->mark ? -1 : 1;
    }
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* Stable: few of them are out of order. */
static void sort(struct mr_partial **v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct mr_partial *x = v[i];
        size_t at = i;
        for (; at > 0 && order(v[at - 1], x) > 0; at--) {
            v[at] = v[at - 1];
        }
        v[at] = x;
    }
}

void mr_rank(struct mr *m, struct mr_partial **v, size_t *n)
{
    uint32_t parts = 0;
    size_t kept = 0;
    if (*n < 2) {
        return;
    }
    for (size_t i = 0; i < *n; i++) {
        if (v[i]->part->mark == 0) {
            v[i]->part->mark = ++parts;
        }
    }
    sort(v, *n);
    for (size_t i = 0; i < *n;) {
        struct mr_partial *best = v[i++], *last = kept > 0 ? v[kept - 1] : NULL;
        while (i < *n && v[i]->part == best->part && v[i]->begin == best->begin) {
            bool better = mr_better(m, v[i], best);
            mr_partial_free(m, better ? best : v[i]);
            best = better ? v[i] : best;
            i++;
        }
        if (m->plan->skip == SKIP_PAST_LAST && last != NULL && last->part == best->part &&
            best->begin <= last->end) {
            mr_partial_free(m, best);
        } else {
            v[kept++] = best;
        }
    }
    *n = kept;
    for (size_t i = 0; i < kept; i++) {
        v[i]->part->mark = 0;
    }
}
