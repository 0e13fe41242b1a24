/* SPDX-License-Identifier: Apache-2.0
 *
 * The causes of a row that a select gives (sig/cause.def): taken when the row is made, from the
 * events of the row or from its group, and from what its expressions have looked at.
 */
#include "operators/graph/sel.h"
#include "operators/table/table.h"

#include <assert.h>

static struct evt *copy_of(struct vheap *h, const struct evt *e)
{
    struct evt *copy = evt_new(h, e->type);
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        evt_set(copy, i, e->p[i]);
    }
    copy->extra = e->extra;
    if (copy->extra != NULL) {
        obj_keep(&copy->extra->o);
    }
    return copy;
}

static void add_one(const struct evt *e, struct cause_list *to)
{
    if (e != NULL && e->type->kind == ETYPE_TABLE) {
        table_causes(e, to);
    } else {
        cause_add_event(to, e);
    }
}

void sel_sample(struct cause_list *to, const struct evts *rows)
{
    bool table = rows->len > 0 && rows->ptr[0]->type->kind == ETYPE_TABLE;
    for (size_t i = 0; table && i < MIN(rows->len, (size_t)CAUSE_KEPT); i++) {
        table_causes(rows->ptr[i], to);
    }
    if (!table) {
        cause_add_sample(to, rows->ptr, rows->len);
    }
}

void sel_look_again(struct sel_inst *in, struct ectx *c)
{
    const struct sel_plan *p = in->p;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct sel_stream *s = &p->streams[i];
        if (s->kind == SRC_FILTER && s->filter.cond != NULL && s->in == s->type &&
            c->row[i] != NULL) {
            struct ectx x = *c;
            x.row = c->row + i; /* a filter sees its stream alone */
            (void)ex_eval(s->filter.cond, &x);
        }
    }
    if (p->where != NULL) {
        (void)ex_eval(p->where, c);
    }
}

static void add_row(const struct sel_plan *p, struct evt **row, struct cause_list *to)
{
    if (p->triggered) {
        add_one(row[1], to);
        add_one(row[0], to);
        return;
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        add_one(row[i], to);
    }
}

static void of_group(const struct sel_plan *p, struct evt **row, struct group *g,
                     struct cause_list *to)
{
    bool about = p->cls == ROWS_EVENT_TOTAL || p->cls == ROWS_EVENT_GROUP;
    struct cause_list own;
    cause_list_init(&own, CAUSE_KEPT);
    if (about) {
        add_row(p, row, &own);
    }
    if (p->triggered) {
        cause_add_event(to, row[1]);
    }
    aggr_cause_list(g, &own, to);
}

/* `select *` gives the event itself, which stands for itself; with other causes besides, a copy. */
static struct evt *passed(struct vheap *h, struct evt *e, const struct cause_list *all)
{
    if (cause_has_ref(e)) {
        bool itself = all->len == 0 || (all->len == 1 && cause_cmp(all->r[0], e->ref) == 0);
        return itself ? e : copy_of(h, e);
    }
    return e->causes != NULL && e->causes->len != all->len ? copy_of(h, e) : e;
}

struct evt *sel_causes(struct sel_inst *in, struct evt **row, struct group *g,
                       const struct cause_list *extra, struct evt *e)
{
    const struct sel_plan *p = in->p;
    struct vheap *h = in->in.eng->heap;
    assert(e != NULL);
    if (LIKELY(p->cls == ROWS_GROUP && g->refs != NULL && extra->len == 0 && !p->pass)) {
        cause_refs_give(g->refs, h, e);
        return e;
    }
    bool of_events = g == NULL || !aggr_has_causes(g);
    if (of_events && p->n_streams == 1 && extra->len == 0 && row[0] != NULL &&
        cause_has_ref(row[0])) { /* most rows */
        e->ref = row[0]->ref;
        return e;
    }
    struct cause_list all;
    cause_list_init(&all, CAUSE_MAX);
    if (of_events) {
        add_row(p, row, &all);
    } else {
        of_group(p, row, g, &all);
    }
    cause_add_all(&all, extra);
    if (p->pass && e->type->kind == ETYPE_TABLE) {
        return e; /* of others, and changed in place */
    }
    if (p->pass) {
        e = passed(h, e, &all);
    }
    if (!cause_has_ref(e) && e->causes == NULL) {
        cause_give(h, e, &all);
    }
    return e;
}
