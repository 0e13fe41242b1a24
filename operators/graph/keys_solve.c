/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a key. One column of it is a choice of an expression per input (a type of events
 * that no statement of the unit makes). From the choice follows, place by place, which expressions
 * carry its value: those that all flows into the place carry. Then each need asks for one of its
 * own keys to carry it, and all sources of a statement must hang together by ties whose two sides
 * carry it. What is not chosen yet carries everything, so a choice that fails can be given up at
 * once.
 *
 * Columns are found one by one, since a set of them is local where each of them is.
 */
#include "operators/graph/keys_impl.h"

#include <assert.h>
#include <stdio.h>

enum { INPUTS_MAX = 64, ROUNDS_MAX = 256 };
/* Choices tried for a unit, so that large ones take no longer than small ones. */
enum { TRIES_MIN = 500, TRIES_MAX = 20000, TRIES_BY_STMT = 4000000 };

struct failure {
    const struct keys_stmt *s;
    enum keys_node node;
    struct slice what;
    struct slice twice; /* a type that is tied to itself by two columns */
};

struct solving {
    struct keys_facts *f;
    struct keys_answer *to;
    uint32_t tries;   /* that are left */
    uint32_t deepest; /* inputs chosen before it failed, and why it did */
    struct failure fail;
    bool failed;
    uint32_t seed;
};

static bool has(const struct keys_set *s, uint32_t i)
{
    return (s->w[i / 64] >> (i % 64) & 1) != 0;
}

static void add(struct keys_set *s, uint32_t i)
{
    s->w[i / 64] |= 1ULL << (i % 64);
}

static const struct keys_set all = {{~0ULL, ~0ULL, ~0ULL, ~0ULL}};

static bool keep(struct keys_set *s, const struct keys_set *of)
{
    bool changed = false;
    for (int i = 0; i < KEYS_WORDS; i++) {
        uint64_t w = s->w[i] & of->w[i];
        changed |= w != s->w[i];
        s->w[i] = w;
    }
    return changed;
}

/* ---- what carries the value ---- */

static bool speaks_of(const struct ex *e, struct slice col)
{
    if (e->op == EX_PROP && slice_eq(e->of->cols[e->slot].name, col)) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (speaks_of(e->args[i], col)) {
            return true;
        }
    }
    return false;
}

static void mask(struct keys_facts *f, const struct keys_mask *m)
{
    VEC_EACH (&f->near, p) {
        const struct etype *t = (*p)->type;
        if (t != m->type && !ety_is(t, m->type) && !ety_is(m->type, t)) {
            continue;
        }
        for (size_t i = 0; i < (*p)->exprs.len; i++) {
            if (speaks_of((*p)->exprs.ptr[i].e, m->type->cols[m->col].name)) {
                (*p)->carried.w[i / 64] &= ~(1ULL << (i % 64));
            }
        }
    }
}

/* Expressions of the same texts: columns that go on under their names, rows of a subtype. */
static struct keys_set renamed(const struct keys_place *to, const struct keys_place *from)
{
    struct keys_set s = {{0}};
    for (size_t i = 0; i < to->exprs.len; i++) {
        for (size_t k = 0; k < from->exprs.len; k++) {
            if (has(&from->carried, (uint32_t)k) &&
                slice_eq(to->exprs.ptr[i].text, from->exprs.ptr[k].text)) {
                add(&s, (uint32_t)i);
            }
        }
    }
    return s;
}

static bool side_carries(const struct keys_stmt *s, uint16_t src, uint16_t expr)
{
    return has(&s->srcs.ptr[src].place->carried, expr);
}

static bool flow(const struct keys_stmt *s, const struct keys_flow *f)
{
    struct keys_set to = {{0}};
    if (f->same >= 0 && !s->srcs.ptr[f->same].optional) {
        to = renamed(f->to, s->srcs.ptr[f->same].place);
    }
    for (uint32_t i = 0; i < f->n; i++) {
        if (!s->srcs.ptr[f->cols[i].src].optional &&
            side_carries(s, f->cols[i].src, f->cols[i].expr)) {
            add(&to, f->cols[i].to);
        }
    }
    return keep(&f->to->carried, &to);
}

/* What all subtypes carry that are read or made. */
static bool up_to_supers(struct keys_facts *f, const struct keys_place *t)
{
    bool changed = false;
    for (uint32_t i = 0; i < t->type->n_supers; i++) {
        struct keys_place *s = keys_super(f, t, i);
        if (s != NULL && s->read) {
            struct keys_set of = renamed(s, t);
            changed |= keep(&s->carried, &of);
        }
    }
    return changed;
}

static void spread(struct keys_facts *f)
{
    VEC_EACH (&f->near, p) {
        (*p)->carried = all;
        if (!(*p)->derived && (*p)->chosen != KEYS_TOP) {
            (*p)->carried = (struct keys_set){{0}};
            if ((*p)->chosen >= 0) {
                add(&(*p)->carried, (uint32_t)(*p)->chosen);
            }
        }
    }
    bool changed = true;
    for (uint32_t round = 0; changed && round < ROUNDS_MAX; round++) {
        changed = false;
        VEC_EACH (&f->on, s) {
            VEC_EACH (&(*s)->flows, w) {
                changed |= flow(*s, w);
            }
            VEC_EACH (&(*s)->masks, m) {
                mask(f, m);
            }
        }
        VEC_EACH (&f->near, t) {
            changed |= up_to_supers(f, *t);
        }
    }
}

/* ---- what asks for it ---- */

static uint32_t root(uint32_t *up, uint32_t i)
{
    while (up[i] != i) {
        i = up[i];
    }
    return i;
}

/* An equality of two columns of one type ties nothing: an event goes by one of them. */
static struct slice twice(const struct keys_stmt *s)
{
    VEC_EACH (&s->ties, t) {
        const struct keys_src *a = &s->srcs.ptr[t->a.src], *b = &s->srcs.ptr[t->b.src];
        if (a != b && a->place == b->place && t->a.expr != t->b.expr) {
            return a->place->type->name;
        }
    }
    return SLICE_NONE;
}

static bool tied(struct keys_facts *f, const struct keys_stmt *s, struct failure *ret)
{
    VEC_CLEAR(&f->up);
    for (uint32_t i = 0; i < s->srcs.len; i++) {
        *VEC_PUSH(&f->up) = i;
    }
    uint32_t *up = f->up.ptr;
    VEC_EACH (&s->ties, t) {
        if (side_carries(s, t->a.src, t->a.expr) && side_carries(s, t->b.src, t->b.expr)) {
            up[root(up, t->a.src)] = root(up, t->b.src);
        }
    }
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < s->srcs.len; i++) {
        const struct keys_src *x = &s->srcs.ptr[i];
        if (x->lone) {
            continue;
        }
        if (first != UINT32_MAX && root(up, i) != root(up, first)) {
            *ret = (struct failure){s, x->tie, x->what, twice(s)};
            return false;
        }
        first = i;
    }
    return true;
}

static bool need_met(const struct keys_stmt *s, const struct keys_need *n)
{
    if (keys_rows[n->node].locality == KEYS_NEVER) {
        return true; /* looked at before */
    }
    bool of_rows = n->node == KEYS_group_by || n->node == KEYS_aggregate_local;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct keys_side *k = &n->keys[i];
        if (!(of_rows && s->srcs.ptr[k->src].optional) && side_carries(s, k->src, k->expr)) {
            return true;
        }
    }
    return false;
}

/* Whether all of it is local under the choices made so far. */
static bool local(struct keys_facts *f, struct failure *ret)
{
    spread(f);
    VEC_EACH (&f->on, s) {
        VEC_EACH (&(*s)->needs, n) {
            if (!need_met(*s, n)) {
                *ret = (struct failure){*s, n->node, n->what, SLICE_NONE};
                return false;
            }
        }
        if (!tied(f, *s, ret)) {
            return false;
        }
    }
    return true;
}

/* ---- choosing ---- */

static struct slice words(struct keys_facts *f, const struct failure *x)
{
    const struct stmt *st = x->s->st;
    const struct slice name = st->name.len > 0 ? st->name : st->ast->name;
    char number[32];
    snprintf(number, sizeof number, "statement %u", st->order - st->dep->first_stmt);
    if (x->twice.len > 0) {
        const char *s =
            arena_printf(f->a,
                         "%s" SLICE_FMT "%s: " SLICE_FMT " ties " SLICE_FMT
                         " to itself by two columns, and an event goes by one",
                         name.len > 0 ? "'" : number, SLICE_ARG(name), name.len > 0 ? "'" : "",
                         SLICE_ARG(x->what), SLICE_ARG(x->twice));
        return s != NULL ? slice_str(s) : SLICE("it is too large");
    }
    const char *s = arena_printf(
        f->a, "%s" SLICE_FMT "%s: " SLICE_FMT " %s", name.len > 0 ? "'" : number, SLICE_ARG(name),
        name.len > 0 ? "'" : "", SLICE_ARG(x->what), keys_rows[x->node].why);
    return s != NULL ? slice_str(s) : SLICE("it is too large");
}

static void set_all(struct solving *v, int chosen)
{
    for (uint32_t i = 0; i < v->to->n_inputs; i++) {
        v->to->inputs[i]->chosen = chosen;
    }
}

static bool try(struct solving *v, uint32_t depth)
{
    struct failure x;
    if (v->tries == 0) {
        return false;
    }
    v->tries--;
    if (local(v->f, &x)) {
        return true;
    }
    if (!v->failed || depth > v->deepest) {
        v->failed = true;
        v->deepest = depth;
        v->fail = x;
    }
    return false;
}

static bool choose_rest(struct solving *v, uint32_t at, uint32_t depth)
{
    if (at == v->seed) {
        at++;
    }
    if (at >= v->to->n_inputs) {
        return true;
    }
    struct keys_place *p = v->to->inputs[at];
    const struct keys_place *s = v->to->inputs[v->seed];
    struct slice like = s->exprs.ptr[s->chosen].text;
    for (int pass = 0; pass < 3; pass++) { /* the same name, other names, any partition */
        for (size_t i = 0; pass < 2 && i < p->exprs.len; i++) {
            p->chosen = (int)i;
            if (slice_eq(p->exprs.ptr[i].text, like) == (pass == 0) && try(v, depth) &&
                choose_rest(v, at + 1, depth + 1)) {
                return true;
            }
        }
        p->chosen = KEYS_ANY;
        if (pass == 2 && try(v, depth) && choose_rest(v, at + 1, depth + 1)) {
            return true;
        }
    }
    p->chosen = KEYS_TOP;
    return false;
}

static bool as_double(const struct keys_facts *f)
{
    bool any = false;
    VEC_EACH (&f->on, s) {
        VEC_EACH (&(*s)->ties, t) {
            any |= t->as_double && side_carries(*s, t->a.src, t->a.expr) &&
                   side_carries(*s, t->b.src, t->b.expr);
        }
    }
    return any;
}

/* Columns of a key leave the same inputs out. */
static bool like_first(const struct keys_answer *a)
{
    for (uint32_t i = 0; a->n_cols > 0 && i < a->n_inputs; i++) {
        if ((a->inputs[i]->chosen == KEYS_ANY) != (a->cols[0][i] == KEYS_ANY)) {
            return false;
        }
    }
    return true;
}

static void columns(struct solving *v)
{
    struct keys_answer *a = v->to;
    struct keys_place *s = a->inputs[v->seed];
    for (size_t i = 0; i < s->exprs.len && a->n_cols < KEYS_COLS_MAX; i++) {
        set_all(v, KEYS_TOP);
        s->chosen = (int)i;
        if (!try(v, 0) || !choose_rest(v, 0, 1) || !like_first(a)) {
            continue;
        }
        for (uint32_t k = 0; k < a->n_inputs; k++) {
            a->cols[a->n_cols][k] = a->inputs[k]->chosen;
        }
        a->as_double[a->n_cols++] = as_double(v->f);
    }
}

/* The first input that cannot go anywhere. */
static uint32_t find_seed(struct solving *v)
{
    struct failure x;
    for (uint32_t i = 0; i < v->to->n_inputs; i++) {
        set_all(v, KEYS_TOP);
        v->to->inputs[i]->chosen = KEYS_ANY;
        if (!local(v->f, &x)) {
            return i;
        }
    }
    return 0;
}

static bool find_inputs(struct solving *v)
{
    VEC_EACH (&v->f->near, p) {
        if ((*p)->read && (*p)->events && !(*p)->derived) {
            if (v->to->n_inputs == INPUTS_MAX) {
                return false;
            }
            v->to->inputs[v->to->n_inputs++] = *p;
        }
    }
    return true;
}

static bool never(struct keys_facts *f, enum keys_node but, struct slice *ret_why)
{
    VEC_EACH (&f->on, s) {
        VEC_EACH (&(*s)->needs, n) {
            if (n->node != but && keys_rows[n->node].locality == KEYS_NEVER) {
                *ret_why = words(f, &(struct failure){*s, n->node, n->what, SLICE_NONE});
                return true;
            }
        }
    }
    return false;
}

void keys_solve(struct keys_facts *f, struct keys_answer *ret)
{
    *ret = (struct keys_answer){.choice = KEY_ONE};
    uint32_t tries = TRIES_BY_STMT / (uint32_t)MAX(f->on.len, 1);
    struct solving v = {.f = f, .to = ret, .tries = MAX(TRIES_MIN, MIN(TRIES_MAX, tries))};
    struct failure x;
    if (!find_inputs(&v)) {
        ret->why = SLICE("it reads too many types");
        return;
    }
    if (never(f, KEYS_NODE_COUNT, &ret->why)) {
        return;
    }
    if (!local(f, &x)) {
        ret->why = words(f, &x);
        return;
    }
    set_all(&v, KEYS_ANY);
    if (local(f, &x)) {
        ret->choice = KEY_ANY;
        return;
    }
    if (ret->n_inputs > 0) {
        v.seed = find_seed(&v);
        columns(&v);
    }
    ret->choice = ret->n_cols > 0 ? KEY_BY : KEY_ONE;
    if (ret->n_cols == 0) {
        ret->why = words(f, v.failed ? &v.fail : &x);
    }
}

int keys_carrier(struct keys_facts *f, const struct keys_place *p)
{
    spread(f);
    for (size_t i = 0; i < p->exprs.len; i++) {
        if (has(&p->carried, (uint32_t)i)) {
            return (int)i;
        }
    }
    return KEYS_ANY;
}

struct slice keys_not_local(struct keys_facts *f, const struct keys_answer *a)
{
    struct slice why = SLICE_NONE;
    struct failure x;
    if (never(f, KEYS_output_every, &why)) {
        return why;
    }
    for (uint32_t c = 0; c < a->n_cols; c++) {
        for (uint32_t i = 0; i < a->n_inputs; i++) {
            a->inputs[i]->chosen = a->cols[c][i];
        }
        if (!local(f, &x)) {
            return words(f, &x);
        }
    }
    return why;
}
