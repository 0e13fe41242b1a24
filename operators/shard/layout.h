/* SPDX-License-Identifier: Apache-2.0
 *
 * How a graph is laid out: its levels in *groups*, each group in tasks, and the topics between
 * them. A function of the document, the number of partitions of the raw topics, and nothing else;
 * `kaiju explain -f` prints this very structure.
 *
 * A level is looked at alone first (layout_look.h): by which keys may its units be cut into parts?
 * It joins the group of the level before it if what it reads from there arrives by the key that it
 * needs. A group with a key is cut into P tasks, P being the `partitions` of the level. What it
 * reads comes one of these ways (enum layout_way):
 *
 * - from a group below, through a topic x.<tenant>.<graph>.<group>.<stream>, by its key;
 * - of signals: as they lie, if any partition will do, or the key contains what the raw topic is
 *   keyed by;
 * - of other signals: through a *source group*, tasks without state, one for each raw partition,
 *   that let pass what a statement's filter may let pass, and deal it out by the key. In `groups`
 *   it stands before its reader: `source` is set, its levels are those of the reader;
 * - of signals that are summed up where they lie (layout_split.h): through a *local group*, tasks
 *   that make parts of sums, one for each raw partition: a source, with `local` set.
 *
 * A group without a key is one task, and `why` says so. Everything lies in the arena, and nothing
 * of it in the document: that may go.
 */
#ifndef OPERATORS_SHARD_LAYOUT_H
#define OPERATORS_SHARD_LAYOUT_H

#include "operators/doc/doc.h"
#include "operators/shard/layout_look.h"
#include "operators/shard/slot.h"

/* Part of the hash of the rules: a journal of tasks that were cut otherwise is another's. To be
 * raised when the same document is laid out in another way. */
enum { LAYOUT_NUMBER = 4 };

enum layout_way {
    LAYOUT_INSIDE, /* made and read within the task */
    LAYOUT_AS_IT_LIES,
    LAYOUT_TOPIC,    /* of a group below, by its key */
    LAYOUT_SHUFFLED, /* signals, through a source group */
    LAYOUT_SUMMED,   /* parts of sums, of a local group */
};

struct layout_read { /* a stream that a group reads */
    struct slice stream;
    uint64_t from; /* a bit for each part of a level that inserts into it; 0: signals */
    uint32_t part; /* of a level: the first that reads it */
    enum layout_way way;
    const struct slice *key; /* columns; none: any partition will do, or there is one task */
    const bool *as_double;
    uint32_t n_key;
    uint32_t sum;     /* SUMMED: the statement of the part */
    uint32_t cluster; /* streams that share events go together, under the name of the first */
    struct slice topic, why; /* topic: x.*, or empty */
};

struct layout_group {
    struct slice name; /* of its first level; of a source group with ".source" */
    uint32_t first, n; /* levels */
    uint64_t members;  /* a bit for each part of a level that runs in it */
    uint32_t parts;
    struct slice cut; /* of its lineages: its name, and what it is cut by */
    bool source;
    bool local;         /* a source that makes parts of sums: it has state */
    struct slice why;   /* it is one task; empty */
    struct slice apart; /* why it is in no group before; empty */
    struct layout_read *reads;
    uint32_t n_reads;
    const struct slice *filters; /* of a source group: what passes, or makes parts; EPL */
    uint32_t n_filters;
    const struct slice *keeps; /* and what of its payload; if keeps_all is not set */
    uint32_t n_keeps;
    bool keeps_all;
    struct slot_task *tasks;
};

struct layout_topic { /* to be there before a task begins */
    struct slice name;
    uint32_t parts;
};

struct layout {
    struct slice tenant, name;         /* of the graph */
    int64_t idle_after, archive_every; /* ns, as it says */
    const struct slice *levels;        /* their names */
    struct layout_group *groups;
    uint32_t n_groups;
    struct layout_topic *topics;
    uint32_t n_topics;
    uint32_t n_tasks;
};

struct layout_conf {
    uint32_t raw_parts;
    int64_t bound_ns; /* of raw topics, where a level says nothing */
    bool groups_only; /* without tasks, and topics of theirs: groups have names, levels, parts */
    int64_t life;     /* how often a graph of this name was removed before its tasks had ended */
};

/* ERR_SYNTAX: the document has mistakes, which doc_check tells in full. */
int layout_make(struct arena *a, struct slice document, const struct layout_conf *conf,
                struct layout **ret, struct err *reterr) NODISCARD;
/* Of a checked document that was looked at. */
int layout_of(struct arena *a, struct doc *d, const struct layout_looks *looks,
              const struct layout_conf *conf, struct layout **ret, struct err *reterr) NODISCARD;

#endif
