/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire format of protocol buffers, without schemas: a pull reader over a borrowed slice (the
 * writer is pbwrite.h). A field comes whole, tag and value in one step, so one that the caller does
 * not know is skipped by not looking at it:
 *
 *     struct pbwire r = pbwire_of(bytes);
 *     struct pbwire_field f;
 *     while (pbwire_next(&r, &f)) {
 *         switch (f.tag) {
 *         case PBWIRE_TAG(1, PBWIRE_LEN): name = f.bytes; break;
 *         case PBWIRE_TAG(2, PBWIRE_VARINT): count = f.value; break;
 *         }
 *     }
 *     if (pbwire_bad(&r)) { ... }
 *
 * Nested messages are slices: the caller makes a reader of each and bounds the depth by his own
 * recursion. Groups are refused (no schema of this project has them). Bytes behind a fault are not
 * read; memory outside of the slice never is. Nothing is allocated and nothing is copied.
 */
#ifndef CORE_CODEC_PBWIRE_H
#define CORE_CODEC_PBWIRE_H

#include "core/base/err.h"
#include "core/base/slice.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"

enum pbwire_type { PBWIRE_VARINT = 0, PBWIRE_I64 = 1, PBWIRE_LEN = 2, PBWIRE_I32 = 5 };

#define PBWIRE_TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

struct pbwire {
    const char *at, *end, *start;
    const char *why; /* NULL = nothing is wrong so far */
};

struct pbwire_field {
    uint32_t tag;
    uint64_t value;     /* VARINT, I64, I32; of LEN: its length */
    struct slice bytes; /* LEN only */
};

static inline struct pbwire pbwire_of(struct slice s)
{
    const char *p = s.ptr != NULL ? s.ptr : "";
    return (struct pbwire){.at = p, .end = p + s.len, .start = p};
}
static inline uint32_t pbwire_number(const struct pbwire_field *f)
{
    return f->tag >> 3;
}
static inline bool pbwire_bad(const struct pbwire *r)
{
    return r->why != NULL;
}
/* ERR_CORRUPT or ERR_TRUNCATED with the position; only after pbwire_bad. */
int pbwire_error(const struct pbwire *r, struct err *reterr);

/* Everything but a one-byte tag of a length-delimited field or of a varint. */
bool pbwire_next_slow(struct pbwire *r, struct pbwire_field *f);

/* The next field; false at the end and at a fault. */
static inline bool pbwire_next(struct pbwire *r, struct pbwire_field *f)
{
    const char *p = r->at;
    if (LIKELY(r->end - p >= 2 && (((unsigned char)p[0] | (unsigned char)p[1]) & 0x80) == 0)) {
        f->tag = (unsigned char)p[0];
        f->value = (unsigned char)p[1];
        unsigned type = f->tag & 7;
        if (LIKELY(f->tag >= 8 && type == PBWIRE_LEN && f->value <= (size_t)(r->end - p - 2))) {
            f->bytes = slice_of(p + 2, (size_t)f->value);
            r->at = p + 2 + f->value;
            return true;
        }
        if (LIKELY(f->tag >= 8 && type == PBWIRE_VARINT)) {
            r->at = p + 2;
            return true;
        }
    }
    return pbwire_next_slow(r, f);
}

/* Typed views of a value. Negative int32 and int64 are sign-extended varints. */
static inline int64_t pbwire_sint(uint64_t value)
{
    return varint_unzigzag(value);
}
static inline double pbwire_double(uint64_t value)
{
    return endian_double(value);
}

/* Packed varints: the next one off *rest; false at the end, and with *rest not empty at a fault. */
static inline bool pbwire_packed(struct slice *rest, uint64_t *ret_value)
{
    const char *p = rest->len > 0 ? varint_read(rest->ptr, rest->ptr + rest->len, ret_value) : NULL;
    if (p == NULL) {
        return false;
    }
    *rest = slice_of(p, rest->len - (size_t)(p - rest->ptr));
    return true;
}
/* How many there are; exact if the bytes are well-formed, never too small. O(n) */
size_t pbwire_packed_count(struct slice packed);

#endif
