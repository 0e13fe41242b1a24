/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this folder share.
 */
#ifndef OPERATORS_DOC_DOC_IMPL_H
#define OPERATORS_DOC_DOC_IMPL_H

#include "operators/doc/doc.h"

/* ---- doc_tree.c, doc_json.c ---- */
struct doc_node *doc_node_new(struct arena *a, enum doc_kind kind, struct span span);
bool doc_node_add(struct doc_node *to, struct doc_node *last, struct doc_node *item);
/* NULL: it is no JSON, whatever it is. */
const struct doc_node *doc_json_read(struct arena *a, const struct doc_tree *t);

/* ---- doc_field.c: the table ---- */

enum doc_field_type {
    DOC_F_CONST, /* the text of `arg` and nothing else */
    DOC_F_NAME,  /* lower-case letters, digits, '-': a part of names of topics */
    DOC_F_TEXT,
    DOC_F_EPL,      /* statements, or a filter */
    DOC_F_DURATION, /* int64_t ns */
    DOC_F_INT,      /* int64_t; arg: "least..most" */
    DOC_F_POWER,    /* int64_t: a power of two */
    DOC_F_AUTO,     /* int64_t, or the word auto: 0 */
    DOC_F_NUMBER,   /* double; arg: "least..most", both excluded */
    DOC_F_BOOL,
    DOC_F_ENUM,   /* int; arg: "a|b|c" */
    DOC_F_TEXTS,  /* list of texts */
    DOC_F_PAIRS,  /* map of texts */
    DOC_F_LIMITS, /* struct lim_conf */
    DOC_F_EVENT,  /* a map of anything: the node */
    DOC_F_LIST,   /* of the section that `arg` names; at least one if it is required */
};

struct doc_field {
    const char *section, *name;
    enum doc_field_type type;
    size_t offset;
    const char *arg;
    bool required;
    const char *fallback; /* as it would be written; NULL: none */
    const char *doc;
};

struct doc_section {
    const char *name;
    size_t bytes;
    const char *doc;
};

extern const struct doc_field doc_fields[];
extern const size_t doc_n_fields;
extern const struct doc_section doc_sections[];
extern const size_t doc_n_sections;
const struct doc_section *doc_section(const char *name);
/* The next field of a section behind `after` (NULL: the first), or NULL. */
const struct doc_field *doc_field_next(const char *section, const struct doc_field *after);
/* The i-th of "a|b|c", or none. */
struct slice doc_choice(const char *choices, uint32_t i);
void doc_bounds(const char *arg, double *ret_low, double *ret_high);
/* "5m", "1h30m", "PT5M", "P7D" to ns, and back: the shortest of the first kind. */
bool doc_duration(struct slice s, int64_t *ret);
void doc_duration_print(int64_t ns, struct buf *out);

/* ---- doc_types.c ---- */
/* Declares the type; world: enum doc_types of the level that makes it. */
void doc_type_epl(struct doc *d, int world, const struct etype *e, struct buf *out);

/* ---- doc_cross.c ---- */
void doc_cross(const struct doc *d, struct doc_notes *notes);
bool doc_is_severity(struct slice s, struct slice *ret_near);
void doc_severities(struct buf *out, const char *between, const char *around);

#endif
