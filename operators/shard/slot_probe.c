/* SPDX-License-Identifier: Apache-2.0
 *
 * What a slot tells its tasks about the events of a record before they take them: which concern
 * them at all (probe.h). Looked at once per record, for all tasks that read it; not at all while
 * those that do want most of what comes.
 */
#include "operators/graph/eng_wants.h"
#include "operators/shard/slot_impl.h"

enum { REST_MAX = 63 }; /* records that are not looked at after one that was of little use */

/* The number 0 is that of no topic: its first event would have no reference of its own. */
static bool is_told(const struct task_plan *p)
{
    bool told = p->world == BUILTIN_KAIJU;
    for (uint32_t i = 0; i < p->n_subs; i++) {
        told &= p->subs[i].author != 0 || p->topic_ids[i] != 0;
    }
    return told;
}

/* What the plan says holds until the engine wants more. */
static struct probe_party *join(struct slot *s, struct slot_one *o, size_t version)
{
    const struct task_wants *plan = o->conf.plan->wants;
    struct probe_party *who = NULL;
    struct eng_wants w = {0};
    if (plan != NULL && version == plan->version) {
        who = probe_join(s->probe, plan->v, plan->n, plan);
    } else if (eng_wants(task_eng(o->task), &w)) {
        who = probe_join(s->probe, w.v.ptr, w.v.len, NULL);
    }
    VEC_DONE(&w.v);
    return who;
}

void slot_party(struct slot *s, struct slot_one *o)
{
    const struct task_plan *p = o->conf.plan;
    size_t version = eng_wants_version(task_eng(o->task));
    if (version == 0 && p->wants != NULL) { /* its rules are not there yet */
        version = p->wants->version;
    }
    if (version == o->party_version || !is_told(p)) {
        return;
    }
    slot_party_leave(s, o);
    o->party = join(s, o, version);
    o->party_version = version;
    task_party(o->task, o->party != NULL ? probe_id(o->party) : 0, version);
}

void slot_party_leave(struct slot *s, struct slot_one *o)
{
    slot_ride_off(o);
    probe_leave(s->probe, o->party);
    o->party = NULL;
    task_party(o->task, 0, 0);
}

void slot_hints_begin(struct slot_scan *c)
{
    c->some = c->ride.riders > 0;
    c->asleep = c->ride.riders > 0 && c->ride.asleep;
    for (size_t i = 0; i < slot_others(c); i++) {
        const struct slot_one *o = c->inputs.ptr[i]->one;
        c->some |= o->party != NULL;
        c->asleep |= task_is_asleep(o->task); /* it would have to ask for each event */
    }
}

/* Somebody may be spared something. */
static bool is_worth_it(struct slot_scan *c)
{
    if (c->rests > 0 && !c->asleep) {
        c->rests--;
        return false;
    }
    return c->some;
}

/* Those that want it all need not be asked for each record. */
void slot_hint_used(struct slot_scan *c, uint64_t wanted, uint64_t all)
{
    c->rest = wanted > all - all / 4 ? MIN(2 * c->rest + 1, (uint32_t)REST_MAX) : 0;
    c->rests = c->rest;
}

const struct merge_hint *slot_hint(struct slot *s, struct slot_scan *c, struct arena *a,
                                   const struct rec *events, uint32_t n)
{
    struct merge_hint *h = n > 0 && is_worth_it(c) ? arena_alloc(a, sizeof *h) : NULL;
    int64_t *peaks = h != NULL ? arena_alloc(a, n * sizeof *peaks) : NULL;
    int64_t *ts = peaks != NULL ? arena_alloc(a, n * sizeof *ts) : NULL;
    if (ts == NULL) {
        return NULL;
    }
    *h = (struct merge_hint){.ts = ts, .peaks = peaks, .least = INT64_MAX, .ascending = true};
    int64_t peak = INT64_MIN;
    for (uint32_t i = 0; i < n; i++) {
        h->ascending &= events[i].ts >= peak;
        h->least = MIN(h->least, events[i].ts);
        ts[i] = events[i].ts;
        peaks[i] = peak = MAX(peak, events[i].ts);
    }
    probe_record(s->probe, a, events, n);
    return h;
}

void slot_give_hint(const struct slot *s, const struct slot_one *o, const struct merge_hint *h,
                    struct merge_piece *to)
{
    if (o->party == NULL) {
        return;
    }
    to->wants = probe_wanted(s->probe, o->party, &to->n_wants);
    to->party = probe_id(o->party);
    to->hint = to->wants != NULL ? h : NULL;
}
