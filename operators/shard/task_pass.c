/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs that do not concern a task's rules: they move its clock and its positions, and nothing
 * else, so they are taken by the record instead of one by one. What comes out is the same to the
 * last bit: where a timer is due, a letter is to be written or the rules want to look, the input is
 * taken as any other.
 *
 * A task whose rules nothing concerned so far does not even have them: it *sleeps*. When they are
 * deployed later, the engine's clock says what it did when they began, and as no timer was set
 * nothing can tell. Whether it sleeps follows from plan and inputs alone, so replay does the same.
 */
#include "core/base/clock.h"
#include "operators/graph/eng_wants.h"
#include "operators/shard/probe.h"
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

/* What the party knows is all that the rules want. */
static bool is_told(const struct task *t)
{
    size_t version = t->asleep ? t->plan->wants->version : eng_wants_version(t->eng);
    return t->party != 0 && t->started && t->party_version == version && eng_is_still(t->eng);
}

static void passed(struct task *t, uint64_t n, uint64_t late)
{
    t->counts.taken += n;
    t->counts.events += n;
    t->counts.late += late;
    t->behind = true;
    t->passed = merge_clock(t->merge);
}

bool task_pass_record(struct task *t, uint32_t sub, const struct merge_piece *p)
{
    uint64_t late = 0;
    if (p->n_wants > 0 || t->replay != NULL || !is_told(t)) {
        return false;
    }
    const struct merge_bounds b = {
        .party = t->party, .before = task_due(t), .none_late = t->plan->late != TASK_LATE_ADMIT};
    if (!merge_pass_record(t->merge, sub, p, &b, &late)) {
        return false;
    }
    passed(t, p->n, late);
    return true;
}

bool task_may_ride(const struct task *t, uint32_t sub, struct merge_ride *ret)
{
    const struct merge_bounds b = {.party = t->party, .before = task_due(t)};
    *ret = merge_may_ride(t->merge, sub, &b);
    return t->replay == NULL && is_told(t);
}

void task_ride(struct task *t, uint32_t sub, int64_t next, int64_t largest, uint64_t n)
{
    merge_ride(t->merge, sub, next, largest, n);
    passed(t, n, 0);
}

uint32_t task_pass(struct task *t, uint32_t max)
{
    if (!merge_may_pass(t->merge) || !is_told(t)) {
        return 0;
    }
    const struct merge_bounds b = {.party = t->party,
                                   .before = task_due(t),
                                   .max = room(t, max),
                                   .none_late = t->plan->late != TASK_LATE_ADMIT};
    uint64_t late = 0;
    uint32_t n = b.max > 0 ? merge_pass(t->merge, &b, &late) : 0;
    if (n > 0) {
        passed(t, n, late);
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

/* ---- sleep ---- */

bool task_is_asleep(const struct task *t)
{
    return t->asleep;
}

void task_probe(struct task *t, struct probe *p)
{
    t->probe = p;
}

/* The number 0 is that of no topic: its first event would have no reference of its own. */
static bool may_sleep(const struct task_plan *p)
{
    bool may = p->wants != NULL && p->wants->may_sleep && p->world == BUILTIN_KAIJU;
    for (uint32_t i = 0; i < p->n_subs && may; i++) {
        may = p->subs[i].author != 0 || p->topic_ids[i] != 0;
    }
    return may;
}

void task_begin(struct task *t, int64_t clock)
{
    t->asleep = may_sleep(t->plan);
    if (!t->asleep) {
        task_start(t, clock);
        return;
    }
    t->began = clock;
    t->started = true;
}

void task_probe_done(struct task *t)
{
    if (t->doubts != NULL) {
        probe_leave(t->probe != NULL ? t->probe : t->own_probe, t->doubts);
    }
    t->doubts = NULL;
    probe_free(t->own_probe);
    t->own_probe = NULL;
}

bool task_is_concerned(struct task *t, const struct merge_take *in)
{
    const struct task_wants *w = t->plan->wants;
    if (t->plan->subs[in->sub].author != 0) {
        return true;
    }
    if (t->probe == NULL && t->own_probe == NULL) {
        t->own_probe = probe_new(t->keys);
    }
    struct probe *p = t->probe != NULL ? t->probe : t->own_probe;
    t->doubts = t->doubts != NULL ? t->doubts : probe_join(p, w->v, w->n, w);
    return probe_one(p, t->doubts, in->event);
}

void task_wake(struct task *t)
{
    assert(t->asleep);
    int64_t floor = t->floor;
    t->asleep = false;
    task_probe_done(t);
    task_start(t, t->began);
    t->floor = t->began;
    task_hop(t, floor);
}
