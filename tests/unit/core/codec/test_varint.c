/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/varint.h"

#include "core/codec/endian.h"
#include "tests/test.h"

static const char *read_at(const char *bytes, size_t n, uint64_t *ret)
{
    return varint_read(bytes, bytes + n, ret);
}

TEST(varint_zigzag_folds_as_avro_says)
{
    CHECK(varint_zigzag(0) == 0 && varint_zigzag(-1) == 1);
    CHECK(varint_zigzag(1) == 2 && varint_zigzag(-64) == 127);
    CHECK(varint_zigzag(INT64_MAX) == UINT64_MAX - 1 && varint_zigzag(INT64_MIN) == UINT64_MAX);
}

TEST(varint_reads_what_it_writes)
{
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        int64_t want = (int64_t)(x >> (i % 64)), got = 0;
        want = i % 2 == 0 ? want : -want;
        char bytes[VARINT_MAX];
        char *end = varint_write_zz(bytes, want);
        CHECK_EQ(varint_size(varint_zigzag(want)), end - bytes);
        CHECK(varint_read_zz(bytes, end, &got) == end);
        CHECK_EQ(want, got);
        for (const char *cut = bytes; cut < end; cut++) {
            CHECK(varint_read_zz(bytes, cut, &got) == NULL);
        }
    }
}

TEST(varint_refuses_more_than_64_bits)
{
    uint64_t v = 7;
    const char *most = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    CHECK(read_at(most, 10, &v) == most + 10 && v == UINT64_MAX);
    v = 7;
    CHECK(read_at("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &v) == NULL);
    CHECK(read_at("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, &v) == NULL);
    CHECK(read_at("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, &v) == NULL);
    CHECK(v == 7);
    /* Longer than needed, but the same number. */
    CHECK(read_at("\x85\x80\x00", 3, &v) != NULL && v == 5);
}

TEST(endian_is_independent_of_the_machine)
{
    unsigned char b[8];
    endian_put_be64(b, 0x0102030405060708u);
    CHECK(b[0] == 1 && b[7] == 8 && endian_be64(b) == 0x0102030405060708u);
    CHECK(endian_le64(b) == 0x0807060504030201u);
    CHECK(endian_be32(b) == 0x01020304u && endian_be16(b) == 0x0102u);
    endian_put_le64(b, 1);
    CHECK(b[0] == 1 && b[7] == 0);
    /* The stale marker of Prometheus is a signalling NaN: it must pass bit by bit. */
    CHECK(endian_bits(endian_double(0x7ff0000000000002u)) == 0x7ff0000000000002u);
}
