/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of match_recognize only: what is known of a statement before it runs. The row
 * pattern is an automaton; see mr_impl.h.
 */
#ifndef OPERATORS_PATTERN_MR_PLAN_H
#define OPERATORS_PATTERN_MR_PLAN_H

#include "operators/agg/agg.h"
#include "operators/pattern/mr.h"

enum {
    MR_VARS_MAX = 60,
    MR_KEYS_MAX = 32,
    MR_STATES_MAX = 4096,
    MR_NEXT_MAX = 1 << 20, /* arrows of an automaton */
    MR_PERMUTE_MAX = 6,
    MR_PREV_MAX = 1000,
    MR_PARTIALS_MAX = 1 << 22, /* of one statement instance; the oldest win */
    MR_END = UINT16_MAX,
};

struct mr_state {
    uint16_t var;
    uint16_t n_next;
    uint16_t *next; /* in order of preference when equal; MR_END: the match is complete */
    int count;      /* which counter it adds to: of * and ? that are not reluctant; -1 */
    bool loops;     /* * and +: itself is next */
    bool ends;      /* MR_END is among next */
};

struct mr_var {
    struct slice name;
    bool group;                /* may take several rows */
    const struct ex *define;   /* NULL: takes every row */
    const struct etype *lists; /* groups the definition may see, as lists; NULL: none */
    uint16_t *list_var;        /* of each column */
};

/* Streams of a definition's row: the variables, then an event of the lists, then previous rows. */
struct mr_plan {
    const struct etype *in, *out;
    const struct etype *match; /* measures see one event of this: a column per variable */
    struct mr_var *vars;
    uint16_t n_vars;
    struct mr_state *states;
    uint16_t n_states, n_counts;
    uint16_t *starts;
    uint16_t n_starts;
    struct ex **partition;
    uint32_t n_partition;
    struct ex **measures;
    uint32_t n_measures;
    struct agg_set aggs; /* of measures, each over the rows of one group variable */
    struct agg_layout layout;
    VEC(uint16_t) agg_var; /* of each call */
    const struct ex *interval;
    bool or_terminated, all_matches;
    enum ast_skip skip;
    uint32_t prev_max; /* how far definitions look back */
};

/* mr_nfa.c: fills vars (names, group), states, starts, and which variables each may see. */
int mr_build(struct bind *b, const struct ast_mr *pattern, struct mr_plan *p, uint64_t *ret_sees,
             struct err *reterr) NODISCARD;
int mr_var_by_name(const struct mr_plan *p, struct slice name); /* -1 */

#endif
