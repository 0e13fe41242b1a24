/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/pbwire.h"

#include "core/codec/pbwrite.h"
#include "tests/test.h"

static struct slice bytes_of(const char *hex, char out[64])
{
    size_t n = 0;
    unsigned v = 0, digits = 0;
    for (const char *p = hex; *p != '\0'; p++) {
        if (*p != ' ') {
            v = v << 4 | (unsigned)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
            if (++digits % 2 == 0) {
                out[n++] = (char)v;
            }
        }
    }
    return slice_of(out, n);
}

TEST(pbwire_reads_one_field_of_each_type)
{
    /* 1: varint 150; 2: "testing"; 3: fixed32; 4: fixed64; 16: varint 1 (two-byte tag) */
    char b[64];
    struct pbwire r = pbwire_of(bytes_of("08 9601 12 07 74657374696e67 1d 01020304"
                                         "21 0102030405060708 8001 01",
                                         b));
    struct pbwire_field f;
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(PBWIRE_TAG(1, PBWIRE_VARINT), f.tag);
    CHECK_EQ(150, f.value);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(PBWIRE_TAG(2, PBWIRE_LEN), f.tag);
    CHECK_SLICE("testing", f.bytes);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(PBWIRE_TAG(3, PBWIRE_I32), f.tag);
    CHECK_EQ(0x04030201, f.value);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(PBWIRE_TAG(4, PBWIRE_I64), f.tag);
    CHECK_EQ(0x0807060504030201, f.value);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(16, pbwire_number(&f));
    CHECK_EQ(1, f.value);
    CHECK(!pbwire_next(&r, &f));
    CHECK(!pbwire_bad(&r));
    CHECK(!pbwire_next(&r, &f));
}

TEST(pbwire_reads_the_whole_range)
{
    char b[64];
    struct pbwire_field f;
    struct pbwire r = pbwire_of(bytes_of("f8ffffff0f ffffffffffffffffff01", b));
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ((1 << 29) - 1, pbwire_number(&f));
    CHECK_EQ(-1, (int64_t)f.value);
    r = pbwire_of(bytes_of("0a 00", b));
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(0, f.bytes.len);
    r = pbwire_of(SLICE_NONE);
    CHECK(!pbwire_next(&r, &f) && !pbwire_bad(&r));
    CHECK_EQ(-2, pbwire_sint(3));
    CHECK(pbwire_double(0x3ff0000000000000) == 1.0);
}

TEST(pbwire_refuses_what_is_no_message)
{
    static const struct {
        const char *hex, *why;
        int code;
    } bad[] = {
        {"08", "ends inside", ERR_TRUNCATED},
        {"08 80", "ends inside", ERR_TRUNCATED},
        {"80", "ends inside", ERR_TRUNCATED},
        {"0a 02 41", "ends inside", ERR_TRUNCATED},
        {"0a ffffffffffffffffff01", "ends inside", ERR_TRUNCATED},
        {"09 01020304050607", "ends inside", ERR_TRUNCATED},
        {"0d 010203", "ends inside", ERR_TRUNCATED},
        {"08 ffffffffffffffffff02", "64 bits", ERR_CORRUPT},
        {"08 ffffffffffffffffffff01", "64 bits", ERR_CORRUPT},
        {"00 01", "field number", ERR_CORRUPT},
        {"02 00", "field number", ERR_CORRUPT},
        {"8080808010 01", "field number", ERR_CORRUPT},
        {"0b 0c", "group", ERR_CORRUPT},
        {"0c", "group", ERR_CORRUPT},
        {"0e 01", "wire type", ERR_CORRUPT},
        {"0f 01", "wire type", ERR_CORRUPT},
        {"12 01 41 08 01 0a 05 41", "byte 6", ERR_TRUNCATED},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char b[64];
        struct err err;
        struct pbwire r = pbwire_of(bytes_of(bad[i].hex, b));
        struct pbwire_field f;
        while (pbwire_next(&r, &f)) {
        }
        if (!pbwire_bad(&r)) {
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i].hex);
        }
        CHECK_EQ(-bad[i].code, pbwire_error(&r, &err));
        CHECK_HAS(bad[i].why, err.msg);
        CHECK(!pbwire_next(&r, &f));
    }
}

TEST(pbwire_reads_packed_numbers)
{
    char b[64];
    struct slice rest = bytes_of("00 01 9601 ffffffffffffffffff01", b);
    uint64_t v = 9;
    CHECK_EQ(4, pbwire_packed_count(rest));
    CHECK(pbwire_packed(&rest, &v));
    CHECK_EQ(0, v);
    CHECK(pbwire_packed(&rest, &v) && pbwire_packed(&rest, &v));
    CHECK_EQ(150, v);
    CHECK(pbwire_packed(&rest, &v));
    CHECK_EQ(-1, (int64_t)v);
    CHECK(!pbwire_packed(&rest, &v));
    CHECK_EQ(0, rest.len);
    rest = bytes_of("01 80", b);
    CHECK(pbwire_packed(&rest, &v));
    CHECK(!pbwire_packed(&rest, &v));
    CHECK_EQ(1, rest.len);
}

/* Against the writer: what one writes the other reads. */
TEST(pbwire_reads_what_pbwrite_writes)
{
    struct buf b;
    buf_init(&b, 100000);
    char big[300] = {0};
    pbwrite_varint(&b, 1, UINT64_MAX);
    pbwrite_fixed64(&b, 2, 7);
    pbwrite_fixed32(&b, 3, 0x80000001u);
    size_t outer = pbwrite_open(&b, 4);
    size_t inner = pbwrite_open(&b, 5);
    pbwrite_string(&b, 6, slice_of(big, sizeof big));
    pbwrite_close(&b, inner);
    pbwrite_close(&b, outer);
    pbwrite_string(&b, 7, SLICE_NONE);
    CHECK(!buf_failed(&b));

    struct pbwire r = pbwire_of(buf_slice(&b));
    struct pbwire_field f;
    CHECK(pbwire_next(&r, &f));
    CHECK(f.value == UINT64_MAX);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(7, f.value);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(0x80000001u, f.value);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(4, pbwire_number(&f));
    struct pbwire_field g;
    struct pbwire nested = pbwire_of(f.bytes);
    CHECK(pbwire_next(&nested, &g));
    CHECK_EQ(5, pbwire_number(&g));
    nested = pbwire_of(g.bytes);
    CHECK(pbwire_next(&nested, &g));
    CHECK_EQ(sizeof big, g.bytes.len);
    CHECK(pbwire_next(&r, &f));
    CHECK_EQ(0, f.bytes.len);
    CHECK(!pbwire_next(&r, &f) && !pbwire_bad(&r));
    buf_done(&b);
}
