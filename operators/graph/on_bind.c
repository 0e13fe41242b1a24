/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of triggered statements. See on.h.
 */
#include "operators/graph/ctx.h"
#include "operators/graph/nwin.h"
#include "operators/graph/on.h"
#include "operators/graph/subq.h"
#include "operators/graph/var.h"
#include "operators/table/table.h"

#include <assert.h>

int on_bind_trigger(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    struct ast_select fake = {.from = st->ast->trigger, .n_from = 1, .span = st->ast->span};
    struct sel_plan tmp = {.st = st};
    int rc = sel_bind_streams(st, b, &fake, &tmp, reterr);
    if (rc == 0) {
        p->trigger = tmp.streams[0];
        route_filter_init(b->a, &p->trigger.filter);
        if (p->trigger.kind == SRC_TABLE) {
            rc = bind_err(reterr, st->ast->trigger->span, "a table has no events to trigger by");
        } else if (p->trigger.pat.suppress_overlapping || p->trigger.pat.discard_partials) {
            rc = bind_err(reterr, st->ast->trigger->span,
                          "@SuppressOverlappingMatches and @DiscardPartialsOnMatch are not for "
                          "patterns that trigger");
        }
    }
    return rc;
}

int on_bind_target(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_stream *t = st->ast->target;
    struct cat_entry *e = cat_type(b->cat, t->type);
    if (e == NULL || (e->kind != CAT_WINDOW && e->kind != CAT_TABLE)) {
        return bind_err(reterr, t->span, "'" SLICE_FMT "' is no named window or table",
                        SLICE_ARG(t->type));
    }
    if (st->ast->trigger != NULL && !slice_eq(e->context, st->ast->context)) {
        return bind_err(reterr, t->span, "'" SLICE_FMT "' belongs to %s" SLICE_FMT "%s",
                        SLICE_ARG(t->type), e->context.len > 0 ? "context '" : "no context",
                        SLICE_ARG(e->context), e->context.len > 0 ? "'" : "");
    }
    *VEC_PUSH(&b->used) = e;
    p->win = e->kind == CAT_WINDOW ? e->what : NULL;
    p->table = e->kind == CAT_TABLE ? e->what : NULL;
    p->type = e->type;
    p->alias = t->as.len > 0 ? t->as : t->type;
    return 0;
}

struct scope *on_scope(struct stmt *st, struct bind *b, const struct on_plan *p, bool target)
{
    struct scope *s = ARENA_NEW(b->a, struct scope);
    struct bind_stream *v = arena_array(b->a, ON_STREAMS, sizeof *v);
    uint32_t n = 0;
    if (target && p->type != NULL) {
        v[n++] = (struct bind_stream){.alias = p->alias,
                                      .type = p->type,
                                      .num = ON_TARGET,
                                      .windowed = true,
                                      .table = p->table};
        v[n++] = (struct bind_stream){.alias = SLICE("initial"),
                                      .type = p->type,
                                      .num = ON_INITIAL,
                                      .named_only = true,
                                      .table = p->table};
    }
    v[n++] =
        (struct bind_stream){.alias = p->trigger.alias, .type = p->trigger.type, .num = ON_TRIGGER};
    *s = (struct scope){.streams = v,
                        .n_streams = n,
                        .no_aggs = "here",
                        .subquery = subq_bind,
                        .subquery_arg = st,
                        .context = st->context != NULL ? ctx_props(st->context) : NULL};
    return s;
}

static int set_column(struct bind *b, const struct ast_named *s, const struct etype *type,
                      struct slice alias, struct assign *ret, struct err *reterr)
{
    const struct ast_expr *t = s->target;
    uint32_t at = 0;
    if (t == NULL || t->kind != AST_CHAIN || t->n_args != 0) {
        return bind_err(reterr, s->span, "set wants a column on its left");
    }
    bool named = alias.len > 0 && t->n_segs == 2;
    if (named && (slice_eq(t->segs[0].name, alias) || slice_eq(t->segs[0].name, type->name))) {
        at = 1;
    }
    int col = at + 1 == t->n_segs && !t->segs[at].is_call ? ety_col(type, t->segs[at].name) : -1;
    if (col < 0) {
        return bind_err(reterr, s->span, "'" SLICE_FMT "' has no column '" SLICE_FMT "' to set",
                        SLICE_ARG(type->name), SLICE_ARG(t->segs[at].name));
    }
    if (type->cols[col].agg) {
        return bind_err(reterr, s->span,
                        "column '" SLICE_FMT "' is an aggregation and cannot be set",
                        SLICE_ARG(type->cols[col].name));
    }
    struct ex *x = NULL;
    b->scope->first_wins = true;
    int rc = bind_expr(b, s->e, &x, reterr);
    b->scope->first_wins = false;
    rc = rc == 0 ? bind_convert(b, x, type->cols[col].ty, "set", &ret->value, reterr) : rc;
    ret->col = (uint16_t)col;
    return rc;
}

static bool has(const uint16_t *v, uint32_t n, uint16_t col)
{
    uint32_t i = 0;
    while (i < n && v[i] != col) {
        i++;
    }
    return i < n;
}

/* What an assignment asks of the row as it was, when the columns of those before it are set. */
static void find_initial(struct assigns *s, uint32_t at, const struct etype *type,
                         const struct ex *e)
{
    if (e->op == EX_PROP && e->level == 0 && e->stream == ON_INITIAL && e->of == type) {
        for (uint32_t i = 0; i < at; i++) {
            s->late |= s->a[i].col == e->slot;
        }
        if (!has(s->was, s->n_was, e->slot)) {
            s->was[s->n_was++] = e->slot;
        }
        return;
    }
    bool is = (e->op == EX_PROP || e->op == EX_STREAM) && e->stream == ON_INITIAL;
    s->whole |= is || e->subq != NULL;
    for (uint32_t i = 0; i < e->n_args; i++) {
        find_initial(s, at, type, e->args[i]);
    }
}

static void plan_sets(struct bind *b, const struct etype *type, struct assigns *s)
{
    static const uint8_t kinds[] = {
        [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
        [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
        [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
    };
    s->in_place = true;
    s->was = arena_array(b->a, type->n_cols + 1, sizeof *s->was);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct ecol *col = &type->cols[s->a[i].col];
        bool number = ty_is_number(col->ty);
        s->a[i].kind = number ? kinds[col->ty.kind] : DAT_NULL;
        s->a[i].as_is = !number && col->ty.kind != TY_MAP && col->ty.kind != TY_EVENT;
        s->in_place &= !col->key;
        find_initial(s, i, type, s->a[i].value);
    }
    if (s->late) {
        size_t bytes = sizeof *s->initial + type->n_cols * sizeof s->initial->p[0];
        s->initial = arena_alloc(b->a, bytes);
        memset(s->initial, 0, bytes);
        s->initial->o = (struct obj){.refs = 1, .kind = DAT_EVENT};
        s->initial->type = type;
    }
}

int on_bind_sets(struct bind *b, const struct ast_named *sets, uint32_t n, const struct etype *type,
                 struct slice alias, struct assigns *ret, struct err *reterr)
{
    ret->a = arena_array(b->a, n + 1, sizeof *ret->a);
    ret->n = n;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        rc = set_column(b, &sets[i], type, alias, &ret->a[i], reterr);
    }
    if (rc == 0) {
        plan_sets(b, type, ret);
    }
    return rc;
}

static bool speaks_of_target(const struct ex *e)
{
    if ((e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 && e->stream == ON_TARGET) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (speaks_of_target(e->args[i])) {
            return true;
        }
    }
    return e->subq != NULL;
}

/* Whether looking a key up finds what comparing finds; but for null. */
static bool alike(const struct ex *mine, const struct ex *other)
{
    enum ty_kind k = mine->ty.kind;
    return k == other->ty.kind && (k == TY_STRING || k == TY_INT || k == TY_LONG || k == TY_BOOL);
}

/* Whether nothing is left of the condition when the key is equal. */
static bool take_key(struct on_plan *p, struct ex **key, const struct ex *e)
{
    bool all = e->op == EX_AND;
    if (e->op == EX_AND) {
        for (uint32_t i = 0; i < e->n_args; i++) {
            all &= take_key(p, key, e->args[i]);
        }
        return all;
    }
    if (e->op < EX_CMP_I || e->op > EX_CMP_ANY || e->cmp != OP_EQ) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        struct ex *mine = e->args[i], *other = e->args[1 - i];
        if (mine->op != EX_PROP || mine->level != 0 || mine->stream != ON_TARGET ||
            speaks_of_target(other)) {
            continue;
        }
        for (uint32_t k = 0; k < p->table->n_keys; k++) {
            if (p->table->key[k] == mine->slot) {
                all = key[k] == NULL && alike(mine, other);
                key[k] = other;
            }
        }
    }
    return all;
}

int on_bind_where(struct bind *b, struct on_plan *p, const struct ast_expr *where,
                  struct err *reterr)
{
    if (where == NULL) {
        return 0;
    }
    int rc = bind_cond(b, where, "where", &p->where, reterr);
    if (rc == 0 && p->table != NULL && p->table->n_keys > 0) {
        struct ex **key = arena_array(b->a, p->table->n_keys, sizeof(struct ex *));
        bool alone = take_key(p, key, p->where), all = true;
        for (uint32_t k = 0; k < p->table->n_keys; k++) {
            all &= key[k] != NULL;
        }
        p->key = all ? key : NULL;
        p->key_alone = all && alone;
    }
    return rc;
}

/* Columns of an insert action: from the trigger (and the target, in matched branches). `select *`
 * copies the trigger. */
int on_bind_columns(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                    const struct ast_insert *into, struct sel_plan *rows, struct ins_plan **ret,
                    struct err *reterr)
{
    rows->st = st;
    int rc = sel_bind_items(st, b, items, n, rows, reterr);
    return rc == 0 ? ins_bind(st, b, into, rows, ret, reterr) : rc;
}

/* Streams of the rows an action makes: those of the scope, in their places. */
static void action_streams(struct bind *b, const struct scope *s, struct sel_plan *rows)
{
    rows->streams = arena_array(b->a, ON_STREAMS, sizeof *rows->streams);
    rows->n_streams = ON_STREAMS;
    for (uint32_t i = 0; i < s->n_streams; i++) {
        rows->streams[s->streams[i].num].alias = s->streams[i].alias;
        rows->streams[s->streams[i].num].type = s->streams[i].type;
    }
}

static struct ast_item *column_item(struct bind *b, const struct ast_item *star, struct slice of,
                                    struct slice name)
{
    struct ast_item *it = ARENA_NEW(b->a, struct ast_item);
    struct ast_expr *e = ARENA_NEW(b->a, struct ast_expr);
    bool named = of.len > 0;
    e->kind = AST_CHAIN;
    e->span = star->span;
    e->n_segs = named ? 2 : 1;
    e->segs = arena_array(b->a, 2, sizeof *e->segs);
    e->segs[0] = (struct ast_seg){.span = star->span, .name = named ? of : name};
    e->segs[1] = (struct ast_seg){.span = star->span, .name = name};
    *it = (struct ast_item){.span = star->span, .as = name, .e = e};
    return it;
}

/* insert select *: the trigger's columns; if it has some that the target has not, all but those. */
static void star_columns(struct bind *b, const struct on_plan *p, const struct ast_action *a,
                         struct ast_item **ret, uint32_t *ret_n)
{
    const struct ast_item *star = a->items;
    struct slice alias = p->trigger.alias;
    const struct cat_entry *into = a->into.len > 0 ? cat_type(b->cat, a->into) : NULL;
    const struct etype *to = a->into.len == 0 ? p->type : into != NULL ? into->type : NULL;
    const struct etype *from = p->trigger.type;
    *ret = a->items;
    *ret_n = a->n_items;
    if (a->n_items != 1 || !star->star || star->as.len > 0 ||
        !(star->stream.len == 0 || slice_eq(star->stream, alias))) {
        return;
    }
    *ret = ARENA_NEW(b->a, struct ast_item);
    **ret = *star;
    (*ret)->stream = alias;
    if (to == NULL || a->n_cols > 0 || p->trigger.kind == SRC_PATTERN) {
        return;
    }
    struct ast_item *some = arena_array(b->a, from->n_cols + 1, sizeof *some);
    uint32_t n = 0;
    for (uint32_t i = 0; i < from->n_cols; i++) {
        if (ety_col(to, from->cols[i].name) >= 0) {
            some[n++] = *column_item(b, star, alias, from->cols[i].name);
        }
    }
    if (n > 0 && n < from->n_cols) {
        *ret = some;
        *ret_n = n;
    }
}

/* A merge has found its row by the key, which stays. */
static int check_keys(const struct on_plan *p, const struct ast_action *a, const struct assigns *s,
                      struct err *reterr)
{
    for (uint32_t i = 0; p->table != NULL && i < s->n; i++) {
        for (uint32_t k = 0; k < p->table->n_keys; k++) {
            if (s->a[i].col == p->table->key[k]) {
                return bind_err(reterr, a->span, "a merge does not change the key of a table");
            }
        }
    }
    return 0;
}

static int bind_action(struct stmt *st, struct bind *b, struct on_plan *p,
                       const struct ast_action *a, struct on_action *to, struct err *reterr)
{
    to->kind = a->kind;
    int rc = a->where != NULL ? bind_cond(b, a->where, "where", &to->where, reterr) : 0;
    if (rc != 0 || a->kind == ACT_DELETE) {
        return rc;
    }
    if (a->kind == ACT_UPDATE) {
        rc = on_bind_sets(b, a->sets, a->n_sets, p->type, p->alias, &to->sets, reterr);
        return rc == 0 ? check_keys(p, a, &to->sets, reterr) : rc;
    }
    struct ast_item *items = NULL;
    uint32_t n = 0;
    star_columns(b, p, a, &items, &n);
    struct ast_insert into = {.span = a->span,
                              .into = a->into.len > 0 ? a->into : st->ast->target->type,
                              .cols = a->cols,
                              .n_cols = a->n_cols};
    action_streams(b, b->scope, &to->rows);
    return on_bind_columns(st, b, items, n, &into, &to->rows, &to->ins, reterr);
}

int on_bind_merge(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    p->n_matched = a->n_matched;
    p->matched = arena_array(b->a, a->n_matched + 1, sizeof *p->matched);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < a->n_matched; i++) {
        const struct ast_matched *m = &a->matched[i];
        struct on_matched *to = &p->matched[i];
        to->negated = m->negated;
        b->scope = on_scope(st, b, p, !m->negated);
        rc = m->cond != NULL ? bind_cond(b, m->cond, "when", &to->cond, reterr) : 0;
        to->n_actions = m->n_actions;
        to->actions = arena_array(b->a, m->n_actions + 1, sizeof *to->actions);
        for (uint32_t k = 0; rc == 0 && k < m->n_actions; k++) {
            if (m->negated && m->actions[k].kind != ACT_INSERT) {
                return bind_err(reterr, m->actions[k].span, "'when not matched' can only insert");
            }
            rc = bind_action(st, b, p, &m->actions[k], &to->actions[k], reterr);
        }
    }
    return rc;
}

static int bind_branch(struct stmt *st, struct bind *b, struct on_plan *p,
                       const struct ast_branch *a, struct on_branch *to, struct err *reterr)
{
    struct slice alias = p->trigger.alias;
    to->type = p->trigger.type;
    b->scope = on_scope(st, b, p, false);
    if (a->from != NULL) {
        int rc = contained_bind(st, b, a->from, p->trigger.type, alias, &to->contained, &to->type,
                                reterr);
        if (rc != 0) {
            return rc;
        }
        alias = a->from->as.len > 0 ? a->from->as : alias;
    }
    struct bind_stream *s = ARENA_NEW(b->a, struct bind_stream);
    *s = (struct bind_stream){.alias = alias, .type = to->type};
    b->scope->streams = s;
    b->scope->n_streams = 1;
    to->rows.n_streams = 1;
    to->rows.streams = ARENA_NEW(b->a, struct sel_stream);
    to->rows.streams[0].alias = alias;
    to->rows.streams[0].type = to->type;
    int rc = a->where != NULL ? bind_cond(b, a->where, "where", &to->where, reterr) : 0;
    return rc == 0 ? on_bind_columns(st, b, a->items, a->n_items, &a->insert, &to->rows, &to->ins,
                                     reterr)
                   : rc;
}

int on_bind_split(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    p->n_branches = a->n_branches;
    p->branches = arena_array(b->a, a->n_branches + 1, sizeof *p->branches);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < a->n_branches; i++) {
        rc = bind_branch(st, b, p, &a->branches[i], &p->branches[i], reterr);
    }
    return rc;
}
