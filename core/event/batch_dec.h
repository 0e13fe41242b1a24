/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads event batches of the current schema by hand, in one pass, without copying: strings, bytes
 * and causes of the result point into the input; events, pairs and lists lie in the arena given.
 * Both must live as long as the batch is used. One decoder per thread; it keeps only caches.
 *
 *     arena_reset(a);
 *     rc = batch_dec_read(d, a, bytes, &batch, &err);
 *
 * Keys and type names are interned in the table given at the start, which outlives the decoder and
 * may be shared by everything in the thread that compiles or looks up keys. When it is full, keys
 * get number 0 and point into the input.
 *
 * Bytes are not trusted: counts are held against the bytes left before anything is allocated, depth
 * and counts against the limits, memory against the arena's. Strings are handed out as they are
 * written; that they are UTF-8 is the writer's word.
 */
#ifndef CORE_EVENT_BATCH_DEC_H
#define CORE_EVENT_BATCH_DEC_H

#include "core/base/err.h"
#include "core/event/batch.h"
#include "core/event/rec.h"

struct batch_dec;

struct batch_dec *batch_dec_new(struct batch_limits limits, struct intern *keys);
void batch_dec_free(struct batch_dec *d);

/* The whole input must be one batch. ERR_CORRUPT: no batch; ERR_LIMIT: a limit, the arena's
 * included. After an error *ret_batch is untouched; the arena keeps what was taken until reset. */
int batch_dec_read(struct batch_dec *d, struct arena *a, struct slice body,
                   struct rec_batch *ret_batch, struct err *reterr) NODISCARD;

/* One Value by itself, as in payloads: for state, tools and tests. Takes it off *rest. */
int batch_dec_value(struct batch_dec *d, struct arena *a, struct slice *rest, struct val *ret_value,
                    struct err *reterr) NODISCARD;

#endif
