/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads Avro bytes of any schema into one value, without copying strings: records become maps from
 * field name to value, enums their symbol, fixed become bytes, unions the value of their branch.
 * A record called Value with a field v *is* that field: that is how EventBatch spells "any value".
 *
 * The way for bytes that another version wrote; our own go through batch_dec. avro-c parses the
 * schema, but the bytes are read here, because its reader believes string lengths, leaks what it
 * read before an error and cuts map keys at a NUL byte; the tests hold this against it all the
 * same. Bounded like batch_dec: lengths by the input, counts and depth by the limits, memory by the
 * arena.
 */
#ifndef CORE_EVENT_SCHEMA_READ_H
#define CORE_EVENT_SCHEMA_READ_H

#include "core/event/batch.h"
#include "core/event/schema.h"
#include "core/event/val.h"

/* The whole of `body` must be one value. ERR_CORRUPT or ERR_LIMIT; *ret_value then untouched. */
int schema_read(const struct schema *s, struct batch_limits limits, struct arena *a,
                struct slice body, struct val *ret_value, struct err *reterr) NODISCARD;

#endif
