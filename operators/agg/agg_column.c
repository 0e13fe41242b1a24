/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregation columns of tables. A declaration names types where a call has expressions
 * (sum(double), count(distinct string)); those that keep events say of which type, and their sort
 * criteria are properties of it (sorted(value) @type(Metric)). The declaration's call owns the
 * state; calls of `into table` feed it.
 */
#include "core/base/buf.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

static bool names_type(const struct ast_expr *e, struct slice *ret)
{
    if (e->kind == AST_TYPE_NAME) {
        *ret = e->text;
        return true;
    }
    if (e->kind == AST_CHAIN && e->n_segs == 1 && !e->segs[0].is_call && e->n_args == 0) {
        *ret = e->segs[0].name;
        return true;
    }
    return false;
}

static int type_argument(struct bind *b, struct agg_call *c, const struct ast_expr *e,
                         struct err *reterr)
{
    struct slice name = SLICE_NONE;
    struct ex **to = &c->args[c->n_args];
    if (c->n_args == AGG_ARGS_MAX) {
        return bind_err(reterr, e->span, "%s has too many arguments", c->def->name);
    }
    if (c->def->criteria && e->kind == AST_DESC) {
        c->desc[c->n_args] = true;
        e = e->args[0];
    }
    int rc = 0;
    if (c->def->takes_event || !names_type(e, &name)) {
        rc = bind_expr(b, e, to, reterr);
    } else {
        struct ast_type as = {.span = e->span, .name = name};
        struct ty t;
        rc = cat_column_type(b->cat, &as, &t, reterr);
        if (rc == 0) {
            *to = ex_const(b, DAT_NONE, t, e->span);
        }
    }
    c->n_args += rc == 0 ? 1 : 0;
    return rc;
}

static int check(const struct bind *b, const struct agg_call *c, struct err *reterr)
{
    if (!c->star && (c->n_args < c->def->min_args || c->n_args > c->def->max_args)) {
        return bind_err(reterr, c->span, "%s has %u arguments, not %u", c->def->name,
                        c->def->min_args, c->n_args);
    }
    if (c->star && (!c->def->star_ok || c->def->criteria)) {
        return bind_err(reterr, c->span, "%s cannot have '*'", c->def->name);
    }
    if (c->distinct && (!c->def->distinct_ok || c->star)) {
        return bind_err(reterr, c->span, "%s cannot be of distinct %s", c->def->name,
                        c->def->distinct_ok ? "rows: name a type" : "values");
    }
    if (c->def->takes_event && b->scope->n_streams == 0) {
        return bind_err(reterr, c->span, "%s keeps events: say of which type with @type(X)",
                        c->def->name);
    }
    return 0;
}

static int bind_in_scope(struct bind *b, const struct ast_seg *seg, struct agg_call *c,
                         struct err *reterr)
{
    if (c->def->column_only) {
        int rc = agg_sketch_options(b, c, seg, reterr);
        return rc == 0 ? c->def->type(b, c, reterr) : rc;
    }
    for (uint32_t i = 0; i < seg->n_args; i++) {
        if (seg->args[i]->kind == AST_STAR) {
            c->star = true;
            continue;
        }
        if (seg->args[i]->kind == AST_NAMED_ARG) {
            return bind_err(reterr, seg->args[i]->span, "%s has no argument named '" SLICE_FMT "'",
                            c->def->name, SLICE_ARG(seg->args[i]->text));
        }
        int rc = type_argument(b, c, seg->args[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    bool more = c->n_args > (c->star ? 0u : 1u);
    if (more && c->args[c->n_args - 1]->ty.kind == TY_BOOL && !c->def->criteria) {
        c->may_filter = true;
        c->n_args--; /* fmax(double, boolean): the place of the filter */
    }
    if (c->def->filter_must && !c->may_filter) {
        return bind_err(reterr, c->span, "%s wants the place of a condition: %s(int, boolean)",
                        c->def->name, c->def->name);
    }
    int rc = check(b, c, reterr);
    return rc == 0 ? c->def->type(b, c, reterr) : rc;
}

int agg_column_bind(struct bind *b, const struct ast_expr *call, const struct etype *of,
                    struct agg_call **ret, struct err *reterr)
{
    const struct ast_seg *seg = call->n_segs == 1 ? &call->segs[0] : NULL;
    const struct agg_def *def = seg != NULL ? agg_find(seg->name) : NULL;
    bool one = def == &agg_maxby || def == &agg_minby || def == &agg_first || def == &agg_last;
    if (def == NULL || def->column != NULL || one) { /* of one event: ask sorted, window */
        return bind_err(reterr, call->span, "this is no aggregation that a table may hold");
    }
    struct agg_set set = {.windowed = true, .into_table = true};
    struct bind_stream stream = {.type = of, .windowed = true};
    struct scope scope = {.streams = &stream, .n_streams = of != NULL ? 1 : 0, .aggs = &set};
    struct scope *save = b->scope;
    struct agg_call *c = ARENA_NEW(b->a, struct agg_call);
    *c = (struct agg_call){.def = def,
                           .span = call->span,
                           .stream = AGG_NO_STREAM,
                           .table_slot = -1,
                           .distinct = seg->distinct,
                           .star = seg->star};
    c->args = arena_array(b->a, AGG_ARGS_MAX + 1, sizeof *c->args);
    c->desc = arena_array(b->a, AGG_ARGS_MAX + 1, sizeof *c->desc);
    b->scope = &scope;
    int rc = bind_in_scope(b, seg, c, reterr);
    b->scope = save;
    if (rc == 0) {
        *ret = c;
    }
    return rc;
}

static void print_call(const struct agg_call *c, struct buf *out)
{
    (void)buf_add_str(out, c->def->name);
    (void)buf_add_str(out, c->distinct ? "(distinct " : "(");
    if (c->star) {
        (void)buf_add_byte(out, '*');
    }
    for (uint32_t i = 0; i < c->n_args; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        ty_print(c->args[i]->ty, out);
    }
    (void)buf_add_byte(out, ')');
}

static bool same_events(const struct agg_call *column, const struct agg_call *call)
{
    struct ty have = call->ty, want = column->ty;
    if (have.kind == TY_LIST && want.kind == TY_LIST && have.elem != NULL && want.elem != NULL) {
        have = *have.elem;
        want = *want.elem;
    }
    if (have.kind == TY_EVENT && want.kind == TY_EVENT) {
        return ety_is(have.ev, want.ev);
    }
    return ty_eq(have, want);
}

static bool fits(const struct agg_call *column, const struct agg_call *call)
{
    const char *name = call->def->column != NULL ? call->def->column : call->def->name;
    if (!slice_eq(slice_str(name), slice_str(column->def->name)) ||
        column->distinct != call->distinct) {
        return false;
    }
    if (call->def->column != NULL) {
        return true;
    }
    if (column->def->takes_event) {
        bool star = call->star || call->n_args == 0;
        return same_events(column, call) && (star || column->def->criteria || call->n_args > 0) &&
               (star || column->n_args == call->n_args);
    }
    bool counts = column->def == &agg_count || column->def == &agg_countever;
    if (column->star != call->star || column->n_args != call->n_args ||
        (!counts && column->may_filter != (call->filter != NULL))) {
        return false;
    }
    for (uint32_t i = 0; i < call->n_args; i++) {
        if (!ty_eq(column->args[i]->ty, call->args[i]->ty)) {
            return false;
        }
    }
    return column->priv == call->priv; /* n of nth, and the like */
}

int agg_column_fits(struct bind *b, const struct agg_call *column, const struct agg_call *call,
                    struct err *reterr)
{
    if (!fits(column, call)) {
        struct buf have, want;
        buf_init(&have, 200);
        buf_init(&want, 200);
        print_call(call, &have);
        print_call(column, &want);
        int rc = bind_err(reterr, call->span, "the column holds %s, this is %s", buf_cstr(&want),
                          buf_cstr(&have));
        buf_done(&have);
        buf_done(&want);
        return rc;
    }
    const struct agg_set *set = b->scope != NULL ? b->scope->aggs : NULL;
    bool extreme = column->def == &agg_min || column->def == &agg_max || column->def == &agg_fmin ||
                   column->def == &agg_fmax;
    if (extreme && set != NULL && !set->windowed) {
        return bind_err(reterr, call->span,
                        "%s in a table wants a data window on the stream; %sever does not",
                        call->def->name, call->def->name);
    }
    return 0;
}
