/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a task, out and back: into the chunks of a snapshot, and out of them into a task of
 * the same rules, or of changed ones.
 */
#ifndef OPERATORS_SHARD_TASK_STATE_H
#define OPERATORS_SHARD_TASK_STATE_H

#include "operators/graph/eng_succeed.h"
#include "operators/shard/task.h"
#include "operators/state/snap_set.h"

/* The next cut is that of a snapshot: its chunks go into `to`, which is borrowed until then. False:
 * nothing has come yet. */
bool task_snapshot(struct task *t, struct snap_set *to);
/* What is large of it is added later, in slices. `slice`: from how many bytes on; 0: what suits. */
void task_slices(struct task *t, size_t slice);
/* Adds about so many bytes. True: all that there was at the cut has been added. */
bool task_save_step(struct task *t, size_t bytes);
/* The record of the next cut says that the manifest of the last such cut is written with it. */
void task_manifest(struct task *t, const struct hash128 *state);
/* Into a new task: the chunks of a snapshot, and the hash of its cut. After a failure it is good
 * for task_free only. In two parts: the first needs nothing but the task's engine, so a thread may
 * do it that is not the task's, while nobody else looks at it. */
int task_load(struct task *t, const struct save_chunk *chunks, size_t n,
              struct err *reterr) NODISCARD;
int task_loaded(struct task *t, const struct save_chunk *chunks, size_t n,
                const struct hash128 *state, struct err *reterr) NODISCARD;
int task_restore(struct task *t, const struct save_chunk *chunks, size_t n,
                 const struct hash128 *state, struct err *reterr) NODISCARD;

/* The record of the next cut is the last of these rules: others begin behind it. */
void task_final(struct task *t, bool deleted);
/* Into a new task, in whose place others were whose last snapshot this is, of the cut `seq`:
 * statements that are the same keep what they hold, inputs that are the same go on where they were.
 * After a failure it is good for task_free only. In two parts likewise. */
int task_succeed_load(struct task *t, const struct save_chunk *chunks, size_t n,
                      struct eng_succeeded *ret, struct err *reterr) NODISCARD;
int task_succeed_loaded(struct task *t, const struct save_chunk *chunks, size_t n, uint64_t seq,
                        struct err *reterr) NODISCARD;

struct task_sub { /* a sub-stream and how far it was taken; the topic by the hash of its name */
    uint64_t topic, author;
    uint32_t part;
    struct merge_pos pos;
    int64_t largest;
};

/* Where a task was at its snapshot, whatever else of it can be read: by its own numbers of
 * sub-streams, to be given back with mem_free. False: that cannot be read either. */
bool task_was(const struct save_chunk *chunks, size_t n, struct task_sub **ret, size_t *ret_n);
/* This task's sub-stream is that one. */
bool task_is_sub(const struct task *t, uint32_t i, const struct task_sub *x);
#endif
