/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a protobuf message: the reader stays inside, ends, and every field lies in the input
 * in order; nested slices are tried as messages and as packed numbers, too. What was read, written
 * again, reads the same.
 */
#include "core/codec/pbwire.h"
#include "core/codec/pbwrite.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool write_again(struct buf *b, const struct pbwire_field *f)
{
    switch (f->tag & 7) {
    case PBWIRE_VARINT: pbwrite_varint(b, f->tag >> 3, f->value); break;
    case PBWIRE_I64: pbwrite_fixed64(b, f->tag >> 3, f->value); break;
    case PBWIRE_I32: pbwrite_fixed32(b, f->tag >> 3, (uint32_t)f->value); break;
    default: pbwrite_string(b, f->tag >> 3, f->bytes); break;
    }
    return !buf_failed(b);
}

static void walk(struct slice s, unsigned depth)
{
    struct pbwire r = pbwire_of(s), again;
    struct pbwire_field f, g;
    struct buf b;
    const char *last = r.start;
    size_t n = 0;
    buf_init(&b, s.len + 64 + s.len * 8);
    while (pbwire_next(&r, &f)) {
        n++;
        if (r.at <= last || r.at > s.ptr + s.len || !write_again(&b, &f)) {
            abort();
        }
        last = r.at;
        if ((f.tag & 7) == PBWIRE_LEN) {
            if (f.bytes.ptr + f.bytes.len != r.at) {
                abort();
            }
            struct slice rest = f.bytes;
            uint64_t v;
            size_t count = 0, most = pbwire_packed_count(rest);
            while (pbwire_packed(&rest, &v)) {
                count++;
            }
            if (count > most) {
                abort();
            }
            if (depth > 0) {
                walk(f.bytes, depth - 1);
            }
        }
    }
    struct err err;
    if (pbwire_bad(&r) ? pbwire_error(&r, &err) >= 0 : r.at != r.start + s.len) {
        abort();
    }
    again = pbwire_of(buf_slice(&b));
    r = pbwire_of(s);
    for (; n > 0; n--) {
        if (!pbwire_next(&again, &g) || !pbwire_next(&r, &f) || g.tag != f.tag ||
            ((f.tag & 7) == PBWIRE_LEN ? !slice_eq(f.bytes, g.bytes) : f.value != g.value)) {
            abort();
        }
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(slice_of(data, size), 3);
    return 0;
}
