/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events a select lets in when the engine holds as many groups (or, for into table, rows) or
 * as much state as it may: those of groups that are there already, if no value of them is kept. An
 * event that is refused has never come: no window holds it, and nothing leaves that did not enter.
 * A join lets in none, as only its rows have a group. What comes from a named window is not refused
 * here: it is the window's, bounded by its rows. Batches may make groups of what was let in before.
 */
#include "operators/graph/limit.h"
#include "operators/graph/sel.h"

static bool table_has(struct sel_inst *in, struct ectx *c)
{
    const struct sel_plan *p = in->p;
    struct trows *rows = table_of(into_rows_of(p), in->in.props);
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < p->n_group; i++) {
        key[i] = dat_to_column(in->in.eng->heap, ex_eval(p->group[i], c),
                               into_rows_of(p)->type->cols[into_rows_of(p)->key[i]].ty);
    }
    return rows == NULL || table_find(rows, key, p->n_group) != NULL;
}

static bool fits(struct sel_src *s, struct evt *e)
{
    struct sel_inst *in = s->in;
    const struct sel_plan *p = in->p;
    if (p->n_streams > 1) {
        return false;
    }
    struct ectx c = inst_ctx(&in->in, &e);
    if (p->where != NULL && !ex_true(p->where, &c)) {
        return true;
    }
    if (s->grows && lim_full(&in->in.eng->lim, LIM_STATE, LIM_COST_GROUP)) {
        return false;
    }
    if (p->n_group == 0 && p->into == NULL) {
        return true;
    }
    if (p->into != NULL) {
        return table_has(in, &c);
    }
    return aggr_has(in->aggr, &c, p->n_levels > 0 ? p->levels[0] : 0);
}

/* What is full for so many more; LIM_KINDS: nothing. */
static enum lim_kind full(const struct lim *l, enum lim_kind k, size_t more)
{
    return lim_full(l, k, more)                            ? k
           : lim_full(l, LIM_STATE, more * LIM_COST_GROUP) ? LIM_STATE
                                                           : LIM_KINDS;
}

size_t sel_admit(struct sel_src *s, struct evt **nw, size_t n, struct evts *to)
{
    struct sel_inst *in = s->in;
    const struct sel_stream *p = &in->p->streams[s->num];
    struct lim *l = &in->in.eng->lim;
    enum lim_kind k = in->p->into != NULL ? LIM_ROWS : LIM_GROUPS;
    size_t units = sel_units(s), fresh = 0; /* that may be new, of those let in */
    bool mine = p->kind != SRC_WINDOW && p->kind != SRC_TABLE && p->mr == NULL && !in->quiet;
    for (size_t i = 0; i < n; i++) {
        if (!mine || fits(s, nw[i])) {
            evts_add(to, nw[i]);
            continue;
        }
        enum lim_kind of = full(l, k, fresh + units);
        if (in->p->into == NULL && of < LIM_KINDS) {
            aggr_tidy(in->aggr); /* the event would do it when it enters */
            of = full(l, k, fresh + units);
        }
        if (of == LIM_KINDS) {
            fresh += units;
            evts_add(to, nw[i]);
        } else {
            lim_refuse(l, of, of == LIM_STATE ? units * LIM_COST_GROUP : 1, &in->in);
        }
    }
    return to->len;
}
