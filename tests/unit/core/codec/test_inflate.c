/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/inflate.h"

#include "core/base/mem.h"
#include "core/codec/crc32c.h"
#include "tests/test.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdio.h>
#include <zstd.h>

static const struct inflate_limits wide = {64 << 20, 0};

/* What the codings' own libraries make of it. */
static struct slice pack(enum inflate_coding coding, struct slice s)
{
    static char out[40 << 20]; /* lz4 wants room for the worst case */
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t n = sizeof out;
    switch (coding) {
    case INFLATE_GZIP: n = libdeflate_gzip_compress(c, s.ptr, s.len, out, n); break;
    case INFLATE_ZLIB: n = libdeflate_zlib_compress(c, s.ptr, s.len, out, n); break;
    case INFLATE_DEFLATE: n = libdeflate_deflate_compress(c, s.ptr, s.len, out, n); break;
    case INFLATE_ZSTD: n = ZSTD_compress(out, n, s.ptr, s.len, 3); break;
    case INFLATE_SNAPPY: CHECK_EQ(SNAPPY_OK, snappy_compress(s.ptr, s.len, out, &n)); break;
    case INFLATE_LZ4: n = LZ4F_compressFrame(out, n, s.ptr, s.len, NULL); break;
    default: memcpy(out, s.ptr, s.len); n = s.len;
    }
    libdeflate_free_compressor(c);
    CHECK(n > 0 && n < sizeof out);
    return slice_of(out, n);
}

/* Framed snappy by hand: the identifier, then one chunk per 60000 bytes, packed or plain. */
static struct slice frame(struct slice s, bool plain)
{
    static char out[1 << 20];
    memcpy(out, "\xff\x06\0\0sNaPpY", 10);
    size_t at = 10;
    for (size_t i = 0; i < s.len; i += 60000) {
        struct slice part = slice_sub(s, i, i + 60000);
        uint32_t crc = crc32c_of(part), masked = (crc >> 15 | crc << 17) + 0xa282ead8u;
        size_t n = sizeof out - at - 8;
        if (plain) {
            memcpy(out + at + 8, part.ptr, n = part.len);
        } else {
            CHECK_EQ(SNAPPY_OK, snappy_compress(part.ptr, part.len, out + at + 8, &n));
        }
        const uint32_t head[2] = {(uint32_t)(n + 4) << 8 | plain, masked};
        memcpy(out + at, head, 8);
        at += 8 + n;
    }
    return slice_of(out, at);
}

static struct slice sample(size_t n)
{
    static char text[600000];
    size_t at = 0;
    for (unsigned i = 0; at + 40 < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%u service=checkout%u ",
                               i * 2654435761u, i % 7);
    }
    return slice_of(text, at);
}

static int run(struct inflate *z, enum inflate_coding coding, struct slice in, size_t max,
               size_t ratio, struct buf *out, struct err *err)
{
    const struct inflate_limits limits = {max, ratio};
    return inflate_all(z, coding, in, &limits, out, err);
}

static void check_whole(struct inflate *z, enum inflate_coding coding, struct slice packed,
                        struct slice want)
{
    struct err err;
    struct buf out;
    buf_init(&out, 64 << 20);
    buf_add_str(&out, "head");
    CHECK_OK(inflate_all(z, coding, packed, &wide, &out, &err), err);
    CHECK(slice_eq(want, slice_sub(buf_slice(&out), 4, out.len)));
    CHECK_SLICE("head", slice_sub(buf_slice(&out), 0, 4));
    /* exactly enough room is enough, one byte less is not */
    buf_clear(&out);
    CHECK_OK(run(z, coding, packed, want.len, 0, &out, &err), err);
    if (want.len > 0) {
        buf_clear(&out);
        CHECK_EQ(-ERR_TOO_BIG, run(z, coding, packed, want.len - 1, 0, &out, &err));
        CHECK_EQ(0, out.len);
    }
    buf_done(&out);
}

TEST(inflate_reads_every_coding)
{
    struct inflate *z = inflate_new();
    static const size_t sizes[] = {0, 50, 3000, 70000, 600000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct slice s = sample(sizes[i]);
        for (int c = 0; c < INFLATE_CODINGS; c++) {
            if (c == INFLATE_SNAPPY_FRAMED) {
                check_whole(z, (enum inflate_coding)c, frame(s, false), s);
                check_whole(z, (enum inflate_coding)c, frame(s, true), s);
            } else if (c != INFLATE_IDENTITY || s.len > 0) {
                check_whole(z, (enum inflate_coding)c, pack((enum inflate_coding)c, s), s);
            }
        }
        check_whole(z, INFLATE_DEFLATE, pack(INFLATE_ZLIB, s), s);
    }
    inflate_free(z);
}

TEST(inflate_reads_members_behind_one_another)
{
    struct inflate *z = inflate_new();
    static const enum inflate_coding codings[] = {INFLATE_GZIP, INFLATE_ZSTD, INFLATE_LZ4};
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        char two[2000], want[] = "the first part|and the second";
        struct slice a = pack(codings[i], SLICE("the first part|"));
        size_t n = a.len;
        memcpy(two, a.ptr, a.len);
        struct slice b = pack(codings[i], SLICE("and the second"));
        memcpy(two + n, b.ptr, b.len);
        check_whole(z, codings[i], slice_of(two, n + b.len), slice_str(want));
    }
    inflate_free(z);
}

TEST(inflate_refuses_cut_and_changed_input)
{
    struct inflate *z = inflate_new();
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 20);
    for (int c = INFLATE_GZIP; c < INFLATE_CODINGS; c++) {
        struct slice whole = c == INFLATE_SNAPPY_FRAMED
                                 ? frame(sample(3000), false)
                                 : pack((enum inflate_coding)c, sample(3000));
        for (size_t n = 0; n < whole.len; n += n < 40 ? 1 : 37) {
            bool framed_edge = c == INFLATE_SNAPPY_FRAMED && n == 10;
            int rc = run(z, (enum inflate_coding)c, slice_sub(whole, 0, n), 1 << 20, 0, &out, &err);
            if ((rc == 0) != framed_edge) {
                test_fail(__FILE__, __LINE__, "%s cut at %zu: %d",
                          inflate_coding_name((enum inflate_coding)c), n, rc);
            }
            CHECK_EQ(0, out.len);
        }
        /* a wrong byte is found wherever there is a checksum */
        char *bytes = (char *)(uintptr_t)whole.ptr;
        bytes[whole.len / 2] ^= 0x10;
        int rc = run(z, (enum inflate_coding)c, whole, 1 << 20, 0, &out, &err);
        bool sum = c == INFLATE_GZIP || c == INFLATE_ZLIB || c == INFLATE_SNAPPY_FRAMED;
        CHECK(rc != 0 || !sum);
        buf_clear(&out);
        bytes[whole.len / 2] ^= 0x10;
        /* and something behind the end everywhere */
        bytes[whole.len] = 'x';
        CHECK(run(z, (enum inflate_coding)c, slice_of(bytes, whole.len + 1), 1 << 20, 0, &out,
                  &err) != 0);
        /* the context is good for the next */
        CHECK_OK(run(z, (enum inflate_coding)c, whole, 1 << 20, 0, &out, &err), err);
        buf_clear(&out);
    }
    buf_done(&out);
    inflate_free(z);
}

TEST(inflate_stops_bombs_by_ratio)
{
    struct inflate *z = inflate_new();
    struct err err;
    struct buf out;
    size_t zeros = 32 << 20;
    char *big = mem_zalloc(zeros);
    buf_init(&out, 64 << 20);
    static const enum inflate_coding codings[] = {INFLATE_GZIP, INFLATE_ZLIB, INFLATE_ZSTD,
                                                  INFLATE_LZ4, INFLATE_DEFLATE};
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        struct slice bomb = pack(codings[i], slice_of(big, zeros));
        CHECK_EQ(-ERR_TOO_BIG, run(z, codings[i], bomb, 64 << 20, 100, &out, &err));
        CHECK(out.cap <= 20 << 20);
        CHECK_OK(run(z, codings[i], bomb, 64 << 20, 0, &out, &err), err);
        CHECK_EQ(zeros, out.len);
        buf_clear(&out);
        buf_done(&out);
    }
    /* small outputs are free of the ratio */
    struct slice small = pack(INFLATE_GZIP, slice_of(big, 100000));
    CHECK_OK(run(z, INFLATE_GZIP, small, 64 << 20, 10, &out, &err), err);
    mem_free(big);
    buf_done(&out);
    inflate_free(z);
}

TEST(inflate_does_not_believe_declared_lengths)
{
    struct inflate *z = inflate_new();
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 30);
    /* a snappy block that says 256 MiB in five bytes */
    CHECK_EQ(-ERR_CORRUPT,
             run(z, INFLATE_SNAPPY, slice_of("\x80\x80\x80\x80\x01", 5), 1 << 30, 0, &out, &err));
    /* a gzip member whose trailer lies, upwards and downwards */
    struct slice packed = pack(INFLATE_GZIP, sample(70000));
    char *bytes = (char *)(uintptr_t)packed.ptr;
    memset(bytes + packed.len - 4, 0xff, 4);
    CHECK_EQ(-ERR_CORRUPT, run(z, INFLATE_GZIP, packed, 1 << 30, 0, &out, &err));
    memset(bytes + packed.len - 4, 0, 4);
    CHECK_EQ(-ERR_CORRUPT, run(z, INFLATE_GZIP, packed, 1 << 30, 0, &out, &err));
    CHECK(out.cap < 2 << 20);
    buf_done(&out);
    inflate_free(z);
}

TEST(inflate_zstd_window_has_a_limit)
{
    struct inflate *z = inflate_new();
    struct err err;
    struct buf out;
    buf_init(&out, 64 << 20);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, INFLATE_WINDOW_LOG + 1);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    /* Streaming with an unknown size keeps the large window in the header. */
    static char packed[4096];
    ZSTD_outBuffer to = {packed, sizeof packed, 0};
    ZSTD_inBuffer from = {"some text", 9, 0};
    ZSTD_compressStream2(c, &to, &from, ZSTD_e_flush);
    from = (ZSTD_inBuffer){"", 0, 0};
    CHECK_EQ(0, ZSTD_compressStream2(c, &to, &from, ZSTD_e_end));
    CHECK_EQ(-ERR_LIMIT, run(z, INFLATE_ZSTD, slice_of(packed, to.pos), 64 << 20, 0, &out, &err));
    ZSTD_freeCCtx(c);
    buf_done(&out);
    inflate_free(z);
}

TEST(inflate_names_of_codings)
{
    enum inflate_coding c;
    CHECK(inflate_coding_of(SLICE("GZip"), &c));
    CHECK_EQ(INFLATE_GZIP, c);
    CHECK(inflate_coding_of(SLICE("x-snappy-framed"), &c));
    CHECK_EQ(INFLATE_SNAPPY_FRAMED, c);
    CHECK(!inflate_coding_of(SLICE("br"), &c));
    CHECK(!inflate_coding_of(SLICE(""), &c));
    CHECK_STR("zstd", inflate_coding_name(INFLATE_ZSTD));
}

TEST(inflate_crc32c_is_that_of_the_rfc)
{
    char zeros[32] = {0};
    CHECK_EQ(0xe3069283, crc32c_of(SLICE("123456789")));
    CHECK_EQ(0x8a9136aa, crc32c_of(slice_of(zeros, sizeof zeros)));
}
