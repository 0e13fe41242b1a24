/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes event batches by hand. In one thread, one encoder per place that builds batches:
 *
 *     batch_enc_begin(e, SLICE("otlp"), seq);
 *     rc = batch_enc_add(e, &rec, &err);           as often as there is room
 *     if (rc == -ERR_TOO_BIG) { end this batch, begin the next, add again }
 *     rc = batch_enc_end(e, &out, &err);
 *
 * An event is added whole or not at all: after an error the batch is what it was before. Contexts
 * are recognised by address first and by content else, so a context must stay as it is until the
 * batch ends; equal ones are written once. Strings that are no UTF-8 are repaired on the way
 * (U+FFFD for each bad run) and the event is flagged REC_FLAG_REPAIRED; bytes stay bytes.
 * Everything is copied: nothing given needs to outlive the call, contexts excepted.
 *
 * In steady state nothing is allocated.
 */
#ifndef CORE_EVENT_BATCH_ENC_H
#define CORE_EVENT_BATCH_ENC_H

#include "core/base/err.h"
#include "core/event/batch.h"
#include "core/event/rec.h"

struct batch_enc;

/* max_bytes bounds the body that batch_enc_end appends, without framing. */
struct batch_enc *batch_enc_new(struct batch_limits limits, size_t max_bytes);
void batch_enc_free(struct batch_enc *e);

/* Forgets what was added and starts a batch. The source is cut to 255 bytes. */
void batch_enc_begin(struct batch_enc *e, struct slice source, int64_t seq);
/* ERR_TOO_BIG: does not fit any more (or, into an empty batch, at all). ERR_LIMIT: a limit of the
 * event itself, ERR_RANGE: a field outside the schema's range; no batch would take it. */
int batch_enc_add(struct batch_enc *e, const struct rec *r, struct err *reterr) NODISCARD;
/* What lies at the address of a context may be another from here on. */
void batch_enc_contexts_moved(struct batch_enc *e);
/* At least the size that batch_enc_end would append now, at most a few dozen bytes more. */
size_t batch_enc_bytes(const struct batch_enc *e);
uint32_t batch_enc_count(const struct batch_enc *e);
/* The bytes of the event that was added last, from its id on: all of it but what depends on the
 * batch it is in. Valid until the next call. */
struct slice batch_enc_last(const struct batch_enc *e);
/* Appends the batch to out and begins the next: same source, seq + 1. ERR_TOO_BIG if out has
 * no room: then nothing was appended and nothing is lost. */
int batch_enc_end(struct batch_enc *e, struct buf *out, struct err *reterr) NODISCARD;

/* A string, or a map of Values, by itself: for records that are no batches. Batches are not
 * touched. False at the buffer's limit or at one of the values. */
bool batch_enc_text(struct batch_enc *e, struct buf *out, struct slice text);
bool batch_enc_map(struct batch_enc *e, struct buf *out, struct val map);

#endif
