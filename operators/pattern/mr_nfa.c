/* SPDX-License-Identifier: Apache-2.0
 *
 * From a row pattern to an automaton. Repetitions with bounds are written out first: x{2,3} is
 * x x x?, x{2,} is x x x*, of groups likewise; permute is the alternation of all orders. Every
 * variable that is left is a state; a piece of the pattern has states it may begin and end with,
 * and may be empty or not. A sequence joins the ends of each piece to the beginnings of those after
 * it, as far as the ones between may be empty.
 *
 * The order of arrows decides between matches that begin and end with the same row: the state
 * itself first, then the beginnings of later pieces before those of nearer ones.
 */
#include "operators/pattern/mr_impl.h"

#include <assert.h>

struct piece {
    VEC(uint16_t) starts;
    VEC(uint16_t) ends;
    bool empty; /* may be left out */
};

struct build_state {
    uint16_t var;
    VEC(uint16_t) next;
    int count;
    bool loops;
};

struct builder {
    struct bind *b;
    struct mr_plan *p;
    VEC(struct build_state) states;
    uint64_t *sees; /* of each variable: which may be used in its definition */
    size_t arrows;
    struct err *reterr;
};

enum times { ONCE, OPTIONAL, STAR, PLUS };

static int build(struct builder *x, const struct ast_mr *n, struct piece *ret);
static int build_times(struct builder *x, const struct ast_mr *n, enum times times,
                       struct piece *ret);

static void piece_done(struct piece *p)
{
    VEC_DONE(&p->starts);
    VEC_DONE(&p->ends);
}

static bool has_arrow(const struct build_state *s, uint16_t to)
{
    for (size_t i = 0; i < s->next.len; i++) {
        if (s->next.ptr[i] == to) {
            return true;
        }
    }
    return false;
}

static int arrow(struct builder *x, uint16_t from, uint16_t to)
{
    if (++x->arrows > MR_NEXT_MAX) {
        return err_set(x->reterr, ERR_LIMIT, "the row pattern has too many ways through it");
    }
    *VEC_PUSH(&x->states.ptr[from].next) = to;
    return 0;
}

int mr_var_by_name(const struct mr_plan *p, struct slice name)
{
    for (uint16_t i = 0; i < p->n_vars; i++) {
        if (slice_eq(p->vars[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* ---- variables ---- */

static int add_var(struct builder *x, const struct ast_mr *n)
{
    struct mr_plan *p = x->p;
    if (mr_var_by_name(p, n->var) >= 0) {
        return 0;
    }
    if (p->n_vars == MR_VARS_MAX) {
        return bind_err(x->reterr, n->span, "a row pattern has at most %d variables", MR_VARS_MAX);
    }
    p->vars[p->n_vars++] = (struct mr_var){.name = n->var};
    return 0;
}

static uint64_t bit(const struct builder *x, const struct ast_mr *n)
{
    return 1ULL << mr_var_by_name(x->p, n->var);
}

static uint64_t all_of(const struct builder *x, const struct ast_mr *n)
{
    uint64_t set = n->kind == MR_VAR ? bit(x, n) : 0;
    for (uint32_t i = 0; i < n->n_kids; i++) {
        set |= all_of(x, n->kids[i]);
    }
    return set;
}

static int find_vars(struct builder *x, const struct ast_mr *n)
{
    int rc = n->kind == MR_VAR ? add_var(x, n) : 0;
    for (uint32_t i = 0; i < n->n_kids && rc == 0; i++) {
        rc = find_vars(x, n->kids[i]);
    }
    return rc;
}

/* A definition sees its own variable and those before it in every sequence it stands in. */
static void find_seen(struct builder *x, const struct ast_mr *n, uint64_t before)
{
    if (n->kind == MR_VAR) {
        x->sees[mr_var_by_name(x->p, n->var)] |= before | bit(x, n);
        return;
    }
    uint64_t others = n->kind == MR_PERMUTE ? all_of(x, n) : 0;
    for (uint32_t i = 0; i < n->n_kids; i++) {
        find_seen(x, n->kids[i], before | others);
        if (n->kind == MR_CONCAT || n->kind == MR_GROUP) {
            before |= all_of(x, n->kids[i]);
        }
    }
}

/* How many rows the variable may take: 0, 1, or 2 for several. */
static uint32_t rows_of(const struct builder *x, const struct ast_mr *n, int var, bool many)
{
    many = many || n->high > 1;
    if (n->kind == MR_VAR) {
        return mr_var_by_name(x->p, n->var) != var ? 0 : many ? 2 : 1;
    }
    uint32_t rows = 0;
    for (uint32_t i = 0; i < n->n_kids; i++) {
        uint32_t more = rows_of(x, n->kids[i], var, many);
        rows = n->kind == MR_ALT ? MAX(rows, more) : MIN(rows + more, 2);
    }
    return rows;
}

/* ---- pieces ---- */

static int state_of(struct builder *x, const struct ast_mr *n, enum times times, bool counted,
                    struct piece *ret)
{
    if (x->states.len == MR_STATES_MAX) {
        return bind_err(x->reterr, n->span, "the row pattern written out is longer than %d",
                        MR_STATES_MAX);
    }
    uint16_t at = (uint16_t)x->states.len;
    struct build_state *s = VEC_PUSH(&x->states);
    s->var = (uint16_t)mr_var_by_name(x->p, n->var);
    s->count = counted && (times == OPTIONAL || times == STAR) ? (int)x->p->n_counts++ : -1;
    s->loops = times == STAR || times == PLUS;
    *VEC_PUSH(&ret->starts) = at;
    *VEC_PUSH(&ret->ends) = at;
    ret->empty = times == OPTIONAL || times == STAR;
    return s->loops ? arrow(x, at, at) : 0;
}

static int connect(struct builder *x, const struct piece *from, const struct piece *to)
{
    for (size_t i = 0; i < to->starts.len; i++) {
        for (size_t k = 0; k < from->ends.len; k++) {
            int rc = arrow(x, from->ends.ptr[k], to->starts.ptr[i]);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* The pieces one behind the other. */
static int sequence(struct builder *x, struct piece *v, uint32_t n, struct piece *ret)
{
    int rc = 0;
    ret->empty = true;
    for (uint32_t i = n; i-- > 1 && rc == 0;) {
        for (uint32_t j = i; j-- > 0 && rc == 0;) {
            rc = connect(x, &v[j], &v[i]);
            if (!v[j].empty) {
                break;
            }
        }
    }
    for (uint32_t i = 0; i < n && ret->empty; i++) {
        for (size_t k = 0; k < v[i].starts.len; k++) {
            *VEC_PUSH(&ret->starts) = v[i].starts.ptr[k];
        }
        ret->empty = v[i].empty;
    }
    bool on = true;
    for (uint32_t i = n; i-- > 0 && on;) {
        for (size_t k = 0; k < v[i].ends.len; k++) {
            *VEC_PUSH(&ret->ends) = v[i].ends.ptr[k];
        }
        on = v[i].empty;
    }
    return rc;
}

struct pieces {
    VEC(struct piece) v;
};

static void pieces_done(struct pieces *v)
{
    VEC_EACH (&v->v, p) {
        piece_done(p);
    }
    VEC_DONE(&v->v);
}

/* A repetition with bounds, written out: n so and so often. */
static int write_out(struct builder *x, const struct ast_mr *n, struct pieces *to)
{
    bool endless = n->high == UINT32_MAX;
    if (n->low > MR_STATES_MAX || (!endless && n->high > MR_STATES_MAX)) {
        return bind_err(x->reterr, n->span, "more than %d repetitions", MR_STATES_MAX);
    }
    uint32_t len = endless ? n->low + 1 : n->high;
    int rc = 0;
    for (uint32_t i = 0; i < len && rc == 0; i++) {
        rc = build_times(x, n, i < n->low ? ONCE : endless ? STAR : OPTIONAL, VEC_PUSH(&to->v));
    }
    return rc;
}

/* Written-out variables are parts of the sequence they stand in, groups are not. */
static int build_kids(struct builder *x, const struct ast_mr *n, struct piece *ret)
{
    struct pieces v = {0};
    int rc = 0;
    for (uint32_t i = 0; i < n->n_kids && rc == 0; i++) {
        const struct ast_mr *kid = n->kids[i];
        bool copies = kid->kind == MR_VAR && kid->braces && kid->high != 1;
        if (copies) {
            rc = write_out(x, kid, &v);
        } else {
            struct piece one = {0};
            rc = build(x, kid, &one);
            *VEC_PUSH(&v.v) = one;
        }
    }
    rc = rc == 0 ? sequence(x, v.v.ptr, (uint32_t)v.v.len, ret) : rc;
    pieces_done(&v);
    return rc;
}

static void join_choice(struct piece *to, struct piece *from)
{
    for (size_t i = 0; i < from->starts.len; i++) {
        *VEC_PUSH(&to->starts) = from->starts.ptr[i];
    }
    for (size_t i = 0; i < from->ends.len; i++) {
        *VEC_PUSH(&to->ends) = from->ends.ptr[i];
    }
    to->empty |= from->empty;
    piece_done(from);
}

static int build_alt(struct builder *x, const struct ast_mr *n, struct piece *ret)
{
    for (uint32_t i = 0; i < n->n_kids; i++) {
        struct piece p = {0};
        int rc = build(x, n->kids[i], &p);
        join_choice(ret, &p);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void swap(uint32_t *v, uint32_t i, uint32_t j)
{
    uint32_t t = v[i];
    v[i] = v[j];
    v[j] = t;
}

/* The next order after this one; false after the last. */
static bool next_order(uint32_t *v, uint32_t n)
{
    uint32_t i = n - 1;
    while (i > 0 && v[i - 1] > v[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    uint32_t j = n - 1;
    while (v[j] < v[i - 1]) {
        j--;
    }
    swap(v, i - 1, j);
    for (j = n - 1; i < j; i++, j--) {
        swap(v, i, j);
    }
    return true;
}

static int build_permute(struct builder *x, const struct ast_mr *n, struct piece *ret)
{
    uint32_t order[MR_PERMUTE_MAX];
    if (n->n_kids > MR_PERMUTE_MAX) {
        return bind_err(x->reterr, n->span, "match_recognize_permute takes at most %d parts",
                        MR_PERMUTE_MAX);
    }
    for (uint32_t i = 0; i < n->n_kids; i++) {
        order[i] = i;
    }
    do {
        struct ast_mr *kids[MR_PERMUTE_MAX];
        for (uint32_t i = 0; i < n->n_kids; i++) {
            kids[i] = n->kids[order[i]];
        }
        struct ast_mr one = *n;
        one.kind = MR_CONCAT;
        one.kids = kids;
        struct piece p = {0};
        int rc = build_kids(x, &one, &p);
        join_choice(ret, &p);
        if (rc != 0) {
            return rc;
        }
    } while (next_order(order, n->n_kids));
    return 0;
}

static int build_inner(struct builder *x, const struct ast_mr *n, struct piece *ret)
{
    switch (n->kind) {
    case MR_ALT: return build_alt(x, n, ret);
    case MR_PERMUTE: return build_permute(x, n, ret);
    default: return build_kids(x, n, ret);
    }
}

/* n so and so often, its own bounds left aside. */
static int build_times(struct builder *x, const struct ast_mr *n, enum times times,
                       struct piece *ret)
{
    if (n->kind == MR_VAR) {
        return state_of(x, n, times, !n->reluctant, ret);
    }
    int rc = build_inner(x, n, ret);
    for (size_t i = 0; i < ret->ends.len && rc == 0 && (times == STAR || times == PLUS); i++) {
        for (size_t k = 0; k < ret->starts.len && rc == 0; k++) {
            if (!has_arrow(&x->states.ptr[ret->ends.ptr[i]], ret->starts.ptr[k])) {
                rc = arrow(x, ret->ends.ptr[i], ret->starts.ptr[k]);
            }
        }
    }
    ret->empty |= times == OPTIONAL || times == STAR;
    return rc;
}

static int build(struct builder *x, const struct ast_mr *n, struct piece *ret)
{
    bool endless = n->high == UINT32_MAX;
    if (!n->braces || n->high == 1) {
        enum times t = endless ? (n->low == 0 ? STAR : PLUS) : (n->low == 0 ? OPTIONAL : ONCE);
        return build_times(x, n, t, ret);
    }
    struct pieces v = {0};
    int rc = write_out(x, n, &v);
    rc = rc == 0 ? sequence(x, v.v.ptr, (uint32_t)v.v.len, ret) : rc;
    pieces_done(&v);
    return rc;
}

/* ---- the whole ---- */

static int finish(struct builder *x, struct piece *all)
{
    struct mr_plan *p = x->p;
    struct arena *a = x->b->a;
    int rc = 0;
    for (size_t i = 0; i < all->ends.len && rc == 0; i++) {
        rc = arrow(x, all->ends.ptr[i], MR_END);
    }
    p->n_states = (uint16_t)x->states.len;
    p->states = arena_array(a, x->states.len + 1, sizeof *p->states);
    for (uint16_t i = 0; i < p->n_states; i++) {
        const struct build_state *s = &x->states.ptr[i];
        struct mr_state *to = &p->states[i];
        *to = (struct mr_state){.var = s->var,
                                .n_next = (uint16_t)s->next.len,
                                .count = s->count,
                                .loops = s->loops,
                                .ends = has_arrow(s, MR_END)};
        to->next = arena_array(a, s->next.len + 1, sizeof *to->next);
        for (size_t k = 0; k < s->next.len; k++) {
            to->next[k] = s->next.ptr[k];
        }
    }
    p->n_starts = (uint16_t)all->starts.len;
    p->starts = arena_array(a, all->starts.len + 1, sizeof *p->starts);
    for (size_t i = 0; i < all->starts.len; i++) {
        p->starts[i] = all->starts.ptr[i];
    }
    return rc;
}

int mr_build(struct bind *b, const struct ast_mr *pattern, struct mr_plan *p, uint64_t *ret_sees,
             struct err *reterr)
{
    struct builder x = {.b = b, .p = p, .sees = ret_sees, .reterr = reterr};
    struct piece all = {0};
    p->vars = arena_array(b->a, MR_VARS_MAX, sizeof *p->vars);
    int rc = find_vars(&x, pattern);
    if (rc == 0) {
        find_seen(&x, pattern, 0);
        for (uint16_t i = 0; i < p->n_vars; i++) {
            p->vars[i].group = rows_of(&x, pattern, i, false) > 1;
        }
        rc = build(&x, pattern, &all);
    }
    rc = rc == 0 ? finish(&x, &all) : rc;
    piece_done(&all);
    VEC_EACH (&x.states, s) {
        VEC_DONE(&s->next);
    }
    VEC_DONE(&x.states);
    return rc;
}
