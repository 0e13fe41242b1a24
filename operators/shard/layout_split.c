/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout_split.h. The statement is read again, once for each of the texts, and its tree is
 * changed; what comes out is tried: if the two do not deliver the columns that the one does, it
 * stays whole. So what is not thought of here costs tasks, not answers.
 */
#include "operators/shard/layout_split.h"

#include "core/base/hash.h"
#include "core/base/vec.h"
#include "operators/epl/epl.h"
#include "operators/graph/eng_doc.h"
#include "operators/shard/layout_impl.h"
#include "operators/sig/cause.h"

#include <assert.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 256 * 1024, HOUR_MIN_SEC = 6, PERIOD_ARGS = 9 };

struct cutting {
    struct arena *a;
    VEC(struct slice) groups; /* as printed */
    VEC(struct slice) parts;  /* aggregations whose values go along, as printed */
    struct slice why;
};

static struct slice text_of(struct arena *a, const struct ast_expr *e)
{
    struct buf b;
    struct ast_expr bare = *e;
    bare.paren = false;
    buf_init(&b, TEXT_MAX);
    epl_print_expr(&bare, &b);
    struct slice s = buf_failed(&b) ? SLICE_NONE : arena_copy(a, buf_slice(&b));
    buf_done(&b);
    return s;
}

static struct ast_expr *expr_of(struct cutting *c, const char *text)
{
    struct err err;
    struct ast_expr *e = NULL;
    if (epl_parse_expr(c->a, slice_str(text), &e, &err) != 0) {
        c->why = SLICE("an expression of it is too long");
        return NULL;
    }
    e->paren = true;
    return e;
}

/* ---- what adds up ---- */

static uint32_t part_of(struct cutting *c, struct slice text)
{
    for (uint32_t i = 0; i < c->parts.len; i++) {
        if (slice_eq(c->parts.ptr[i], text)) {
            return i;
        }
    }
    *VEC_PUSH(&c->parts) = text;
    return (uint32_t)c->parts.len - 1;
}

static bool is_sum(const struct ast_expr *e)
{
    static const char *const names[] = {"count", "sum", "avg", "min", "max"};
    if (e->kind != AST_CHAIN || e->n_args > 0 || e->n_segs != 1 || !e->segs[0].is_call) {
        return false;
    }
    const struct ast_seg *s = &e->segs[0];
    uint32_t plain = 0;
    for (uint32_t i = 0; i < s->n_args; i++) {
        plain += s->args[i]->kind != AST_NAMED_ARG;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_nocase(s->name, slice_str(names[i]))) {
            return i < 3 || plain == 1; /* min(a, b) is a function of one event */
        }
    }
    return false;
}

/* The same arguments for another aggregation. */
static struct slice called(struct cutting *c, const struct ast_expr *e, const char *name)
{
    struct ast_expr other = *e;
    struct ast_seg seg = e->segs[0];
    seg.name = slice_str(name);
    other.segs = &seg;
    return text_of(c->a, &other);
}

/* What of the parts gives the value of the whole. */
static struct ast_expr *added_up(struct cutting *c, const struct ast_expr *e)
{
    struct slice name = e->segs[0].name;
    if (slice_eq_nocase(name, SLICE("avg"))) {
        uint32_t sum = part_of(c, called(c, e, "sum")), n = part_of(c, called(c, e, "count"));
        return expr_of(c, arena_printf(c->a, "cast(sum(kaiju_p%u), double) / sum(kaiju_p%u)",
                                       (unsigned)sum, (unsigned)n));
    }
    uint32_t i = part_of(c, text_of(c->a, e));
    if (slice_eq_nocase(name, SLICE("count"))) {
        return expr_of(c, arena_printf(c->a, "coalesce(sum(kaiju_p%u), 0L)", (unsigned)i));
    }
    return expr_of(c, arena_printf(c->a, SLICE_FMT "(kaiju_p%u)", SLICE_ARG(name), (unsigned)i));
}

static int group_of(struct cutting *c, const struct ast_expr *e)
{
    struct slice text = c->groups.len > 0 ? text_of(c->a, e) : SLICE_NONE;
    for (uint32_t i = 0; i < c->groups.len; i++) {
        if (slice_eq(c->groups.ptr[i], text)) {
            return (int)i;
        }
    }
    return -1;
}

/* An expression over events becomes one over parts; what it says of anything else stays, and will
 * not be found there. */
static void over_parts(struct cutting *c, struct ast_expr **at, uint32_t depth)
{
    struct ast_expr *e = *at;
    if (e == NULL || c->why.len > 0) {
        return;
    }
    if (depth > DEPTH_MAX || e->select != NULL) {
        c->why = SLICE("an expression of it is too deep");
        return;
    }
    int group = group_of(c, e);
    if (group >= 0 || is_sum(e)) {
        *at = group >= 0 ? expr_of(c, arena_printf(c->a, "kaiju_g%d", group)) : added_up(c, e);
        if (*at != NULL && (*at)->kind == AST_CHAIN) {
            (*at)->paren = false;
        }
        return;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        over_parts(c, &e->args[i], depth + 1);
    }
    for (uint32_t i = 0; i < e->n_segs; i++) {
        for (uint32_t k = 0; k < e->segs[i].n_args; k++) {
            over_parts(c, &e->segs[i].args[k], depth + 1);
        }
    }
    for (uint32_t i = 0; i < e->n_named; i++) {
        over_parts(c, &e->named[i].e, depth + 1);
    }
}

/* ---- trees ---- */

static struct ast_stmt *read_again(struct cutting *c, struct slice text)
{
    struct ast_module *m = NULL;
    struct err err;
    if (epl_parse(c->a, text, &m, &err) != 0 || m->n_stmts != 1) {
        c->why = SLICE("it cannot be read alone");
        return NULL;
    }
    return m->stmts[0];
}

static struct slice print(struct cutting *c, const struct ast_stmt *s)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    epl_print_stmt(s, &b);
    struct slice text = buf_failed(&b) ? SLICE_NONE : arena_copy(c->a, buf_slice(&b));
    c->why = text.len == 0 ? SLICE("it is too long") : c->why;
    buf_done(&b);
    return text;
}

static void annotate(struct cutting *c, struct ast_stmt *s, const char *name, const char *value)
{
    struct ast_annot *to = arena_array(c->a, s->n_annots + 1, sizeof *to);
    for (uint32_t i = 0; i < s->n_annots; i++) {
        to[i + 1] = s->annots[i];
    }
    to[0] = (struct ast_annot){.name = slice_str(name)};
    if (value != NULL) {
        struct ast_expr *e = ARENA_NEW(c->a, struct ast_expr);
        *e = (struct ast_expr){.kind = AST_STRING, .text = slice_str(value)};
        to[0].values = ARENA_NEW(c->a, struct ast_named);
        *to[0].values = (struct ast_named){.e = e};
        to[0].n_values = 1;
    }
    s->annots = to;
    s->n_annots++;
}

static bool is_batch(const struct ast_select *q)
{
    return q->from[0].n_views > 0;
}

/* #time_batch(T) with its grid from 0. */
static void set_grid(struct cutting *c, struct ast_select *q)
{
    struct ast_view *v = &q->from[0].views[0];
    struct ast_expr **args = arena_array(c->a, 2, sizeof *args), *zero = expr_of(c, "0L");
    if (zero != NULL) {
        zero->paren = false;
        args[0] = v->args[0];
        args[1] = zero;
        v->args = args;
        v->n_args = 2;
    }
}

/* The length of a pane as a period, which a bare number of seconds is not. */
static struct ast_expr *pane_of(struct cutting *c, const struct ast_select *q)
{
    struct ast_expr *e = is_batch(q) ? q->from[0].views[0].args[0] : q->output->every;
    if (e->kind == AST_PERIOD) {
        return e;
    }
    struct ast_expr *p = ARENA_NEW(c->a, struct ast_expr);
    *p = (struct ast_expr){.kind = AST_PERIOD, .n_args = PERIOD_ARGS};
    p->args = arena_array(c->a, PERIOD_ARGS, sizeof *p->args);
    p->args[HOUR_MIN_SEC] = e;
    return p;
}

/* ---- the three texts ---- */

static struct slice on_the_grid(struct cutting *c, struct slice text)
{
    struct ast_stmt *s = read_again(c, text);
    if (s == NULL) {
        return SLICE_NONE;
    }
    if (is_batch(s->select)) {
        set_grid(c, s->select);
    } else {
        annotate(c, s, "Grid", NULL);
    }
    return print(c, s);
}

static char *keys_text(struct cutting *c)
{
    char *text = arena_printf(c->a, "%s", "");
    for (uint32_t i = 0; i < c->groups.len; i++) {
        text = arena_printf(c->a, "%s%skaiju_g%u", text, i > 0 ? ", " : "", (unsigned)i);
    }
    return text;
}

static void name_columns(struct cutting *c, struct ast_select *q)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (uint32_t i = 0; i < q->n_items; i++) {
        struct ast_item *x = &q->items[i];
        if (x->e == NULL || x->is_event) {
            c->why = SLICE("it gives events, not columns");
        } else if (x->as.len == 0) {
            buf_clear(&b);
            epl_print_column(x->e, &b);
            x->as = arena_copy(c->a, buf_slice(&b));
        }
    }
    buf_done(&b);
}

static struct slice whole(struct cutting *c, struct slice text, struct slice type)
{
    struct ast_stmt *s = read_again(c, text);
    if (s == NULL) {
        return SLICE_NONE;
    }
    struct ast_select *q = s->select;
    name_columns(c, q);
    for (uint32_t i = 0; i < q->n_items && c->why.len == 0; i++) {
        over_parts(c, &q->items[i].e, 0);
    }
    over_parts(c, &q->having, 0);
    for (uint32_t i = 0; i < q->n_group; i++) {
        over_parts(c, &q->group[i].e, 0);
    }
    if (c->why.len > 0) {
        return SLICE_NONE;
    }
    q->from[0].type = type;
    q->from[0].n_filters = 0;
    q->where = NULL;
    if (is_batch(q)) {
        set_grid(c, q);
    } else if (c->groups.len == 0) {
        annotate(c, s, "Grid", NULL);
    }
    if (c->groups.len > 0) {
        annotate(c, s, "Partition", keys_text(c));
    }
    return print(c, s);
}

static void add_item(struct cutting *c, struct ast_select *q, struct slice text, const char *as)
{
    struct ast_expr *e = expr_of(c, arena_printf(c->a, SLICE_FMT, SLICE_ARG(text)));
    if (e != NULL) {
        e->paren = false;
        q->items[q->n_items++] = (struct ast_item){.e = e, .as = slice_str(as)};
    }
}

/* The columns of a part: its group, what adds up, and since when and until when it is. */
static void part_columns(struct cutting *c, struct ast_select *q)
{
    q->items = arena_array(c->a, c->groups.len + c->parts.len + 2, sizeof *q->items);
    q->n_items = 0;
    for (uint32_t i = 0; i < c->groups.len; i++) {
        add_item(c, q, c->groups.ptr[i], arena_printf(c->a, "kaiju_g%u", (unsigned)i));
    }
    for (uint32_t i = 0; i < c->parts.len; i++) {
        add_item(c, q, c->parts.ptr[i], arena_printf(c->a, "kaiju_p%u", (unsigned)i));
    }
    add_item(c, q, SLICE("min(current_timestamp())"), CAUSE_FROM);
    add_item(c, q, SLICE("max(current_timestamp())"), CAUSE_TO);
}

/* A part of everything comes with each tick, so that the others know the time; of a batch only if
 * something is in it, as an empty batch gives no row. */
static struct slice parts(struct cutting *c, struct slice text, struct slice type)
{
    struct ast_stmt *s = read_again(c, text);
    if (s == NULL) {
        return SLICE_NONE;
    }
    struct ast_select *q = s->select;
    struct ast_output *o = ARENA_NEW(c->a, struct ast_output);
    struct ast_insert *to = ARENA_NEW(c->a, struct ast_insert);
    *o = (struct ast_output){.kind = OUT_LAST, .when = OUT_EVERY_TIME, .every = pane_of(c, q)};
    *to = (struct ast_insert){.into = type};
    part_columns(c, q);
    q->having = is_batch(q) ? expr_of(c, "count(*) > 0") : NULL;
    q->output = o;
    q->insert = to;
    q->from[0].n_views = 0;
    s->n_annots = 0;
    annotate(c, s, "Panes", NULL);
    return c->why.len == 0 ? print(c, s) : SLICE_NONE;
}

/* ---- trying ---- */

static struct slice schema_of(struct cutting *c, const struct etype *t)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    (void)buf_addf(&b, "create schema " SLICE_FMT "(", SLICE_ARG(t->name));
    for (uint32_t i = 0; i < t->n_cols; i++) {
        enum ty_kind k = t->cols[i].ty.kind;
        if (k != TY_STRING && k != TY_BOOL && !(k >= TY_BYTE && k <= TY_DOUBLE)) {
            c->why = slice_str(arena_printf(c->a, "its parts would have a %s", ty_name(k)));
        }
        (void)buf_addf(&b, "%s" SLICE_FMT " %s", i > 0 ? ", " : "", SLICE_ARG(t->cols[i].name),
                       ty_name(k));
    }
    (void)buf_add_str(&b, ");\n");
    struct slice s = arena_copy(c->a, buf_slice(&b));
    buf_done(&b);
    return s;
}

static bool same_rows(const struct etype *a, const struct etype *b)
{
    bool same = a != NULL && b != NULL && a->n_cols == b->n_cols;
    for (uint32_t i = 0; same && i < a->n_cols; i++) {
        same =
            slice_eq(a->cols[i].name, b->cols[i].name) && a->cols[i].ty.kind == b->cols[i].ty.kind;
    }
    return same;
}

/* The two deliver what the one does. */
static void try_it(struct cutting *c, struct eng *e, struct slice text, struct layout_sum *s)
{
    struct err err;
    bool was = eng_deploy(e, SLICE("was"), text, &err) == 0, parts = false, all = false;
    if (!was) {
        c->why = SLICE("it uses what its level declares, or what others make");
    } else {
        parts = eng_deploy(e, SLICE("parts"), s->parts, &err) == 0;
        s->schema = parts ? schema_of(c, eng_type(e, s->type)) : SLICE_NONE;
        all = parts && eng_deploy(e, SLICE("whole"), s->whole, &err) == 0;
        const struct etype *now = all ? eng_rows_type(e, SLICE("whole")) : NULL;
        if (c->why.len == 0 && !same_rows(eng_rows_type(e, SLICE("was")), now)) {
            c->why = all ? SLICE("its columns would be of other types")
                         : slice_str(arena_printf(c->a, "written as two: %s", err.msg));
        }
    }
    bool gone = (!all || eng_undeploy(e, SLICE("whole"), &err) == 0) &&
                (!parts || eng_undeploy(e, SLICE("parts"), &err) == 0) &&
                (!was || eng_undeploy(e, SLICE("was"), &err) == 0);
    assert(gone);
    (void)gone;
}

/* ---- what is around it ---- */

static bool is_made(const struct doc *d, struct slice type)
{
    for (uint32_t i = 0; i < d->n_made; i++) {
        if (layout_gives(&d->made[i], type)) {
            return true;
        }
    }
    return false;
}

static const char *why_not_here(const struct doc *d, const struct doc_level *l,
                                const struct ast_stmt *s)
{
    const struct ast_select *q = s->select;
    struct slice type = q->from[0].type;
    bool lies = layout_is_signal(l, type) && !slice_eq(type, SLICE("Batch")) &&
                !slice_eq(type, SLICE("Alert"));
    if (!lies || is_made(d, type)) {
        return "it reads what rules make, which has no parts of its own";
    }
    if (l->late != DOC_LATE_ADMIT) {
        return "parts of sums are never late: the level has another policy";
    }
    if (s->n_decls > 0) {
        return "it declares expressions";
    }
    if (is_batch(q) && (q->from[0].views[0].n_args != 1 || q->where != NULL)) {
        return "its batches are on a grid of their own, or where lets empty ones be";
    }
    for (uint32_t i = 0; i < q->n_group; i++) {
        if (q->group[i].kind != GROUP_EXPR) {
            return "it has groups of groups";
        }
    }
    for (uint32_t i = 0; i < s->n_annots; i++) {
        if (slice_eq_nocase(s->annots[i].name, SLICE("drop")) ||
            slice_eq_nocase(s->annots[i].name, SLICE("priority"))) {
            return "which statement comes first is said";
        }
    }
    return NULL;
}

/* Known by what the statement says, without remarks: so is its state (graph/ident.h). */
static struct slice type_name(struct cutting *c, const struct doc_stmt *s)
{
    struct ast_stmt bare = *s->ast;
    bare.n_annots = 0;
    struct slice text = print(c, &bare);
    uint64_t h = hash_xxh64(text) ^ hash_xxh64(s->name) * 3;
    return slice_str(arena_printf(c->a, "Parts_%016llx", (unsigned long long)h));
}

static void name_keys(struct cutting *c, struct layout_sum *s)
{
    struct slice *keys = arena_array(c->a, c->groups.len + 1, sizeof *keys);
    for (uint32_t i = 0; i < c->groups.len; i++) {
        keys[i] = slice_str(arena_printf(c->a, "kaiju_g%u", (unsigned)i));
    }
    s->keys = keys;
    s->n_keys = (uint32_t)c->groups.len;
    s->as_double = arena_array(c->a, c->groups.len + 1, sizeof *s->as_double);
}

const struct layout_sum *layout_sum_of(struct arena *a, const struct doc *d, uint32_t level,
                                       const struct doc_stmt *s, struct eng *types,
                                       struct slice *ret_why)
{
    struct cutting c = {.a = a};
    struct layout_sum *to = ARENA_NEW(a, struct layout_sum);
    assert(s->ast->kind == STMT_SELECT && level < d->g.n_levels);
    const char *why = why_not_here(d, &d->g.levels[level], s->ast);
    c.why = why != NULL ? slice_str(why) : SLICE_NONE;
    const struct ast_select *q = s->ast->select;
    for (uint32_t i = 0; c.why.len == 0 && i < q->n_group; i++) {
        *VEC_PUSH(&c.groups) = text_of(a, q->group[i].e);
    }
    if (c.why.len == 0) {
        to->of = q->from[0].type;
        to->type = type_name(&c, s);
        to->grid = on_the_grid(&c, s->text);
        to->whole = c.why.len == 0 ? whole(&c, s->text, to->type) : SLICE_NONE;
        to->parts = c.why.len == 0 ? parts(&c, s->text, to->type) : SLICE_NONE;
    }
    if (c.why.len == 0) {
        try_it(&c, types, s->text, to);
        name_keys(&c, to);
    }
    VEC_DONE(&c.groups);
    VEC_DONE(&c.parts);
    *ret_why = c.why;
    return c.why.len == 0 ? to : NULL;
}
