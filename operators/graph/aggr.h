/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups of a statement instance: a block of aggregation states per value of the group-by
 * expressions, in order of first appearance; one without keys if there is no group by. Calls with a
 * local group_by have groups of their own.
 */
#ifndef OPERATORS_GRAPH_AGGR_H
#define OPERATORS_GRAPH_AGGR_H

#include "operators/agg/agg.h"
#include "operators/sig/cause_refs.h"
#include "operators/sig/lim.h"

struct aggregator;

struct group_kept { /* what the output stage keeps of a group */
    struct orow_kept {
        struct evt *nw, *old; /* kept */
        struct vlist *nw_key, *old_key;
    } out;
    int64_t first_at, first_in, first_out; /* output first: since when; rows since then */
};

/* A line of the cache with what is seldom looked at, then what every event of it touches: the next
 * line, the block of aggregations behind the keys, and `refs`. */
struct group {
    struct group *next, *prev; /* in order of appearance */
    uint64_t nr;               /* likewise */
    struct group_kept *kept;   /* NULL without an output stage */
    /* What its values come from, if causes are wanted: where nothing leaves what ever was in it,
     * else what is, by references (`refs`) or as events. */
    struct cause_live *live;
    struct cause_ever *ever;
    struct evt **row; /* the last row of it, kept; NULL */
    uint64_t unused;
    uint64_t hash;
    struct aggregator *of;
    int64_t rows;   /* entered and not left */
    uint32_t id;    /* its place among all of the aggregator, from 1; others had it before */
    uint32_t level; /* of rollup */
    struct cause_refs *refs;
    /* For the batch and the output stage: */
    bool touched, seen, has_first;
    bool left;  /* all of its rows have left: among those that begin anew */
    bool whole; /* the level of rollup that all rows are in: it never begins anew */
    struct dat key[];
};

struct aggregator *aggr_new(const struct agg_layout *l, struct ex **keys, uint32_t n_keys,
                            uint32_t width, struct vheap *heap);
/* Groups made from here on have room for what the output stage keeps. */
void aggr_keeps(struct aggregator *a);
/* Groups whose rows have all left are forgotten, and not only begin anew. */
void aggr_forgets(struct aggregator *a);
void aggr_free(struct aggregator *a);
/* Groups made from here on are counted. */
void aggr_limit(struct aggregator *a, struct lim *lim);
/* Groups made from here on know their causes. windowed: rows leave; queue: all do, in the order in
 * which they entered, and all their events have references. */
void aggr_causes(struct aggregator *a, bool windowed, bool queue);
/* The group of the row in ctx (a new one if there is none yet). `rolled`: mask of key expressions
 * taken as null, with the level's number. */
struct group *aggr_group(struct aggregator *a, struct ectx *ctx, uint32_t level, uint32_t rolled);
void aggr_touch(struct group *g); /* it was not looked up, and is about to be changed */
struct group *aggr_of_key(struct aggregator *a, struct dat key);   /* of the one key, likewise */
struct group *aggr_of_row(struct aggregator *a, struct ectx *ctx); /* without rollup */
bool aggr_in_order(const struct aggregator *a);                    /* aggr_causes has said: queue */
/* The group is about to be used: what it needs is fetched into the cache while others are found. */
static inline void aggr_soon(const struct group *g)
{
    if (g->refs != NULL) {
        cause_refs_soon(g->refs);
    } else if (g->live != NULL) {
        cause_live_soon(g->live);
    }
}
struct group *aggr_by_id(const struct aggregator *a, uint32_t id); /* NULL */
/* A row of that kind comes soon. */
void aggr_soon_key(const struct aggregator *a, struct ectx *ctx);
void aggr_soon_of_key(const struct aggregator *a, struct dat key);
/* The group with that id (0: none) will be used before long: its place, then the group, then what
 * it points to is fetched, each when the one before has come. */
void aggr_soon_far(const struct aggregator *a, uint32_t id);
void aggr_soon_middle(const struct aggregator *a, uint32_t id);
static inline void aggr_soon_near(const struct aggregator *a, uint32_t id)
{
    const struct group *g = aggr_by_id(a, id);
    if (g != NULL) {
        aggr_soon(g);
    }
}
bool aggr_has(struct aggregator *a, struct ectx *ctx, uint32_t rolled); /* of the first level */
struct group *aggr_total(struct aggregator *a);                         /* without keys */
/* What all rows have left keeps its values until some row of any group enters: only then does it
 * begin anew, or is forgotten if it is not of the batch under way (touched). */
void aggr_enter(struct group *g, struct ectx *ctx);
void aggr_tidy(struct aggregator *a); /* as if a row had entered */
void aggr_leave(struct group *g, struct ectx *ctx);
/* Calls with a local group_by: once per row, whatever the levels. */
void aggr_local(struct aggregator *a, struct ectx *ctx, bool enter);
/* A sample of what the group's values come from; own: what the row is about besides, or NULL. */
static inline bool aggr_has_causes(const struct group *g)
{
    return g->refs != NULL || g->live != NULL || g->ever != NULL;
}
void aggr_cause_list(struct group *g, const struct cause_list *own, struct cause_list *to);
struct dat aggr_value(struct group *g, uint32_t slot, struct ectx *ctx);
struct group *aggr_first(struct aggregator *a);
void aggr_keep_row(struct group *g, struct evt **row);
/* State: counters, then groups, with by_key each under the group of its key, to be loaded from any
 * number of chunks; aggr_loaded puts them in order. What only the owner can tell is `check`ed. */
void aggr_save(const struct aggregator *a, struct save *s);
void aggr_load(struct aggregator *a, struct load *l);
void aggr_save_groups(struct aggregator *a, struct save *s, bool by_key);
void aggr_load_groups(struct aggregator *a, struct load *l, bool by_key,
                      void (*check)(void *arg, const struct group *g, struct load *l), void *arg);
void aggr_loaded(struct aggregator *a);
/* Groups by their numbers; NULL for what is not there. */
void aggr_numbers(const struct aggregator *a, const uint64_t *nr, size_t n, struct group **ret);

#endif
