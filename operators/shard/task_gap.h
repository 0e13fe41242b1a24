/* SPDX-License-Identifier: Apache-2.0
 *
 * Input that is gone: a task goes on behind it and says so (task_gap.c).
 */
#ifndef OPERATORS_SHARD_TASK_GAP_H
#define OPERATORS_SHARD_TASK_GAP_H

#include "operators/graph/eng_back.h"
#include "operators/shard/task.h"

/* What lies before the offset is gone; nothing of it is buffered. The sub-stream goes on there. */
void task_gap(struct task *t, uint32_t sub, int64_t to);
/* The next record of the sub-stream, which lies there, is passed over: the process dies of it. */
void task_skip(struct task *t, uint32_t sub, int64_t offset);
/* A journal cannot be played, because its input is gone: instead of it, when nothing was pushed
 * yet. The task goes on behind its last record; `to`: where that ended, per sub-stream. */
void task_pass_over(struct task *t, const struct journal_record *last, int64_t offset, uint64_t sum,
                    const struct merge_pos *to);
/* A task that succeeds others whose state nobody can read any more: what they held is lost. Unless
 * their positions are known, which are its own then, so is what they had not taken. */
void task_lose(struct task *t, bool known);
/* All that its journal had behind the state that it has, or that it lacks: the task goes on at
 * `to`, per sub-stream, and with numbers that were never given. */
void task_lose_journal(struct task *t, const struct merge_pos *to);
/* Statements of which something that was lost may still be missing: how many, at most max are put
 * down. */
size_t task_lacks(const struct task *t, struct eng_back *ret, size_t max);
/* A decision GAP. */
bool task_gap_read(struct slice bytes, uint32_t *ret_sub, struct merge_pos *ret_from,
                   int64_t *ret_to);

#endif
