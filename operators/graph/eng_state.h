/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's state as chunks, and an engine out of chunks. Both between two calls of eng.h only.
 *
 * Equal engines give equal bytes; an engine that was loaded goes on as the one that was saved. The
 * chunks name the modules that were deployed, so an engine is loaded without deploying anything. A
 * node is (statement << 8 | place): place 0 is what the statement's instances hold, place 1 what
 * they keep by key, spread over key groups. Statement 0 is the engine itself: clock, counters,
 * modules.
 */
#ifndef OPERATORS_GRAPH_ENG_STATE_H
#define OPERATORS_GRAPH_ENG_STATE_H

#include "operators/graph/eng.h"
#include "operators/sig/save.h"

/* on_chunk is called for each chunk, by node and group, the engine's own last; bytes are valid
 * during the call. Events that are saved for the first time get their number for good. */
void eng_save(struct eng *e, void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg);
/* Into an engine that is new: chunks in any order, and all of them. After a failure the engine is
 * good for eng_free only. Nothing is delivered. */
int eng_load(struct eng *e, const struct save_chunk *chunks, size_t n,
             struct err *reterr) NODISCARD;

#endif
