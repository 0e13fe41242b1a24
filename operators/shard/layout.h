/* SPDX-License-Identifier: Apache-2.0
 *
 * How a graph is laid out: its levels in *groups*, each group in tasks, and the topics between
 * them. A function of the document, the number of partitions of the raw topics, and nothing else.
 *
 * A level is looked at alone first: it is partitioned if all its units are, by columns that stand
 * in the events it reads, and those come from levels below; else it is one task. (Raw topics are
 * keyed by subject; a level that reads them in parts needs its events dealt out anew, which is not
 * done yet: it is one task, and `why` says so.) Neighbours that are one task each become one group:
 * between them nothing crosses the bus.
 *
 * Everything lies in the arena, the checked document included.
 */
#ifndef OPERATORS_SHARD_LAYOUT_H
#define OPERATORS_SHARD_LAYOUT_H

#include "operators/doc/doc.h"
#include "operators/shard/slot.h"

struct layout_group {
    struct slice name; /* of its first level */
    uint32_t first, n; /* levels */
    uint32_t parts;
    struct slice why; /* it is one task; empty */
    struct slot_task *tasks;
};

struct layout_topic { /* to be there before a task begins */
    struct slice name;
    uint32_t parts;
};

struct layout {
    struct doc *doc;
    struct layout_group *groups;
    uint32_t n_groups;
    struct layout_topic *topics;
    uint32_t n_topics;
    uint32_t n_tasks;
};

struct layout_conf {
    uint32_t raw_parts;
    int64_t bound_ns; /* of raw topics, where a level says nothing */
};

/* ERR_SYNTAX: the document has mistakes, which doc_check tells in full. */
int layout_make(struct arena *a, struct slice document, const struct layout_conf *conf,
                struct layout **ret, struct err *reterr) NODISCARD;

#endif
