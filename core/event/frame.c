/* SPDX-License-Identifier: Apache-2.0
 *
 * See frame.h.
 */
#include "core/event/frame.h"

#include "core/codec/endian.h"

#include <assert.h>

static const char SINGLE_MARK[2] = {'\xc3', '\x01'};

int frame_read(struct slice bytes, struct frame *ret_frame, struct err *reterr)
{
    assert(ret_frame != NULL);
    const char *p = bytes.ptr;
    if (bytes.len >= FRAME_SINGLE_BYTES && memcmp(p, SINGLE_MARK, sizeof SINGLE_MARK) == 0) {
        *ret_frame = (struct frame){FRAME_SINGLE, endian_le64(p + sizeof SINGLE_MARK),
                                    slice_sub(bytes, FRAME_SINGLE_BYTES, bytes.len)};
        return 0;
    }
    if (bytes.len >= FRAME_CONFLUENT_BYTES && p[0] == 0) {
        *ret_frame = (struct frame){FRAME_CONFLUENT, endian_be32(p + 1),
                                    slice_sub(bytes, FRAME_CONFLUENT_BYTES, bytes.len)};
        return 0;
    }
    return err_set(reterr, ERR_CORRUPT, "%zu bytes that start with neither known frame", bytes.len);
}

bool frame_put(struct buf *b, enum frame_kind kind, uint64_t number)
{
    char head[FRAME_SINGLE_BYTES] = {0};
    assert(kind == FRAME_SINGLE || number <= UINT32_MAX);
    if (kind == FRAME_SINGLE) {
        memcpy(head, SINGLE_MARK, sizeof SINGLE_MARK);
        endian_put_le64(head + sizeof SINGLE_MARK, number);
        return buf_add(b, head, FRAME_SINGLE_BYTES);
    }
    endian_put_be32(head + 1, (uint32_t)number);
    return buf_add(b, head, FRAME_CONFLUENT_BYTES);
}
