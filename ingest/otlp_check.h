/* SPDX-License-Identifier: Apache-2.0
 *
 * Is this a well-formed request, down to the last value, and how many items does it have? Asked of
 * the whole body before anything is mapped, so that an undecodable request has no effect at all;
 * what comes after relies on the answer. Unknown fields must be well-formed, too. A known field
 * with another wire type counts as unknown, as everywhere in protobuf.
 */
#ifndef INGEST_OTLP_CHECK_H
#define INGEST_OTLP_CHECK_H

#include "ingest/otlp_schema.h"

enum { OTLP_DEPTH_MAX = 100 }; /* of messages, as protobuf's own libraries have it */

/* What stands in a length-delimited field: a message, packed numbers, or nothing to look at. */
struct otlp_shape {
    uint8_t inside[OTLP_MSG_COUNT][OTLP_FIELD_MAX + 1];
    bool item[OTLP_MSG_COUNT];
};
void otlp_shape_init(struct otlp_shape *s);

/* ERR_CORRUPT, ERR_TRUNCATED: no such request; ERR_LIMIT: more than items_max items. */
int otlp_check(const struct otlp_shape *s, enum otlp_msg message, struct slice body,
               uint32_t items_max, uint32_t *ret_items, struct err *reterr) NODISCARD;

#endif
