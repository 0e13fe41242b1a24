/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's state as chunks, and an engine out of chunks. Both between two calls of eng.h only.
 *
 * Equal engines give equal bytes; an engine that was loaded goes on as the one that was saved. The
 * chunks name the modules that were deployed, so an engine is loaded without deploying anything. A
 * node is (statement << 8 | place): place 0 is what the statement's instances hold, place 1 what
 * they keep by key, spread over key groups, place 2 rows of a window that it shares, places from 16
 * on what each of its sources holds in parts. Statement 0 is the engine itself: clock, counters,
 * modules.
 */
#ifndef OPERATORS_GRAPH_ENG_STATE_H
#define OPERATORS_GRAPH_ENG_STATE_H

#include "operators/graph/eng.h"
#include "operators/sig/save.h"

/* on_chunk is called for each chunk, by node and group, the engine's own last; bytes are valid
 * during the call. Events that are saved for the first time get their number for good. */
void eng_save(struct eng *e, void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg);
/* Likewise, but what is large is written later, in slices, between calls of eng.h; what comes out
 * is what there was at eng_cut_new. Chunks come in any order. One that is large comes in pieces. */
struct eng_cut;
struct eng_cut_to {
    void (*chunk)(void *arg, const struct save_chunk *c); /* whole */
    void (*begin)(void *arg, uint64_t node, uint16_t group);
    void (*bytes)(void *arg, struct slice bytes);
    void (*end)(void *arg);
    void *arg;
};
/* Parts of `least` bytes and more are written later. The engine must not be freed before it. */
struct eng_cut *eng_cut_new(struct eng *e, const struct eng_cut_to *to, size_t least);
/* Writes about so many bytes. True: all is written. */
bool eng_cut_step(struct eng_cut *c, size_t bytes);
void eng_cut_free(struct eng_cut *c); /* NULL is fine; also before the end */

/* Into an engine that is new: chunks in any order, and all of them. After a failure the engine is
 * good for eng_free only. Nothing is delivered. */
int eng_load(struct eng *e, const struct save_chunk *chunks, size_t n,
             struct err *reterr) NODISCARD;

#endif
