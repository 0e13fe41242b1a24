/* SPDX-License-Identifier: Apache-2.0
 *
 * See pbwire.h.
 */
#include "core/codec/pbwire.h"

#include <assert.h>

static const char *const TRUNCATED = "the input ends inside a field";

static COLD bool fault(struct pbwire *r, const char *at, const char *why)
{
    r->why = why;
    r->at = at;
    r->end = at;
    return false;
}

/* A varint that cannot be read: its input ends, or it has more than 64 bits. */
static COLD bool bad_varint(struct pbwire *r, const char *at)
{
    return fault(r, at, r->end - at < VARINT_MAX ? TRUNCATED : "a number of more than 64 bits");
}

static bool read_fixed(struct pbwire *r, struct pbwire_field *f, const char *p, size_t n)
{
    if ((size_t)(r->end - p) < n) {
        return fault(r, p, TRUNCATED);
    }
    uint32_t low;
    memcpy(&low, p, sizeof low);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        low = __builtin_bswap32(low);
    }
    f->value = n == 8 ? endian_le64(p) : low;
    r->at = p + n;
    return true;
}

static bool read_len(struct pbwire *r, struct pbwire_field *f, const char *p)
{
    const char *from = p;
    p = varint_read(p, r->end, &f->value);
    if (p == NULL) {
        return bad_varint(r, from);
    }
    if (f->value > (size_t)(r->end - p)) {
        return fault(r, from, TRUNCATED);
    }
    f->bytes = slice_of(p, (size_t)f->value);
    r->at = p + f->value;
    return true;
}

bool pbwire_next_slow(struct pbwire *r, struct pbwire_field *f)
{
    uint64_t tag = 0;
    assert(r->at <= r->end);
    if (r->at == r->end) {
        return false;
    }
    const char *p = varint_read(r->at, r->end, &tag);
    if (p == NULL) {
        return bad_varint(r, r->at);
    }
    if (tag > UINT32_MAX || tag < 8) {
        return fault(r, r->at, "no such field number");
    }
    f->tag = (uint32_t)tag;
    f->bytes = SLICE_NONE;
    switch (tag & 7) {
    case PBWIRE_VARINT: {
        const char *end = varint_read(p, r->end, &f->value);
        if (end == NULL) {
            return bad_varint(r, p);
        }
        r->at = end;
        return true;
    }
    case PBWIRE_I64: return read_fixed(r, f, p, 8);
    case PBWIRE_LEN: return read_len(r, f, p);
    case PBWIRE_I32: return read_fixed(r, f, p, 4);
    default: return fault(r, r->at, (tag & 7) <= 4 ? "a group" : "no such wire type");
    }
}

int pbwire_error(const struct pbwire *r, struct err *reterr)
{
    assert(r->why != NULL);
    enum err_code code = r->why == TRUNCATED ? ERR_TRUNCATED : ERR_CORRUPT;
    return err_set(reterr, code, "%s, at byte %zu of the message", r->why,
                   (size_t)(r->at - r->start));
}

size_t pbwire_packed_count(struct slice packed)
{
    size_t n = 0;
    for (size_t i = 0; i < packed.len; i++) {
        n += (unsigned char)packed.ptr[i] < 0x80;
    }
    return n;
}
