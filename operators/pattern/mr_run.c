/* SPDX-License-Identifier: Apache-2.0
 *
 * match_recognize at run time: rows that enter move partial matches on, rows that leave the window
 * take those with them that hold one. Matches are reported at the row that completes them; with an
 * interval they are withheld until so long after their first row, of each first row the best so
 * far, and `or terminated` lets them go as soon as the row comes that does not extend them.
 */
#include "operators/pattern/mr_impl.h"

#include "core/base/mem.h"

#include <assert.h>

static void fire(struct tmr *t, int64_t now);

struct mr *mr_new(const struct mr_plan *p, struct pat_env *env, mr_sink *sink, void *arg)
{
    struct mr *m = MEM_NEW(struct mr);
    assert(p != NULL && env != NULL && sink != NULL);
    m->plan = p;
    m->env = env;
    m->sink = sink;
    m->arg = arg;
    m->timer = (struct tmr){.rank = env->rank, .fire = fire, .inst = env->inst};
    hidx_init(&m->by_key, sizeof(struct hidx_cell));
    mr_eval_init(m);
    return m;
}

void mr_clear(struct mr *m)
{
    mr_save_rest(m);
    mr_reader_free(m);
    if (tmr_is_set(&m->timer)) {
        tmr_cancel(m->env->timers, &m->timer);
    }
    VEC_EACH (&m->held, p) {
        mr_partial_free(m, *p);
    }
    VEC_CLEAR(&m->held);
    while (m->first != NULL) {
        mr_part_free(m, m->first);
    }
    assert(m->n_partials == 0);
    m->seq = 0;
}

void mr_free(struct mr *m)
{
    if (m == NULL) {
        return;
    }
    mr_clear(m);
    agg_block_free(&m->plan->layout, m->block, m->env->heap);
    VEC_DONE(&m->held);
    VEC_DONE(&m->ends);
    VEC_DONE(&m->next);
    VEC_DONE(&m->over);
    VEC_DONE(&m->rows);
    hidx_done(&m->by_key);
    mem_free(m->row);
    mem_free(m);
}

/* ---- one row ---- */

/* Whether one more partial is too many. */
static bool refuse(struct mr *m)
{
    if (m->n_partials >= MR_PARTIALS_MAX) {
        m->refused++;
        return true;
    }
    return lim_refuses(m->env->lim, LIM_PARTIALS, LIM_COST_PARTIAL, m->env->inst);
}

/* Whether no partial may take one more row: it ends, then. */
static bool refuse_row(struct mr *m)
{
    struct lim *l = m->env->lim;
    bool full = lim_full(l, LIM_STATE, LIM_COST_PARTIAL);
    if (UNLIKELY(full)) {
        lim_refuse(l, LIM_STATE, LIM_COST_PARTIAL, m->env->inst);
    }
    return full;
}

/* p, which has just taken the row in state s, goes on to each state that may follow; p is used up.
 */
static void go_on(struct mr *m, struct mr_partial *p, const struct mr_state *s)
{
    if (s->count >= 0) {
        p->count[s->count]++;
    }
    for (uint16_t i = 0; i < s->n_next; i++) {
        bool last = i + 1 == s->n_next;
        if (!last && s->next[i] != MR_END && refuse(m)) {
            continue;
        }
        struct mr_partial *to = last ? p : mr_partial_copy(m, p);
        if (s->next[i] == MR_END) {
            if (m->plan->or_terminated && s->n_next == 1) { /* no row can extend it */
                *VEC_PUSH(&m->over) = p->begin;
            }
            to->end = m->seq;
            *VEC_PUSH(&m->ends) = to;
        } else {
            to->state = s->next[i];
            *VEC_PUSH(&m->next) = to;
        }
    }
}

static void begin(struct mr *m, struct mr_part *part, struct evt *ev)
{
    const struct mr_plan *plan = m->plan;
    for (uint16_t i = 0; i < plan->n_starts; i++) {
        const struct mr_state *s = &plan->states[plan->starts[i]];
        if (mr_defined(m, NULL, part, s->var, ev) && !refuse(m)) {
            struct mr_partial *p = mr_partial_new(m, part);
            p->begin = m->seq;
            p->begin_ms = *m->env->now;
            mr_partial_take(m, p, s->var, ev);
            go_on(m, p, s);
        }
    }
}

static void step(struct mr *m, struct mr_part *part, struct evt *ev)
{
    const struct mr_plan *plan = m->plan;
    VEC_CLEAR(&m->next);
    VEC_EACH (&part->live, at) {
        struct mr_partial *p = *at;
        const struct mr_state *s = &plan->states[p->state];
        if (mr_defined(m, p, part, s->var, ev) && !refuse_row(m)) {
            mr_partial_take(m, p, s->var, ev);
            go_on(m, p, s);
            continue;
        }
        if (plan->or_terminated && s->ends) {
            *VEC_PUSH(&m->over) = p->begin;
        }
        mr_partial_free(m, p);
    }
    begin(m, part, ev);
    VEC_CLEAR(&part->live);
    VEC_EACH (&m->next, p) {
        *VEC_PUSH(&part->live) = *p;
    }
}

/* ---- withheld matches ---- */

static void set_timer(struct mr *m)
{
    int64_t due = m->held.len > 0 ? m->held.ptr[0]->begin_ms + m->interval_ms : 0;
    if (m->held.len == 0 && tmr_is_set(&m->timer)) {
        tmr_cancel(m->env->timers, &m->timer);
    } else if (m->held.len > 0 && (!tmr_is_set(&m->timer) || m->timer.due != due)) {
        tmr_set(m->env->timers, &m->timer, due);
    }
}

/* Behind all that begin at the same row or before. */
static size_t held_place(const struct mr *m, uint64_t first_row)
{
    size_t lo = 0, hi = m->held.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->held.ptr[mid]->begin <= first_row) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void withhold(struct mr *m, struct mr_partial *p)
{
    size_t at = held_place(m, p->begin);
    struct mr_partial **same = at > 0 ? &m->held.ptr[at - 1] : NULL;
    if (!m->plan->all_matches && same != NULL && (*same)->begin == p->begin) {
        bool better = mr_better(m, p, *same);
        if (better) {
            mr_unhold(*same);
            mr_hold(p);
        }
        mr_partial_free(m, better ? *same : p);
        *same = better ? p : *same;
        return;
    }
    mr_hold(p);
    *VEC_PUSH(&m->held) = p;
    memmove(m->held.ptr + at + 1, m->held.ptr + at,
            (m->held.len - 1 - at) * sizeof(struct mr_partial *));
    m->held.ptr[at] = p;
}

/* held[from, to) become complete. */
static void let_go(struct mr *m, size_t from, size_t to)
{
    if (from == to) {
        return;
    }
    for (size_t i = from; i < to; i++) {
        mr_touch(m, m->held.ptr[i]->part);
        mr_unhold(m->held.ptr[i]);
        *VEC_PUSH(&m->ends) = m->held.ptr[i];
    }
    memmove(m->held.ptr + from, m->held.ptr + to, (m->held.len - to) * sizeof(struct mr_partial *));
    m->held.len -= to - from;
}

static void rank(struct mr *m)
{
    if (!m->plan->all_matches) {
        mr_rank(m, m->ends.ptr, &m->ends.len);
    }
}

static void apply_interval(struct mr *m)
{
    int64_t now = *m->env->now;
    size_t kept = 0;
    for (size_t i = 0; i < m->ends.len; i++) {
        struct mr_partial *p = m->ends.ptr[i];
        if (now - p->begin_ms < m->interval_ms) {
            withhold(m, p);
        } else {
            m->ends.ptr[kept++] = p;
        }
    }
    m->ends.len = kept;
    VEC_EACH (&m->over, first_row) {
        size_t to = held_place(m, *first_row), from = to;
        while (from > 0 && m->held.ptr[from - 1]->begin == *first_row) {
            from--;
        }
        let_go(m, from, to);
    }
    if (m->over.len > 0) {
        rank(m);
    }
    set_timer(m);
}

/* ---- reporting ---- */

static void skip(struct mr *m, const struct mr_partial *match)
{
    struct mr_part *part = match->part;
    uint64_t until = m->plan->skip == SKIP_PAST_LAST ? match->end : match->begin;
    size_t kept = 0;
    for (size_t i = 0; i < part->live.len; i++) {
        struct mr_partial *p = part->live.ptr[i];
        if (p->begin <= until) {
            mr_partial_free(m, p);
        } else {
            part->live.ptr[kept++] = p;
        }
    }
    part->live.len = kept;
}

static void report(struct mr *m)
{
    VEC_CLEAR(&m->rows);
    VEC_EACH (&m->ends, p) {
        (*p)->part->held++; /* it stays until the last of its matches is out */
    }
    VEC_EACH (&m->ends, p) {
        struct evt *row = mr_measure(m, *p);
        if (row != NULL) {
            *VEC_PUSH(&m->rows) = row;
        }
        struct mr_part *part = (*p)->part;
        mr_partial_free(m, *p);
        part->held--;
        mr_part_release(m, part);
    }
    VEC_CLEAR(&m->ends);
    if (m->rows.len > 0) {
        m->sink(m->arg, m->rows.ptr, m->rows.len, NULL, 0);
    }
}

static void fire(struct tmr *t, int64_t now)
{
    struct mr *m = CONTAINER_OF(t, struct mr, timer);
    size_t due = 0;
    VEC_CLEAR(&m->ends);
    while (due < m->held.len && now - m->held.ptr[due]->begin_ms >= m->interval_ms) {
        due++;
    }
    let_go(m, 0, due);
    set_timer(m);
    rank(m);
    report(m);
}

/* Rows that left the window: partials that hold one are gone. */
static void forget(struct mr *m, struct evt *ev)
{
    struct mr_part *part = mr_part_of(m, ev, false);
    if (part == NULL) {
        return;
    }
    mr_touch(m, part);
    size_t kept = 0;
    for (size_t i = 0; i < part->live.len; i++) {
        struct mr_partial *p = part->live.ptr[i];
        if (mr_partial_has(m, p, ev)) {
            mr_partial_free(m, p);
        } else {
            part->live.ptr[kept++] = p;
        }
    }
    part->live.len = kept;
    mr_part_drop(m, part, ev);
    mr_part_release(m, part);
}

void mr_update(struct mr *m, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) {
        forget(m, old[i]);
    }
    VEC_CLEAR(&m->ends);
    VEC_CLEAR(&m->over);
    for (size_t i = 0; i < n_nw; i++) {
        struct mr_part *part = mr_part_of(m, nw[i], true);
        mr_touch(m, part);
        m->seq++;
        mr_part_push(m, part, nw[i]);
        step(m, part, nw[i]);
    }
    rank(m);
    if (m->plan->interval != NULL) {
        apply_interval(m);
    } else if (m->plan->skip != SKIP_TO_CURRENT) {
        VEC_EACH (&m->ends, p) {
            skip(m, *p);
        }
    }
    if (m->ends.len > 0) {
        report(m);
    }
    for (size_t i = 0; i < n_nw; i++) {
        struct mr_part *part = mr_part_of(m, nw[i], false);
        if (part != NULL) {
            mr_part_release(m, part);
        }
    }
}
