/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition of match_recognize, as it is saved. Lists of rows are shared between partials that
 * begin alike and stay so: a list is written as how many of its newest rows are new here, the
 * number of the cell behind them (0: none) and those rows, oldest first; cells are numbered as they
 * are written.
 *
 * Cells do not change, so a partition with many rows is written later out of an image: its partials
 * are copied, and their lists pinned. Before the first row after a cut that is all there is to do.
 */
#include "operators/pattern/mr_impl.h"

#include "core/base/mem.h"
#include "operators/sig/save_late.h"

#include <stdlib.h>

/* ---- withheld matches in order of their first row ---- */

void mr_helds_add(struct mr_helds *h, struct mr_partial *p)
{
    size_t at = h->v.len;
    *VEC_PUSH(&h->v) = (struct mr_held){p, at};
}

static int by_begin(const void *a, const void *b)
{
    const struct mr_held *x = a, *y = b;
    if (x->p->begin != y->p->begin) {
        return x->p->begin < y->p->begin ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

void mr_helds_sort(struct mr_helds *h)
{
    for (size_t i = 1; i < h->v.len; i++) {
        if (h->v.ptr[i].p->begin < h->v.ptr[i - 1].p->begin) {
            qsort(h->v.ptr, h->v.len, sizeof *h->v.ptr, by_begin);
            return;
        }
    }
}

/* ---- partial matches, a row at a time ---- */

struct writer {
    const struct mr_plan *plan;
    struct vheap *heap;
    VEC(struct mr_partial *) v; /* the live ones, then the withheld; of an image: its own */
    size_t live;
    size_t at;    /* the partial under way */
    uint32_t var; /* ... and its next variable; 0: nothing of it is written */
    enum { PLAIN, WALKS, ROWS } phase;
    struct mr_cell *cell; /* WALKS: the next */
    VEC(struct mr_cell *) rows;
    uint32_t cells, by; /* numbered so far, by this one */
};

static void write_plain(struct writer *w, const struct mr_partial *p, struct save *s)
{
    save_u(s, p->begin);
    save_u(s, p->end);
    save_i(s, p->begin_ms);
    save_u(s, p->state);
    for (uint16_t i = 0; i < w->plan->n_counts; i++) {
        save_u(s, p->count[i]);
    }
}

/* A list of which every row is new, so far. */
static void begin_rows(struct writer *w, struct mr_cell *newest)
{
    VEC_CLEAR(&w->rows);
    w->cell = newest;
    w->phase = WALKS;
}

static void walk(struct writer *w, struct save *s)
{
    struct mr_cell *c = w->cell;
    if (c != NULL && c->by != w->by) {
        *VEC_PUSH(&w->rows) = c;
        w->cell = c->prev;
        return;
    }
    save_u(s, w->rows.len);
    save_u(s, c != NULL ? c->number : 0);
    w->phase = w->rows.len > 0 ? ROWS : PLAIN;
}

static void write_row(struct writer *w, struct save *s)
{
    struct mr_cell *c = w->rows.ptr[--w->rows.len];
    c->number = ++w->cells;
    c->by = w->by;
    save_evt(s, c->ev);
    w->phase = w->rows.len > 0 ? ROWS : PLAIN;
}

static void write_var(struct writer *w, const struct mr_partial *p, struct save *s)
{
    uint32_t i = w->var++;
    if (w->plan->vars[i].group) {
        begin_rows(w, p->slot[i].rows);
    } else {
        save_evt(s, p->slot[i].ev);
    }
}

/* As much as an event. True: all is written. */
static bool step(void *arg, struct save *s)
{
    struct writer *w = arg;
    if (w->phase == WALKS) {
        walk(w, s);
    } else if (w->phase == ROWS) {
        write_row(w, s);
    } else if (w->at < w->v.len && w->var == w->plan->n_vars) {
        w->at++;
        w->var = 0;
    } else {
        if (w->var == 0 && w->at == 0) {
            save_u(s, w->live);
        }
        if (w->var == 0 && w->at == w->live) {
            save_u(s, w->v.len - w->live);
        }
        if (w->at == w->v.len) {
            return true;
        }
        if (w->var == 0) {
            write_plain(w, w->v.ptr[w->at], s);
        }
        write_var(w, w->v.ptr[w->at], s);
    }
    return false;
}

static void writer_done(struct writer *w)
{
    VEC_DONE(&w->v);
    VEC_DONE(&w->rows);
}

/* ---- an image ---- */

static struct mr_partial *image_of(const struct mr_plan *plan, const struct mr_partial *from)
{
    struct mr_partial *p = mem_dup(from, mr_partial_bytes(plan));
    p->count = (uint32_t *)(void *)&p->slot[plan->n_vars];
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        if (plan->vars[i].group && p->slot[i].rows != NULL) {
            p->slot[i].rows->pins++;
        } else if (!plan->vars[i].group && p->slot[i].ev != NULL) {
            (void)evt_keep(p->slot[i].ev);
        }
    }
    return p;
}

static void image_free(void *arg)
{
    struct writer *w = arg;
    VEC_EACH (&w->v, p) {
        for (uint16_t i = 0; i < w->plan->n_vars; i++) {
            if (w->plan->vars[i].group) {
                mr_cells_unpin(w->heap, (*p)->slot[i].rows);
            } else if ((*p)->slot[i].ev != NULL) {
                evt_drop(w->heap, (*p)->slot[i].ev);
            }
        }
        mem_free(*p);
    }
    writer_done(w);
    mem_free(w);
}

static void write_later(const struct writer *from, struct save *s)
{
    static const struct save_tail_ops ops = {step, image_free};
    struct writer *w = MEM_NEW(struct writer);
    *w = *from;
    VEC_EACH (&w->v, p) {
        *p = image_of(w->plan, *p);
    }
    save_tail_add(s, &ops, w);
}

static bool is_large(const struct writer *w)
{
    enum { MANY = 256 };
    size_t n = w->v.len;
    for (size_t i = 0; i < w->v.len && n < MANY; i++) {
        for (uint16_t k = 0; k < w->plan->n_vars; k++) {
            const struct mr_cell *c = w->plan->vars[k].group ? w->v.ptr[i]->slot[k].rows : NULL;
            n += c != NULL ? c->len : 0;
        }
    }
    return n >= MANY;
}

void mr_save_inside(struct mr *m, struct mr_part *p, struct save *s)
{
    struct writer w = {.plan = m->plan, .heap = m->env->heap, .live = p->live.len};
    struct mr_helds held = {0};
    save_u(s, p->nr);
    save_vals(s, p->key, m->plan->n_partition);
    save_evts(s, p->prev, p->n_prev);
    VEC_EACH (&p->live, x) {
        *VEC_PUSH(&w.v) = *x;
    }
    for (struct mr_partial *x = p->held_first; x != NULL; x = x->next) {
        mr_helds_add(&held, x);
    }
    mr_helds_sort(&held);
    VEC_EACH (&held.v, h) {
        *VEC_PUSH(&w.v) = h->p;
    }
    VEC_DONE(&held.v);
    m->writers += m->writers == UINT32_MAX ? 2 : 1; /* 0: a cell that nobody has written */
    w.by = m->writers;
    if (is_large(&w) && save_tail_takes(s)) {
        write_later(&w, s);
        return;
    }
    while (!step(&w, s)) {
    }
    writer_done(&w);
}
