/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_bind.h. Where-clauses of inner joins lend their equalities as keys (the where itself is
 * still evaluated on the rows); outer joins use those of their `on` only.
 */
#include "operators/graph/join_bind.h"

#include <assert.h>

static uint64_t streams_of(const struct ex *e)
{
    uint64_t m = (e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 ? 1ULL << e->stream : 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        m |= streams_of(e->args[i]);
    }
    return m;
}

/* Values that may be looked up by hash: no aggregation, subquery or table in them. */
static bool is_plain(const struct ex *e)
{
    switch (e->op) {
    case EX_PROP:
    case EX_STREAM:
    case EX_FIELD:
    case EX_KEY:
    case EX_INDEX:
    case EX_CONST:
    case EX_CONV:
    case EX_ADD:
    case EX_SUB: break;
    case EX_CALL:
    case EX_METHOD: break;
    default: return false;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_plain(e->args[i])) {
            return false;
        }
    }
    return true;
}

static bool is_binary(struct ty t)
{
    return ty_is_number(t) && t.kind != TY_BIGINT && t.kind != TY_BIGDEC;
}

static void add_key(struct bind *b, struct join_stream *s, const struct ex *mine,
                    const struct ex *theirs, uint64_t needs)
{
    if (s->n_keys == JOIN_KEYS_MAX) {
        return;
    }
    if (s->keys == NULL) {
        s->keys = arena_array(b->a, JOIN_KEYS_MAX, sizeof *s->keys);
    }
    bool mixed = ty_is_integer(mine->ty) != ty_is_integer(theirs->ty);
    s->keys[s->n_keys++] =
        (struct join_key){.mine = mine,
                          .theirs = theirs,
                          .needs = needs,
                          .floats = mixed && is_binary(mine->ty) && is_binary(theirs->ty)};
}

/* An equality of two streams: bit 0 or 1 set if that side is of one stream and can be looked up. */
static unsigned key_sides(const struct ex *e)
{
    bool equal = e->op >= EX_CMP_I && e->op <= EX_CMP_ANY && e->cmp == OP_EQ;
    unsigned sides = 0;
    if (!equal || !is_plain(e->args[0]) || !is_plain(e->args[1])) {
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct ex *mine = e->args[i], *theirs = e->args[1 - i];
        uint64_t m = streams_of(mine), t = streams_of(theirs);
        if (m != 0 && (m & (m - 1)) == 0 && t != 0 && (m & t) == 0 && mine->ty.kind != TY_OBJECT &&
            theirs->ty.kind != TY_OBJECT) {
            sides |= 1U << i;
        }
    }
    return sides;
}

static void find_keys(struct bind *b, struct join_plan *j, const struct ex *e)
{
    for (uint32_t i = 0; e->op == EX_AND && i < e->n_args; i++) {
        find_keys(b, j, e->args[i]);
    }
    unsigned sides = e->op == EX_AND ? 0 : key_sides(e);
    for (unsigned i = 0; i < 2; i++) {
        if ((sides & (1U << i)) != 0) {
            const struct ex *mine = e->args[i], *theirs = e->args[1 - i];
            add_key(b, &j->s[__builtin_ctzll(streams_of(mine))], mine, theirs, streams_of(theirs));
        }
    }
}

/* Whether an `on` is nothing but equalities that are keys. */
static bool all_keys(const struct ex *e)
{
    if (e->op != EX_AND) {
        return key_sides(e) == 3;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!all_keys(e->args[i])) {
            return false;
        }
    }
    return true;
}

static const struct ex *bare(const struct ex *e)
{
    while (e->op == EX_CONV && e->n_args > 0) {
        e = e->args[0];
    }
    return e;
}

static bool is_property(const struct ex *e)
{
    e = bare(e);
    while ((e->op == EX_FIELD || e->op == EX_DYN || e->op == EX_KEY || e->op == EX_INDEX) &&
           e->n_args > 0) {
        e = e->args[0];
    }
    return e->op == EX_PROP || e->op == EX_STREAM;
}

static bool all_properties(const struct ex *e)
{
    bool equal = e->op >= EX_CMP_I && e->op <= EX_CMP_ANY && e->cmp == OP_EQ;
    if (e->op != EX_AND) {
        return equal && is_property(e->args[0]) && is_property(e->args[1]) &&
               streams_of(e->args[0]) != streams_of(e->args[1]);
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!all_properties(e->args[i])) {
            return false;
        }
    }
    return true;
}

static int bind_on(struct bind *b, const struct ast_on *on, struct join_plan *j, uint32_t num,
                   struct err *reterr)
{
    struct join_stream *s = &j->s[num];
    s->parent = num - 1;
    if (on->cond != NULL) {
        int rc = bind_cond(b, on->cond, "on", &s->on, reterr);
        if (rc != 0) {
            return rc;
        }
        if (!all_properties(s->on)) {
            return bind_err(reterr, on->cond->span,
                            "'on' takes equalities of properties of two streams; the rest goes "
                            "into where");
        }
        uint64_t others = streams_of(s->on) & ~(1ULL << num) & ((1ULL << num) - 1);
        if (others != 0) {
            s->parent = (uint32_t)(63 - __builtin_clzll(others));
        }
        find_keys(b, j, s->on);
    }
    s->optional = on->kind == JOIN_LEFT || on->kind == JOIN_FULL;
    s->parent_optional = on->kind == JOIN_RIGHT || on->kind == JOIN_FULL;
    j->outer |= s->optional || s->parent_optional;
    return 0;
}

/* ---- the where ---- */

/* It may be asked when a row is made, as the copy that was bound for the keys. */
static bool may_test(const struct ex *e)
{
    bool beyond = (e->op >= EX_PREV && e->op <= EX_SUBQ_LIST) || e->op == EX_AGG ||
                  e->op == EX_AGG_METHOD || e->subq != NULL;
    for (uint32_t i = 0; !beyond && i < e->n_args; i++) {
        beyond = !may_test(e->args[i]);
    }
    return !beyond;
}

/* An equality that holds for what is found by its key. */
static bool is_said(const struct ex *e)
{
    enum ty_kind k = TY_OBJECT, m = TY_OBJECT;
    if (e->n_args == 2) {
        k = e->args[0]->ty.kind;
        m = e->args[1]->ty.kind;
    }
    bool whole = k >= TY_BYTE && k <= TY_LONG && m >= TY_BYTE && m <= TY_LONG;
    bool same = k == m && (k == TY_STRING || k == TY_BOOL);
    return (whole || same) && key_sides(e) == 3;
}

static void add_rest(struct ex *all, struct ex *e)
{
    for (uint32_t i = 0; e->op == EX_AND && i < e->n_args; i++) {
        add_rest(all, e->args[i]);
    }
    if (e->op != EX_AND && !is_said(e)) {
        all->args[all->n_args++] = e;
    }
}

static uint32_t conjuncts(const struct ex *e)
{
    uint32_t n = e->op != EX_AND;
    for (uint32_t i = 0; e->op == EX_AND && i < e->n_args; i++) {
        n += conjuncts(e->args[i]);
    }
    return n;
}

static void plan_rest(struct bind *b, struct join_plan *j, struct ex *where, uint32_t n_streams)
{
    j->tested = may_test(where);
    j->rest = j->tested ? where : NULL;
    if (!j->tested || n_streams > 2 || j->s[0].n_keys >= JOIN_KEYS_MAX) {
        return;
    }
    struct ex *all = ARENA_NEW(b->a, struct ex);
    *all = (struct ex){.op = EX_AND, .ty = TY(BOOL), .span = where->span, .home = b->a};
    all->args = arena_array(b->a, conjuncts(where) + 1, sizeof(struct ex *));
    add_rest(all, where);
    j->rest = all->n_args > 1 ? all : all->n_args == 1 ? all->args[0] : NULL;
}

/* ---- outer joins ---- */

/* The `on` clauses make a tree of the streams; from a stream that changes it is walked outwards. */
struct tree {
    const struct join_plan *j;
    uint32_t n;
    uint64_t inner; /* streams that take part in an inner join */
    struct join_step *step;
    uint32_t len;
    bool refused;
};

static uint32_t neighbour_on(const struct join_plan *j, uint32_t a, uint32_t b)
{
    if (a > 0 && j->s[a].parent == b) {
        return a;
    }
    return b > 0 && j->s[b].parent == a ? b : 0;
}

/* Whether there is an inner join at a stream or beyond it. */
static bool inner_beyond(const struct tree *t, uint32_t at, uint64_t done)
{
    bool found = (t->inner & 1ULL << at) != 0;
    for (uint32_t i = 0; !found && i < t->n; i++) {
        found = (done & 1ULL << i) == 0 && neighbour_on(t->j, at, i) != 0 &&
                inner_beyond(t, i, done | 1ULL << i);
    }
    return found;
}

/* What an inner join asks for must be there: nothing on the way to it is optional. */
static bool optional_step(struct tree *t, uint32_t from, uint32_t to, uint32_t on, uint64_t done)
{
    const struct join_stream *s = &t->j->s[on];
    bool optional = on == to ? s->optional : s->parent_optional;
    if (!optional || !inner_beyond(t, to, done | 1ULL << from | 1ULL << to)) {
        return optional;
    }
    t->refused |= !(s->optional && s->parent_optional);
    return false;
}

static uint64_t walk_from(struct tree *t, uint32_t at, uint64_t done)
{
    for (int pass = 0; pass < 2; pass++) { /* what is required comes first */
        for (uint32_t i = 0; i < t->n; i++) {
            uint32_t on = (done & 1ULL << i) == 0 ? neighbour_on(t->j, at, i) : 0;
            if (on == 0) {
                continue;
            }
            bool optional = optional_step(t, at, i, on, done);
            if (optional == (pass == 1)) {
                struct join_step *s = &t->step[t->len++];
                *s = (struct join_step){(uint8_t)i, (uint8_t)at, (uint8_t)on, 0, optional};
                done = walk_from(t, i, done | 1ULL << i);
                s->end = (uint8_t)t->len;
            }
        }
    }
    return done;
}

static int plan_outer(struct bind *b, const struct ast_select *s, struct join_plan *j, uint32_t n,
                      struct err *reterr)
{
    struct tree t = {.j = j, .n = n};
    for (uint32_t i = 1; i < n; i++) {
        bool inner = !j->s[i].optional && !j->s[i].parent_optional;
        t.inner |= inner ? 1ULL << i | 1ULL << j->s[i].parent : 0;
    }
    j->steps = arena_array(b->a, n, sizeof *j->steps);
    for (uint32_t i = 0; i < n; i++) {
        t.step = j->steps[i] = arena_array(b->a, n, sizeof *t.step);
        t.len = 0;
        (void)walk_from(&t, i, 1ULL << i);
        assert(t.len == n - 1);
    }
    return !t.refused ? 0
                      : bind_err(reterr, s->from[0].span,
                                 "a stream that an outer join may leave out cannot be joined by an "
                                 "inner join further on");
}

int join_bind(struct bind *b, const struct ast_select *s, struct sel_plan *p, struct err *reterr)
{
    struct join_plan *j = ARENA_NEW(b->a, struct join_plan);
    j->s = arena_array(b->a, p->n_streams, sizeof *j->s);
    struct agg_set *aggs = b->scope->aggs;
    b->scope->aggs = NULL;
    b->scope->no_aggs = "in on";
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i < p->n_streams; i++) {
        rc = bind_on(b, &s->joins[i - 1], j, i, reterr);
    }
    if (rc == 0 && !j->outer && s->where != NULL) {
        struct ex *where = NULL; /* bound once more by the select itself, which evaluates it */
        rc = bind_cond(b, s->where, "where", &where, reterr);
        if (rc == 0) {
            find_keys(b, j, where);
            plan_rest(b, j, where, p->n_streams);
        }
    }
    for (uint32_t i = 1; j->outer && i < p->n_streams; i++) {
        bool two = j->s[i].on != NULL && __builtin_popcountll(streams_of(j->s[i].on)) == 2;
        if (two && j->s[i].n_keys < JOIN_KEYS_MAX && all_keys(j->s[i].on)) {
            j->s[i].on = NULL; /* the keys say it all, and null joins null */
        }
    }
    if (rc == 0 && j->outer) {
        rc = plan_outer(b, s, j, p->n_streams, reterr);
    }
    b->scope->aggs = aggs;
    b->scope->no_aggs = "here";
    for (uint32_t i = 0; i < p->n_streams; i++) {
        j->uni |= p->streams[i].unidirectional ? 1ULL << i : 0;
    }
    p->join = j;
    return rc;
}
