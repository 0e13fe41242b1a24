/* SPDX-License-Identifier: Apache-2.0
 *
 * What a replayed record of a journal puts out, held against what stands in the topics: event by
 * event, with number, time, id, content and causes; how events were cut into records of the bus,
 * and how those are framed, does not matter. Compacted topics are left out, because they forget.
 */
#ifndef OPERATORS_REPLAY_REPLAY_OUTPUTS_H
#define OPERATORS_REPLAY_REPLAY_OUTPUTS_H

#include "core/event/batch_in.h"
#include "operators/replay/tape.h"
#include "operators/shard/task.h"

struct replay_outputs;

struct replay_event {
    struct slice topic;
    uint32_t part;
    uint64_t number; /* output number */
    const struct rec *rec;
};

struct replay_held {     /* so far */
    uint64_t made, same; /* events */
    uint64_t differ;     /* made, and another one stands there */
    uint64_t missing;    /* made, and not in the topic */
    uint64_t extra;      /* in the topic, and not made */
    uint64_t gone;       /* made, and what stood there was removed by retention */
};

/* Everything is borrowed. time_ms: of the first record of the journal that will be held; NULL
 * tapes: nothing is held against topics. */
struct replay_outputs *replay_outputs_new(struct tapes *tapes, const struct task_plan *plan,
                                          struct batch_in *decoder);
void replay_outputs_free(struct replay_outputs *o);
/* time_ms: of the record in the journal. on_event, which may be NULL, is told of what was made. */
int replay_outputs_hold(struct replay_outputs *o, const struct journal_record *r, int64_t time_ms,
                        const struct parcel *p,
                        void (*on_event)(void *, const struct replay_event *), void *arg,
                        struct err *reterr) NODISCARD;
struct replay_held replay_outputs_held(const struct replay_outputs *o);
/* The first difference, in words; an empty text. */
const char *replay_outputs_first(struct replay_outputs *o);

#endif
