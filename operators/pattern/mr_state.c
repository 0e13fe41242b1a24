/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving and loading match_recognize: the count of rows, the timer and how many partitions there
 * are; then partition by partition its number and key, the rows that definitions may look back at,
 * its live partial matches, and those withheld by their first row. A partition has a space of its
 * own, so it may be written by itself, before it changes (save_late.h). What is in one:
 * mr_save.c.
 */
#include "operators/pattern/mr_impl.h"

#include "core/base/mem.h"
#include "operators/sig/save_late.h"

#include <assert.h>
#include <stdlib.h>

static void save_part(struct mr *m, struct mr_part *p, struct save *s)
{
    uint32_t n = m->plan->n_partition;
    save_group(s, n > 0 ? save_group_of(p->key, n) : SAVE_NO_GROUP);
    save_item(s, p->nr);
    save_space(s);
    mr_save_inside(m, p, s);
    save_space_end(s);
}

/* Within a partition of a context all belongs to that. */
static void save_inside(struct mr *m, struct save *s)
{
    for (struct mr_part *p = m->first; p != NULL; p = p->after) {
        mr_save_inside(m, p, s);
    }
}

void mr_save(struct mr *m, struct save *s, bool apart)
{
    assert(m->ends.len == 0);
    save_u(s, m->seq);
    save_u(s, m->refused);
    save_i(s, m->interval_ms);
    save_u(s, m->n_parts);
    tmr_save(s, &m->timer);
    if (!apart) {
        save_inside(m, s);
    }
}

bool mr_is_apart(const struct mr *m)
{
    return m->n_parts > 0;
}

/* ---- in slices: partitions in their order, but those first that are about to change ---- */

static void late_done(struct mr *m)
{
    m->late.to = NULL;
}

static size_t write_part(struct mr *m, struct mr_part *p)
{
    struct save *s = save_late_to(m->late.to);
    p->cut = m->late.cut;
    save_part(m, p, s);
    return save_item_bytes(s);
}

/* To the next partition that was there at the cut. */
static void move_on(struct mr *m)
{
    m->late.at = m->late.at->after;
    if (m->late.at == NULL || m->late.at->nr >= m->late.end) {
        save_late_end(m->late.to);
        late_done(m);
    }
}

void mr_save_first(struct mr *m, struct mr_part *p)
{
    if (p->nr < m->late.at->nr || p->nr >= m->late.end) {
        return; /* it is written, or was not there */
    }
    if (p->cut != m->late.cut) {
        (void)write_part(m, p);
    }
    if (m->late.at == p) { /* which may go */
        move_on(m);
    }
}

static bool late_step(void *arg, size_t bytes)
{
    enum { LOOK = 32 }; /* what it costs to find that it is written already */
    struct mr *m = arg;
    for (size_t n = 0; m->late.to != NULL && n < bytes;) {
        n += m->late.at->cut == m->late.cut ? LOOK : write_part(m, m->late.at);
        move_on(m);
    }
    return m->late.to == NULL;
}

static void late_forget(void *arg)
{
    late_done(arg);
}

void mr_save_rest(struct mr *m)
{
    while (m->late.to != NULL) {
        (void)late_step(m, SIZE_MAX);
    }
}

static size_t size_of_partial(const struct mr *m, const struct mr_partial *p)
{
    enum { ROW_BYTES = 64 }; /* from below */
    size_t n = sizeof *p;
    for (uint16_t i = 0; i < m->plan->n_vars; i++) {
        bool many = m->plan->vars[i].group && p->slot[i].rows != NULL;
        n += (many ? p->slot[i].rows->len : 1) * (size_t)ROW_BYTES;
    }
    return n;
}

/* Roughly; many are not looked at one by one. */
static size_t size_of(const struct mr *m)
{
    enum { FEW = 32, FEW_PARTIALS = 256 };
    size_t n = 0;
    if (m->n_parts > FEW || m->n_partials > FEW_PARTIALS) {
        return SIZE_MAX;
    }
    for (const struct mr_part *p = m->first; p != NULL; p = p->after) {
        n += sizeof *p;
        VEC_EACH (&p->live, x) {
            n += size_of_partial(m, *x);
        }
    }
    VEC_EACH (&m->held, x) {
        n += size_of_partial(m, *x);
    }
    return n;
}

void mr_save_parts(struct mr *m, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    bool may = m->late.to == NULL && m->n_parts > 0 && vheap_numbers(m->env->heap);
    m->late.to = may ? save_node_later(s, &ops, m, size_of(m)) : m->late.to;
    if (may && m->late.to != NULL) {
        m->late.at = m->first;
        m->late.end = m->seq + 1;
        m->late.cut++;
        return;
    }
    for (struct mr_part *p = m->first; p != NULL; p = p->after) {
        save_part(m, p, s);
    }
}

/* ---- load ---- */

struct mr_reader {
    struct mr *m;
    struct load *l;
    VEC(struct mr_cell *) cells; /* of the partition */
    uint64_t *ahead; /* of each state: variables that may take a row from there on, as bits */
    uint64_t parts;  /* to be read */
    struct mr_helds held;
};

/* One reference to the list, or to as much of it as could be read. */
static struct mr_cell *load_rows(struct mr_reader *r)
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
        struct mr_cell *one = mr_cell_new(r->m, c, ev);
        *VEC_PUSH(&r->cells) = one;
        c = one;
    }
    return c;
}

/* What the automaton never does: a variable that takes one row takes another. */
static bool possible(const struct mr_reader *r, const struct mr_partial *p, bool live)
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
static struct mr_partial *load_partial(struct mr_reader *r, struct mr_part *part, bool live)
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
            mr_partial_costs(r->m, p, lim_cost(ev));
        }
    }
    p->state = state < plan->n_states ? (uint16_t)state : 0;
    if (state >= plan->n_states || (load_ok(r->l) && !possible(r, p, live))) {
        load_fail(r->l, "a partial match that cannot be");
    }
    return p;
}

static void load_prev(struct mr_reader *r, struct mr_part *part)
{
    const struct mr_plan *plan = r->m->plan;
    size_t n = load_count(r->l, 1);
    if (n > (plan->prev_max > 0 ? plan->prev_max + 1 : 0)) {
        load_fail(r->l, "%zu rows to look back at", n);
        return;
    }
    for (; part->n_prev < n; part->n_prev++) {
        struct evt *ev = load_evt_of(r->l, plan->in);
        if (ev == NULL) {
            return;
        }
        part->prev[part->n_prev] = evt_keep(ev);
    }
}

static void load_held(struct mr_reader *r, struct mr_part *part)
{
    uint64_t before = 0;
    for (size_t n = load_count(r->l, 4); n > 0 && load_ok(r->l); n--) {
        struct mr_partial *p = load_partial(r, part, false);
        *VEC_PUSH(&r->m->held) = p;
        mr_hold(p);
        mr_helds_add(&r->held, p);
        if (p->begin < before) {
            load_fail(r->l, "withheld matches out of order");
        }
        before = p->begin;
    }
}

static void load_part(struct mr_reader *r)
{
    struct mr *m = r->m;
    struct dat key[MR_KEYS_MAX];
    uint64_t nr = load_u(r->l);
    load_vals(r->l, key, m->plan->n_partition);
    struct mr_part *part = load_ok(r->l) ? mr_part_add(m, key) : NULL;
    if (part == NULL || nr == 0 || nr > m->seq || r->parts-- == 0) {
        load_fail(r->l, "a partition twice, or of no row");
        return;
    }
    part->nr = nr;
    VEC_CLEAR(&r->cells);
    load_prev(r, part);
    for (size_t n = load_count(r->l, 4); n > 0 && load_ok(r->l); n--) {
        *VEC_PUSH(&part->live) = load_partial(r, part, true);
    }
    load_held(r, part);
}

/* Which variables lie ahead of each state: as long as anything is added. */
static void look_ahead(struct mr_reader *r)
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

void mr_reader_free(struct mr *m)
{
    if (m->reader != NULL) {
        VEC_DONE(&m->reader->cells);
        VEC_DONE(&m->reader->held.v);
        mem_free(m->reader->ahead);
        mem_free(m->reader);
        m->reader = NULL;
    }
}

void mr_load(struct mr *m, struct load *l, bool apart)
{
    assert(m->n_parts == 0 && m->held.len == 0 && m->reader == NULL);
    m->reader = MEM_NEW(struct mr_reader);
    m->reader->m = m;
    look_ahead(m->reader);
    m->seq = load_u(l);
    m->refused = load_u(l);
    m->interval_ms = load_i(l);
    m->reader->parts = load_u(l);
    m->reader->l = l;
    tmr_load(l, m->env->timers, &m->timer);
    while (!apart && load_ok(l) && m->reader->parts > 0) {
        load_part(m->reader);
    }
    if (!apart) {
        mr_loaded(m, l);
    }
}

void mr_load_part(struct mr *m, struct load *l)
{
    size_t space = load_space(l);
    if (m->reader == NULL) {
        load_fail(l, "a partition of no match_recognize");
    } else {
        load_part(m->reader);
    }
    load_space_end(l, space);
}

static int by_nr(const void *a, const void *b)
{
    const struct mr_part *x = *(struct mr_part *const *)a, *y = *(struct mr_part *const *)b;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* They came group by group: the list gets its order back. */
static void put_in_order(struct mr *m, struct load *l)
{
    struct mr_part **v = mem_calloc(m->n_parts + 1, sizeof *v);
    size_t n = 0;
    for (struct mr_part *p = m->first; p != NULL; p = p->after) {
        v[n++] = p;
    }
    qsort(v, n, sizeof *v, by_nr);
    for (size_t i = 0; i < n; i++) {
        v[i]->before = i > 0 ? v[i - 1] : NULL;
        v[i]->after = v[i + 1];
        if (i > 0 && v[i]->nr == v[i - 1]->nr) {
            load_fail(l, "two partitions with one first row");
        }
    }
    m->first = v[0];
    m->last = n > 0 ? v[n - 1] : NULL;
    mem_free(v);
}

void mr_loaded(struct mr *m, struct load *l)
{
    if (m->reader == NULL) {
        return;
    }
    if (m->reader->parts > 0) {
        load_fail(l, "%llu partitions are missing", (unsigned long long)m->reader->parts);
    }
    if (!load_ok(l)) {
        mr_clear(m);
        return;
    }
    put_in_order(m, l);
    mr_helds_sort(&m->reader->held);
    for (size_t i = 0; i < m->held.len; i++) {
        m->held.ptr[i] = m->reader->held.v.ptr[i].p;
    }
    mr_reader_free(m);
}
