/* SPDX-License-Identifier: Apache-2.0
 *
 * See slot_amid.h. Where work may rest, it says so by vheap_breathe (operators/sig/dat.h).
 */
#include "operators/shard/slot_amid.h"

#include "operators/graph/eng.h"
#include "operators/shard/slot_impl.h"
#include "operators/sig/breath.h"

#include <assert.h>

#define REST_NS  (4 * CLOCK_NS_PER_MS) /* after so much work */
#define BEGIN_NS (4 * CLOCK_NS_PER_MS) /* of a step: then who has not begun waits for the next */

enum { OFTEN = 5 }; /* breaths, where a test wants rests */

/* On the stack of the work. */
static void breathe(void *arg)
{
    struct slot_one *o = arg;
    struct slot_amid *a = &o->amid;
    if (!a->works || a->slot->amids.n >= SLOT_AMID_MAX) {
        return;
    }
    if (a->slot->conf.rests) {
        eng_breath(task_eng(o->task))->left = OFTEN;
        fiber_rest(a->fiber);
    } else if (slot_now(a->slot) >= a->until) {
        fiber_rest(a->fiber);
    }
}

static void work(void *arg)
{
    struct slot_one *o = arg;
    struct slot_amid *a = &o->amid;
    if (a->ticks) {
        task_tick(o->task, a->clock);
    } else if (o->state == SLOT_LIVE && o->trial.step != TRIAL_NONE) {
        a->got = slot_trial_work(a->slot, o, a->want);
    } else {
        a->got = task_work(o->task, a->want);
    }
}

static struct fiber *spare(struct slot *s)
{
    struct slot_amids *a = &s->amids;
    return a->spare.len > 0 ? a->spare.ptr[--a->spare.len] : fiber_new();
}

static bool run(struct slot *s, struct slot_one *o)
{
    struct slot_amid *a = &o->amid;
    bool begins = a->fiber == NULL, done = true;
    if (begins) {
        a->fiber = s->conf.range == NULL ? spare(s) : NULL;
        a->slot = s;
        a->since = slot_now(s);
        a->got = 0;
    } else {
        s->amids.n--;
    }
    if (a->fiber == NULL) { /* a run over a range has no neighbours */
        work(o);
        return true;
    }
    struct vheap_breath *breath = eng_breath(task_eng(o->task));
    breath->take = breathe;
    breath->arg = o;
    bool deploys = task_rules(o->task) != TASK_RULES_THERE;
    int64_t began = slot_now(s);
    a->until = began + REST_NS;
    a->works = true;
    done = begins ? fiber_begin(a->fiber, work, o) : fiber_go_on(a->fiber);
    a->works = false;
    if (done) {
        *VEC_PUSH(&s->amids.spare) = a->fiber;
        a->fiber = NULL;
    } else {
        s->amids.n++;
        s->amids.begins = task_rules(o->task) == TASK_RULES_COMING ? o : s->amids.begins;
        o->rests = false;
    }
    s->amids.begun_ns += deploys ? slot_now(s) - began : 0;
    return done;
}

bool slot_amid_waits(struct slot *s, const struct slot_one *o)
{
    const struct slot_one *b = s->amids.begins;
    if (b != NULL && (task_rules(b->task) != TASK_RULES_COMING || b->state == SLOT_LOST)) {
        s->amids.begins = b = NULL;
    }
    return s->conf.range == NULL && o->amid.fiber == NULL &&
           task_rules(o->task) == TASK_RULES_LATER && (b != NULL || s->amids.begun_ns >= BEGIN_NS);
}

bool slot_amid_take(struct slot *s, struct slot_one *o, uint32_t want, uint32_t *ret_got)
{
    struct slot_amid *a = &o->amid;
    if (a->fiber == NULL) {
        a->want = want;
        a->ticks = false;
    }
    bool done = run(s, o);
    *ret_got = done ? a->got : 0;
    return done;
}

bool slot_amid_tick(struct slot *s, struct slot_one *o, int64_t clock)
{
    struct slot_amid *a = &o->amid;
    assert(a->fiber == NULL);
    a->ticks = true;
    a->clock = clock;
    return run(s, o);
}

void slot_amid_end(struct slot *s, struct slot_one *o)
{
    struct slot_amid *a = &o->amid;
    s->amids.begins = s->amids.begins == o ? NULL : s->amids.begins;
    if (a->fiber == NULL) {
        return;
    }
    eng_breath(task_eng(o->task))->over = true;
    a->until = INT64_MAX;
    s->amids.n--;
    a->works = false; /* so it does not rest */
    bool done = fiber_go_on(a->fiber);
    assert(done);
    (void)done;
    *VEC_PUSH(&s->amids.spare) = a->fiber;
    a->fiber = NULL;
}

void slot_amids_free(struct slot *s)
{
    VEC_EACH (&s->amids.spare, f) {
        fiber_free(*f);
    }
    VEC_DONE(&s->amids.spare);
}
