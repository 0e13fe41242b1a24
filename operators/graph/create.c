/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations: schemas, tables, expressions, indexes.
 */
#include "core/base/mem.h"
#include "operators/graph/ctx.h"
#include "operators/graph/limit.h"
#include "operators/graph/sel.h"
#include "operators/table/table.h"

#include <assert.h>

static struct inst *start_nothing(struct stmt *st, struct evt *props)
{
    struct inst *in = MEM_NEW(struct inst);
    inst_init(in, st, props);
    return in;
}

static void stop_nothing(struct inst *in)
{
    inst_done(in);
    mem_free(in);
}

static const struct stmt_ops nothing = {.start = start_nothing, .stop = stop_nothing};

/* ---- schema ---- */

enum { SUPERS_MAX = 32, COLS_MAX = 1024 };

struct making {
    struct ecol cols[COLS_MAX];
    uint32_t n;
    const struct etype *supers[SUPERS_MAX];
    uint32_t n_supers;
};

static const struct etype *type_named(struct stmt *st, struct slice name, struct err *reterr)
{
    struct cat_entry *e = cat_type(&st->eng->cat, name);
    if (e == NULL) {
        struct slice near = cat_near(&st->eng->cat.types, name);
        (void)(near.len > 0 ? bind_err(reterr, st->ast->span,
                                       "there is no event type '" SLICE_FMT
                                       "'; did you mean '" SLICE_FMT "'?",
                                       SLICE_ARG(name), SLICE_ARG(near))
                            : bind_err(reterr, st->ast->span,
                                       "there is no event type '" SLICE_FMT "'", SLICE_ARG(name)));
        return NULL;
    }
    *VEC_PUSH(&st->used) = e;
    return e->type;
}

static int add_columns(struct stmt *st, const struct ecol *cols, uint32_t n, struct making *m,
                       struct err *reterr)
{
    for (uint32_t i = 0; i < n; i++) {
        if (m->n == COLS_MAX) {
            return bind_err(reterr, st->ast->span, "more than %d columns", COLS_MAX);
        }
        m->cols[m->n++] = cols[i];
    }
    return 0;
}

/* What two say alike stands once. */
static int copy_columns(struct stmt *st, const struct etype *t, struct making *m,
                        struct err *reterr)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < t->n_cols; i++) {
        uint32_t k = 0;
        while (k < m->n && !(slice_eq(m->cols[k].name, t->cols[i].name) &&
                             ty_eq(m->cols[k].ty, t->cols[i].ty))) {
            k++;
        }
        rc = k < m->n ? 0 : add_columns(st, &t->cols[i], 1, m, reterr);
    }
    return rc;
}

static int schema_columns(struct stmt *st, struct making *m, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < a->n_cols; i++) {
        struct ecol c = {.name = a->cols[i].name};
        rc = cat_column_type(&st->eng->cat, &a->cols[i].type, &c.ty, reterr);
        for (uint32_t k = 0; rc == 0 && k < m->n; k++) {
            if (slice_eq(m->cols[k].name, c.name)) {
                rc = bind_err(reterr, a->cols[i].span, "column '" SLICE_FMT "' stands twice",
                              SLICE_ARG(c.name));
            }
        }
        rc = rc == 0 ? add_columns(st, &c, 1, m, reterr) : rc;
    }
    for (uint32_t i = 0; rc == 0 && i < a->n_copyfrom; i++) {
        const struct etype *t = type_named(st, a->copyfrom[i], reterr);
        rc = t != NULL ? copy_columns(st, t, m, reterr) : -(int)reterr->code;
    }
    for (uint32_t i = 0; rc == 0 && i < a->n_inherits; i++) {
        const struct etype *t = type_named(st, a->inherits[i], reterr);
        if (t == NULL || m->n_supers == SUPERS_MAX) {
            return t == NULL ? -(int)reterr->code
                             : bind_err(reterr, a->span, "too many supertypes");
        }
        m->supers[m->n_supers++] = t;
    }
    return rc;
}

/* Columns that all types of a variant stream have, with their common type. */
static void common_columns(const struct etype *const *types, uint32_t n, struct making *m)
{
    for (uint32_t i = 0; n > 0 && i < types[0]->n_cols; i++) {
        struct ecol c = types[0]->cols[i];
        bool all = true;
        for (uint32_t k = 1; all && k < n; k++) {
            int at = ety_col(types[k], c.name);
            all = at >= 0 && ty_common(c.ty, types[k]->cols[at].ty, &c.ty);
        }
        if (all && m->n < COLS_MAX) {
            m->cols[m->n++] = c;
        }
    }
}

static int variant(struct stmt *st, struct making *m, struct etype **ret, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct arena *arena = st->eng->arena;
    const struct etype **types = arena_array(arena, a->n_variants + 1, sizeof(struct etype *));
    uint32_t n = 0;
    bool any = false;
    for (uint32_t i = 0; i < a->n_variants; i++) {
        if (slice_eq(a->variants[i], SLICE("*"))) {
            any = true;
            continue;
        }
        types[n] = type_named(st, a->variants[i], reterr);
        if (types[n++] == NULL) {
            return -(int)reterr->code;
        }
    }
    if (!any) {
        common_columns(types, n, m);
    }
    struct etype *t = ety_new(arena, &st->types, ETYPE_VARIANT, a->name, m->cols, m->n, NULL, 0);
    t->variants = types;
    t->n_variants = n;
    t->open = any;
    *ret = t;
    return 0;
}

static int stamp_column(const struct stmt *st, const struct etype *t, struct slice name, int *ret,
                        struct err *reterr)
{
    if (name.len == 0) {
        return 0;
    }
    int at = ety_col(t, name);
    if (at < 0 || t->cols[at].ty.kind != TY_LONG) {
        return bind_err(reterr, st->ast->span, "'" SLICE_FMT "' is no column of type long",
                        SLICE_ARG(name));
    }
    *ret = at;
    return 0;
}

static int make_schema(struct stmt *st, struct making *m, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct etype *t = NULL;
    if (a->schema_kind == SCHEMA_AVRO || a->schema_kind == SCHEMA_XML) {
        return bind_err(reterr, a->span, "create %s schema is not supported yet: use create schema",
                        a->schema_kind == SCHEMA_AVRO ? "avro" : "xml");
    }
    if (a->class_name.len > 0) {
        return bind_err(reterr, a->span,
                        "schemas of Java classes are not supported: declare the columns");
    }
    int rc;
    if (a->schema_kind == SCHEMA_VARIANT) {
        rc = variant(st, m, &t, reterr);
    } else {
        rc = schema_columns(st, m, reterr);
        if (rc == 0) {
            t = ety_new(st->eng->arena, &st->types, ETYPE_PLAIN, a->name, m->cols, m->n, m->supers,
                        m->n_supers);
            rc = t != NULL ? 0 : bind_err(reterr, a->span, "a column stands twice");
        }
    }
    rc = rc == 0 ? stamp_column(st, t, a->start_col, &t->start_col, reterr) : rc;
    rc = rc == 0 ? stamp_column(st, t, a->end_col, &t->end_col, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    struct cat_entry *e = eng_add(st, CAT_TYPE, a->name, reterr);
    if (e == NULL) {
        return -(int)reterr->code;
    }
    eng_declare(st->eng, t);
    e->type = t;
    st->ops = &nothing;
    return 0;
}

int stmt_create_schema(struct stmt *st, struct err *reterr)
{
    struct making *m = mem_alloc(sizeof *m); /* large: what is not used is not touched */
    m->n = m->n_supers = 0;
    int rc = make_schema(st, m, reterr);
    mem_free(m);
    return rc;
}

/* ---- table ---- */

struct table_inst {
    struct inst in;
    struct trows *rows;
};

static struct inst *table_start(struct stmt *st, struct evt *props)
{
    struct table_inst *i = MEM_NEW(struct table_inst);
    inst_init(&i->in, st, props);
    i->rows = table_open(st->plan, i->in.props);
    return &i->in;
}

static void table_stop(struct inst *in)
{
    struct table_inst *i = (struct table_inst *)(void *)in;
    struct table *t = in->st->plan;
    table_close(i->rows);
    if (t->rows.len == 0) {
        VEC_DONE(&t->rows);
    }
    inst_done(in);
    mem_free(i);
}

static struct trows *rows_of(struct inst *in)
{
    return ((struct table_inst *)(void *)in)->rows;
}

static void table_inst_save(struct inst *in, struct save *s, bool by_key)
{
    table_save(rows_of(in), s, by_key);
}

static void table_inst_load(struct inst *in, struct load *l, bool by_key)
{
    table_load(rows_of(in), l, by_key);
}

static void table_inst_loaded(struct inst *in, struct load *l)
{
    table_loaded(rows_of(in), l);
}

static const struct stmt_ops table_ops = {.start = table_start,
                                          .stop = table_stop,
                                          .save_keyed = table_inst_save,
                                          .load_keyed = table_inst_load,
                                          .loaded = table_inst_loaded};

static int table_column(struct stmt *st, struct bind *b, const struct ast_col *a, struct table *t,
                        struct ecol *c, uint32_t at, struct err *reterr)
{
    c->name = a->name;
    c->key = a->primary_key;
    t->slot[at] = UINT16_MAX;
    if (a->type.agg == NULL) {
        int rc = cat_column_type(&st->eng->cat, &a->type, &c->ty, reterr);
        if (rc == 0 && a->primary_key && t->n_keys == TABLE_KEYS_MAX) {
            return bind_err(reterr, a->span, "more than %d key columns", TABLE_KEYS_MAX);
        }
        if (rc == 0 && a->primary_key) {
            t->key[t->n_keys++] = (uint16_t)at;
        }
        return rc;
    }
    if (a->primary_key) {
        return bind_err(reterr, a->span, "an aggregation cannot be a key");
    }
    const struct etype *of = NULL;
    if (a->type.of.len > 0) {
        of = type_named(st, a->type.of, reterr);
        if (of == NULL) {
            return -(int)reterr->code;
        }
    }
    struct agg_call *call = NULL;
    int rc = agg_column_bind(b, a->type.agg, of, &call, reterr);
    if (rc != 0) {
        return rc;
    }
    c->ty = call->ty;
    c->agg = true;
    c->call = call;
    t->slot[at] = (uint16_t)t->aggs.calls.len;
    agg_set_add(st->eng->arena, &t->aggs, call);
    return 0;
}

int stmt_create_table(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct arena *arena = st->eng->arena;
    struct table *t = ARENA_NEW(arena, struct table);
    struct ecol *cols = arena_array(arena, a->n_cols + 1, sizeof *cols);
    struct bind b = stmt_bind(st);
    struct scope s = {.no_aggs = "here"};
    b.scope = &s;
    b.a = arena;
    t->name = a->name;
    t->heap = st->eng->heap;
    t->lim = &st->eng->lim;
    t->slot = arena_array(arena, a->n_cols + 1, sizeof *t->slot);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < a->n_cols; i++) {
        rc = table_column(st, &b, &a->cols[i], t, &cols[i], i, reterr);
    }
    (void)stmt_used(st, &b);
    if (rc != 0) {
        return rc;
    }
    cols[a->n_cols] = (struct ecol){.name = SLICE(""), .ty = TY(LONG)}; /* the row's entry */
    t->block = (uint16_t)a->n_cols;
    t->slot[a->n_cols] = UINT16_MAX;
    t->type = ety_new(arena, &st->types, ETYPE_TABLE, a->name, cols, a->n_cols + 1, NULL, 0);
    if (t->type == NULL) {
        return bind_err(reterr, a->span, "a column stands twice");
    }
    agg_layout(arena, &t->aggs, &t->layout);
    struct cat_entry *e = eng_add(st, CAT_TABLE, a->name, reterr);
    if (e == NULL) {
        return -(int)reterr->code;
    }
    eng_declare(st->eng, (struct etype *)(uintptr_t)t->type);
    e->type = t->type;
    e->what = t;
    st->plan = t;
    st->ops = &table_ops;
    return 0;
}

void table_put(struct table *t, struct evt *e, struct inst *from)
{
    struct trows *r = table_of(t, from != NULL ? from->props : NULL);
    if (r == NULL) {
        return;
    }
    if (t->n_keys == 0) { /* the one row takes the values */
        struct evt *row = table_find(r, NULL, 0);
        if (row == NULL && !eng_limit_row(from, r, t, e)) {
            return;
        }
        row = row != NULL ? row : table_add(r, NULL, 0);
        for (uint32_t i = 0; i < t->block; i++) {
            if (t->slot[i] == UINT16_MAX) {
                (void)table_set(r, row, (uint16_t)i, e->p[i]);
            }
        }
        return;
    }
    if (eng_limit_row(from, r, t, e)) {
        (void)table_insert(r, e); /* a key that is there already is left as it is */
    }
}

/* ---- expression, index ---- */

int stmt_create_expression(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct cat_entry *e = eng_add(st, CAT_DECL, a->decl.name, reterr);
    if (e == NULL) {
        return -(int)reterr->code;
    }
    e->decl = &a->decl;
    st->ops = &nothing;
    return 0;
}

static int index_column(const struct stmt *st, const struct etype *t, uint32_t at,
                        struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct slice name = a->index_cols[at].name;
    struct span span = a->index_cols[at].span;
    int col = ety_col(t, name);
    if (col < 0) {
        return bind_err(reterr, span, "'" SLICE_FMT "' has no column '" SLICE_FMT "'",
                        SLICE_ARG(t->name), SLICE_ARG(name));
    }
    if (t->cols[col].agg) {
        return bind_err(reterr, span, "column '" SLICE_FMT "' is an aggregation and has no index",
                        SLICE_ARG(name));
    }
    const struct ast_expr *how = a->index_cols[at].e;
    if (a->unique && how != NULL && slice_eq_nocase(how->text, SLICE("btree"))) {
        return bind_err(reterr, span, "a unique index is one of hashes, not a btree");
    }
    for (uint32_t i = 0; i < at; i++) {
        if (slice_eq(a->index_cols[i].name, name)) {
            return bind_err(reterr, span, "column '" SLICE_FMT "' stands twice", SLICE_ARG(name));
        }
    }
    return 0;
}

int stmt_create_index(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    const struct etype *t = type_named(st, a->index_on, reterr);
    if (t == NULL) {
        return -(int)reterr->code;
    }
    if (t->kind != ETYPE_WINDOW && t->kind != ETYPE_TABLE) {
        return bind_err(reterr, a->span, "an index is for named windows and tables");
    }
    for (uint32_t i = 0; i < a->n_index_cols; i++) {
        int rc = index_column(st, t, i, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    st->ops = &nothing;
    return 0;
}
