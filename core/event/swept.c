/* SPDX-License-Identifier: Apache-2.0
 *
 * See swept.h.
 */
#include "core/event/swept.h"

#include "core/codec/endian.h"
#include "core/codec/varint.h"

enum { FORMAT = 1 };
static const struct slice name = SLICE("over"); /* as long as no key of a snapshot is */

bool swept_lineage(struct slice key, uint64_t *ret)
{
    if (key.len < SWEPT_LINEAGE_BYTES) {
        return false;
    }
    *ret = endian_be64(key.ptr);
    return true;
}

bool swept_is_mark(struct slice key)
{
    return key.len == SWEPT_KEY_BYTES &&
           slice_eq(slice_sub(key, SWEPT_LINEAGE_BYTES, key.len), name);
}

struct slice swept_mark(uint64_t lineage, char to[SWEPT_KEY_BYTES])
{
    endian_put_be64(to, lineage);
    memcpy(to + SWEPT_LINEAGE_BYTES, name.ptr, name.len);
    return slice_of(to, SWEPT_KEY_BYTES);
}

struct slice swept_write(int64_t journal_end, char to[SWEPT_VALUE_BYTES])
{
    char *p = varint_write(to, FORMAT);
    p = varint_write_zz(p, journal_end);
    return slice_of(to, (size_t)(p - to));
}

int64_t swept_read(struct slice value)
{
    const char *p = value.ptr, *end = value.ptr + value.len;
    uint64_t format = 0;
    int64_t to = 0;
    p = value.len > 0 ? varint_read(p, end, &format) : NULL;
    p = p != NULL && format == FORMAT ? varint_read_zz(p, end, &to) : NULL;
    return p == end && p != NULL ? to : -1;
}
