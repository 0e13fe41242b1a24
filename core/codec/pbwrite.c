/* SPDX-License-Identifier: Apache-2.0
 *
 * See pbwrite.h.
 */
#include "core/codec/pbwrite.h"

#include <assert.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { VARINT_MAX = 10 };

static size_t put_varint(char *to, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        to[n++] = (char)(v | 0x80);
        v >>= 7;
    }
    to[n++] = (char)v;
    return n;
}

static void add_varint(struct buf *b, uint64_t v)
{
    char *to = buf_room(b, VARINT_MAX);
    if (to != NULL) {
        buf_commit(b, put_varint(to, v));
    }
}

static void add_tag(struct buf *b, uint32_t field, enum wire wire)
{
    assert(field > 0);
    add_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

/* Protobuf's fixed fields are little-endian on every machine. */
static void add_le(struct buf *b, uint64_t v, size_t bytes)
{
    char *to = buf_room(b, bytes);
    if (to != NULL) {
        for (size_t i = 0; i < bytes; i++) {
            to[i] = (char)(v >> (8 * i));
        }
        buf_commit(b, bytes);
    }
}

void pbwrite_varint(struct buf *b, uint32_t field, uint64_t value)
{
    add_tag(b, field, WIRE_VARINT);
    add_varint(b, value);
}

void pbwrite_fixed64(struct buf *b, uint32_t field, uint64_t value)
{
    add_tag(b, field, WIRE_64);
    add_le(b, value, 8);
}

void pbwrite_fixed32(struct buf *b, uint32_t field, uint32_t value)
{
    add_tag(b, field, WIRE_32);
    add_le(b, value, 4);
}

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

void pbwrite_double(struct buf *b, uint32_t field, double value)
{
    pbwrite_fixed64(b, field, bits_of(value));
}

void pbwrite_string(struct buf *b, uint32_t field, struct slice value)
{
    add_tag(b, field, WIRE_BYTES);
    add_varint(b, value.len);
    buf_add_slice(b, value);
}

size_t pbwrite_open(struct buf *b, uint32_t field)
{
    add_tag(b, field, WIRE_BYTES);
    return b->len;
}

void pbwrite_close(struct buf *b, size_t mark)
{
    if (buf_failed(b)) {
        return;
    }
    assert(mark <= b->len);
    char length[VARINT_MAX];
    size_t bytes = b->len - mark, n = put_varint(length, bytes);
    if (buf_room(b, n) != NULL) {
        memmove(b->ptr + mark + n, b->ptr + mark, bytes);
        memcpy(b->ptr + mark, length, n);
        buf_commit(b, n);
    }
}

void pbwrite_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *values, size_t n)
{
    add_tag(b, field, WIRE_BYTES);
    add_varint(b, n * 8);
    for (size_t i = 0; i < n; i++) {
        add_le(b, values[i], 8);
    }
}

void pbwrite_packed_double(struct buf *b, uint32_t field, const double *values, size_t n)
{
    add_tag(b, field, WIRE_BYTES);
    add_varint(b, n * 8);
    for (size_t i = 0; i < n; i++) {
        add_le(b, bits_of(values[i]), 8);
    }
}
