/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML or JSON as a tree of nodes that know where they stand. Plain scalars are what the core
 * schema of YAML 1.2 makes of them; anchors and aliases are taken, but what they blow up to is
 * bounded as everything else is; tags, merge keys and several documents are refused. Nodes and
 * texts lie in the arena and never change.
 */
#ifndef OPERATORS_DOC_DOC_TREE_H
#define OPERATORS_DOC_DOC_TREE_H

#include "operators/doc/doc_note.h"

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_NUMBER, DOC_TEXT, DOC_LIST, DOC_MAP };
enum doc_style { DOC_PLAIN, DOC_QUOTED, DOC_DOUBLE_QUOTED, DOC_BLOCK };

enum {
    DOC_TEXT_MAX = 4 << 20,
    DOC_DEPTH_MAX = 32,
    DOC_NODES_MAX = 100000, /* with aliases as often as they are used */
    DOC_ITEMS_MAX = 1000,   /* of a list of objects */
    DOC_ARENA_MAX = 256 << 20,
};

struct doc_node {
    uint8_t kind, style; /* enum doc_kind, enum doc_style */
    bool b;
    struct span span;
    struct slice text; /* of a scalar, unquoted */
    int64_t i;
    double d;                   /* of INT, too */
    const struct doc_node *key; /* in a map: its key, a TEXT */
    struct doc_node *first, *next;
    uint32_t n;      /* of items or pairs */
    uint32_t weight; /* nodes in it, with itself */
};

struct doc_tree {
    struct slice text;
    const uint32_t *lines; /* where each line begins */
    uint32_t n_lines;
    const struct doc_node *root;
};

/* NULL if the text is no YAML at all; duplicate keys are notes. */
struct doc_tree *doc_tree_read(struct arena *a, struct slice text, struct doc_notes *notes);
const struct doc_node *doc_get(const struct doc_node *map, const char *name); /* or NULL */
const char *doc_kind_name(enum doc_kind k);                                   /* "a list" */
/* Where the bytes [off, off + len) of a scalar's text stand in the document. */
struct span doc_place(const struct doc_tree *t, const struct doc_node *scalar, size_t off,
                      size_t len);
/* Likewise for many places of a scalar: from one to the next, if they ascend. */
struct doc_walk {
    const struct doc_tree *tree;
    struct slice raw, text;
    size_t from, at, done; /* of raw in the document; in raw, in text */
    uint8_t style;
};
void doc_walk(struct doc_walk *w, const struct doc_tree *t, const struct doc_node *scalar);
struct span doc_walk_to(struct doc_walk *w, size_t off, size_t len);
/* Line and column of a byte. */
struct span doc_span(const struct doc_tree *t, size_t off, size_t len);

#endif
