/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of one engine: what it holds is counted in logical units (lim.def), and what would be too
 * much is refused by a named policy. Because the counts follow from the events alone, so does what
 * is dropped: an engine that does its work again drops the same.
 *
 * Whoever holds something calls lim_add and lim_sub; whoever lets something in asks lim_full before
 * and, if it is, acts by the policy and says so by lim_refuse. A limit that was hit has recovered
 * when more than an eighth of it is free again (`turn` then changes): each statement is reported
 * once per turn.
 */
#ifndef OPERATORS_SIG_LIM_H
#define OPERATORS_SIG_LIM_H

#include "core/base/err.h"
#include "core/base/slice.h"
#include "operators/sig/load.h"

enum lim_kind {
#define LIM(name, text, max, policy, policies, doc) LIM_##name,
#include "operators/sig/lim.def"
#undef LIM
    LIM_KINDS
};

enum lim_policy {
    LIM_DEFAULT,
    LIM_DROP_OLDEST, /* what came first makes room */
    LIM_DROP_NEW,    /* what would be too much is not let in */
    LIM_STOP,        /* the statement that asks for more ends, and holds nothing from then on */
    LIM_POLICIES
};

struct lim_row { /* of lim.def */
    const char *name, *doc;
    uint64_t max;
    enum lim_policy policy;
    uint32_t policies; /* bits */
};
extern const struct lim_row lim_rows[LIM_KINDS];
const char *lim_policy_name(enum lim_policy p);

struct lim_conf {            /* zeroed: the defaults */
    uint64_t max[LIM_KINDS]; /* 0: the default; UINT64_MAX: counted, not bounded */
    enum lim_policy policy[LIM_KINDS];
};
/* "rows=1000, partials=50:stop_statement": commas or lines, # begins a comment. */
int lim_parse(struct slice text, struct lim_conf *ret, struct err *reterr) NODISCARD;

struct lim {
    uint64_t max[LIM_KINDS]; /* UINT64_MAX: none */
    enum lim_policy policy[LIM_KINDS];
    bool bytes; /* are counted */
    uint64_t used[LIM_KINDS], peak[LIM_KINDS];
    uint64_t dropped[LIM_KINDS]; /* units that were refused or made room */
    bool hit[LIM_KINDS];         /* and not recovered */
    uint64_t turn[LIM_KINDS];    /* how often it recovered */
    void (*on_hit)(void *arg, enum lim_kind k, void *who);
    void *arg;
};

void lim_init(struct lim *l, const struct lim_conf *conf);
/* n more of it are refused, or as many others go; who: the owner's word for the statement. */
void lim_refuse(struct lim *l, enum lim_kind k, uint64_t n, void *who);
void lim_recover(struct lim *l, enum lim_kind k);

/* All of these are fine without limits. */
static inline void lim_add(struct lim *l, enum lim_kind k, uint64_t n)
{
    if (l != NULL) {
        l->used[k] += n;
        l->peak[k] = l->used[k] > l->peak[k] ? l->used[k] : l->peak[k];
    }
}
static inline void lim_sub(struct lim *l, enum lim_kind k, uint64_t n)
{
    if (l != NULL) {
        l->used[k] -= n < l->used[k] ? n : l->used[k];
        if (l->hit[k] && l->used[k] < l->max[k] - l->max[k] / 8) {
            lim_recover(l, k);
        }
    }
}
/* Some come and some go at once. */
static inline void lim_change(struct lim *l, enum lim_kind k, uint64_t come, uint64_t go)
{
    if (come >= go) {
        lim_add(l, k, come - go);
    } else {
        lim_sub(l, k, go - come);
    }
}
static inline bool lim_full(const struct lim *l, enum lim_kind k, uint64_t more)
{
    return l != NULL && l->used[k] + more > l->max[k];
}

/* Whether one more of kind k, which costs so much of LIM_STATE at least, is too many (refused). */
bool lim_refuses(struct lim *l, enum lim_kind k, uint64_t cost, void *who);

/* What things cost of LIM_STATE, in bytes: about what they take, but the same on each machine. */
enum lim_cost {
    LIM_COST_VALUE = 16,
    LIM_COST_OBJECT = 32, /* a text or list, beside what is in it */
    LIM_COST_EVENT = 96,
    LIM_COST_PLACE = 32, /* of something in a window, a list, a table of values */
    LIM_COST_PACKED = 24,
    LIM_COST_ROW = 160, /* of a table */
    LIM_COST_GROUP = 192,
    LIM_COST_CALL = 48, /* of an aggregation, in each group */
    LIM_COST_PARTIAL = 192,
    LIM_COST_PART = 512,  /* of a context, or of a window of each key */
    LIM_COST_INST = 1536, /* a statement in a part of a context */
};
/* Of an event or value and all in it: texts, lists, events. An event in two places counts in both.
 */
uint64_t lim_cost(const struct evt *e);
uint64_t lim_cost_deep(struct dat v);            /* of what is no text */
static inline uint64_t lim_cost_of(struct dat v) /* beyond LIM_COST_VALUE */
{
    return !dat_is_obj(v)         ? 0
           : v.kind == DAT_STRING ? (uint64_t)LIM_COST_OBJECT + v.s->len
                                  : lim_cost_deep(v);
}

/* Limits that those share who know a heap, and not whom they work for; none at first. */
void vheap_set_lim(struct vheap *h, struct lim *lim);
struct lim *vheap_lim(const struct vheap *h);

/* Declared bytes of an event: of each column what its type takes, and the text of its strings. */
uint64_t lim_bytes(const struct evt *e);
uint64_t lim_bytes_of(struct evt *const *e, size_t n);

/* What is not counted anew while an engine's parts are loaded: what was dropped, what is hit. It is
 * loaded aside and set when all parts are there. */
void lim_save(const struct lim *l, struct save *s);
void lim_load(struct lim *aside, struct load *from);
void lim_resume(struct lim *l, const struct lim *aside);

#endif
