/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph document: YAML or JSON text to the structures below, everything wrong with it said at
 * once, each mistake with its place in the document also when it lies inside a level's EPL.
 *
 *     struct doc_notes notes;
 *     doc_notes_init(&notes, arena);
 *     struct doc *d = doc_read(arena, text, &notes);
 *     if (d != NULL) { doc_check(d, &eng_doc, &notes); }
 *     if (notes.errors > 0) { doc_notes_text(&notes, file, text, &out); ... }
 *
 * doc_read looks at the document alone (doc.def is the table of its fields, JSON Schema and
 * reference come out of it); doc_check compiles: each level, in order, into an engine of its own
 * (doc_engine.h, so that nothing here needs one). All of it lives in the arena, `text` included.
 * One thread. To add a field: a row in doc.def, a member of that name below.
 */
#ifndef OPERATORS_DOC_DOC_H
#define OPERATORS_DOC_DOC_H

#include "operators/doc/doc_note.h"
#include "operators/doc/doc_parts.h"
#include "operators/sig/lim.h"

struct doc_engine; /* doc_engine.h */

enum doc_scale { DOC_SCALE_AUTO, DOC_SCALE_OWN };
enum doc_types { DOC_TYPES_KAIJU, DOC_TYPES_ORIGINAL };
enum doc_late { DOC_LATE_ADMIT, DOC_LATE_DROP, DOC_LATE_DLQ };

/* What @Alert says. Templates hold {column}; columns are known to the statement. */
struct doc_alert {
    struct slice severity, summary, description, runbook;
    const struct slice *key; /* columns */
    uint32_t n_key;
    int64_t resolve_after; /* ns; 0: never by itself */
};

/* A statement of a level, by doc_check. */
struct doc_stmt {
    struct slice name;             /* of @name; empty */
    struct slice text;             /* of it alone, in the level's epl */
    uint32_t off;                  /* of that */
    const struct ast_stmt *ast;    /* NULL: it could not be read */
    const struct doc_alert *alert; /* or NULL */
    const struct etype *rows;    /* columns of what it delivers, if it does; gone with the check */
    const struct slice *inserts; /* streams it inserts into */
    uint32_t n_inserts;
    bool refused;
};

/* Lists are a pointer with its count behind it: doc_read relies upon that. */
struct doc_level {
    const struct doc_node *node;
    struct slice name;
    struct slice epl;    /* as read: doc_place finds a place of it in the document */
    int64_t parallelism; /* slots that share its tasks; 0: auto */
    int64_t partitions;  /* of what it reads through x.*; 0: as the raw topics */
    int scale, types, late;
    int64_t bound, align; /* ns; -1: the default of each topic */
    int64_t dedupe;       /* ns; 0: no */
    struct lim_conf limits;
    struct doc_stmt *stmts; /* by doc_check */
    uint32_t n_stmts;
};

struct doc_graph {
    const struct doc_node *node;
    struct slice apiVersion, kind;
    struct slice name, tenant, description, owner, runbook;
    const struct slice *tags;
    uint32_t n_tags;
    struct doc_level *levels;
    uint32_t n_levels;
    struct doc_sink *sinks;
    uint32_t n_sinks;
    struct doc_test *tests;
    uint32_t n_tests;
    struct doc_slo *slos;
    uint32_t n_slos;
    struct lim_conf limits; /* of levels that do not say their own */
    int64_t idle_after, archive_every, replay_horizon, rollback_window;
};

struct doc_type { /* an event type that a level makes */
    struct slice name;
    struct slice epl;           /* declares it, and those that its columns need */
    uint32_t level;             /* the first that declares it or inserts into it */
    uint64_t inserted_by;       /* a bit for each level that inserts into it */
    const struct slice *supers; /* all of them: who reads one of those reads it, too */
    uint32_t n_supers;
};

struct doc {
    struct arena *arena;
    const struct doc_tree *tree;
    struct doc_graph g;
    struct doc_type *made; /* by doc_check, in order of levels */
    uint32_t n_made;
};

enum { DOC_LEVELS_MAX = 64, DOC_NAME_MAX = 63 };

/* What could be read of it, mistakes in notes; NULL if it is no mapping at all. */
struct doc *doc_read(struct arena *a, struct slice text, struct doc_notes *notes);
/* Compiles the levels, also if the document has mistakes elsewhere. -ERR_SYNTAX if notes->errors
 * are there (of doc_read, too), and *reterr has the first. */
int doc_check(struct doc *d, const struct doc_engine *engine, struct doc_notes *notes,
              struct err *reterr) NODISCARD;

/* What is deployed into the engine of a level before its statements: built-in types, and those that
 * levels before it make. Behind doc_check. */
void doc_prelude(const struct doc *d, uint32_t level, struct buf *out);

/* Does the statement name it, other than to insert into it? */
bool doc_stmt_reads(const struct doc *d, const struct doc_stmt *s, struct slice name);
/* All words that it so names, as often as they stand there. They live as long as the document. */
void doc_stmt_words(const struct doc *d, const struct doc_stmt *s,
                    void (*fn)(void *arg, struct slice word), void *arg);

/* The same document in the same words: defaults filled in, keys sorted, JSON. What means the same
 * has the same text and hash (comments, order of keys, anchors, styles aside). */
void doc_canonical(const struct doc *d, struct buf *out);
uint64_t doc_hash(const struct doc *d);
/* JSON Schema 2020-12 of documents; the fields, codes and alert words as tables in Markdown. */
void doc_schema(struct buf *out);
void doc_reference(struct buf *out);

bool doc_is_name(struct slice s); /* of graphs, tenants, levels */

#endif
