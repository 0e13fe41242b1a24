/* SPDX-License-Identifier: Apache-2.0
 *
 * The levels of a checked document as engines with their keys: what a layout is made of. A level
 * is one part, or several if its units cannot be cut alike: then each part has the statements of
 * some of the units, and runs in tasks of its own. So have statements that add up what others have
 * summed up in parts (layout_split.h).
 */
#ifndef OPERATORS_SHARD_LAYOUT_LOOK_H
#define OPERATORS_SHARD_LAYOUT_LOOK_H

#include "operators/doc/doc.h"
#include "operators/graph/eng.h"
#include "operators/graph/keys.h"
#include "operators/shard/layout_split.h"

enum { LAYOUT_PARTS_MAX = 64 };

struct layout_part {
    const struct doc_level *doc;
    uint32_t level;
    struct slice name; /* of the level; of further parts with ".2", ".3" */
    struct slice epl;
    const struct doc_stmt **stmts;
    uint32_t n_stmts;
    struct eng *eng;
    struct key_plan keys; /* of its statements alone */
    uint32_t before;      /* statements of the engine before its own */
    /* Per statement. sums: how it is written as two; NULL if it is not, `whole` says why then, or
     * is empty where there are no sums. adds_up: such statements run here, and others elsewhere. */
    const struct layout_sum **sums;
    struct slice *whole;
    bool adds_up;
    struct slice schemas; /* of what is added up: deployed before the statements */
};

struct layout_looks {
    struct arena *arena;
    struct layout_part *parts;
    uint32_t n_parts;
};

/* raw_parts: partitions of the topics of signals. */
int layout_look(const struct doc *d, uint32_t raw_parts, struct layout_looks *ret,
                struct err *reterr) NODISCARD;
void layout_looks_done(struct layout_looks *l);

#endif
