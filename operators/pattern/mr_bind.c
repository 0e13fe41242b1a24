/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of match_recognize.
 *
 * A definition sees the row it is asked about under its variable's name, the rows that variables
 * before it took (groups as lists), and by prev() rows before it in the partition. Measures see all
 * variables; an aggregation in them runs over the rows of the one group variable it names.
 */
#include "operators/pattern/mr_impl.h"

#include <assert.h>

struct binder {
    struct mr_plan *p;
    uint64_t sees[MR_VARS_MAX];
    struct scope base; /* what is around: the context */
};

static int with_scope(struct bind *b, struct scope *s, const struct ast_expr *e, struct ex **ret,
                      struct err *reterr)
{
    struct scope *save = b->scope;
    b->scope = s;
    int rc = bind_expr(b, e, ret, reterr);
    b->scope = save;
    return rc;
}

/* ---- define ---- */

static void look_back(struct ex *e, uint16_t stream)
{
    if ((e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0) {
        e->stream = stream;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        look_back(e->args[i], stream);
    }
}

/* prev(x.a), prev(x.a, 2), prev(2, x.a): in the row so many before, whatever took it. */
static int prev_hook(struct bind *b, const struct ast_expr *e, struct ex **ret, void *arg,
                     struct err *reterr)
{
    struct mr_plan *p = ((struct binder *)arg)->p;
    const struct ast_seg *seg = &e->segs[0];
    if (!seg->is_call || !slice_eq_nocase(seg->name, SLICE("prev"))) {
        return 0;
    }
    if (e->n_segs > 1 || seg->n_args == 0 || seg->n_args > 2) {
        return bind_err(reterr, e->span, "prev is prev(x.property) or prev(x.property, n) here");
    }
    uint32_t at = seg->n_args == 2 && seg->args[0]->kind == AST_INT ? 1 : 0;
    const struct ast_expr *n = seg->n_args == 2 ? seg->args[1 - at] : NULL;
    int64_t back = 1;
    if (n != NULL && n->kind != AST_INT) {
        return bind_err(reterr, n->span, "how far prev looks back is a whole number");
    }
    back = n != NULL ? n->i : back;
    if (back < 0 || back > MR_PREV_MAX) {
        return bind_err(reterr, e->span, "prev looks back at most %d rows", MR_PREV_MAX);
    }
    int rc = bind_expr(b, seg->args[at], ret, reterr);
    if (rc != 0) {
        return rc;
    }
    if ((*ret)->op != EX_PROP && (*ret)->op != EX_KEY && (*ret)->op != EX_FIELD &&
        (*ret)->op != EX_INDEX) {
        return bind_err(reterr, seg->args[at]->span, "prev wants a property");
    }
    if (back > 0) {
        look_back(*ret, (uint16_t)(p->n_vars + back));
        p->prev_max = MAX(p->prev_max, (uint32_t)back);
    }
    return 1;
}

/* A list per group variable that may be seen. */
static void seen_lists(struct bind *b, const struct binder *x, uint16_t var)
{
    struct mr_plan *p = x->p;
    struct mr_var *v = &p->vars[var];
    struct ecol *cols = arena_array(b->a, p->n_vars + 1U, sizeof *cols);
    uint32_t n = 0;
    v->list_var = arena_array(b->a, p->n_vars + 1U, sizeof *v->list_var);
    for (uint16_t i = 0; i < p->n_vars; i++) {
        if (i != var && p->vars[i].group && (x->sees[var] >> i & 1) != 0) {
            struct ty row = {.kind = TY_EVENT, .ev = p->in};
            v->list_var[n] = i;
            cols[n++] = (struct ecol){.name = p->vars[i].name, .ty = ty_list(b->a, row)};
        }
    }
    if (n > 0) {
        v->lists = ety_new(b->a, b->types, ETYPE_ANON, SLICE("rows"), cols, n, NULL, 0);
    }
}

static bool uses_stream(const struct ex *e, uint16_t stream)
{
    if ((e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 && e->stream == stream) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (e->args[i] != NULL && uses_stream(e->args[i], stream)) {
            return true;
        }
    }
    return false;
}

static int bind_define(struct bind *b, struct binder *x, const struct ast_named *d,
                       struct err *reterr)
{
    struct mr_plan *p = x->p;
    int var = mr_var_by_name(p, d->name);
    if (var < 0) {
        return bind_err(reterr, d->span, "the pattern has no variable '" SLICE_FMT "'",
                        SLICE_ARG(d->name));
    }
    struct mr_var *v = &p->vars[var];
    if (v->define != NULL) {
        return bind_err(reterr, d->span, "'" SLICE_FMT "' is defined twice", SLICE_ARG(d->name));
    }
    struct scope s = x->base;
    s.streams = arena_array(b->a, p->n_vars + 2U, sizeof *s.streams);
    for (uint16_t i = 0; i < p->n_vars; i++) {
        if (i == var || (!p->vars[i].group && (x->sees[var] >> i & 1) != 0)) {
            s.streams[s.n_streams++] =
                (struct bind_stream){.alias = p->vars[i].name, .type = p->in, .num = i};
        }
    }
    seen_lists(b, x, (uint16_t)var);
    if (v->lists != NULL) {
        s.streams[s.n_streams++] = (struct bind_stream){.type = v->lists, .num = p->n_vars};
    }
    s.no_aggs = "no aggregation in define; methods such as x.sumOf(r => r.a) work";
    s.hook = prev_hook;
    s.hook_arg = x;
    struct scope *save = b->scope;
    struct ex *cond = NULL;
    b->scope = &s;
    int rc = bind_cond(b, d->e, "define", &cond, reterr);
    b->scope = save;
    v->define = cond;
    if (rc == 0 && v->lists != NULL && !uses_stream(cond, p->n_vars)) {
        v->lists = NULL;
    }
    return rc;
}

/* ---- measures ---- */

/* Which variables a tree names: bits. */
static uint64_t vars_in(const struct mr_plan *p, const struct ast_expr *e)
{
    uint64_t set = 0;
    if (e == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        set |= vars_in(p, e->args[i]);
    }
    for (uint32_t i = 0; i < e->n_segs; i++) {
        const struct ast_seg *s = &e->segs[i];
        int var = i == 0 && e->n_args == 0 && !s->is_call ? mr_var_by_name(p, s->name) : -1;
        set |= var >= 0 ? 1ULL << var : 0;
        for (uint32_t k = 0; k < s->n_args; k++) {
            set |= vars_in(p, s->args[k]);
        }
    }
    return set;
}

static bool whole_rows(const struct mr_plan *p, const struct ast_seg *seg)
{
    if (seg->star || seg->n_args == 0) {
        return true;
    }
    const struct ast_expr *e = seg->args[0];
    return e->kind == AST_CHAIN && e->n_args == 0 && e->n_segs == 1 && !e->segs[0].is_call &&
           mr_var_by_name(p, e->segs[0].name) >= 0;
}

static int agg_hook(struct bind *b, const struct ast_expr *e, struct ex **ret, void *arg,
                    struct err *reterr)
{
    struct binder *x = arg;
    struct mr_plan *p = x->p;
    const struct ast_seg *seg = &e->segs[0];
    const struct agg_def *def = seg->is_call ? agg_find(seg->name) : NULL;
    if (def == NULL || (def->one_arg_only && seg->n_args > 1)) {
        return 0;
    }
    uint64_t named = 0;
    for (uint32_t i = 0; i < seg->n_args; i++) {
        named |= vars_in(p, seg->args[i]);
    }
    int var = named != 0 && (named & (named - 1)) == 0 ? __builtin_ctzll(named) : -1;
    if (var < 0 || !p->vars[var].group || whole_rows(p, seg) || e->n_segs > 1) {
        return bind_err(
            reterr, e->span,
            "%s: in measures an aggregation is of properties of one variable that takes "
            "several rows",
            def->name);
    }
    struct bind_stream rows = {.alias = p->vars[var].name, .type = p->in, .windowed = true};
    struct scope s = x->base, *save = b->scope;
    s.streams = &rows;
    s.n_streams = 1;
    s.aggs = &p->aggs;
    s.params = save->params;
    b->scope = &s;
    int rc = agg_bind(b, seg, e->span, ret, reterr);
    b->scope = save;
    while (p->agg_var.len < p->aggs.calls.len) {
        *VEC_PUSH(&p->agg_var) = (uint16_t)var;
    }
    return rc;
}

static int bind_measures(struct bind *b, struct binder *x, const struct ast_matchrec *m,
                         struct err *reterr)
{
    struct mr_plan *p = x->p;
    struct ecol *cols = arena_array(b->a, MAX(p->n_vars, m->n_measures) + 1U, sizeof *cols);
    struct ty row = {.kind = TY_EVENT, .ev = p->in};
    for (uint16_t i = 0; i < p->n_vars; i++) {
        cols[i] = (struct ecol){.name = p->vars[i].name,
                                .ty = p->vars[i].group ? ty_list(b->a, row) : row};
    }
    p->match = ety_new(b->a, b->types, ETYPE_ANON, SLICE("match"), cols, p->n_vars, NULL, 0);
    struct bind_stream match = {.type = p->match};
    struct scope s = x->base;
    s.streams = &match;
    s.n_streams = 1;
    s.hook = agg_hook;
    s.hook_arg = x;
    p->aggs.windowed = true;
    p->measures = arena_array(b->a, m->n_measures + 1U, sizeof *p->measures);
    for (uint32_t i = 0; i < m->n_measures; i++) {
        struct ex *e = NULL;
        int rc = with_scope(b, &s, m->measures[i].e, &e, reterr);
        if (rc != 0) {
            return rc;
        }
        uint32_t at = 0; /* of two with one name the later counts */
        while (at < p->n_measures && !slice_eq(cols[at].name, m->measures[i].name)) {
            at++;
        }
        p->measures[at] = e;
        cols[at] = (struct ecol){.name = m->measures[i].name, .ty = e->ty};
        p->n_measures += at == p->n_measures ? 1 : 0;
    }
    p->out = ety_new(b->a, b->types, ETYPE_ANON, SLICE("measures"), cols, p->n_measures, NULL, 0);
    agg_layout(b->a, &p->aggs, &p->layout);
    return 0;
}

static void plan_done(void *arg)
{
    struct mr_plan *p = arg;
    VEC_DONE(&p->agg_var);
}

static int bind_parts(struct bind *b, struct binder *x, const struct ast_matchrec *m,
                      struct slice alias, struct err *reterr)
{
    struct mr_plan *p = x->p;
    struct bind_stream in = {.alias = alias, .type = p->in};
    struct scope s = x->base;
    s.streams = &in;
    s.n_streams = 1;
    s.no_aggs = "no aggregation in partition by";
    if (m->n_partition > MR_KEYS_MAX) {
        return bind_err(reterr, m->span, "at most %d expressions in partition by", MR_KEYS_MAX);
    }
    p->n_partition = m->n_partition;
    p->partition = arena_array(b->a, m->n_partition + 1U, sizeof *p->partition);
    int rc = 0;
    for (uint32_t i = 0; i < m->n_partition && rc == 0; i++) {
        rc = with_scope(b, &s, m->partition[i], &p->partition[i], reterr);
    }
    if (rc == 0 && m->interval != NULL) {
        struct scope none = x->base, *save = b->scope;
        struct ex *interval = NULL;
        b->scope = &none;
        rc = bind_period(b, m->interval, &interval, reterr);
        b->scope = save;
        p->interval = interval;
    }
    return rc;
}

int mr_bind(struct bind *b, const struct ast_matchrec *m, const struct etype *in,
            struct slice alias, struct mr_plan **ret, struct err *reterr)
{
    struct mr_plan *p = ARENA_NEW(b->a, struct mr_plan);
    struct binder x = {.p = p};
    assert(p != NULL && in != NULL);
    if (b->scope != NULL) {
        x.base.context = b->scope->context;
    }
    p->in = in;
    p->all_matches = m->all_matches;
    p->skip = m->skip;
    p->or_terminated = m->or_terminated;
    if (!arena_on_reset(b->a, plan_done, p)) {
        return err_set(reterr, ERR_LIMIT, "no memory for the plan of match_recognize");
    }
    int rc = mr_build(b, m->pattern, p, x.sees, reterr);
    for (uint32_t i = 0; i < m->n_define && rc == 0; i++) {
        rc = bind_define(b, &x, &m->define[i], reterr);
    }
    rc = rc == 0 ? bind_parts(b, &x, m, alias, reterr) : rc;
    rc = rc == 0 ? bind_measures(b, &x, m, reterr) : rc;
    if (rc == 0) {
        *ret = p;
    }
    return rc;
}

const struct etype *mr_type(const struct mr_plan *p)
{
    return p->out;
}

struct ex *const *mr_partition(const struct mr_plan *p, uint32_t *ret_n)
{
    *ret_n = p->n_partition;
    return p->partition;
}
