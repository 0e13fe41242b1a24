/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs that do not concern a task's rules: they move its clock and its positions, and nothing
 * else, so they are taken by the record instead of one by one. What comes out is the same to the
 * last bit: where a timer is due, a letter is to be written or the rules want to look, the input is
 * taken as any other.
 */
#include "core/base/clock.h"
#include "operators/graph/eng_wants.h"
#include "operators/shard/task_impl.h"

#include <assert.h>

void task_party(struct task *t, uint64_t party, size_t version)
{
    t->party = party;
    t->party_version = version;
}

/* In replay: inputs up to what was decided next. */
static uint32_t room(const struct task *t, uint32_t max)
{
    const struct journal_record *r = t->replay;
    uint64_t to = r != NULL ? r->takes : UINT64_MAX, at = merge_takes(t->merge);
    if (r != NULL && t->at_decision < r->n_decisions) {
        to = MIN(to, r->decisions[t->at_decision].take);
    }
    return to <= at ? 0 : (uint32_t)MIN(to - at, (uint64_t)max);
}

uint32_t task_pass(struct task *t, uint32_t max)
{
    if (t->party == 0 || !t->started || t->party_version != eng_wants_version(t->eng) ||
        !eng_is_still(t->eng)) {
        return 0;
    }
    const struct merge_bounds b = {.party = t->party,
                                   .before = task_due(t),
                                   .max = room(t, max),
                                   .none_late = t->plan->late != TASK_LATE_ADMIT};
    uint64_t late = 0;
    uint32_t n = b.max > 0 ? merge_pass(t->merge, &b, &late) : 0;
    if (n > 0) {
        t->counts.taken += n;
        t->counts.events += n;
        t->counts.late += late;
        t->behind = true;
        t->passed = merge_clock(t->merge);
    }
    return n;
}

void task_catch_up(struct task *t)
{
    if (t->behind) {
        assert(t->passed == merge_clock(t->merge));
        task_hop(t, t->passed);
    }
}
