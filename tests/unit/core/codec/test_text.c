/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/text.h"

#include "tests/test.h"

static void check_base64(const char *text, const char *bytes)
{
    struct buf b;
    char back[64];
    buf_init(&b, 1000);
    CHECK(text_put_base64(&b, slice_str(bytes)));
    CHECK_SLICE(text, buf_slice(&b));
    int64_t n = text_get_base64(buf_slice(&b), back, sizeof back);
    CHECK_SLICE(bytes, slice_of(back, (size_t)n));
    buf_done(&b);
}

TEST(text_base64_is_that_of_the_rfc)
{
    check_base64("", "");
    check_base64("Zg==", "f");
    check_base64("Zm8=", "fo");
    check_base64("Zm9v", "foo");
    check_base64("Zm9vYg==", "foob");
    check_base64("Zm9vYmFy", "foobar");
    check_base64("+/8=", "\xfb\xff");
}

TEST(text_base64_refuses_what_it_would_not_write)
{
    char out[8];
    static const char *const bad[] = {
        "Z", "Zg=", "Zh==", "Zm9=", "Z m8", "Zg==Zg==", "====", "Zm9v*"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(-1, text_get_base64(slice_str(bad[i]), out, sizeof out));
    }
    CHECK_EQ(1, text_get_base64(SLICE("Zg"), out, sizeof out)); /* padding left out */
    CHECK_EQ(-1, text_get_base64(SLICE("Zm9vYmFy"), out, 5));
}

TEST(text_hex_goes_both_ways)
{
    struct buf b;
    char out[8];
    buf_init(&b, 1000);
    CHECK(text_put_hex(&b, slice_of("\x00\xab\xff", 3)));
    CHECK_SLICE("00abff", buf_slice(&b));
    CHECK_EQ(3, text_get_hex(SLICE("00ABff"), out, sizeof out));
    CHECK(memcmp(out, "\x00\xab\xff", 3) == 0);
    CHECK_EQ(-1, text_get_hex(SLICE("0"), out, sizeof out));
    CHECK_EQ(-1, text_get_hex(SLICE("0g"), out, sizeof out));
    CHECK_EQ(-1, text_get_hex(SLICE("@a"), out, sizeof out));
    CHECK_EQ(-1, text_get_hex(SLICE("0011"), out, 1));
    buf_done(&b);
}
