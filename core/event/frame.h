/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands before an Avro body to say which schema wrote it:
 *   single object   C3 01, fingerprint (8 bytes, little-endian), body: needs nobody else
 *   Confluent       00, schema id (4 bytes, big-endian), body: the id is the registry's
 */
#ifndef CORE_EVENT_FRAME_H
#define CORE_EVENT_FRAME_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum frame_kind { FRAME_SINGLE = 1, FRAME_CONFLUENT = 2 };
enum { FRAME_SINGLE_BYTES = 10, FRAME_CONFLUENT_BYTES = 5 };

struct frame {
    enum frame_kind kind;
    uint64_t number; /* fingerprint, or id */
    struct slice body;
};

/* ERR_CORRUPT if neither frame starts the bytes. The body is not looked at. */
int frame_read(struct slice bytes, struct frame *ret_frame, struct err *reterr) NODISCARD;
/* Appends the frame; the body follows. False at the buffer's limit. */
bool frame_put(struct buf *b, enum frame_kind kind, uint64_t number);

#endif
