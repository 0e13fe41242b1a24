/* SPDX-License-Identifier: Apache-2.0
 *
 * The header that every record of a task carries: who wrote it, in which record of his journal, the
 * numbers of the events in it, and his clock behind them where the record is also a mark. So a
 * reader knows the author without decoding the batch, and each event has its reference.
 */
#ifndef OPERATORS_SHARD_HEAD_H
#define OPERATORS_SHARD_HEAD_H

#include "core/base/buf.h"
#include "core/bus/bus_types.h"
#include "operators/shard/merge.h"

enum { HEAD_BYTES_MAX = 64 };
#define HEAD_NAME "kaiju"

struct head {
    uint64_t lineage, epoch, seq;
    uint64_t first; /* output number of the first event */
    uint32_t count; /* of events; 0: a mark alone */
    int64_t mark;   /* or MERGE_NO_MARK */
    bool end;       /* nothing of this author comes behind it */
};

bool head_write(struct buf *b, const struct head *h);
bool head_read(struct slice bytes, struct head *ret);
/* Of a record; false: it is not of a task. */
bool head_of(const struct bus_record *r, struct head *ret);

#endif
