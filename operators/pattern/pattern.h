/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns: a tree of nodes, run as a tree of node instances by the truth protocol (README.md).
 * What has matched so far is an event of the pattern's type: a column per tag, an event or (tags
 * that repeat) a list of events; extending it makes a new one.
 */
#ifndef OPERATORS_PATTERN_PATTERN_H
#define OPERATORS_PATTERN_PATTERN_H

#include "operators/plan/bind.h"
#include "operators/route/route.h"
#include "operators/sig/lim.h"
#include "operators/time/tmr.h"

struct pat_plan {
    const struct etype *type; /* of matches */
    struct pat_node *root;
    uint32_t n_nodes;
    bool suppress_overlapping, discard_partials;
};

struct pat_env { /* outlives the pattern */
    struct vheap *heap;
    struct tmr_queue *timers;
    struct route *route;
    const int64_t *now;
    const struct ectx_ops *ops;
    bool causes; /* rows of match_recognize tell theirs */
    struct inst *inst;
    struct lim *lim; /* or NULL */
    uint64_t rank;
    bool plain_last; /* and those without conditions come behind those of statements */
    bool by_kind; /* leaves have the class of their filter, as those of statements (PAT_CLASS..) */
};

enum { /* of ranks: bits 48 and up */
       PAT_CLASS_SHIFT = 48,
       PAT_CLASS_LATE_SHIFT = 40, /* of all those without a condition, the last */
};

struct pat;

/* `outer` gives tags that are visible from outside (of a context's start), or NULL. */
int pat_bind(struct bind *b, const struct ast_pat *p, const struct ast_annot *annots,
             uint32_t n_annots, const struct etype *outer, struct pat_plan *ret,
             struct err *reterr) NODISCARD;
/* on_match is called for each match, while an event or a timer is being handled. */
struct pat *pat_new(const struct pat_plan *p, struct pat_env *env,
                    void (*on_match)(void *arg, struct evt *match), void *arg);
void pat_start(struct pat *p, struct evt *begin); /* begin: NULL or a match to go on from */
/* At the owner's flush: matches are let go. */
void pat_pass(struct pat *p);
/* What stays of matches that are told at once, by @SuppressOverlappingMatches; what holds an event
 * of them ends, by @DiscardPartialsOnMatch. */
size_t pat_settle(struct pat *p, struct evt *const *matches, size_t n, struct evt ***ret_matches);
void pat_stop(struct pat *p); /* ends all partial matches; pat_start begins anew */
void pat_free(struct pat *p);
/* All instances, between two calls; loaded into a pattern that is new and not started. apart: if
 * there are many they have a node of their own, in slices if that may be. */
void pat_save(struct pat *p, struct save *s, bool apart);
bool pat_is_apart(const struct pat *p); /* there are many */
void pat_save_pages(struct pat *p, struct save *s);
void pat_load(struct pat *p, struct load *l, bool apart);
void pat_load_page(struct pat *p, struct load *l); /* of that node */
void pat_loaded(struct pat *p, struct load *l);    /* all that it has */

#endif
