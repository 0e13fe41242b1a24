/* SPDX-License-Identifier: Apache-2.0
 *
 * The output stage of an instance: what its files share. sel_out.c knows when to put out,
 * sel_out_keep.c and sel_out_first.c what.
 */
#ifndef OPERATORS_GRAPH_SEL_OUT_H
#define OPERATORS_GRAPH_SEL_OUT_H

#include "operators/graph/sel.h"

enum { /* what a condition may ask for */
       OUT_COUNT_INSERT,
       OUT_COUNT_REMOVE,
       OUT_COUNT_INSERT_TOTAL,
       OUT_COUNT_REMOVE_TOTAL,
       OUT_LAST_TIME,
       OUT_PSEUDO
};

struct out_size { /* rows of a batch that waits */
    size_t n_nw, n_old;
};

struct out_waiting { /* batches, one behind the other (sel_out_wait.c), and the rows of each */
    VEC(struct evt *) raw;
    VEC(struct out_size) sizes;
};

struct out {
    struct sel_inst *in;
    struct tmr timer;
    int64_t anchor; /* of the grid */
    bool started, first_done, after_done;
    bool looks;                    /* a variable has made the condition true */
    size_t own_from, own_to;       /* changes of this step that are its own assignments */
    int64_t events_nw, events_old; /* since the last output */
    int64_t total_nw, total_old, last_time;
    int64_t after_count, after_until;
    struct orows nw, old; /* kept rows */
    struct out_waiting wait;
    struct out_late *late;      /* these are saved in slices; NULL: they are not */
    VEC(struct group *) firsts; /* the groups whose row passes, in that order */
    VEC(uint64_t) first_nrs;    /* their numbers, while they are loaded */
    struct dat pseudo[OUT_PSEUDO];
};

struct out_rows { /* a batch */
    struct evt **nw, **old;
    size_t n_nw, n_old;
};

/* A kind of output: what it makes of a batch, and what it puts into in->nw, in->old when the
 * condition holds. `pass`: `after` has passed. `take` false: the batch does not count. */
struct out_way {
    bool (*take)(struct out *o, const struct out_rows *b, bool pass);
    void (*give)(struct out *o);
};

const struct out_way *out_way_keep(const struct sel_plan *p); /* all, last, snapshot, none */
const struct out_way *out_way_wait(const struct sel_plan *p);
const struct out_way *out_way_first(const struct sel_plan *p);

void out_wait_add(struct out *o, const struct out_rows *b);
void out_wait_clear(struct out *o);
void out_keep_rows(struct out *o); /* those just computed */
void out_give_rows(struct out *o);
bool out_per_group(const struct sel_plan *p);
void out_hold(struct vheap *h, struct orows *to, const struct orow *r); /* keeps it over a step */
/* Whether there is no room for one more row that waits; it is lost. */
bool out_refuses(const struct out *o);
void out_let_go(struct out *o, struct orows *rows); /* its own nw or old */
/* sel_out_late.c: rows and batches kept, now or in slices; while that is under way, a list is about
 * to be cleared: then it may be empty already; the stage ends. */
void out_save_rows(struct out *o, struct save *s);
void out_late_give(struct out *o, struct orows *rows);
void out_late_give_waiting(struct out *o);
void out_late_rest(struct out *o);
/* The result rows of the batch, into in->nw and in->old. */
void out_compute(struct out *o, const struct out_rows *b);

/* Whether all that an event does, where nothing leaves, is to enter its group, which is put out
 * later: then out_lone does it (c: with the event's row), as out_batch would. */
bool out_is_lone(const struct sel_plan *p);
void out_lone(struct sel_inst *in, struct ectx *c);

typedef void out_row_fn(struct out *o, struct group *g, struct evt **row, bool enter);

/* Every row of a batch with its group, at every level; `fn` (or NULL) before it is applied, if it
 * is. */
void out_each_row(struct out *o, const struct out_rows *b, out_row_fn *fn, bool apply);

#endif
