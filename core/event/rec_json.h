/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as JSON text for people, tools and tests: one object on one line, RFC 8259. Integers are
 * written in full (64 bits: readers that keep doubles lose digits), NaN and the infinities as the
 * strings "NaN", "Infinity", "-Infinity", bytes as base64, ids and references as hex. Text that is
 * no UTF-8 shows U+FFFD. Fields that say nothing (no trace, no flags, no causes) are left out.
 *
 * It is not the way back: a string "NaN" and a double NaN look alike. The log keeps Avro.
 */
#ifndef CORE_EVENT_REC_JSON_H
#define CORE_EVENT_REC_JSON_H

#include "core/base/buf.h"
#include "core/event/rec.h"

/* Each appends and is false at the buffer's limit. */

/* {"ts":..,"time":"..","kind":"log","type":"..","id":"..",...,"context":{..},"payload":{..}};
 * self names the event, as "ref"; NULL leaves it out. No newline. */
bool rec_json_event(struct buf *b, const struct rec *r, const struct ref *self);
bool rec_json_value(struct buf *b, struct val v);
bool rec_json_string(struct buf *b, struct slice s);
/* "2026-08-01T12:00:00.000000001Z", quotes included. */
bool rec_json_time(struct buf *b, int64_t ns);

#endif
