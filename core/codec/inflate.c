/* SPDX-License-Identifier: Apache-2.0
 *
 * See inflate.h. Each coding writes into room of the output buffer, in steps that grow by doubling;
 * `allowed` says how long the output may become, which is the smaller of the limit and what the
 * ratio grants, and is the one place where bombs stop. Formats that declare the size of the output
 * are believed only as a first guess (gzip, zstd) or held to it (snappy).
 */
#include "core/codec/inflate.h"

#include "core/base/mem.h"
#include "core/codec/crc32c.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>
#include <libdeflate.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { ROOM_MIN = 4096, GUESS = 4 /* output per input when nothing is declared */ };

struct inflate {
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
};

/* One call of inflate_all. */
struct run {
    struct inflate *z;
    struct slice in; /* what is left of it */
    struct buf *out;
    size_t base, allowed; /* length of out before, and how much may be added */
};

struct inflate *inflate_new(void)
{
    struct inflate *z = MEM_NEW(struct inflate);
    z->deflate = libdeflate_alloc_decompressor();
    z->zstd = ZSTD_createDCtx();
    LZ4F_errorCode_t rc = LZ4F_createDecompressionContext(&z->lz4, LZ4F_VERSION);
    /* malloc itself failing ends the process, here as elsewhere. */
    if (z->deflate == NULL || z->zstd == NULL || LZ4F_isError(rc)) {
        abort();
    }
    size_t set = ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG);
    assert(!ZSTD_isError(set));
    (void)set;
    return z;
}

void inflate_free(struct inflate *z)
{
    if (z != NULL) {
        libdeflate_free_decompressor(z->deflate);
        ZSTD_freeDCtx(z->zstd);
        LZ4F_freeDecompressionContext(z->lz4);
        mem_free(z);
    }
}

static COLD int corrupt(struct err *reterr, const char *coding, const char *why)
{
    return err_set(reterr, ERR_CORRUPT, "%s: %s", coding, why);
}

static COLD int truncated(struct err *reterr, const char *coding)
{
    return err_set(reterr, ERR_TRUNCATED, "%s: the input ends early", coding);
}

static COLD int too_big(const struct run *r, struct err *reterr)
{
    return err_set(reterr, ERR_TOO_BIG, "unpacks to more than %zu bytes", r->allowed);
}

static size_t added(const struct run *r)
{
    return r->out->len - r->base;
}

/* Room for `want` bytes, less at the limit; 0 when none is left. */
static size_t room(struct run *r, size_t want, char **ret_to)
{
    size_t left = r->allowed - added(r);
    size_t n = MIN(MAX(want, (size_t)ROOM_MIN), left);
    *ret_to = n > 0 ? buf_room(r->out, n) : NULL;
    return *ret_to != NULL ? n : 0;
}

static struct slice rest_of(struct slice s, size_t taken)
{
    assert(taken <= s.len);
    return slice_of(s.ptr + taken, s.len - taken);
}

static int run_identity(struct run *r, struct err *reterr)
{
    if (r->in.len > r->allowed || !buf_add_slice(r->out, r->in)) {
        return too_big(r, reterr);
    }
    return 0;
}

/* --- deflate and its wrappers --- */

typedef enum libdeflate_result deflate_fn(struct libdeflate_decompressor *d, const void *in,
                                          size_t in_n, void *out, size_t out_n, size_t *ret_in,
                                          size_t *ret_out);

/* One member. It is unpacked again from its start with twice the room when the room was too small:
 * with a good first guess that is rare, and it is faster than a streaming decoder all the same. */
static int run_member(struct run *r, deflate_fn *fn, const char *name, size_t guess,
                      struct err *reterr)
{
    for (;;) {
        char *to, none; /* without room an empty member still fits */
        size_t n = room(r, guess, &to), taken = 0, made = 0;
        switch (fn(r->z->deflate, r->in.ptr, r->in.len, n > 0 ? to : &none, n, &taken, &made)) {
        case LIBDEFLATE_SUCCESS:
            buf_commit(r->out, made);
            r->in = rest_of(r->in, taken);
            return 0;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            if (n == 0 || n == r->allowed - added(r)) {
                return too_big(r, reterr);
            }
            guess = n * 2;
            break;
        default: return corrupt(reterr, name, "bad data");
        }
    }
}

/* The trailer of the last member says how long it is, modulo 2^32. */
static size_t gzip_guess(const struct run *r)
{
    const unsigned char *p = (const unsigned char *)r->in.ptr + r->in.len - 4;
    size_t said = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return said / INFLATE_RATIO <= r->in.len ? said : r->in.len * GUESS;
}

static int run_gzip(struct run *r, struct err *reterr)
{
    do {
        if (r->in.len < 18) {
            return truncated(reterr, "gzip");
        }
        int rc = run_member(r, libdeflate_gzip_decompress_ex, "gzip", gzip_guess(r), reterr);
        if (rc != 0) {
            return rc;
        }
    } while (r->in.len > 0);
    return 0;
}

static int run_zlib(struct run *r, struct err *reterr)
{
    return run_member(r, libdeflate_zlib_decompress_ex, "zlib", r->in.len * GUESS, reterr);
}

static int run_deflate(struct run *r, struct err *reterr)
{
    bool wrapped = r->in.len >= 2 && (r->in.ptr[0] & 0x0f) == 8 && endian_be16(r->in.ptr) % 31 == 0;
    size_t before = r->out->len;
    struct slice in = r->in;
    if (wrapped) {
        int rc = run_zlib(r, reterr);
        if (rc != -ERR_CORRUPT) {
            return rc;
        }
        /* Bare data may look like a header by accident. */
        r->out->len = before;
        r->in = in;
    }
    return run_member(r, libdeflate_deflate_decompress_ex, "deflate", r->in.len * GUESS, reterr);
}

/* --- zstd --- */

static int zstd_error(size_t rc, struct err *reterr)
{
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge) {
        return err_set(reterr, ERR_LIMIT, "zstd: a window over 2^%d bytes", INFLATE_WINDOW_LOG);
    }
    return corrupt(reterr, "zstd", ZSTD_getErrorName(rc));
}

/* Streams, because a frame need not say how long it is. */
static int run_zstd(struct run *r, struct err *reterr)
{
    unsigned long long said = ZSTD_getFrameContentSize(r->in.ptr, r->in.len);
    size_t guess = said <= r->allowed ? (size_t)said : r->in.len * GUESS;
    ZSTD_inBuffer in = {r->in.ptr, r->in.len, 0};
    size_t left = 1;
    ZSTD_DCtx_reset(r->z->zstd, ZSTD_reset_session_only);
    while (in.pos < in.size || left != 0) {
        char *to, none;
        size_t n = room(r, guess, &to), in_before = in.pos;
        ZSTD_outBuffer out = {n > 0 ? to : &none, n, 0};
        left = ZSTD_decompressStream(r->z->zstd, &out, &in);
        if (ZSTD_isError(left)) {
            return zstd_error(left, reterr);
        }
        buf_commit(r->out, out.pos);
        if (left != 0 && out.pos < out.size && in.pos == in.size) {
            return truncated(reterr, "zstd");
        }
        if (out.pos == 0 && in.pos == in_before) {
            return n == 0 ? too_big(r, reterr) : truncated(reterr, "zstd");
        }
        guess = MAX((size_t)ROOM_MIN, added(r));
    }
    r->in = rest_of(r->in, in.pos);
    return 0;
}

/* --- snappy --- */

/* A copy of two bytes gives eleven, one of three sixty-four: more than 22 to 1 is a lie. */
enum { SNAPPY_RATIO = 22, SNAPPY_BLOCK = 65536 };

static int snappy_block(struct run *r, struct slice in, size_t max, struct err *reterr)
{
    size_t said;
    if (snappy_uncompressed_length(in.ptr, in.len, &said) != SNAPPY_OK) {
        return corrupt(reterr, "snappy", "no length");
    }
    if (said / SNAPPY_RATIO > in.len) {
        return corrupt(reterr, "snappy", "the length is more than such data can hold");
    }
    if (said > max || said > r->allowed - added(r)) {
        return too_big(r, reterr);
    }
    char *to = buf_room(r->out, said);
    if (to == NULL) {
        return too_big(r, reterr);
    }
    if (snappy_uncompress(in.ptr, in.len, to, &said) != SNAPPY_OK) {
        return corrupt(reterr, "snappy", "bad data");
    }
    buf_commit(r->out, said);
    return 0;
}

static int run_snappy(struct run *r, struct err *reterr)
{
    return snappy_block(r, r->in, r->allowed, reterr);
}

/* A chunk of data: masked checksum of the plain bytes, then the bytes. */
static int snappy_chunk(struct run *r, uint8_t type, struct slice chunk, struct err *reterr)
{
    if (chunk.len < 4) {
        return corrupt(reterr, "snappy", "a chunk without checksum");
    }
    size_t from = r->out->len;
    struct slice data = rest_of(chunk, 4);
    if (type == 0) {
        int rc = snappy_block(r, data, SNAPPY_BLOCK, reterr);
        if (rc != 0) {
            return rc;
        }
    } else if (data.len > SNAPPY_BLOCK) {
        return corrupt(reterr, "snappy", "a chunk over 65536 bytes");
    } else if (data.len > r->allowed - added(r) || !buf_add_slice(r->out, data)) {
        return too_big(r, reterr);
    }
    uint32_t crc = crc32c_of(slice_of(r->out->ptr + from, r->out->len - from));
    uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8u;
    const unsigned char *p = (const unsigned char *)chunk.ptr;
    uint32_t said =
        (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return masked == said ? 0 : corrupt(reterr, "snappy", "a checksum differs");
}

static int run_snappy_framed(struct run *r, struct err *reterr)
{
    static const char head[] = "\xff\x06\0\0sNaPpY";
    if (!slice_starts(r->in, slice_of(head, sizeof head - 1))) {
        return corrupt(reterr, "snappy", "no stream identifier");
    }
    while (r->in.len > 0) {
        if (r->in.len < 4) {
            return truncated(reterr, "snappy");
        }
        const unsigned char *p = (const unsigned char *)r->in.ptr;
        size_t n = (size_t)p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16;
        uint8_t type = p[0];
        r->in = rest_of(r->in, 4);
        if (n > r->in.len) {
            return truncated(reterr, "snappy");
        }
        struct slice chunk = slice_sub(r->in, 0, n);
        r->in = rest_of(r->in, n);
        if (type >= 2 && type < 0x80) {
            return corrupt(reterr, "snappy", "a chunk of a kind that must be known");
        }
        int rc = type < 2 ? snappy_chunk(r, type, chunk, reterr) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- lz4 --- */

static int run_lz4(struct run *r, struct err *reterr)
{
    size_t guess = r->in.len * GUESS, hint = 1;
    LZ4F_resetDecompressionContext(r->z->lz4);
    while (r->in.len > 0 || hint != 0) {
        char *to, none;
        size_t n = room(r, guess, &to), made = n, taken = r->in.len;
        hint = LZ4F_decompress(r->z->lz4, n > 0 ? to : &none, &made, r->in.ptr, &taken, NULL);
        if (LZ4F_isError(hint)) {
            return corrupt(reterr, "lz4", LZ4F_getErrorName(hint));
        }
        buf_commit(r->out, made);
        r->in = rest_of(r->in, taken);
        if (made == 0 && taken == 0) {
            return n == 0 ? too_big(r, reterr) : truncated(reterr, "lz4");
        }
        guess = MAX((size_t)ROOM_MIN, added(r));
    }
    return 0;
}

/* --- the table --- */

static const struct coding {
    const char *name;
    int (*fn)(struct run *r, struct err *reterr);
} codings[] = {
#define INFLATE(name, number, text, fn, doc) [number] = {text, fn},
#include "core/codec/inflate.def"
#undef INFLATE
};

int inflate_all(struct inflate *z, enum inflate_coding coding, struct slice in,
                const struct inflate_limits *limits, struct buf *out, struct err *reterr)
{
    assert(z != NULL && out != NULL);
    assert((size_t)coding < ARRAY_LEN(codings));
    if (in.len == 0 && coding != INFLATE_IDENTITY) {
        return truncated(reterr, codings[coding].name);
    }
    struct run r = {.z = z, .in = in, .out = out, .base = out->len};
    r.allowed = MIN(limits->max_bytes, out->max - out->len);
    if (limits->max_ratio > 0 && in.len < r.allowed / limits->max_ratio) {
        r.allowed = MIN(r.allowed, MAX(in.len * limits->max_ratio, (size_t)INFLATE_FREE_BYTES));
    }
    int rc = codings[coding].fn(&r, reterr);
    if (rc == 0 && r.in.len > 0 && coding != INFLATE_IDENTITY && coding != INFLATE_SNAPPY) {
        rc = corrupt(reterr, codings[coding].name, "bytes behind the end");
    }
    if (rc != 0) {
        out->len = r.base;
        out->failed = false;
    }
    return rc;
}

bool inflate_coding_of(struct slice name, enum inflate_coding *ret_coding)
{
    assert(ret_coding != NULL);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        if (slice_eq_nocase(name, slice_str(codings[i].name))) {
            *ret_coding = (enum inflate_coding)i;
            return true;
        }
    }
    return false;
}

const char *inflate_coding_name(enum inflate_coding coding)
{
    return (size_t)coding < ARRAY_LEN(codings) ? codings[coding].name : "?";
}
