/* SPDX-License-Identifier: Apache-2.0
 *
 * See budget.h.
 */
#include "ingest/budget.h"

#include <assert.h>

void budget_init(struct budget *b, size_t limit)
{
    assert(limit > 0);
    *b = (struct budget){.limit = limit};
}

bool budget_take(struct budget *b, size_t bytes, size_t held)
{
    assert(b->used <= b->limit);
    bool fits = bytes <= b->limit - b->used;
    /* A first request may be as large as it likes: else nobody could ever send a large one. */
    bool crowded = fits && b->used + bytes > b->limit / 2;
    bool greedy = crowded && held > 0 && held + bytes > b->limit / BUDGET_SHARE;
    if (!fits || greedy) {
        b->refused++;
        return false;
    }
    b->used += bytes;
    b->peak = b->used > b->peak ? b->used : b->peak;
    return true;
}

void budget_give(struct budget *b, size_t bytes)
{
    assert(bytes <= b->used);
    b->used -= bytes;
}
