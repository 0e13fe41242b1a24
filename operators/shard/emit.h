/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task puts out between two cuts: events go into one batch for each partition, and a cut
 * makes records of them, ready for the bus: a *parcel*. A parcel is kept as it is until its commit
 * is known, because what aborted is sent again byte for byte.
 *
 * The sum over a parcel is that of its events, each with topic, partition and number; how they were
 * cut into records does not matter, so a replay that cuts elsewhere has the same sum.
 */
#ifndef OPERATORS_SHARD_EMIT_H
#define OPERATORS_SHARD_EMIT_H

#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/event/rec.h"
#include "operators/shard/head.h"

struct emit;

struct emit_to { /* a topic that the task writes */
    struct slice topic;
    uint32_t parts;
    bool marked; /* others wait for the clock: each partition gets marks */
};

struct emit_record {
    uint32_t to, part;
    struct slice key, value, head; /* absent key: of batches; an empty value: a mark alone */
    uint64_t first;
    uint32_t count; /* of events in a batch */
};

struct parcel {
    const struct emit_record *records;
    uint32_t n;
    struct hash128 sum;
    uint64_t events;
};

/* Who writes, for headers and for people; both slices outlive it. */
struct emit *emit_new(uint64_t lineage, struct slice source, const struct emit_to *to, uint32_t n);
void emit_free(struct emit *e);
/* ERR_TOO_BIG, ERR_LIMIT: no record can carry it; nothing was added. r->n is set here. */
int emit_event(struct emit *e, uint32_t to, uint32_t part, struct rec *r, uint64_t number,
               struct err *reterr) NODISCARD;
/* Contexts of events from here on may lie at the addresses of others. */
void emit_contexts_moved(struct emit *e);
/* A record by itself, under a key: it does not wait in a batch. ERR_TOO_BIG. */
int emit_plain(struct emit *e, uint32_t to, uint32_t part, struct slice key, struct slice value,
               uint64_t number, struct err *reterr) NODISCARD;
bool emit_is_empty(const struct emit *e);
/* Bytes that were ever put out, the same when it is done again. */
uint64_t emit_total(const struct emit *e);
size_t emit_bytes(const struct emit *e); /* of events that wait for the cut, roughly */
/* The next cut is the last: an end goes to each partition that gets marks. */
void emit_end(struct emit *e);
/* mark: the clock, if it has moved since the last cut; else MERGE_NO_MARK. */
struct parcel *emit_cut(struct emit *e, uint64_t epoch, uint64_t seq, int64_t mark);
void emit_give_back(struct emit *e, struct parcel *p);

#endif
