/* SPDX-License-Identifier: Apache-2.0
 *
 * The other side of the cross-checks: avro-c's generic values, filled from our events and compared
 * with them, field by field and by name, so that schemas with fewer or more fields work, too.
 */
#ifndef TESTS_UNIT_CORE_EVENT_AVRO_SIDE_H
#define TESTS_UNIT_CORE_EVENT_AVRO_SIDE_H

#include "core/base/buf.h"
#include "core/event/rec.h"

#include <avro.h>

struct avro_side {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
    avro_reader_t reader;
    avro_writer_t writer;
};

/* Ends the process when the schema does not parse: it is the test's own. */
void avro_side_init(struct avro_side *s, struct slice schema_text);
void avro_side_done(struct avro_side *s);

/* avro-c's writer: value -> bytes appended to out. False when it refuses. */
bool avro_side_write(struct avro_side *s, struct buf *out);
/* avro-c's reader: bytes -> value, all of them. */
bool avro_side_read(struct avro_side *s, struct slice bytes);

/* Into the value; contexts by their index in the batch. Fields the schema lacks are left out. */
void avro_side_fill(struct avro_side *s, const struct rec_batch *b);
/* NULL, or the name of the first field that differs. Pairs are compared by key. */
const char *avro_side_differs(struct avro_side *s, const struct rec_batch *b);

#endif
