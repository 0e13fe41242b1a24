/* SPDX-License-Identifier: Apache-2.0
 *
 * A check under way: doc_check.c leads it, doc_stmts.c reads levels, doc_alert.c and doc_lint.c
 * look at statements, doc_proof.c at tests and objectives.
 */
#ifndef OPERATORS_DOC_DOC_CHECK_H
#define OPERATORS_DOC_DOC_CHECK_H

#include "core/base/map.h"
#include "operators/doc/doc_engine.h"
#include "operators/doc/doc_impl.h"
#include "operators/epl/ast.h"

struct doc_names { /* each once, in the order in which they came */
    struct slice *ptr;
    size_t len, cap;
    uint32_t *slots; /* of many: by hash, the place + 1; a power of two */
    size_t n_slots;
};

struct doc_check {
    struct doc *d;
    struct arena *a;
    const struct doc_engine *engine;
    struct doc_notes *notes;
    void *engines[DOC_LEVELS_MAX];
    uint32_t level;
    const struct doc_node *epl; /* of the level under way */
    struct slice pointer;       /* to it */
    struct map first_maker;     /* of a name: 1 + the level */
    struct map made;            /* of a type that is made: its place + 1 */
    struct doc_names lost;      /* what refused statements would have made */
};

/* ---- doc_stmts.c ---- */
void doc_level_read(struct doc_check *c, struct doc_level *l);
/* The byte that line and column lead to. */
size_t doc_offset(struct slice text, uint32_t line, uint32_t col);
/* An error with a place in the statement; at a place in the level's epl. */
struct doc_note *doc_say(struct doc_check *c, const struct doc_stmt *s, enum doc_code code,
                         const struct err *e);
struct doc_note *doc_say_at(struct doc_check *c, enum doc_code code, size_t off, size_t len,
                            struct slice message);
struct doc_note *doc_say_span(struct doc_check *c, enum doc_code code, struct span at,
                              struct slice message);
struct slice doc_stmt_label(struct doc_check *c, const struct doc_stmt *s, uint32_t number);
const struct ast_annot *doc_annotation(const struct doc_stmt *s, const char *name);
void doc_names_add(struct doc_names *n, struct slice name);
bool doc_names_has(const struct doc_names *n, struct slice name);
void doc_names_done(struct doc_names *n);
void doc_inserts(const struct ast_stmt *s, struct doc_names *to);
void doc_makes(struct doc_check *c, const struct doc_stmt *s, struct doc_names *to);
bool doc_mentions(struct doc_check *c, const struct doc_stmt *s, const struct doc_names *names);

/* ---- doc_alert.c ---- */
void doc_alert_read(struct doc_check *c, struct doc_stmt *s);
/* The property of a column, with dots; false: the type has none. */
bool doc_has_property(const struct etype *t, struct slice name);
struct slice doc_near_column(const struct etype *t, struct slice name);

/* ---- doc_lint.c ---- */
void doc_lint_stmt(struct doc_check *c, const struct doc_stmt *s);
void doc_lint_level(struct doc_check *c, const struct doc_level *l);

/* ---- doc_proof.c ---- */
void doc_proofs(struct doc_check *c);

#endif
