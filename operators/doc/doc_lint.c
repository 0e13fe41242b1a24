/* SPDX-License-Identifier: Apache-2.0
 *
 * Warnings: what compiles, and yet will not do what somebody hopes for. Each lint is a row of
 * doc_code.def and a function here that looks at the tree of a statement.
 */
#include "operators/doc/doc_check.h"
#include "operators/sig/builtin.h"

#include <assert.h>

struct lint {
    struct doc_check *c;
    const struct doc_stmt *s;
};

static struct doc_note *warn(const struct lint *l, enum doc_code code, struct span at,
                             const char *text)
{
    return doc_say_at(l->c, code, l->s->off + at.off, MAX(at.len, 1u), slice_str(text));
}

/* ---- patterns ---- */

static bool is_bound(const struct ast_pat *p)
{
    while ((p->kind == PAT_EVERY || p->kind == PAT_EVERY_DISTINCT) && p->n_kids > 0) {
        p = p->kids[0];
    }
    return p->kind == PAT_GUARD && !slice_eq_nocase(p->name, SLICE("while"));
}

static bool has_every(const struct ast_pat *p)
{
    bool found = p->kind == PAT_EVERY || p->kind == PAT_EVERY_DISTINCT;
    for (uint32_t i = 0; !found && i < p->n_kids; i++) {
        found = has_every(p->kids[i]);
    }
    return found;
}

/* Whether a wait for it ends by itself: time does, also beside what waits for events. */
static bool ends(const struct ast_pat *p)
{
    uint32_t n = 0, of = 0;
    if (p->kind == PAT_OBSERVER || is_bound(p)) {
        return true;
    }
    for (uint32_t i = 0; i < p->n_kids; i++) {
        of += p->kind != PAT_AND || p->kids[i]->kind != PAT_NOT;
        n += ends(p->kids[i]);
    }
    bool all = p->kind == PAT_AND || p->kind == PAT_FOLLOWED;
    return (p->kind == PAT_OR || all) && n > 0 && (!all || n == of);
}

/* Of `every a -> b` it is b: each a begins a wait of its own, and nothing ends it but an event.
 * (`every (a -> b)` has one at a time.) NULL: there is none. */
static const struct ast_pat *endless(const struct ast_pat *p)
{
    bool renewed = false;
    if (is_bound(p)) {
        return NULL;
    }
    for (uint32_t i = 0; i < p->n_kids; i++) {
        const struct ast_pat *kid = p->kids[i];
        bool limited = i > 0 && p->max != NULL && p->max[i - 1] != NULL;
        if (p->kind == PAT_FOLLOWED && renewed && !limited && !ends(kid)) {
            return kid;
        }
        const struct ast_pat *found = endless(kid);
        if (found != NULL) {
            return found;
        }
        renewed |= has_every(kid);
    }
    return NULL;
}

static void tags_of(const struct ast_pat *p, struct doc_names *to)
{
    doc_names_add(to, p->tag);
    for (uint32_t i = 0; i < p->n_kids; i++) {
        tags_of(p->kids[i], to);
    }
}

/* The name a filter begins a chain with that stands among `tags`; NULL: it names none. */
static const struct ast_expr *names_tag(const struct ast_expr *e, const struct doc_names *tags)
{
    if (e == NULL) {
        return NULL;
    }
    if (e->kind == AST_CHAIN && e->n_args == 0 && e->n_segs > 1 &&
        doc_names_has(tags, e->segs[0].name)) {
        return e;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        const struct ast_expr *found = names_tag(e->args[i], tags);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

static const struct ast_expr *filter_names(const struct ast_pat *p, const struct doc_names *tags)
{
    for (uint32_t i = 0; p->stream != NULL && i < p->stream->n_filters; i++) {
        const struct ast_expr *found = names_tag(p->stream->filters[i], tags);
        if (found != NULL) {
            return found;
        }
    }
    for (uint32_t i = 0; i < p->n_kids; i++) {
        const struct ast_expr *found = filter_names(p->kids[i], tags);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* Both sides of `and` begin at once: what one binds, the other does not know. */
static bool siblings(const struct lint *l, const struct ast_pat *p)
{
    bool found = false;
    for (uint32_t i = 0; p->kind == PAT_AND && !found && i < p->n_kids; i++) {
        for (uint32_t k = 0; !found && k < p->n_kids; k++) {
            struct doc_names tags = {.ptr = NULL};
            const struct ast_expr *e = NULL;
            if (i != k) {
                tags_of(p->kids[k], &tags);
                e = filter_names(p->kids[i], &tags);
            }
            if (e != NULL) {
                struct slice tag = e->segs[0].name;
                struct doc_note *n = warn(
                    l, DOC_CANNOT_FIRE, e->span,
                    arena_printf(
                        l->c->a,
                        "this can never match: both sides of 'and' begin at once, so '" SLICE_FMT
                        "' is not known yet on the other side, and nothing equals null",
                        SLICE_ARG(tag)));
                doc_hint(l->c->notes, n,
                         "every (" SLICE_FMT "=... -> other=...(x = " SLICE_FMT
                         ".x)), and the other order behind 'or'",
                         SLICE_ARG(tag), SLICE_ARG(tag));
                found = true;
            }
            doc_names_done(&tags);
        }
    }
    for (uint32_t i = 0; !found && i < p->n_kids; i++) {
        found = siblings(l, p->kids[i]);
    }
    return found;
}

static void pattern(const struct lint *l, const struct ast_pat *p)
{
    const struct ast_pat *wait = endless(p);
    (void)siblings(l, p);
    if (wait != NULL) {
        struct doc_note *n =
            warn(l, DOC_UNBOUNDED, wait->span,
                 "this waits without bound: what has begun is kept until it comes");
        doc_hint(l->c->notes, n, "put 'where timer:within(10 min)' behind it");
    }
    if (!has_every(p) && p->kind != PAT_OBSERVER) {
        struct doc_note *n =
            warn(l, DOC_ONCE, p->span, "without 'every' this matches once, and then never again");
        doc_hint(l->c->notes, n, "every (...)");
    }
}

/* ---- statements ---- */

static bool is_tested(const struct doc_graph *g, struct slice name)
{
    bool found = false;
    for (uint32_t i = 0; i < g->n_tests; i++) {
        for (uint32_t k = 0; k < g->tests[i].n_expect; k++) {
            found |= slice_eq(g->tests[i].expect[k].statement, name);
        }
    }
    return found;
}

static bool delivers_to_nobody(const struct doc_graph *g, const struct doc_stmt *s)
{
    const struct ast_select *sel = s->ast->select;
    bool selects = s->ast->kind == STMT_SELECT || s->ast->kind == STMT_ON_SELECT;
    return selects && (s->name.len == 0 || !is_tested(g, s->name)) && sel != NULL &&
           sel->insert == NULL && sel->into_table.len == 0 && !sel->and_delete &&
           doc_annotation(s, "alert") == NULL;
}

static void streams(const struct lint *l, const struct ast_stream *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].pattern != NULL) {
            pattern(l, s[i].pattern);
        }
    }
}

void doc_lint_stmt(struct doc_check *c, const struct doc_stmt *s)
{
    struct lint l = {c, s};
    if (s->ast == NULL) {
        return;
    }
    if (s->ast->select != NULL && s->ast->kind == STMT_SELECT) {
        streams(&l, s->ast->select->from, s->ast->select->n_from);
    }
    if (s->ast->trigger != NULL) {
        streams(&l, s->ast->trigger, 1);
    }
    if (delivers_to_nobody(&c->d->g, s)) {
        struct doc_note *n = warn(&l, DOC_NAMELESS, (struct span){.len = 1},
                                  "its rows go nowhere: it has no alert and no insert into");
        doc_hint(c->notes, n, "insert into ... select, or @Alert(...) before it");
    }
}

/* ---- levels ---- */

struct filled {
    struct doc_check *c;
    struct doc_names names; /* types that events may come of */
};

static void add_supers(struct filled *f, const struct etype *t, struct slice name)
{
    doc_names_add(&f->names, name);
    for (uint32_t i = 0; t != NULL && i < t->n_supers; i++) {
        doc_names_add(&f->names, t->supers[i].type->name);
    }
    for (uint32_t i = 0; t != NULL && i < t->n_variants; i++) {
        doc_names_add(&f->names, t->variants[i]->name);
    }
}

static void fill_names(struct filled *f, const struct doc_level *l)
{
    enum builtin_world world = l->types == DOC_TYPES_ORIGINAL ? BUILTIN_ORIGINAL : BUILTIN_KAIJU;
    for (size_t i = 0; i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        struct slice name = slice_str(t->name);
        if (t->world == world && (t->records[0] != '\0' || slice_eq(name, SLICE("Telemetry")) ||
                                  slice_eq(name, SLICE("Batch")))) {
            doc_names_add(&f->names, name);
        }
    }
    for (uint32_t i = 0; i <= f->c->level; i++) {
        const struct doc_level *below = &f->c->d->g.levels[i];
        for (uint32_t k = 0; k < below->n_stmts; k++) {
            struct doc_names made = {.ptr = NULL};
            if (below->stmts[k].ast != NULL) {
                doc_inserts(below->stmts[k].ast, &made);
            }
            for (size_t m = 0; m < made.len; m++) {
                add_supers(f, f->c->engine->type(f->c->engines[f->c->level], made.ptr[m]),
                           made.ptr[m]);
            }
            doc_names_done(&made);
        }
    }
}

static void read_stream(struct filled *f, const struct doc_stmt *s, struct slice type,
                        struct span at)
{
    struct lint l = {f->c, s};
    const struct etype *t = f->c->engine->type(f->c->engines[f->c->level], type);
    if (t == NULL || t->kind != ETYPE_PLAIN || doc_names_has(&f->names, type)) {
        return;
    }
    at.len = MIN(at.len, (uint32_t)type.len);
    struct doc_note *n =
        warn(&l, DOC_UNFILLED, at,
             arena_printf(f->c->a, "nothing here inserts into '" SLICE_FMT "'", SLICE_ARG(type)));
    doc_hint(f->c->notes, n, "it stays empty unless another graph publishes it");
    doc_names_add(&f->names, type); /* said once */
}

static void read_pattern(struct filled *f, const struct doc_stmt *s, const struct ast_pat *p)
{
    if (p->stream != NULL) {
        read_stream(f, s, p->stream->type, p->stream->span);
    }
    for (uint32_t i = 0; i < p->n_kids; i++) {
        read_pattern(f, s, p->kids[i]);
    }
}

static void read_all(struct filled *f, const struct doc_stmt *s, const struct ast_stream *from,
                     uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (from[i].pattern != NULL) {
            read_pattern(f, s, from[i].pattern);
        } else {
            read_stream(f, s, from[i].type, from[i].span);
        }
    }
}

void doc_lint_level(struct doc_check *c, const struct doc_level *l)
{
    struct filled f = {.c = c};
    bool speaks = false;
    fill_names(&f, l);
    for (uint32_t i = 0; i < l->n_stmts; i++) {
        const struct doc_stmt *s = &l->stmts[i];
        if (s->ast == NULL || s->refused) {
            speaks = true; /* it may have been meant to */
            continue;
        }
        struct doc_names made = {.ptr = NULL};
        doc_inserts(s->ast, &made);
        speaks |= made.len > 0 || s->name.len > 0 || s->alert != NULL;
        doc_names_done(&made);
        c->notes->statement = doc_stmt_label(c, s, i + 1);
        if (s->ast->kind == STMT_SELECT && s->ast->select != NULL) {
            read_all(&f, s, s->ast->select->from, s->ast->select->n_from);
        }
        if (s->ast->trigger != NULL) {
            read_all(&f, s, s->ast->trigger, 1);
        }
    }
    c->notes->statement = SLICE_NONE;
    if (!speaks && c->epl != NULL) {
        struct doc_note *n =
            doc_note(c->notes, DOC_SILENT, l->node->span,
                     "nothing comes out of level '" SLICE_FMT "'", SLICE_ARG(l->name));
        n->span.len = 1;
        n->pointer = c->pointer;
    }
    doc_names_done(&f.names);
}
