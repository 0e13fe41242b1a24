/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that a slot was told to let go while it lives, and from which: whoever has such a task next
 * begins it behind the release in its journal alone (operators/shard). Read from the records of
 * ctl.assign as they follow each other; who reads only the last of them knows of none, and then the
 * word of the slot in ctl.members counts, as always. Loop thread.
 */
#ifndef COORDINATOR_MOVED_H
#define COORDINATOR_MOVED_H

#include "core/base/map.h"

#include <jansson.h>

struct moved {
    struct map from; /* of a task: the name of the writer of the slot that had it */
};

void moved_init(struct moved *m, size_t max);
void moved_done(struct moved *m);
/* The slot with that writer had these tasks, and has those now. */
void moved_take(struct moved *m, const char *writer, const json_t *had, const json_t *has);
/* The writer is fenced. */
void moved_fenced(struct moved *m, const char *writer);
const char *moved_from(const struct moved *m, struct slice task); /* NULL: from none */

#endif
