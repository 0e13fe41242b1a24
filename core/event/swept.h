/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sweep (coordinator/sweep.h) and slots (operators/shard) must both know of the topic
 * `state`: whose a record is, and the *mark* that the sweep leaves where it removes what nobody
 * carries on. All keys begin with the lineage; the root's, without which there is no snapshot, is
 * nothing else.
 *
 * The mark says up to where the journal of that lineage is over: a task that has it again begins
 * with nothing, as behind a last record, for what its journal would go on from is gone.
 */
#ifndef CORE_EVENT_SWEPT_H
#define CORE_EVENT_SWEPT_H

#include "core/base/slice.h"

enum { SWEPT_LINEAGE_BYTES = 8, SWEPT_KEY_BYTES = 12, SWEPT_VALUE_BYTES = 20 };

/* False: no record of a task. */
bool swept_lineage(struct slice key, uint64_t *ret);
bool swept_is_mark(struct slice key);
struct slice swept_mark(uint64_t lineage, char to[SWEPT_KEY_BYTES]);
/* Records of the journal before that offset are over. */
struct slice swept_write(int64_t journal_end, char to[SWEPT_VALUE_BYTES]);
/* -1: it cannot be read. */
int64_t swept_read(struct slice value);

#endif
