/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests and objectives of a document against its levels: types, properties, statements and columns
 * that they name are there; the streams and conditions of objectives compile.
 */
#include "operators/doc/doc_check.h"

static struct span of(const struct doc_node *object, const char *field)
{
    const struct doc_node *n = object != NULL ? doc_get(object, field) : NULL;
    return n != NULL ? n->span : object->span;
}

static void hint_near(struct doc_check *c, struct doc_note *n, struct slice near)
{
    if (near.len > 0) {
        doc_hint(c->notes, n, "did you mean '" SLICE_FMT "'?", SLICE_ARG(near));
    }
}

/* ---- tests ---- */

static const struct etype *find_type(struct doc_check *c, struct slice name)
{
    const struct etype *t = NULL;
    for (uint32_t i = 0; t == NULL && i < c->d->g.n_levels && i < DOC_LEVELS_MAX; i++) {
        t = c->engines[i] != NULL ? c->engine->type(c->engines[i], name) : NULL;
    }
    return t;
}

static void columns(struct doc_check *c, const struct doc_node *map, const struct etype *t,
                    const char *what)
{
    for (const struct doc_node *i = map != NULL ? map->first : NULL; i != NULL; i = i->next) {
        if (!doc_has_property(t, i->key->text)) {
            struct doc_note *n =
                doc_note(c->notes, DOC_REFERENCE, i->key->span, "%s has no column '" SLICE_FMT "'",
                         what, SLICE_ARG(i->key->text));
            hint_near(c, n, doc_near_column(t, i->key->text));
        }
    }
}

static const struct doc_stmt *find_stmt(struct doc_check *c, struct slice name,
                                        struct slice *ret_near)
{
    unsigned least = 4;
    *ret_near = SLICE_NONE;
    for (uint32_t i = 0; i < c->d->g.n_levels; i++) {
        const struct doc_level *l = &c->d->g.levels[i];
        for (uint32_t k = 0; k < l->n_stmts; k++) {
            unsigned d = slice_distance(l->stmts[k].name, name, least);
            if (slice_eq(l->stmts[k].name, name)) {
                return &l->stmts[k];
            }
            if (d < least && l->stmts[k].name.len > 0) {
                least = d;
                *ret_near = l->stmts[k].name;
            }
        }
    }
    return NULL;
}

static void given(struct doc_check *c, const struct doc_given *g)
{
    const struct etype *t = find_type(c, g->type);
    if (g->node->kind != DOC_MAP || g->type.len == 0) {
        return;
    }
    if (t == NULL && !doc_names_has(&c->lost, g->type)) {
        (void)doc_note(c->notes, DOC_REFERENCE, of(g->node, "type"),
                       "no level knows an event type '" SLICE_FMT "'", SLICE_ARG(g->type));
    } else if (t != NULL) {
        columns(c, g->event, t, "the type");
    }
}

static void expect(struct doc_check *c, const struct doc_expect *e)
{
    struct slice near;
    const struct doc_stmt *s = find_stmt(c, e->statement, &near);
    if (e->node->kind != DOC_MAP || e->statement.len == 0) {
        return;
    }
    if (s == NULL) {
        struct doc_note *n =
            doc_note(c->notes, DOC_REFERENCE, of(e->node, "statement"),
                     "no statement has the name '" SLICE_FMT "'", SLICE_ARG(e->statement));
        hint_near(c, n, near);
    } else if (s->rows != NULL) {
        columns(c, e->row, s->rows, "the statement");
    } else if (!s->refused) {
        (void)doc_note(c->notes, DOC_REFERENCE, of(e->node, "statement"),
                       "no rows come out of '" SLICE_FMT "'", SLICE_ARG(e->statement));
    }
}

/* ---- objectives ---- */

/* The part of the text that the error lies in, and where: `from` is its first byte in the text. */
static void say_in(struct doc_check *c, const struct doc_node *field, size_t from,
                   struct slice text, const struct err *e)
{
    size_t off = e->line > 0 ? doc_offset(text, e->line, e->col) : from;
    off = off > from ? off - from : 0;
    struct span at = doc_place(c->d->tree, field, MIN(off, field->text.len), MAX(e->len, 1u));
    (void)doc_say_span(c, DOC_EPL, at, slice_str(e->msg));
}

static void objective(struct doc_check *c, const struct doc_slo *s, uint32_t number)
{
    struct slice cond = s->good.len > 0 ? s->good : s->bad;
    const struct doc_node *total = doc_get(s->node, "total");
    const struct doc_node *field = doc_get(s->node, s->good.len > 0 ? "good" : "bad");
    const struct doc_node *by = doc_get(s->node, "by");
    if (total == NULL || field == NULL || c->engines[0] == NULL || s->total.len == 0) {
        return;
    }
    struct err err;
    struct slice head = SLICE("select * from "), middle = SLICE("\nwhere ");
    char *text =
        arena_printf(c->a, SLICE_FMT SLICE_FMT SLICE_FMT "(" SLICE_FMT "\n)", SLICE_ARG(head),
                     SLICE_ARG(s->total), SLICE_ARG(middle), SLICE_ARG(cond));
    char *id = arena_printf(c->a, "objective %u", number);
    err_clear(&err);
    if (text == NULL || s->total.len + cond.len > 4000) {
        (void)doc_note(c->notes, DOC_LIMIT, total->span, "'total' and its condition are too long");
        return;
    }
    if (c->engine->deploy(c->engines[0], slice_str(id), slice_str(text), &err) != 0) {
        size_t at = err.line > 0 ? doc_offset(slice_str(text), err.line, err.col) : 0;
        size_t second = head.len + s->total.len + middle.len;
        if (at >= second) {
            say_in(c, field, second + 1, slice_str(text), &err);
        } else {
            say_in(c, total, head.len, slice_str(text), &err);
        }
        return;
    }
    const struct etype *t = c->engine->rows(c->engines[0], slice_str(id));
    const struct doc_node *item = by != NULL ? by->first : NULL;
    for (; t != NULL && item != NULL; item = item->next) {
        if (!doc_has_property(t, item->text)) {
            struct doc_note *n =
                doc_note(c->notes, DOC_REFERENCE, item->span,
                         "'total' has no property '" SLICE_FMT "'", SLICE_ARG(item->text));
            hint_near(c, n, doc_near_column(t, item->text));
        }
    }
}

void doc_proofs(struct doc_check *c)
{
    const struct doc_graph *g = &c->d->g;
    c->pointer = SLICE_NONE;
    for (uint32_t i = 0; i < g->n_tests; i++) {
        for (uint32_t k = 0; k < g->tests[i].n_given; k++) {
            given(c, &g->tests[i].given[k]);
        }
        for (uint32_t k = 0; k < g->tests[i].n_expect; k++) {
            expect(c, &g->tests[i].expect[k]);
        }
    }
    for (uint32_t i = 0; i < g->n_slos; i++) {
        if (g->slos[i].node->kind == DOC_MAP) {
            objective(c, &g->slos[i], i);
        }
    }
}
