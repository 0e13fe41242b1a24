/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog. See catalog.h.
 */
#include "operators/plan/catalog.h"

#include "core/base/mem.h"

#include <assert.h>

enum { NAMES_MAX = 100000 };

void cat_init(struct catalog *c, struct arena *a)
{
    *c = (struct catalog){.arena = a};
    map_init(&c->types, NAMES_MAX);
    map_init(&c->vars, NAMES_MAX);
    map_init(&c->contexts, NAMES_MAX);
    map_init(&c->decls, NAMES_MAX);
}

static void free_entries(struct map *m)
{
    MAP_EACH (m, e) {
        mem_free(e->value);
    }
    map_done(m);
}

void cat_done(struct catalog *c)
{
    free_entries(&c->types);
    free_entries(&c->vars);
    free_entries(&c->contexts);
    free_entries(&c->decls);
}

struct cat_entry *cat_type(const struct catalog *c, struct slice name)
{
    return map_get(&c->types, name);
}

struct cat_entry *cat_var(const struct catalog *c, struct slice name)
{
    return map_get(&c->vars, name);
}

struct cat_entry *cat_context(const struct catalog *c, struct slice name)
{
    return map_get(&c->contexts, name);
}

struct cat_entry *cat_decl(const struct catalog *c, struct slice name)
{
    return map_get(&c->decls, name);
}

static struct map *names_of(struct catalog *c, enum cat_kind kind)
{
    switch (kind) {
    case CAT_VAR: return &c->vars;
    case CAT_CONTEXT: return &c->contexts;
    case CAT_DECL: return &c->decls;
    default: return &c->types;
    }
}

static const char *const kind_words[] = {"event type", "named window", "table",
                                         "variable",   "context",      "expression"};

struct cat_entry *cat_add(struct catalog *c, enum cat_kind kind, struct slice name,
                          struct err *reterr)
{
    struct map *m = names_of(c, kind);
    struct cat_entry *old = map_get(m, name);
    if (old != NULL) {
        (void)err_set(reterr, ERR_EXISTS, "there is a %s '" SLICE_FMT "' already",
                      kind_words[old->kind], SLICE_ARG(name));
        return NULL;
    }
    void **place = map_put(m, name);
    if (place == NULL) {
        (void)err_set(reterr, ERR_LIMIT, "more than %d names are declared", NAMES_MAX);
        return NULL;
    }
    struct cat_entry *e = MEM_NEW(struct cat_entry);
    *e = (struct cat_entry){.kind = kind, .name = arena_copy(c->arena, name)};
    *place = e;
    return e;
}

void cat_remove(struct catalog *c, struct cat_entry *e)
{
    (void)map_remove(names_of(c, e->kind), e->name);
    mem_free(e);
}

struct slice cat_near(const struct map *names, struct slice name)
{
    struct slice best = SLICE_NONE;
    unsigned least = 3;
    MAP_EACH (names, e) {
        unsigned d = slice_distance(e->key, name, least);
        if (d < least) {
            least = d;
            best = e->key;
        }
    }
    return best;
}

static int base_type(struct catalog *c, const struct ast_type *t, struct slice name, struct ty *ret,
                     struct err *reterr)
{
    const struct cat_entry *e = cat_type(c, name);
    if (e != NULL) {
        *ret = (struct ty){.kind = TY_EVENT, .ev = e->type};
        return 0;
    }
    if (ty_by_name(name, ret)) {
        return 0;
    }
    struct slice near = cat_near(&c->types, name);
    int rc =
        near.len > 0
            ? err_set(reterr, ERR_NOT_FOUND,
                      "there is no type '" SLICE_FMT "'; did you mean '" SLICE_FMT "'?",
                      SLICE_ARG(name), SLICE_ARG(near))
            : err_set(reterr, ERR_NOT_FOUND, "there is no type '" SLICE_FMT "'", SLICE_ARG(name));
    err_span(reterr, t->span.line, t->span.col, t->span.len);
    return rc;
}

int cat_column_type(struct catalog *c, const struct ast_type *t, struct ty *ret, struct err *reterr)
{
    assert(t != NULL);
    struct ty ty = TY(NULL);
    int rc = base_type(c, t, t->name, &ty, reterr);
    if (rc == 0 && ty.kind == TY_MAP && t->map_value.len > 0) {
        struct ty value = TY(OBJECT);
        rc = base_type(c, t, t->map_value, &value, reterr);
        if (rc == 0 && value.kind != TY_OBJECT) {
            ty = ty_map(c->arena, value);
        }
    }
    if (rc == 0 && t->array) {
        ty = ty_list(c->arena, ty);
    }
    if (rc == 0 && t->array2) {
        ty = ty_list(c->arena, ty);
    }
    if (rc == 0) {
        *ret = ty;
    }
    return rc;
}
