/* SPDX-License-Identifier: Apache-2.0
 *
 * One record of `alerts` or `alerts.history` (schemas/alert.avsc) as a line of JSON, for streams:
 * ids, references and traces as hexadecimal, times as RFC 3339. Reads the schema of this
 * version by hand; a record of another version is answered false, and shown by its bytes.
 */
#ifndef COORDINATOR_ALERT_JSON_H
#define COORDINATOR_ALERT_JSON_H

#include "core/base/arena.h"
#include "core/base/buf.h"

struct batch_dec;

/* body: behind the frame. False: it is no such record; what was added to out is taken back. */
bool alert_json(struct batch_dec *dec, struct arena *a, struct slice body, struct buf *out);

#endif
