/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain records: alerts and dead letters, which lie one to a record of the bus so that anybody
 * reads them without knowing batches. A record is an array of values, one for each row of its kind
 * in rec_plain.def; written, read and shown as JSON by that table:
 *
 *     FIXED         bytes, 16 of them: hexadecimal in JSON
 *     LONG TEXT     int, string                   TIME: int, ns since 1970; RFC 3339 in JSON
 *     VALUES TEXTS  map; of strings               FIXEDS: list of bytes
 *     BYTES         bytes                         MAYBE_...: or null
 *
 * Reads what this version writes; others are refused. Any thread, nothing is kept.
 */
#ifndef CORE_EVENT_REC_PLAIN_H
#define CORE_EVENT_REC_PLAIN_H

#include "core/base/err.h"
#include "core/event/val.h"

struct batch_dec;
struct batch_enc;

enum rec_plain_kind { REC_PLAIN_ALERT, REC_PLAIN_DEAD, REC_PLAIN_KINDS };

enum rec_alert_field {
#define REC_ALERT_FIELD(name, text, sort) REC_ALERT_##name,
#include "core/event/rec_plain.def"
    REC_ALERT_FIELDS
};
enum rec_dead_field {
#define REC_DEAD_FIELD(name, text, sort) REC_DEAD_##name,
#include "core/event/rec_plain.def"
    REC_DEAD_FIELDS
};
enum { REC_PLAIN_FIELDS_MAX = 32, REC_PLAIN_FIXED = 16 };

/* The kind with that subject of the registry (schema_reg.h); false: it is none of these. */
bool rec_plain_of(const char *subject, enum rec_plain_kind *ret);
const char *rec_plain_name(enum rec_plain_kind kind, uint32_t field);
/* Appends frame and body. Null stands for an empty value everywhere. The encoder lends its limits.
 * False at the buffer's limit or at a limit of the values. */
bool rec_plain_write(enum rec_plain_kind kind, struct batch_enc *enc, const struct val *fields,
                     struct buf *to);
/* body: behind the frame, all of it. Texts point into it, the rest lies in the arena; maps are
 * sorted. ERR_CORRUPT: it is no such record; ERR_LIMIT: the arena's. */
int rec_plain_read(enum rec_plain_kind kind, struct batch_dec *dec, struct arena *a,
                   struct slice body, struct val *ret_fields, struct err *reterr) NODISCARD;
/* One object. False at the buffer's limit. */
bool rec_plain_json(enum rec_plain_kind kind, const struct val *fields, struct buf *out);

#endif
