/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading match_recognize: the count of rows, then partition by partition its key, the
 * rows that definitions may look back at and its live partial matches, then the withheld ones (in
 * their order, each with the number of its partition) and the timer.
 *
 * Lists of rows are shared between partials that begin alike and stay so: a list is written as how
 * many of its newest rows are new here, the number of the cell behind them (0: none) and those
 * rows, oldest first; cells are numbered as they are written.
 */
#include "operators/pattern/mr_impl.h"

#include "core/base/mem.h"

#include <assert.h>

/* ---- save ---- */

struct writer {
    struct mr *m;
    struct save *s;
    uint32_t cells;             /* written */
    VEC(struct mr_cell *) list; /* scratch */
};

static void save_rows(struct writer *w, struct mr_cell *c)
{
    VEC_CLEAR(&w->list);
    for (; c != NULL && c->number == 0; c = c->prev) {
        *VEC_PUSH(&w->list) = c;
    }
    save_u(w->s, w->list.len);
    save_u(w->s, c != NULL ? c->number : 0);
    for (size_t i = w->list.len; i-- > 0;) {
        w->list.ptr[i]->number = ++w->cells;
        save_evt(w->s, w->list.ptr[i]->ev);
    }
}

static void save_partial(struct writer *w, const struct mr_partial *p)
{
    const struct mr_plan *plan = w->m->plan;
    save_u(w->s, p->begin);
    save_u(w->s, p->end);
    save_i(w->s, p->begin_ms);
    save_u(w->s, p->state);
    for (uint16_t i = 0; i < plan->n_counts; i++) {
        save_u(w->s, p->count[i]);
    }
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        if (plan->vars[i].group) {
            save_rows(w, p->slot[i].rows);
        } else {
            save_evt(w->s, p->slot[i].ev);
        }
    }
}

static void forget_numbers(const struct mr *m, const struct mr_partial *p)
{
    for (uint16_t i = 0; i < m->plan->n_vars; i++) {
        struct mr_cell *c = m->plan->vars[i].group ? p->slot[i].rows : NULL;
        for (; c != NULL && c->number != 0; c = c->prev) {
            c->number = 0;
        }
    }
}

void mr_save(struct mr *m, struct save *s)
{
    struct writer w = {.m = m, .s = s};
    uint32_t parts = 0;
    assert(m->ends.len == 0);
    save_u(s, m->seq);
    save_u(s, m->refused);
    save_i(s, m->interval_ms);
    save_u(s, m->n_parts);
    for (struct mr_part *p = m->first; p != NULL; p = p->after) {
        p->mark = parts++;
        save_vals(s, p->key, m->plan->n_partition);
        save_evts(s, p->prev, p->n_prev);
        save_u(s, p->live.len);
        VEC_EACH (&p->live, x) {
            save_partial(&w, *x);
        }
    }
    save_u(s, m->held.len);
    VEC_EACH (&m->held, x) {
        save_u(s, (*x)->part->mark);
        save_partial(&w, *x);
    }
    tmr_save(s, &m->timer);
    for (struct mr_part *p = m->first; p != NULL; p = p->after) {
        p->mark = 0;
        VEC_EACH (&p->live, x) {
            forget_numbers(m, *x);
        }
    }
    VEC_EACH (&m->held, x) {
        forget_numbers(m, *x);
    }
    VEC_DONE(&w.list);
}

/* ---- load ---- */

struct reader {
    struct mr *m;
    struct load *l;
    VEC(struct mr_cell *) cells;
    VEC(struct mr_part *) parts;
    uint64_t *ahead; /* of each state: variables that may take a row from there on, as bits */
};

/* One reference to the list, or to as much of it as could be read. */
static struct mr_cell *load_rows(struct reader *r)
{
    size_t n = load_count(r->l, 1);
    uint64_t tail = load_u(r->l);
    if (tail > r->cells.len) {
        load_fail(r->l, "rows behind row %llu of %zu", (unsigned long long)tail, r->cells.len);
        return NULL;
    }
    struct mr_cell *c = tail > 0 ? r->cells.ptr[tail - 1] : NULL;
    if (c != NULL) {
        c->refs++;
    }
    for (; n > 0; n--) {
        struct evt *ev = load_evt_of(r->l, r->m->plan->in);
        if (ev == NULL) {
            break;
        }
        struct mr_cell *one = MEM_NEW(struct mr_cell);
        *one = (struct mr_cell){
            .prev = c, .ev = evt_keep(ev), .refs = 1, .len = c != NULL ? c->len + 1 : 1};
        *VEC_PUSH(&r->cells) = one;
        c = one;
    }
    return c;
}

/* What the automaton never does: a variable that takes one row takes another. */
static bool possible(const struct reader *r, const struct mr_partial *p, bool live)
{
    const struct mr_plan *plan = r->m->plan;
    for (uint16_t i = 0; live && i < plan->n_vars; i++) {
        bool again = (r->ahead[p->state] & (1ULL << i)) != 0;
        if (again && !plan->vars[i].group && p->slot[i].ev != NULL) {
            return false;
        }
    }
    return p->begin > 0 && p->begin <= r->m->seq && p->end <= r->m->seq;
}

/* It belongs to `live` or `held` in any case, so that nothing is lost. */
static struct mr_partial *load_partial(struct reader *r, struct mr_part *part, bool live)
{
    const struct mr_plan *plan = r->m->plan;
    struct mr_partial *p = mr_partial_new(r->m, part);
    p->begin = load_u(r->l);
    p->end = load_u(r->l);
    p->begin_ms = load_i(r->l);
    uint64_t state = load_u(r->l);
    for (uint16_t i = 0; i < plan->n_counts; i++) {
        p->count[i] = (uint32_t)load_u(r->l);
    }
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        if (plan->vars[i].group) {
            p->slot[i].rows = load_rows(r);
            continue;
        }
        struct evt *ev = load_evt(r->l);
        if (ev != NULL && !ety_is(ev->type, plan->in)) {
            load_fail(r->l, "a row of another type");
        } else if (ev != NULL) {
            p->slot[i].ev = evt_keep(ev);
        }
    }
    p->state = state < plan->n_states ? (uint16_t)state : 0;
    if (state >= plan->n_states || (load_ok(r->l) && !possible(r, p, live))) {
        load_fail(r->l, "a partial match that cannot be");
    }
    return p;
}

static void load_part(struct reader *r)
{
    struct mr *m = r->m;
    struct dat key[MR_KEYS_MAX];
    load_vals(r->l, key, m->plan->n_partition);
    struct mr_part *part = load_ok(r->l) ? mr_part_add(m, key) : NULL;
    if (part == NULL) {
        load_fail(r->l, "a partition twice");
        return;
    }
    *VEC_PUSH(&r->parts) = part;
    size_t n_prev = load_count(r->l, 1);
    if (n_prev > (m->plan->prev_max > 0 ? m->plan->prev_max + 1 : 0)) {
        load_fail(r->l, "%zu rows to look back at", n_prev);
        return;
    }
    for (; part->n_prev < n_prev; part->n_prev++) {
        struct evt *ev = load_evt_of(r->l, m->plan->in);
        if (ev == NULL) {
            return;
        }
        part->prev[part->n_prev] = evt_keep(ev);
    }
    for (size_t n = load_count(r->l, 4); n > 0 && load_ok(r->l); n--) {
        *VEC_PUSH(&part->live) = load_partial(r, part, true);
    }
}

static void load_held(struct reader *r)
{
    struct mr *m = r->m;
    uint64_t before = 0;
    for (size_t n = load_count(r->l, 5); n > 0 && load_ok(r->l); n--) {
        uint64_t part = load_u(r->l);
        if (part >= r->parts.len) {
            load_fail(r->l, "partition %llu of %zu", (unsigned long long)part, r->parts.len);
            return;
        }
        struct mr_partial *p = load_partial(r, r->parts.ptr[part], false);
        *VEC_PUSH(&m->held) = p;
        p->part->held++;
        if (p->begin < before) {
            load_fail(r->l, "withheld matches out of order");
        }
        before = p->begin;
    }
}

/* Which variables lie ahead of each state: as long as anything is added. */
static void look_ahead(struct reader *r)
{
    const struct mr_plan *plan = r->m->plan;
    bool more = true;
    r->ahead = mem_calloc(plan->n_states + 1U, sizeof *r->ahead);
    while (more) {
        more = false;
        for (uint16_t i = plan->n_states; i-- > 0;) {
            const struct mr_state *s = &plan->states[i];
            uint64_t all = r->ahead[i] | 1ULL << s->var;
            for (uint16_t k = 0; k < s->n_next; k++) {
                all |= s->next[k] != MR_END ? r->ahead[s->next[k]] : 0;
            }
            more |= all != r->ahead[i];
            r->ahead[i] = all;
        }
    }
}

void mr_load(struct mr *m, struct load *l)
{
    struct reader r = {.m = m, .l = l};
    assert(m->n_parts == 0 && m->held.len == 0);
    look_ahead(&r);
    m->seq = load_u(l);
    m->refused = load_u(l);
    m->interval_ms = load_i(l);
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        load_part(&r);
    }
    load_held(&r);
    tmr_load(l, m->env->timers, &m->timer);
    VEC_DONE(&r.cells);
    VEC_DONE(&r.parts);
    mem_free(r.ahead);
    if (!load_ok(l)) {
        mr_clear(m);
    }
}
