/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of match_recognize only.
 *
 * A partial match waits in a state: a place of the row pattern that the next row may take. A row
 * that its variable's definition takes moves the partial on to each state that may follow, or ends
 * it; a row that is not taken ends the partial for good.
 */
#ifndef OPERATORS_PATTERN_MR_IMPL_H
#define OPERATORS_PATTERN_MR_IMPL_H

#include "core/base/hidx.h"
#include "operators/pattern/mr_plan.h"

struct mr_cell { /* rows of a group variable, newest first; shared by partials */
    struct mr_cell *prev;
    struct evt *ev; /* kept */
    uint32_t refs, len;
    uint32_t pins;       /* of images; and cells before it that are there only for those */
    uint32_t number, by; /* of saving: its number by that writer */
};
union mr_slot {
    struct evt *ev; /* kept */
    struct mr_cell *rows;
};

struct mr_partial {
    struct mr_partial *next, *prev; /* of what is withheld in its partition */
    struct mr_part *part;           /* where */
    uint64_t begin, end;            /* numbers of rows */
    int64_t begin_ms;
    uint64_t cost; /* of LIM_STATE, without cells */
    uint16_t state;
    uint32_t *count; /* n_counts, behind the slots */
    union mr_slot slot[];
};

struct mr_part { /* one partition */
    struct mr_part *before, *after;
    uint64_t hash;
    uint64_t nr;     /* of its first row: no other has it */
    struct dat *key; /* kept */
    VEC(struct mr_partial *) live;
    struct evt **prev; /* the last prev_max + 1 rows, newest first; kept */
    uint32_t n_prev;
    uint32_t held; /* matches that are withheld, or about to be reported */
    uint32_t mark; /* scratch of ranking */
    uint32_t cut;  /* it is written for that one */
    struct mr_partial *held_first, *held_last; /* withheld, as they came */
};

struct mr {
    const struct mr_plan *plan;
    struct pat_env *env;
    mr_sink *sink;
    void *arg;
    struct ectx_ops ops; /* the statement's, with aggregations of its own */
    struct evt **row;
    struct hidx by_key; /* partitions */
    size_t n_parts;
    struct mr_part *first, *last;
    size_t n_partials;
    uint64_t seq;                        /* of rows */
    VEC(struct mr_partial *) held;       /* in order of begin */
    VEC(struct mr_partial *) ends, next; /* of the update under way */
    VEC(uint64_t) over;                  /* first rows of those that no further row extends */
    VEC(struct evt *) rows;
    struct tmr timer;
    int64_t interval_ms;
    void *block;      /* states of the measures' aggregations */
    uint64_t refused; /* beginnings beyond the limit */
    uint32_t writers; /* partitions that were written, ever */
    struct {          /* partitions that are saved in slices; to: NULL, or where they are written */
        struct save_late *to;
        struct mr_part *at; /* the next one */
        uint64_t end;       /* of those there at the cut: a number behind them all */
        uint32_t cut;
    } late;
    struct mr_reader *reader; /* while it is loaded */
};

void mr_clear(struct mr *m); /* mr_run.c: as if it had seen no row; the others: mr_eval.c */
void mr_partial_costs(struct mr *m, struct mr_partial *p, uint64_t more);        /* of LIM_STATE */
struct mr_cell *mr_cell_new(struct mr *m, struct mr_cell *prev, struct evt *ev); /* takes prev */
struct mr_partial *mr_partial_new(struct mr *m, struct mr_part *part);
struct mr_partial *mr_partial_copy(struct mr *m, const struct mr_partial *p);
void mr_partial_free(struct mr *m, struct mr_partial *p);
/* Puts the row into the slot of a variable. */
void mr_partial_take(struct mr *m, struct mr_partial *p, uint16_t var, struct evt *ev);
bool mr_partial_has(const struct mr *m, const struct mr_partial *p, const struct evt *ev);
bool mr_defined(struct mr *m, const struct mr_partial *p, struct mr_part *part, uint16_t var,
                struct evt *ev);
struct evt *mr_measure(struct mr *m, const struct mr_partial *p); /* NULL: an expression failed */
struct dat mr_partition_key(struct mr *m, uint32_t i, struct evt *ev);
void mr_eval_init(struct mr *m);
void mr_cells_free(struct mr *m, struct mr_cell *c); /* one reference */
/* A pin keeps the cells from there on, whatever becomes of the matches; it counts for no limit. */
void mr_cells_unpin(struct vheap *h, struct mr_cell *c); /* NULL is fine */
size_t mr_partial_bytes(const struct mr_plan *p);
/* mr_part.c */
struct mr_part *mr_part_of(struct mr *m, struct evt *ev, bool make);
struct mr_part *mr_part_add(struct mr *m, const struct dat *key); /* NULL: it is there already */
void mr_part_push(struct mr *m, struct mr_part *part, struct evt *ev); /* for prev */
void mr_part_drop(struct mr *m, struct mr_part *part, const struct evt *ev);
void mr_part_release(struct mr *m, struct mr_part *part); /* if nothing is left in it */
void mr_part_free(struct mr *m, struct mr_part *part);
void mr_hold(struct mr_partial *p); /* among the withheld of its partition; its count is up */
void mr_unhold(struct mr_partial *p);
/* mr_save.c: what is in a partition; matches in order of their first row, then as they were added
 */
struct mr_held {
    struct mr_partial *p;
    size_t at;
};
struct mr_helds {
    VEC(struct mr_held) v;
};
void mr_helds_add(struct mr_helds *h, struct mr_partial *p);
void mr_helds_sort(struct mr_helds *h);
void mr_save_inside(struct mr *m, struct mr_part *p, struct save *s);
/* mr_state.c: before anything of a partition changes, or it goes. */
void mr_save_first(struct mr *m, struct mr_part *part);
void mr_save_rest(struct mr *m);
void mr_reader_free(struct mr *m);
static inline void mr_touch(struct mr *m, struct mr_part *part)
{
    if (UNLIKELY(m->late.to != NULL)) {
        mr_save_first(m, part);
    }
}
/* mr_rank.c: of complete matches those that are reported; the others are freed. mr_better: whether
 * a is preferred to b, which was there before and begins at the same row. */
void mr_rank(struct mr *m, struct mr_partial **v, size_t *n);
bool mr_better(const struct mr *m, const struct mr_partial *a, const struct mr_partial *b);

#endif
