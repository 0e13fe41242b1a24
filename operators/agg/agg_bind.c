/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of calls: arguments, `filter:` and `group_by:`, a condition as the last argument, sort
 * criteria, `*` and `s.*`; what a function may not have is refused here, types are the function's
 * own business. Equal calls of a statement are one call: they are found by their text, unless names
 * in it may stand for different things (inside declared expressions and lambdas).
 */
#include "core/base/buf.h"
#include "operators/agg/agg_impl.h"
#include "operators/epl/epl.h"

#include <assert.h>

/* ---- for the functions' `type` ---- */

int agg_want_number(struct bind *b, const struct agg_call *c, uint32_t arg, struct err *reterr)
{
    (void)b;
    assert(arg < c->n_args);
    const struct ex *e = c->args[arg];
    if (ty_is_number(e->ty)) {
        return 0;
    }
    return bind_err(reterr, e->span, "%s wants numbers, this is a %s%s", c->def->name,
                    ty_name(e->ty.kind), e->ty.kind == TY_OBJECT ? "; cast it" : "");
}

int agg_want_index(struct bind *b, const struct agg_call *c, uint32_t arg, struct err *reterr)
{
    const struct ex *e = c->args[arg];
    bool below =
        e->op == EX_CONST && ty_is_integer(e->ty) && dat_to_long(e->k) < 0 && !agg_unbound(b);
    if (!ty_is_integer(e->ty) || agg_stream_of(e) != AGG_NO_STREAM || below) {
        return bind_err(reterr, e->span, "the index of %s is an integer that no row decides",
                        c->def->name);
    }
    return 0;
}

bool agg_unbound(const struct bind *b)
{
    return !b->scope->aggs->windowed && !b->scope->aggs->into_table;
}

static uint32_t own_streams(const struct bind *b, const struct bind_stream **ret_one)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        if (!b->scope->streams[i].named_only) {
            *ret_one = &b->scope->streams[i];
            n++;
        }
    }
    return n;
}

bool agg_joined(const struct bind *b)
{
    const struct bind_stream *one = NULL;
    return own_streams(b, &one) > 1;
}

static void merge_stream(int *at, int more)
{
    if (*at == AGG_NO_STREAM || more == AGG_MANY_STREAMS) {
        *at = more;
    } else if (more != AGG_NO_STREAM && more != *at) {
        *at = AGG_MANY_STREAMS;
    }
}

int agg_stream_of(const struct ex *e)
{
    int at = AGG_NO_STREAM;
    bool place = e->op == EX_PROP || e->op == EX_STREAM || (e->op >= EX_PREV && e->op <= EX_PRIOR);
    if (place && e->level == 0) {
        at = e->stream;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (e->args[i] != NULL) {
            merge_stream(&at, agg_stream_of(e->args[i]));
        }
    }
    return at;
}

int agg_want_stream(struct bind *b, struct agg_call *c, uint32_t n, struct ty *ret_event,
                    struct err *reterr)
{
    const struct bind_stream *one = NULL;
    int at = c->stream;
    uint32_t streams = own_streams(b, &one);
    for (uint32_t i = 0; i < n; i++) {
        merge_stream(&at, agg_stream_of(c->args[i]));
    }
    if (at == AGG_MANY_STREAMS) {
        return bind_err(reterr, c->span, "%s looks at events of one stream: these are of several",
                        c->def->name);
    }
    if (at == AGG_NO_STREAM && streams != 1) {
        return bind_err(reterr, c->span, "%s of which stream? Write %s(s.*)", c->def->name,
                        c->def->name);
    }
    c->stream = at == AGG_NO_STREAM ? one->num : at;
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        if (b->scope->streams[i].num == c->stream) {
            c->event = b->scope->streams[i].type;
            *ret_event = (struct ty){.kind = TY_EVENT, .ev = c->event};
        }
    }
    return c->stream < AGG_STREAMS_MAX
               ? 0
               : bind_err(reterr, c->span, "more than %d streams", AGG_STREAMS_MAX);
}

/* ---- arguments ---- */

static int local_groups(struct bind *b, struct agg_call *c, const struct ast_expr *arg,
                        struct err *reterr)
{
    struct ast_expr *const *keys = arg->args;
    uint32_t n = arg->n_args;
    if (n == 1 && keys[0]->kind == AST_ROW) {
        n = keys[0]->n_args;
        keys = keys[0]->args;
    }
    c->has_group_by = true;
    c->n_group_by = n;
    c->group_by = arena_array(b->a, n + 1, sizeof *c->group_by);
    for (uint32_t i = 0; i < n; i++) {
        int rc = bind_expr(b, keys[i], &c->group_by[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* s.* : 1, with c->stream set; 0 if it is something else. */
static int stream_star(struct bind *b, struct agg_call *c, const struct ast_expr *e,
                       struct err *reterr)
{
    bool last = e->kind == AST_CHAIN && e->n_segs > 0 && e->segs[e->n_segs - 1].star &&
                !e->segs[e->n_segs - 1].is_call;
    if (!last || e->n_args > 0) {
        return 0;
    }
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        if (slice_eq(b->scope->streams[i].alias, e->segs[0].name)) {
            c->stream = b->scope->streams[i].num;
            c->star = true;
            return 1;
        }
    }
    return bind_err(reterr, e->span, "there is no stream '" SLICE_FMT "'",
                    SLICE_ARG(e->segs[0].name));
}

static bool is_word(const struct ast_expr *e, const char *word)
{
    return slice_eq_nocase(e->text, slice_str(word));
}

static int named_argument(struct bind *b, struct agg_call *c, const struct ast_expr *e,
                          struct err *reterr)
{
    if (is_word(e, "filter") && e->n_args == 1) {
        return bind_cond(b, e->args[0], "filter", &c->filter, reterr);
    }
    if (is_word(e, "group_by")) {
        return local_groups(b, c, e, reterr);
    }
    return bind_err(reterr, e->span, "%s has no argument named '" SLICE_FMT "'", c->def->name,
                    SLICE_ARG(e->text));
}

static int argument(struct bind *b, struct agg_call *c, const struct ast_expr *e,
                    struct err *reterr)
{
    if (e->kind == AST_DESC && c->def->criteria && c->n_args < AGG_ARGS_MAX) {
        c->desc[c->n_args] = true;
        e = e->args[0];
    }
    if (e->kind == AST_NAMED_ARG) {
        return named_argument(b, c, e, reterr);
    }
    if (e->kind == AST_STAR) {
        c->star = true;
        return 0;
    }
    int rc = stream_star(b, c, e, reterr);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    if (c->n_args == AGG_ARGS_MAX) {
        return bind_err(reterr, e->span, "%s has too many arguments", c->def->name);
    }
    rc = bind_expr(b, e, &c->args[c->n_args], reterr);
    c->n_args += rc == 0 ? 1 : 0;
    return rc;
}

static int arguments(struct bind *b, struct agg_call *c, const struct ast_seg *seg,
                     struct err *reterr)
{
    struct scope *s = b->scope;
    int rc = 0;
    s->in_agg = true;
    for (uint32_t i = 0; i < seg->n_args && rc == 0; i++) {
        rc = argument(b, c, seg->args[i], reterr);
    }
    s->in_agg = false;
    return rc;
}

/* The last argument is the filter if it is a condition and one more than there has to be. */
static void take_filter(struct agg_call *c)
{
    uint32_t least = c->star ? 0 : c->def->min_args;
    if (c->def->filter_ok && !c->def->takes_event && c->filter == NULL && c->n_args > least &&
        c->args[c->n_args - 1]->ty.kind == TY_BOOL) {
        c->filter = c->args[--c->n_args];
    }
}

/* The criteria of what goes into a table stand in the column's declaration. */
static bool declared(struct bind *b, const struct agg_call *c)
{
    return c->def->criteria && b->scope->aggs->into_table;
}

static int check_arguments(struct bind *b, const struct agg_call *c, struct err *reterr)
{
    const struct agg_def *d = c->def;
    if (declared(b, c)) {
        return c->n_args == 0 ? 0
                              : bind_err(reterr, c->span,
                                         "%s: the table's column says what to sort by", d->name);
    }
    if (c->star && (!d->star_ok || c->n_args > d->star_args)) {
        return bind_err(reterr, c->span, "%s cannot have '*'%s", d->name,
                        d->star_ok ? " beside other arguments" : "");
    }
    if (!c->star && (c->n_args < d->min_args || c->n_args > d->max_args)) {
        return bind_err(reterr, c->span, "%s has %u argument%s, not %u", d->name,
                        c->n_args < d->min_args ? d->min_args : d->max_args,
                        d->max_args == 1 ? "" : "s", c->n_args);
    }
    if (c->distinct && (!d->distinct_ok || c->star)) {
        return bind_err(reterr, c->span, "%s cannot be of distinct %s", d->name,
                        d->distinct_ok ? "rows: name a value" : "values");
    }
    return 0;
}

/* The stream of a join that the arguments speak of has no window. */
bool agg_of_unbound(const struct bind *b, const struct agg_call *c)
{
    int at = c->stream;
    for (uint32_t i = 0; i < c->n_args; i++) {
        merge_stream(&at, agg_stream_of(c->args[i]));
    }
    bool unbound = false;
    for (uint32_t i = 0; i < b->scope->n_streams && b->scope->n_streams > 1; i++) {
        const struct bind_stream *s = &b->scope->streams[i];
        unbound |= s->num == at && !s->windowed && !s->named_only;
    }
    return unbound && !b->scope->aggs->into_table;
}

static int check(struct bind *b, const struct agg_call *c, struct err *reterr)
{
    const struct agg_def *d = c->def;
    if (c->filter != NULL && !d->filter_ok) {
        return bind_err(reterr, c->span, "%s cannot have a filter", d->name);
    }
    if (c->filter == NULL && d->filter_must) {
        return bind_err(reterr, c->span, "%s wants a condition: %s(x, condition)", d->name,
                        d->name);
    }
    if (d->needs_window && (agg_unbound(b) || agg_of_unbound(b, c))) {
        return bind_err(reterr, c->span,
                        "%s wants a data window on the stream; firstever and lastever do not",
                        d->name);
    }
    if (d->column_only || (d->column != NULL && !b->scope->aggs->into_table)) {
        return bind_err(reterr, c->span, "%s is for columns of tables", d->name);
    }
    return check_arguments(b, c, reterr);
}

static struct slice text_of(struct bind *b, const struct ast_seg *seg)
{
    if (b->scope->params != NULL) {
        return SLICE_NONE;
    }
    struct ast_seg copy = *seg;
    struct ast_expr e = {.kind = AST_CHAIN, .span = seg->span, .segs = &copy, .n_segs = 1};
    struct buf out;
    buf_init(&out, 4096);
    epl_print_expr(&e, &out);
    struct slice s = buf_failed(&out) ? SLICE_NONE : arena_copy(b->a, buf_slice(&out));
    buf_done(&out);
    return s;
}

static struct ex *place_of(struct bind *b, uint32_t slot, struct span span)
{
    const struct agg_call *c = b->scope->aggs->calls.ptr[slot];
    struct ex *e = ex_new(b, EX_AGG, c->ty, span, 0);
    e->slot = (uint16_t)slot;
    e->data = c;
    return e;
}

/* The list grows in the arena, so that a set needs no end. */
void agg_set_add(struct arena *a, struct agg_set *set, struct agg_call *c)
{
    if (set->calls.len == set->calls.cap) {
        size_t cap = MAX(4, set->calls.cap * 2);
        struct agg_call **more = arena_array(a, cap, sizeof *more);
        assert(more != NULL && "the arena of a deployment has room for its text");
        if (set->calls.len > 0) {
            memcpy(more, set->calls.ptr, set->calls.len * sizeof *more);
        }
        set->calls.ptr = more;
        set->calls.cap = cap;
    }
    set->calls.ptr[set->calls.len++] = c;
}

static bool refused_here(struct bind *b, const struct agg_def *def, struct span span,
                         struct err *reterr)
{
    if (b->scope->in_agg) {
        (void)bind_err(reterr, span, "%s: an aggregation cannot stand inside another", def->name);
        return true;
    }
    if (b->scope->aggs == NULL) {
        const char *why = b->scope->no_aggs;
        (void)bind_err(reterr, span, "%s: %s", def->name,
                       why != NULL ? why : "aggregations cannot be used here");
        return true;
    }
    return false;
}

int agg_bind(struct bind *b, const struct ast_seg *seg, struct span span, struct ex **ret,
             struct err *reterr)
{
    const struct agg_def *def = agg_find(seg->name);
    bool plain = !seg->distinct && (seg->n_args < 2 || seg->args[1]->kind != AST_NAMED_ARG);
    if (def == NULL || (def->one_arg_only && plain && seg->n_args != 1)) {
        return 0;
    }
    if (refused_here(b, def, span, reterr)) {
        return -ERR_TYPE;
    }
    struct agg_set *set = b->scope->aggs;
    struct slice text = text_of(b, seg);
    for (uint32_t i = 0; i < set->calls.len && text.len > 0; i++) {
        if (slice_eq(set->calls.ptr[i]->text, text)) {
            *ret = place_of(b, i, span);
            return 1;
        }
    }
    struct agg_call *c = ARENA_NEW(b->a, struct agg_call);
    *c = (struct agg_call){.def = def,
                           .span = span,
                           .text = text,
                           .stream = AGG_NO_STREAM,
                           .table_slot = -1,
                           .distinct = seg->distinct,
                           .star = seg->star};
    c->args = arena_array(b->a, AGG_ARGS_MAX + 1, sizeof *c->args);
    c->desc = arena_array(b->a, AGG_ARGS_MAX + 1, sizeof *c->desc);
    int rc = arguments(b, c, seg, reterr);
    if (rc == 0) {
        take_filter(c);
        rc = check(b, c, reterr);
    }
    rc = rc == 0 ? def->type(b, c, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    agg_set_add(b->a, set, c);
    *ret = place_of(b, (uint32_t)set->calls.len - 1, span);
    return 1;
}
