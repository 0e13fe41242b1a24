/* SPDX-License-Identifier: Apache-2.0
 *
 * How far back the run of one task can be replayed. A replay begins at the first record of the
 * rules, if that one began with nothing in memory, or at a state in `state.archive`; and what was
 * read from there on must still be in the topics. The earliest such place is the *replay floor*.
 *
 * Looked for only when a replay is refused, to say from when on it would not be: the journal is
 * read from its start.
 */
#ifndef OPERATORS_REPLAY_REPLAY_FLOOR_H
#define OPERATORS_REPLAY_REPLAY_FLOOR_H

#include "operators/replay/replay_exact.h"

/* Sets reterr to `why` and the floor; gives its code, ERR_GONE, or that of a bus that fails. */
int replay_floor_refuse(const struct replay_exact *x, const char *why,
                        struct err *reterr) NODISCARD;
/* The record is one that a replay can begin with. */
bool replay_floor_begins(const struct journal_record *r);

#endif
