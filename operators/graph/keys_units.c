/* SPDX-License-Identifier: Apache-2.0
 *
 * Units of statements, and the statements and places that are being solved. Nothing here goes over
 * all pairs of statements or places: a module may have ten thousand of each. What two statements
 * share is noted where it is (at the place, the declaration), and whoever comes second is united
 * with whom he finds there.
 */
#include "operators/graph/keys_build.h"

#include <assert.h>
#include <stdlib.h>

struct keys_place *keys_place_of(const struct keys_facts *f, const struct etype *t)
{
    return map_get(&f->by_type, slice_of((const char *)&t, sizeof t));
}

struct keys_place *keys_super(const struct keys_facts *f, const struct keys_place *t, uint32_t i)
{
    assert(i < t->type->n_supers);
    struct keys_place *s = keys_place_of(f, t->type->supers[i].type);
    bool both = s != NULL && s->events && t->events && s->type->kind != ETYPE_VARIANT;
    return both ? s : NULL;
}

/* ---- expressions ---- */

/* A type that several supertypes of are read, none of which is another's: its events go to all of
 * them, so it is an input of its own. */
static void join_supers(struct keys_facts *f)
{
    size_t n = f->places.len;
    MAP_EACH (&f->eng->cat.types, m) {
        const struct cat_entry *c = m->value;
        const struct etype *t = c->kind == CAT_TYPE ? c->type : NULL;
        uint32_t supers = 0;
        for (uint32_t i = 0; t != NULL && i < t->n_supers; i++) {
            const struct keys_place *p = keys_place_of(f, t->supers[i].type);
            supers += p != NULL && p->no < n && p->events && p->type->kind != ETYPE_VARIANT;
        }
        if (supers > 1) {
            *VEC_PUSH(&f->joined) = keys_place(f, t, true);
        }
    }
}

static const struct ex *column_of(struct keys_facts *f, const struct etype *t, struct slice text)
{
    int col = ety_col(t, text);
    if (col < 0) {
        return NULL;
    }
    struct ex *e = ARENA_NEW(f->a, struct ex);
    *e = (struct ex){
        .home = f->a, .op = EX_PROP, .ty = t->cols[col].ty, .of = t, .slot = (uint16_t)col};
    return e;
}

/* Expressions of `to` as such of `from`, whose columns have the same names. */
static bool copy_exprs(struct keys_facts *f, const struct keys_place *to, struct keys_place *from)
{
    size_t was = from->exprs.len;
    bool sub = ety_is(from->type, to->type);
    for (size_t i = 0; i < to->exprs.len; i++) {
        const struct keys_expr *x = &to->exprs.ptr[i];
        const struct ex *e = sub ? x->e : column_of(f, from->type, x->text);
        if (e != NULL) {
            (void)keys_intern(f, from, x->text, e);
        }
    }
    return from->exprs.len > was;
}

/* What places must be able to say, so that what others say of their rows can be followed back; from
 * the last statement on, as those that come later mostly read what came before. */
static void close_exprs(struct keys_facts *f)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t k = f->stmts.len; k-- > 0;) {
            struct keys_stmt *s = f->stmts.ptr[k];
            VEC_EACH (&s->flows, w) {
                if (w->same >= 0) {
                    changed |= copy_exprs(f, w->to, s->srcs.ptr[w->same].place);
                }
            }
        }
        VEC_EACH (&f->places, q) {
            for (uint32_t i = 0; i < (*q)->type->n_supers; i++) {
                const struct keys_place *p = keys_super(f, *q, i);
                changed |= p != NULL && copy_exprs(f, p, *q);
            }
        }
    }
}

/* ---- units ---- */

static uint32_t root(struct keys_facts *f, uint32_t i)
{
    struct keys_stmt **s = f->stmts.ptr;
    while (s[i]->unit != i) {
        s[i]->unit = s[s[i]->unit]->unit;
        i = s[i]->unit;
    }
    return i;
}

static void merge(struct keys_facts *f, const struct keys_stmt *a, const struct keys_stmt *b)
{
    uint32_t i = root(f, a->unit), k = root(f, b->unit);
    f->stmts.ptr[MAX(i, k)]->unit = MIN(i, k);
}

static bool shares(const struct cat_entry *e)
{
    return e->kind == CAT_WINDOW || e->kind == CAT_TABLE || e->kind == CAT_CONTEXT ||
           (e->kind == CAT_VAR && !e->constant);
}

/* s speaks of e, as whoever is noted in `of` does. */
static void speaks(struct keys_facts *f, struct map *of, struct keys_stmt *s,
                   const struct cat_entry *e)
{
    if (e == NULL || !shares(e)) {
        return;
    }
    struct slice key = arena_copy(f->a, slice_of((const char *)&e, sizeof e));
    void **who = map_put(of, key);
    assert(who != NULL);
    if (*who != NULL) {
        merge(f, *who, s);
    }
    *who = s;
}

static const struct cat_entry *made_by(const struct stmt *s, const struct cat_entry *e)
{
    return e != NULL && e->deployment == s->dep ? e : NULL;
}

static void by_names(struct keys_facts *f)
{
    struct map of;
    map_init(&of, KEYS_PLACES_MAX);
    const struct catalog *c = &f->eng->cat;
    VEC_EACH (&f->stmts, p) {
        const struct stmt *s = (*p)->st;
        VEC_EACH (&s->used, u) {
            speaks(f, &of, *p, *u);
        }
        speaks(f, &of, *p, s->context);
        switch (s->ast->kind) {
        case STMT_CREATE_WINDOW:
        case STMT_CREATE_TABLE:
        case STMT_CREATE_VARIABLE:
        case STMT_CREATE_CONTEXT:
            speaks(f, &of, *p, made_by(s, cat_type(c, s->ast->name)));
            speaks(f, &of, *p, made_by(s, cat_var(c, s->ast->name)));
            speaks(f, &of, *p, made_by(s, cat_context(c, s->ast->name)));
            break;
        default: break;
        }
    }
    map_done(&of);
}

static void makes(struct keys_facts *f, struct keys_stmt *s, struct keys_place *p)
{
    if (p == NULL) {
        return;
    }
    if (p->maker != NULL) {
        merge(f, p->maker, s);
    }
    p->maker = s;
}

/* Whoever reads the type, or a supertype of it, or a variant of it, reads what s makes. What two
 * make is nothing they have in common by itself, but where it is the same type. */
static void by_flow(struct keys_facts *f, struct keys_stmt *s, const struct keys_place *to,
                    struct keys_place *const *variants, size_t n)
{
    const struct etype *t = to->type;
    for (uint32_t i = 0; i < t->n_supers; i++) {
        struct keys_place *p = keys_place_of(f, t->supers[i].type);
        makes(f, s, p != NULL && p->reader != NULL ? p : NULL);
    }
    for (size_t i = 0; i < n; i++) {
        bool takes = variants[i] != to && variants[i]->reader != NULL;
        makes(f, s, takes && ety_is(t, variants[i]->type) ? variants[i] : NULL);
    }
}

static void by_mask(struct keys_facts *f, struct keys_stmt *s, const struct etype *t)
{
    VEC_EACH (&f->places, p) {
        struct keys_place *q = *p;
        if (q->reader != NULL && (ety_is(q->type, t) || ety_is(t, q->type))) {
            merge(f, q->masker != NULL ? q->masker : s, s);
            q->masker = s;
        }
    }
}

static void by_flows(struct keys_facts *f)
{
    VEC(struct keys_place *) variants = {NULL, 0, 0};
    VEC_EACH (&f->places, p) {
        if ((*p)->type->kind == ETYPE_VARIANT) {
            *VEC_PUSH(&variants) = *p;
        }
    }
    VEC_EACH (&f->stmts, s) {
        VEC_EACH (&(*s)->srcs, x) {
            x->place->reader = *s;
        }
    }
    VEC_EACH (&f->stmts, s) {
        VEC_EACH (&(*s)->flows, w) {
            makes(f, *s, w->to);
            by_flow(f, *s, w->to, variants.ptr, variants.len);
        }
        const struct etype *last = NULL;
        VEC_EACH (&(*s)->masks, m) {
            if (m->type != last) {
                by_mask(f, *s, m->type);
            }
            last = m->type;
        }
    }
    VEC_EACH (&f->stmts, s) {
        VEC_EACH (&(*s)->srcs, x) {
            const struct keys_place *p = x->place;
            merge(f, p->maker != NULL ? p->maker : *s, *s);
            merge(f, p->masker != NULL ? p->masker : *s, *s);
        }
    }
    VEC_DONE(&variants);
}

void keys_units(struct keys_facts *f)
{
    join_supers(f);
    close_exprs(f);
    by_names(f);
    by_flows(f);
    struct keys_stmt **last = arena_array(f->a, f->stmts.len + 1, sizeof(struct keys_stmt *));
    for (uint32_t i = 0; i < f->stmts.len; i++) {
        struct keys_stmt *s = f->stmts.ptr[i];
        s->unit = root(f, i);
        if (s->unit != i) {
            last[s->unit]->next = s;
        }
        last[s->unit] = s;
    }
}

/* ---- what is being solved ---- */

static void let_go(struct keys_facts *f)
{
    VEC_EACH (&f->near, p) {
        (*p)->near = (*p)->read = (*p)->derived = false;
    }
    VEC_CLEAR(&f->near);
    VEC_CLEAR(&f->on);
}

static void touch(struct keys_facts *f, struct keys_place *p)
{
    if (!p->near) {
        p->near = true;
        p->chosen = KEYS_TOP;
        *VEC_PUSH(&f->near) = p;
    }
}

static void take(struct keys_facts *f, struct keys_stmt *s)
{
    *VEC_PUSH(&f->on) = s;
    VEC_EACH (&s->srcs, x) {
        touch(f, x->place);
        x->place->read = true;
    }
    VEC_EACH (&s->flows, w) {
        touch(f, w->to);
        w->to->derived = true;
    }
}

/* Types whose events go to several places that are read. */
static void take_joined(struct keys_facts *f)
{
    VEC_EACH (&f->joined, p) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < (*p)->type->n_supers; i++) {
            const struct keys_place *s = keys_super(f, *p, i);
            n += s != NULL && s->read;
        }
        if (n > 1) {
            touch(f, *p);
            (*p)->read = true;
        }
    }
}

static int by_number(const void *a, const void *b)
{
    const struct keys_place *const *p = a, *const *q = b;
    return (*p)->no < (*q)->no ? -1 : (*p)->no > (*q)->no;
}

static void taken(struct keys_facts *f)
{
    take_joined(f);
    if (f->near.len > 1) {
        qsort(f->near.ptr, f->near.len, sizeof *f->near.ptr, by_number);
    }
}

void keys_take_one(struct keys_facts *f, struct keys_stmt *s)
{
    let_go(f);
    take(f, s);
    taken(f);
}

void keys_take_unit(struct keys_facts *f, struct keys_stmt *first)
{
    let_go(f);
    for (struct keys_stmt *s = first; s != NULL; s = s->next) {
        take(f, s);
    }
    taken(f);
}
