/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of a layout: layout_look.c (levels alone, and cut into parts), layout_join.c
 * (which of them run in one engine), layout_split.c (sums in parts), layout_reads.c (what a group
 * reads and how it comes there), layout_source.c (filters of source groups), layout_keep.c (and
 * what they keep), layout.c (tasks and topics).
 */
#ifndef OPERATORS_SHARD_LAYOUT_IMPL_H
#define OPERATORS_SHARD_LAYOUT_IMPL_H

#include "core/base/vec.h"
#include "core/bus/bus_topics.h"
#include "operators/shard/layout.h"

enum { LAYOUT_TEXT_MAX = 16 << 20, LAYOUT_KEEP_MAX = 64 };

/* The deployment that declares what is added up. */
#define LAYOUT_SUMS "sums"

struct layout_engine { /* parts in one engine */
    struct eng *eng;
    struct key_plan keys;
    bool borrowed; /* both are those of the only part */
    uint64_t members;
    uint32_t before[LAYOUT_PARTS_MAX]; /* statements before those of the part */
};

struct layout_making {
    struct arena *a;
    struct doc *doc;
    const struct layout_looks *looks;
    struct layout_conf conf;
    struct layout *l;
    VEC(struct layout_topic) topics;
    const struct layout_engine *engines; /* of groups that are no sources, by their members */
    uint32_t n_engines;
    uint64_t *inserted_by; /* per type that the document makes: parts */
    uint64_t *read_by;     /* likewise, that name it other than to insert into it */
    uint32_t group_of[LAYOUT_PARTS_MAX];
};

int layout_prelude(const struct doc *d, uint32_t level, struct eng *e,
                   struct err *reterr) NODISCARD;

/* layout_join.c: groups in order, without what they read; `engines` has one for each. */
void layout_join(struct layout_making *m, struct layout_engine *engines);
void layout_engine_done(struct layout_engine *e);
/* The group's only part adds up what its local tasks have summed up. */
bool layout_adds_up(const struct layout_making *m, uint64_t members);
/* A statement of the part, other than by what it inserts, speaks of the type. */
bool layout_part_reads(const struct layout_making *m, uint32_t part, const struct layout_engine *e,
                       const struct key_unit *u, struct slice type);

/* layout_reads.c */
void layout_reads(struct layout_making *m, struct layout_group *g, const struct layout_engine *e);
/* Whether who reads `type` reads what is inserted into t. */
bool layout_gives(const struct doc_type *t, struct slice type);
bool layout_is_signal(const struct doc_level *d, struct slice type);
/* The raw topics of a signal's type: how many. */
uint32_t layout_raw_of(struct slice type, enum bus_topic_id ret[8]);

/* layout_source.c: the statements by which events of the read's type pass; their number. */
uint32_t layout_filters(struct layout_making *m, const struct layout_group *reader, uint32_t read,
                        struct slice *ret, uint32_t max);
/* Whether each statement of the group that reads the type lets only events pass whose column is
 * not null. */
bool layout_never_null(struct layout_making *m, const struct layout_group *g, struct slice type,
                       struct slice column);

/* layout_wants.c: `wants` and `looks` of a plan that has its modules. */
void layout_wants(struct layout_making *m, const struct layout_group *g, struct task_plan *p);

/* layout_keep.c: keys of the payload that are passed on; added to by each read of a cluster. */
struct layout_keep {
    struct slice keys[LAYOUT_KEEP_MAX];
    uint32_t n;
    bool all;
};
void layout_keep(struct layout_making *m, const struct layout_group *reader, uint32_t read,
                 struct layout_keep *to);

#endif
