/* SPDX-License-Identifier: Apache-2.0
 *
 * The levels of a checked document as engines with their keys, and what follows from these: which
 * levels run in one task (a group), and what is shuffled on its way. A level joins the group before
 * it if what it reads from that group arrives by the key that it needs, so that nothing has to
 * move; if shapes and partitions are the same; and unless one of them says `scale: own`.
 */
#ifndef OPERATORS_GRAPH_ENG_LEVELS_H
#define OPERATORS_GRAPH_ENG_LEVELS_H

#include "operators/doc/doc.h"
#include "operators/graph/keys.h"

enum { ENG_LEVEL_RAW = UINT32_MAX };

struct eng_edge {             /* a stream that a unit of a level reads */
    uint32_t from, to;        /* levels; from ENG_LEVEL_RAW: signals */
    struct slice stream, key; /* key: columns, or empty */
    bool shuffle;             /* through a topic of its own, by the key; else as it lies */
    struct slice why;
};

struct eng_level {
    struct eng *eng;
    struct key_plan keys; /* of its statements alone */
    uint32_t before;      /* statements of the engine before its own */
    uint32_t group;       /* the number of the group's first level */
    struct slice why;     /* why it is in no group before; empty */
};

struct eng_levels {
    struct arena *arena;
    struct eng_level *levels;
    uint32_t n_levels;
    struct eng_edge *edges;
    uint32_t n_edges;
};

/* The document must have passed doc_check. */
int eng_levels(const struct doc *d, struct eng_levels *ret, struct err *reterr) NODISCARD;
void eng_levels_done(struct eng_levels *l);

#endif
