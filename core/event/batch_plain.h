/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain records (rec_plain.h) as batches of one event each, so that whoever reads events reads
 * these, too: rules, tails, streams. An alert is an event of type `Alert` at the time of its
 * revision; its fields are the payload, ids as hexadecimal text, and what its key says of a target
 * (service, namespace, ...) is the context. A dead letter is one of type `DeadLetter`.
 */
#ifndef CORE_EVENT_BATCH_PLAIN_H
#define CORE_EVENT_BATCH_PLAIN_H

#include "core/event/rec.h"
#include "core/event/rec_plain.h"

/* body: behind the frame. As batch_dec_read. */
int batch_plain_read(enum rec_plain_kind kind, struct batch_dec *dec, struct intern *keys,
                     struct arena *a, struct slice body, struct rec_batch *ret_batch,
                     struct err *reterr) NODISCARD;

#endif
