/* SPDX-License-Identifier: Apache-2.0
 *
 * In which order the leaves of a pattern hear of one event. It is that of an index of filters which
 * is made as they are added: a node has a list of questions (a kind of comparison of a column) in
 * order of their first use, each answer leads to a further node, and the filters that end at a node
 * come after those that go on from it. So a filter with conditions comes before one without, and
 * `a=A(x > 1) and not A(k = 'b')` looks at x first. Questions about the same column in the same way
 * are answered in order of their constants.
 */
#include "operators/pattern/pat_bind.h"

#include "core/base/arena.h"

enum { CONDS = 8, DEPTH = 4 };

enum ask { /* in the order in which they are asked for a first time */
           ASK_EQ,
           ASK_IS,
           ASK_IN,
           ASK_BETWEEN,
           ASK_LT,
           ASK_LE,
           ASK_GE,
           ASK_GT,
           ASK_NOT,
           ASK_ANY
};

struct asked {
    enum ask how;
    uint16_t slot;
    const struct ex *than;
};

struct pat_place { /* of a filter */
    const struct route_filter *f;
    uint16_t *ret_order;
    uint32_t n;
    uint32_t question[DEPTH];
    double than[DEPTH];
    struct asked asked[DEPTH];
};

static bool is_own(const struct ex *e)
{
    const struct ex *col = e->op == EX_CONV ? e->args[0] : e;
    return col->op == EX_PROP && col->level == 0 && col->stream == 0;
}

static enum ask how_of(const struct ex *e, bool turned)
{
    if (e->op == EX_IN || e->op == EX_BETWEEN || e->op == EX_RANGE) {
        return e->negated ? ASK_NOT : e->op == EX_IN ? ASK_IN : ASK_BETWEEN;
    }
    if (e->op == EX_IS) {
        return e->negated ? ASK_NOT : ASK_IS;
    }
    switch (e->cmp) {
    case OP_EQ: return ASK_EQ;
    case OP_LT: return turned ? ASK_GT : ASK_LT;
    case OP_LE: return turned ? ASK_GE : ASK_LE;
    case OP_GT: return turned ? ASK_LT : ASK_GT;
    case OP_GE: return turned ? ASK_LE : ASK_GE;
    default: return ASK_NOT;
    }
}

static struct asked asked_of(const struct ex *e)
{
    bool two = (e->op >= EX_CMP_I && e->op <= EX_CMP_ANY) || e->op == EX_IS;
    bool many = e->op == EX_IN || e->op == EX_BETWEEN || e->op == EX_RANGE;
    int at = (two || many) && is_own(e->args[0]) ? 0 : two && is_own(e->args[1]) ? 1 : -1;
    if (at < 0 || (two && is_own(e->args[1 - at]))) {
        return (struct asked){ASK_ANY, 0, NULL};
    }
    const struct ex *col = e->args[at]->op == EX_CONV ? e->args[at]->args[0] : e->args[at];
    return (struct asked){how_of(e, at == 1), col->slot, e->args[1 - at]};
}

static uint32_t conds_of(const struct ex *e, struct asked *to, uint32_t n)
{
    if (e == NULL || n == CONDS) {
        return n;
    }
    if (e->op != EX_AND) {
        to[n] = asked_of(e);
        return n + 1;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        n = conds_of(e->args[i], to, n);
    }
    return n;
}

static bool same(const struct asked *a, const struct asked *b)
{
    return a->how == b->how && a->slot == b->slot;
}

/* Whether both have come the same way down to that depth. */
static bool together(const struct pat_place *a, const struct pat_place *b, uint32_t depth)
{
    bool yes = a->f->type == b->f->type && a->n >= depth && b->n >= depth;
    for (uint32_t i = 0; yes && i < depth; i++) {
        yes = a->question[i] == b->question[i];
    }
    return yes;
}

/* The condition with which it goes on: one that is asked there already, the first of these; else
 * the first in order of kinds, which makes a question. */
static uint32_t go_on(struct pat_binder *x, struct pat_place *p, const struct asked *c, uint32_t n)
{
    uint32_t best = n, first = UINT32_MAX, fresh = 0, kind = 0;
    for (size_t k = 0; k < x->places.len; k++) {
        const struct pat_place *q = x->places.ptr[k];
        if (q == p || q->n <= p->n || !together(p, q, p->n)) {
            continue;
        }
        fresh = q->question[p->n] + 1 > fresh ? q->question[p->n] + 1 : fresh;
        for (uint32_t i = 0; i < n; i++) {
            if (same(&c[i], &q->asked[p->n]) && q->question[p->n] < first) {
                first = q->question[p->n];
                best = i;
            }
        }
    }
    if (best == n) {
        for (uint32_t i = 1; i < n; i++) {
            kind = c[i].how < c[kind].how ? i : kind;
        }
        best = kind;
        first = fresh;
    }
    const struct ex *than = c[best].than;
    p->asked[p->n] = c[best];
    p->question[p->n] = first;
    p->than[p->n++] =
        than != NULL && than->op == EX_CONST && ty_is_number(than->ty) ? dat_to_double(than->k) : 0;
    return best;
}

void pat_order_add(struct pat_binder *x, const struct route_filter *f, uint16_t *ret_order)
{
    struct asked c[CONDS];
    uint32_t n = conds_of(f->cond, c, 0);
    struct pat_place *p = ARENA_NEW(x->b->a, struct pat_place);
    *p = (struct pat_place){.f = f, .ret_order = ret_order};
    *VEC_PUSH(&x->places) = p;
    while (n > 0 && p->n < DEPTH) {
        uint32_t used = go_on(x, p, c, n);
        c[used] = c[--n];
    }
}

static int by_place(const struct pat_place *a, const struct pat_place *b)
{
    for (uint32_t i = 0;; i++) {
        if (i == a->n || i == b->n) {
            return (i == a->n) - (i == b->n);
        }
        if (a->question[i] != b->question[i]) {
            return a->question[i] < b->question[i] ? -1 : 1;
        }
        bool ranged = a->asked[i].how >= ASK_LT && a->asked[i].how <= ASK_GT;
        if (ranged && (a->than[i] < b->than[i] || a->than[i] > b->than[i])) {
            return a->than[i] < b->than[i] ? -1 : 1;
        }
    }
}

void pat_order_finish(struct pat_binder *x)
{
    for (size_t i = 0; i < x->places.len; i++) {
        struct pat_place *p = x->places.ptr[i];
        size_t before = 0;
        for (size_t k = 0; k < x->places.len; k++) {
            before += x->places.ptr[k]->f->type == p->f->type && by_place(x->places.ptr[k], p) < 0;
        }
        *p->ret_order = (uint16_t)(before < PAT_ORDER_MAX ? before : PAT_ORDER_MAX);
    }
    VEC_DONE(&x->places);
}
