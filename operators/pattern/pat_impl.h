/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of patterns only. A plan is a tree of pat_node; running, each node has any
 * number of instances (pat_inst), each begun with a match and reporting to its parent:
 *
 *   pat_true(i, m, quit)   m is a match; quit: this instance will never report again
 *   pat_false(i, again)    it can never turn true any more; again: it may be begun anew
 *
 * Whoever gets `quit` or false gives the instance back by pat_quit. Memory of instances that quit
 * stays valid until the outermost call (an event, a timer, a start) returns: then it goes back to
 * the free list of its node. Matches are borrowed; what outlives the call is kept (evt_keep).
 */
#ifndef OPERATORS_PATTERN_PAT_IMPL_H
#define OPERATORS_PATTERN_PAT_IMPL_H

#include "operators/pattern/pattern.h"

struct pat_inst;
struct pat_binder;
struct pat_node;
struct pat_told;

struct pat_def {
    size_t node_bytes, inst_bytes;
    bool keeps_filter; /* a filter below stays registered after a match */
    bool keeps_on;     /* reports several times without being begun anew: filter, schedule */
    bool is_not;
    bool leaf;
    bool guard, observer; /* found by what pat.def says is written */
    bool passes_on;       /* later parts begin with the matches of earlier ones */
    bool one_each;        /* at most one kid of each slot */
    bool holds_begin;     /* @DiscardPartialsOnMatch ends it if it was begun with a used event */
    int (*bind)(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                struct err *reterr);
    size_t (*inst_extra)(const struct pat_node *n); /* bytes behind inst_bytes; NULL: none */
    void (*start)(struct pat_inst *i);
    void (*on_true)(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit);
    void (*on_false)(struct pat_inst *i, struct pat_inst *from, bool again);
    void (*quit)(struct pat_inst *i);       /* timers, leaves; kids are quit by the caller */
    bool (*holds_used)(struct pat_inst *i); /* it collected an event whose mark is set */
    void (*reset)(struct pat_inst *i);      /* drops what it holds, keeps its memory */
    void (*destroy)(struct pat_inst *i);    /* frees its memory */
    /* What pat_local.h wants to know of the node; NULL: nothing. */
    void (*tell)(const struct pat_node *n, struct pat_told *ret);
    /* What the kind adds to begin and kids, which are there already when load is called. */
    void (*save)(struct pat_inst *i, struct save *s);
    void (*load)(struct pat_inst *i, struct load *l);
};

struct pat_node { /* of the plan; kinds embed it first */
    const struct pat_def *def;
    struct pat_node **kids;
    uint32_t n_kids;
    uint32_t id; /* of its free list */
};

struct pat_inst { /* kinds embed it first */
    const struct pat_node *node;
    struct pat *pat;
    struct pat_inst *parent;
    struct pat_inst *first, *last; /* kids, in order of beginning */
    struct pat_inst *next, *prev;  /* among the parent's kids; next stays valid after quit */
    struct pat_inst *grave;        /* list of the dead, or the free list */
    struct evt *begin;             /* kept; NULL: nothing matched so far */
    uint32_t slot;                 /* which kid of the parent's node it is */
    bool dead, linked;
    bool late, counted;  /* it follows on a match so far; it is among the partials */
    bool probing, fired; /* being begun by every: a match now is swallowed and noted */
};

struct pat {
    const struct pat_plan *plan;
    struct pat_env *env;
    void (*on_match)(void *arg, struct evt *match);
    void *arg;
    struct pat_inst *root;
    struct pat_inst *grave;
    struct pat_inst **spare; /* by node id */
    struct evt *begin;       /* kept */
    uint32_t depth;          /* calls under way */
    uint32_t nesting;        /* starts within starts */
    size_t live, partials;
    uint64_t refused; /* starts beyond the limits below */
    bool freeing;
    VEC(struct evt *) out;   /* matches, kept */
    VEC(struct evt *) taken; /* being settled */
    VEC(struct evt *) first; /* of them, those that are not suppressed */
    VEC(struct evt *) named; /* of a save or load under way */
};

enum {
    PAT_LIVE_MAX = 1 << 23, /* instances of one pattern: every in every doubles without end */
    PAT_NESTING_MAX = 1000, /* starts within starts: timers of no length under until */
    PAT_NODES_MAX = 1 << 12,
    PAT_TAGS_MAX = 1 << 10,
    PAT_ORDER_STEP = 64, /* between the ranks of leaves: streams of a statement lie below */
    PAT_ORDER_MAX = 1023,
    PAT_TIMER_RANK =
        0x1000, /* timers due at once: windows, then nodes as they stand, outer first */
};

/* ---- pat.c: run time ---- */
void pat_enter(struct pat *p);
void pat_leave(struct pat *p);
/* A new kid of the node's kid `slot`; not yet begun. */
struct pat_inst *pat_spawn(struct pat_inst *parent, uint32_t slot);
void pat_begin(struct pat_inst *i, struct evt *begin);
struct pat_inst *pat_root(struct pat *p); /* a new root, not yet begun */
void pat_begun_with(struct pat_inst *i, struct evt *begin);
void pat_true(struct pat_inst *i, struct evt *m, bool quit);
void pat_false(struct pat_inst *i, bool again);
void pat_quit(struct pat_inst *i); /* and all below; fine if it has already */
void pat_quit_kids(struct pat_inst *i);
/* For every: begins a kid so that a match at its very start ends it again. */
void pat_probe(struct pat_inst *parent, struct evt *begin, struct pat_inst **ret);
/* A copy of m (which may be NULL) with column `col` set. */
struct evt *pat_extend(struct pat *p, struct evt *m, int col, struct dat v);
/* a with the columns that b has. */
struct evt *pat_merge(struct pat *p, struct evt *a, struct evt *b);
struct ectx pat_ctx(struct pat *p, struct evt **row);
/* Partial matches: there are n more, or fewer; whether one more is too many (and is refused). */
void pat_hold(struct pat *p, size_t n);
void pat_release(struct pat *p, size_t n);
bool pat_refuse(struct pat *p);
bool pat_used(const struct evt *m); /* an event in it has its mark set */
void pat_timer(struct pat_inst *i, struct tmr *t, int64_t due, void (*fire)(struct tmr *, int64_t));
/* now plus a period; INT64_MAX if it is null. */
int64_t pat_due(struct pat_inst *i, const struct ex *period);

/* ---- pat_state.c ---- */
struct pat_inst *pat_kid(const struct pat_inst *i, uint32_t slot); /* the first; NULL */
void pat_save_match(struct pat *p, struct save *s, struct evt *m); /* NULL is fine */
struct evt *pat_load_match(struct pat *p, struct load *l);         /* NULL: none */
bool pat_fits(const struct pat *p, int col, struct dat v);         /* as a value of that tag */

#define PAT(name, text, locality, doc) extern const struct pat_def pat_def_##name;
#include "operators/pattern/pat.def"
#undef PAT

#endif
