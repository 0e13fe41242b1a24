/* SPDX-License-Identifier: Apache-2.0
 *
 * Time between two inputs that is long, as behind a first input of 1970: every timer of it fires,
 * for the clock never jumps over one. These are fired like those of a silence, as ticks, some at a
 * time: so the slot serves others meanwhile and commits, and who begins again goes on in the middle
 * of it. What comes out is the same as if the input had fired them all.
 */
#include "core/base/clock.h"
#include "operators/shard/task_impl.h"

#define FAR_NS (60 * CLOCK_NS_PER_S) /* below, the input does: few timers lie in so much */
enum { TICKS_MAX = 4096 };           /* of a record, which has to fit */

static bool is_far(int64_t from, int64_t to)
{
    return to > from && (uint64_t)to - (uint64_t)from >= (uint64_t)FAR_NS;
}

bool task_is_full(const struct task *t)
{
    return emit_total(t->emit) - t->put_from >= TASK_PUT_MAX || t->decisions.len >= TICKS_MAX;
}

uint32_t task_approach(struct task *t, int64_t clock, uint32_t max)
{
    int64_t at = merge_clock(t->merge), due = task_due(t);
    uint32_t n = 0;
    if (t->replay != NULL || !t->started || due >= clock || !is_far(at, clock)) {
        return 0;
    }
    task_input_begin(t, (struct eref){0, 0});
    for (; n < max && due < clock && !task_is_full(t); n++, due = task_due(t)) {
        at = MAX(due, at);
        task_hop(t, at);
    }
    task_input_end(t);
    if (n > 0) {
        merge_hop(t->merge, at);
        *VEC_PUSH(&t->decisions) = (struct journal_decision){
            .kind = JOURNAL_TICK, .take = merge_takes(t->merge), .time = at};
    }
    t->spanned = t->span_to == clock ? t->spanned + n : n;
    t->span_to = clock;
    return n;
}

uint32_t task_approach_next(struct task *t, uint32_t max)
{
    int64_t clock;
    if (!merge_peek_clock(t->merge, &clock) || !is_far(merge_clock(t->merge), clock)) {
        return 0;
    }
    return task_approach(t, clock, max);
}

struct task_span task_span(const struct task *t)
{
    bool spans = t->spanned > 0 && t->span_to > merge_clock(t->merge);
    return spans ? (struct task_span){t->spanned, t->span_to} : (struct task_span){0};
}
