/* SPDX-License-Identifier: Apache-2.0
 *
 * `output first`: the first batch with rows of an interval, or with groups the first row of each
 * group, which then waits for its own interval. Before `after` has passed rows are found but not
 * shown: a group's first is shown when it has.
 */
#include "operators/graph/sel_out.h"

#include "operators/expr/cron.h"

/* ---- groups ---- */

/* Rows that enter and rows that leave are counted apart. */
static bool count_passes(struct group *g, int64_t every, bool enter)
{
    int64_t *count = enter ? &g->kept->first_in : &g->kept->first_out;
    *count += 1;
    if (g->has_first && *count < every) {
        return false;
    }
    g->kept->first_in = g->kept->first_out = 0;
    return true;
}

static bool group_passes(struct out *o, struct group *g, bool enter)
{
    const struct out_plan *p = &o->in->p->output;
    int64_t now = o->in->in.eng->now;
    struct ectx c = inst_ctx(&o->in->in, NULL);
    if (p->when == OUT_EVERY_EVENTS) {
        if (!count_passes(g, dat_to_long(ex_eval(p->every, &c)), enter)) {
            return false;
        }
    } else if (p->when == OUT_EVERY_TIME) {
        if (g->has_first && now < ex_after(p->every, &c, g->kept->first_at, 1)) {
            return false;
        }
        g->kept->first_at = now;
    } else if (p->when == OUT_AT) {
        struct tmr_cron cron;
        if (g->has_first && (ex_cron_eval(p->cron, &c, &cron, NULL) != 0 ||
                             tmr_cron_next(&cron, g->kept->first_at) > now)) {
            return false;
        }
        g->kept->first_at = now;
    } else if (g->has_first) {
        return false;
    }
    g->has_first = true;
    return true;
}

/* A row passes for its group, once in a batch; its previous value is the one of this moment. */
static void first_row(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct sel_inst *in = o->in;
    struct orow r;
    if (in->p->having != NULL && !sel_row(in, row, g, false, &r)) {
        return;
    }
    if (!group_passes(o, g, enter)) {
        return;
    }
    aggr_keep_row(g, row);
    if (g->touched) {
        return;
    }
    g->touched = true;
    *VEC_PUSH(&o->firsts) = g;
    if (in->p->needs_old && in->p->cls != ROWS_EVENT_GROUP && sel_row(in, row, g, true, &r)) {
        out_hold(in->in.eng->heap, &o->old, &r);
    }
}

static void give_firsts(struct out *o)
{
    struct sel_inst *in = o->in;
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    VEC_EACH (&o->firsts, f) {
        struct orow r;
        struct group *g = *f;
        aggr_touch(g);
        g->touched = false;
        g->kept->first_at = in->in.eng->now;
        if (sel_row(in, g->row, g, false, &r)) {
            orows_add(&in->nw, r);
        }
    }
    VEC_EACH (&o->old.v, r) {
        orows_add(&in->old, *r);
    }
    VEC_CLEAR(&o->firsts);
    if (in->nw.v.len + in->old.v.len > 0) {
        sel_emit(in, &in->nw, &in->old);
    }
    out_let_go(o, &o->old);
}

/* The first of each group and interval passes, with the values after the batch. With having, the
 * first that has it after the batch. The condition is the group's own, so nothing is counted. */
static bool take_firsts(struct out *o, const struct out_rows *b, bool pass)
{
    bool having = o->in->p->having != NULL;
    out_each_row(o, b, having ? NULL : first_row, true);
    if (having) {
        out_each_row(o, b, first_row, false);
    }
    if (pass) {
        give_firsts(o);
    }
    return false;
}

/* ---- without groups ---- */

/* The first batch that has rows passes; the interval begins with it. */
static bool take_first(struct out *o, const struct out_rows *b, bool pass)
{
    struct sel_inst *in = o->in;
    out_compute(o, b);
    bool some = in->p->streams_out != STREAM_RSTREAM && in->nw.v.len > 0;
    if (!pass || (!o->first_done && !some && in->old.v.len == 0)) {
        return false;
    }
    if (!o->first_done) {
        o->first_done = true;
        sel_emit(in, &in->nw, &in->old);
    }
    return true;
}

static void give_first(struct out *o)
{
    o->first_done = false;
}

const struct out_way *out_way_first(const struct sel_plan *p)
{
    static const struct out_way one = {take_first, give_first}, groups = {take_firsts, give_first};
    return out_per_group(p) ? &groups : &one;
}
