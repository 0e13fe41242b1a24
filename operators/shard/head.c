/* SPDX-License-Identifier: Apache-2.0
 *
 * See head.h. Varints; the mark zigzag, absent if there is none; behind the mark of an end, a 1.
 */
#include "operators/shard/head.h"

#include "core/codec/varint.h"

bool head_write(struct buf *b, const struct head *h)
{
    char *from = buf_room(b, HEAD_BYTES_MAX);
    if (from == NULL) {
        return false;
    }
    char *to = varint_write(from, h->lineage);
    to = varint_write(to, h->epoch);
    to = varint_write(to, h->seq);
    to = varint_write(to, h->first);
    to = varint_write(to, h->count);
    to = h->mark != MERGE_NO_MARK || h->end ? varint_write_zz(to, h->mark) : to;
    to = h->end ? varint_write(to, 1) : to;
    buf_commit(b, (size_t)(to - from));
    return true;
}

bool head_read(struct slice bytes, struct head *ret)
{
    uint64_t v[5] = {0}, last = 0;
    if (bytes.len == 0) {
        return false;
    }
    const char *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    struct head h = {.mark = MERGE_NO_MARK};
    p = p != NULL && p < end ? varint_read_zz(p, end, &h.mark) : p;
    if (p != NULL && p < end) {
        p = varint_read(p, end, &last);
        h.end = last == 1;
        p = h.end ? p : NULL;
    }
    if (p != end || v[4] > UINT32_MAX) {
        return false;
    }
    h.lineage = v[0];
    h.epoch = v[1];
    h.seq = v[2];
    h.first = v[3];
    h.count = (uint32_t)v[4];
    *ret = h;
    return true;
}

bool head_of(const struct bus_record *r, struct head *ret)
{
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (slice_eq(r->headers[i].name, SLICE(HEAD_NAME))) {
            return head_read(r->headers[i].value, ret);
        }
    }
    return false;
}
