/* SPDX-License-Identifier: Apache-2.0
 *
 * What has been declared: event types, named windows, tables, variables, contexts, expressions, by
 * name. One namespace for types, windows and tables, as a from clause sees them. Entries belong to
 * the deployment that made them; `users` counts the statements that need one.
 */
#ifndef OPERATORS_PLAN_CATALOG_H
#define OPERATORS_PLAN_CATALOG_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/map.h"
#include "operators/plan/ex.h"

enum cat_kind { CAT_TYPE, CAT_WINDOW, CAT_TABLE, CAT_VAR, CAT_CONTEXT, CAT_DECL };

struct cat_entry {
    enum cat_kind kind;
    struct slice name;
    void *deployment;         /* who declared it; NULL: built in */
    uint32_t users;           /* statements of other deployments that need it */
    const struct etype *type; /* TYPE, WINDOW, TABLE: of its rows */
    void *what;               /* struct nwin, table, var, ctx_plan (operators/table, graph) */
    const struct ast_decl *decl;
    struct ty ty;         /* VAR */
    bool constant;        /* VAR */
    struct slice context; /* WINDOW, TABLE, VAR: bound to that context, or empty */
};

struct catalog {
    struct arena *arena;                     /* types live here */
    struct map types, vars, contexts, decls; /* name -> struct cat_entry */
    uint32_t next_type;
};

void cat_init(struct catalog *c, struct arena *a);
void cat_done(struct catalog *c);
struct cat_entry *cat_type(const struct catalog *c, struct slice name); /* or window, or table */
struct cat_entry *cat_var(const struct catalog *c, struct slice name);
struct cat_entry *cat_context(const struct catalog *c, struct slice name);
struct cat_entry *cat_decl(const struct catalog *c, struct slice name);
/* NULL and an error if the name is taken. */
struct cat_entry *cat_add(struct catalog *c, enum cat_kind kind, struct slice name,
                          struct err *reterr);
void cat_remove(struct catalog *c, struct cat_entry *e);
/* The type of a column as written, also other schemas, arrays, maps. */
int cat_column_type(struct catalog *c, const struct ast_type *t, struct ty *ret,
                    struct err *reterr) NODISCARD;
/* "did you mean x?" for a name among candidates; an empty slice if nothing is near. */
struct slice cat_near(const struct map *names, struct slice name);

#endif
