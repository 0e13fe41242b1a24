/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of patterns only: the nodes of a plan and their instances. See pat_impl.h.
 */
#ifndef OPERATORS_PATTERN_PAT_TREE_H
#define OPERATORS_PATTERN_PAT_TREE_H

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
    /* Frees that memory; NULL: it has none, and the instance goes back to the heap. */
    void (*destroy)(struct pat_inst *i);
    /* What pat_local.h wants to know of the node; NULL: nothing. */
    void (*tell)(const struct pat_node *n, struct pat_told *ret);
    /* What the kind adds to begin and place in the tree; when load is called there are no kids. */
    void (*save)(struct pat_inst *i, struct save *s);
    void (*load)(struct pat_inst *i, struct load *l);
    void (*loaded)(struct pat_inst *i, struct load *l); /* its kids are there; NULL: nothing */
};

struct pat_node { /* of the plan; kinds embed it first */
    const struct pat_def *def;
    struct pat_node **kids;
    const struct pat_node *up; /* whose kid `slot` it is; NULL: the root */
    uint32_t n_kids, slot;
    uint32_t id; /* of its free list */
    bool late;   /* it follows on a match so far */
};

struct pat_ring { /* of all that live, in order of birth, and the pattern */
    struct pat_ring *older, *newer;
};

struct pat_inst { /* kinds embed it first */
    const struct pat_node *node;
    struct pat *pat;
    struct pat_inst *parent;
    struct pat_inst *first, *last; /* kids, in order of beginning */
    struct pat_inst *next, *prev;  /* among the parent's kids; next stays valid after quit */
    struct pat_ring ring;
    struct pat_inst *grave; /* list of the dead, or the free list */
    struct evt *begin;      /* kept; NULL: nothing matched so far */
    uint64_t nr;            /* of its birth, from 1; no other has it */
    uint32_t slot;          /* which kid of the parent's node it is */
    uint32_t cut;           /* it is saved for that one */
    uint64_t cost;          /* of LIM_STATE, as one of the partials; 0: it is none */
    bool dead, linked;
    bool probing, fired; /* being begun by every: a match now is swallowed and noted */
};

struct pat {
    const struct pat_plan *plan;
    struct pat_env *env;
    void (*on_match)(void *arg, struct evt *match);
    void *arg;
    struct pat_inst *root;
    struct pat_ring all;
    uint64_t born;
    struct pat_inst *grave;
    struct pat_inst **spare; /* by node id: those that have memory of their own */
    struct evt *begin;       /* kept */
    uint32_t depth;          /* calls under way */
    uint32_t nesting;        /* starts within starts */
    size_t live, partials;
    uint64_t cost;    /* of partials */
    uint64_t refused; /* starts beyond the limits below */
    bool freeing;
    VEC(struct evt *) out;         /* matches, kept */
    VEC(struct evt *) taken;       /* being settled */
    VEC(struct evt *) first;       /* of them, those that are not suppressed */
    VEC(struct evt *) named;       /* of a page that is being saved or loaded */
    const struct pat_node **nodes; /* by id */
    struct {                       /* saving in slices; to: NULL, or where pages are written */
        struct save_late *to;
        struct pat_ring *at; /* the oldest that may be in a page to be written */
        uint64_t end;        /* births from there on are not in it */
        uint32_t cut;
        const struct tmr *firing; /* it was set at the cut */
    } late;
    struct pat_reader *reader; /* while it is loaded */
};

#endif
