/* SPDX-License-Identifier: Apache-2.0
 *
 * What an output stage keeps of rows and batches, saved: the two lists of rows, then the batches
 * that wait. All three only grow at their end until they are put out, so large ones are written in
 * slices (sig/save_late.h): a cursor goes through what was there at the cut. A list that is put out
 * meanwhile is handed over with its memory, and let go of as it is written.
 */
#include "operators/graph/sel_out.h"

#include "core/base/mem.h"
#include "operators/sig/save_late.h"

#include <assert.h>

enum { NEW, OLD, WAITING, LISTS };

struct out_late {
    struct save_late *to;
    struct out *o;
    size_t n[LISTS], n_raw; /* at the cut: rows, rows, batches; events of these */
    uint32_t list;          /* the one that is being written */
    bool begun;             /* so much that its length is there */
    size_t at;              /* rows or batches of it that are */
    size_t raw, left;       /* events of batches; those to come of the batch under way */
    bool ours[LISTS];       /* handed over: */
    struct orows rows[2];
    struct out_waiting wait;
};

static struct vheap *heap_of(const struct out_late *l)
{
    return l->o->in->in.eng->heap;
}

static void drop_row(struct vheap *h, const struct orow *r)
{
    evt_drop(h, r->e);
    if (r->key != NULL) {
        obj_drop(h, &r->key->o);
    }
}

/* ---- writing ---- */

static void write_row(struct out_late *l, struct save *s)
{
    const struct orows *own = l->list == NEW ? &l->o->nw : &l->o->old;
    const struct orow *r = &(l->ours[l->list] ? &l->rows[l->list] : own)->v.ptr[l->at++];
    save_evt_apart(s, r->e);
    save_space(s);
    save_val(s, r->key != NULL ? dat_list(r->key) : DAT_NONE);
    save_space_end(s);
    if (l->ours[l->list]) {
        drop_row(heap_of(l), r);
    }
}

/* How large a batch is, or its next event. */
static void write_waiting(struct out_late *l, struct save *s)
{
    bool ours = l->ours[WAITING];
    if (l->left == 0) {
        struct out_size b = (ours ? l->wait.sizes.ptr : l->o->wait.sizes.ptr)[l->at];
        save_u(s, b.n_nw);
        save_u(s, b.n_old);
        l->left = (b.n_nw + b.n_old) * l->o->in->p->n_streams;
    } else {
        struct evt *e = (ours ? l->wait.raw.ptr : l->o->wait.raw.ptr)[l->raw++];
        save_bool(s, e != NULL);
        if (e != NULL) {
            save_evt_apart(s, e);
        }
        if (e != NULL && ours) {
            evt_drop(heap_of(l), e);
        }
        l->left--;
    }
    l->at += l->left == 0;
}

/* The next bit. False: that was all. */
static bool write_one(struct out_late *l, struct save *s)
{
    if (!l->begun) {
        save_u(s, l->n[l->list]);
        l->begun = true;
    } else if (l->at < l->n[l->list] && l->list == WAITING) {
        write_waiting(l, s);
    } else if (l->at < l->n[l->list]) {
        write_row(l, s);
    } else {
        l->list++;
        l->begun = false;
        l->at = 0;
    }
    return l->list < LISTS;
}

static struct out_late begin(struct out *o)
{
    return (struct out_late){
        .o = o, .n = {o->nw.v.len, o->old.v.len, o->wait.sizes.len}, .n_raw = o->wait.raw.len};
}

/* ---- in slices ---- */

static void let_go(struct out_late *l, uint32_t list)
{
    for (size_t i = list == l->list ? l->at : 0; i < l->n[list]; i++) {
        drop_row(heap_of(l), &l->rows[list].v.ptr[i]);
    }
}

static void late_done(struct out_late *l)
{
    for (uint32_t list = l->list; list < WAITING; list++) {
        if (l->ours[list]) {
            let_go(l, list);
        }
    }
    for (size_t i = l->raw; l->ours[WAITING] && i < l->n_raw; i++) {
        if (l->wait.raw.ptr[i] != NULL) {
            evt_drop(heap_of(l), l->wait.raw.ptr[i]);
        }
    }
    VEC_DONE(&l->rows[NEW].v);
    VEC_DONE(&l->rows[OLD].v);
    VEC_DONE(&l->wait.raw);
    VEC_DONE(&l->wait.sizes);
    l->o->late = NULL;
    mem_free(l);
}

static bool step(void *arg, size_t bytes)
{
    struct out_late *l = arg;
    struct save_late *to = l->to;
    for (size_t from = save_late_bytes(to); save_late_bytes(to) - from < bytes;) {
        if (!write_one(l, save_late_to(to))) {
            save_late_end(to);
            late_done(l);
            return true;
        }
    }
    return false;
}

static void forget(void *arg)
{
    late_done(arg);
}

void out_save_rows(struct out *o, struct save *s)
{
    enum { EVENT_BYTES = 64 }; /* from below */
    static const struct save_late_ops ops = {step, forget};
    struct out_late now = begin(o), *l = NULL;
    size_t size = (o->nw.v.len + o->old.v.len + o->wait.raw.len) * EVENT_BYTES;
    if (o->late == NULL && vheap_numbers(o->in->in.eng->heap)) {
        l = MEM_NEW(struct out_late);
        *l = now;
        l->to = save_later(s, &ops, l, size);
    }
    if (l != NULL && l->to != NULL) {
        o->late = l;
        return;
    }
    mem_free(l);
    while (write_one(&now, s)) {
    }
}

/* ---- what goes meanwhile ---- */

void out_late_give(struct out *o, struct orows *rows)
{
    struct out_late *l = o->late;
    uint32_t list = rows == &o->nw ? NEW : OLD;
    size_t written = l->list == list ? l->at : 0;
    if (l->ours[list] || l->list > list || written == l->n[list]) {
        return;
    }
    for (size_t i = 0; i < rows->v.len; i++) {
        if (i < written || i >= l->n[list]) {
            drop_row(heap_of(l), &rows->v.ptr[i]);
        }
    }
    l->rows[list] = *rows;
    l->ours[list] = true;
    *rows = (struct orows){0};
}

void out_late_give_waiting(struct out *o)
{
    struct out_late *l = o->late;
    if (l->ours[WAITING] || l->n[WAITING] == 0 || (l->list == WAITING && l->at == l->n[WAITING])) {
        return;
    }
    for (size_t i = 0; i < o->wait.raw.len; i++) {
        if ((i < l->raw || i >= l->n_raw) && o->wait.raw.ptr[i] != NULL) {
            evt_drop(heap_of(l), o->wait.raw.ptr[i]);
        }
    }
    l->wait = o->wait;
    o->wait = (struct out_waiting){0};
    l->ours[WAITING] = true;
}

void out_late_rest(struct out *o)
{
    while (o->late != NULL) {
        (void)step(o->late, SIZE_MAX);
    }
}
