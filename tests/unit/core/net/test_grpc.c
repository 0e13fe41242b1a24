/* SPDX-License-Identifier: Apache-2.0
 *
 * The small codings of gRPC, and the tables of statuses and reasons.
 */
#include "core/net/grpc.h"

#include "core/base/clock.h"
#include "tests/test.h"

TEST(grpc_timeouts_are_read_and_written)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"1n", 1},
                {"100u", 100000},
                {"5m", 5 * CLOCK_NS_PER_MS},
                {"10S", 10 * CLOCK_NS_PER_S},
                {"2M", 120 * CLOCK_NS_PER_S},
                {"1H", 3600 * CLOCK_NS_PER_S},
                {"99999999H", INT64_MAX},
                {"0S", 0}};
    static const char *const bad[] = {"",     "S",          "5",   "5s",  "-1S", "+1S",
                                      "1.5S", "999999999n", " 1S", "1 S", "0x1S"};
    char out[16];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ns = -1;
        CHECK(grpc_timeout_parse(slice_str(good[i].text), &ns));
        CHECK_EQ(good[i].ns, ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns = -1;
        CHECK(!grpc_timeout_parse(slice_str(bad[i]), &ns));
        CHECK_EQ(-1, ns);
    }
    CHECK_STR("99999999n", grpc_timeout_text(99999999, out));
    CHECK_STR("100000u", grpc_timeout_text(100000000, out));
    CHECK_STR("100001u", grpc_timeout_text(100000001, out)); /* rounds up */
    CHECK_STR("3600000m", grpc_timeout_text(3600 * CLOCK_NS_PER_S, out));
    CHECK_STR("2562048H", grpc_timeout_text(INT64_MAX, out));
}

TEST(grpc_messages_travel_percent_encoded)
{
    struct buf b, back;
    buf_init(&b, 1000);
    buf_init(&back, 1000);
    grpc_percent_put(&b, SLICE("50% of \xc3\xa4\nx~"));
    CHECK_SLICE("50%25 of %C3%A4%0Ax~", buf_slice(&b));
    grpc_percent_get(&back, buf_slice(&b));
    CHECK_SLICE("50% of \xc3\xa4\nx~", buf_slice(&back));
    buf_clear(&back);
    grpc_percent_get(&back, SLICE("%c3%zz%4%"));
    CHECK_SLICE("\xc3%zz%4%", buf_slice(&back));
    buf_done(&b);
    buf_done(&back);
}

TEST(grpc_details_go_there_and_back)
{
    struct buf b;
    struct err err;
    struct grpc_details d = {GRPC_UNAVAILABLE, SLICE("later"), 1500 * CLOCK_NS_PER_MS, SLICE_NONE,
                             SLICE_NONE},
                        got;
    buf_init(&b, 1000);
    grpc_details_put(&b, &d);
    CHECK_OK(grpc_details_get(buf_slice(&b), &got, &err), err);
    CHECK_EQ(GRPC_UNAVAILABLE, got.status);
    CHECK_SLICE("later", got.message);
    CHECK_EQ(1500 * CLOCK_NS_PER_MS, got.retry_ns);
    CHECK(got.bad_reason.ptr == NULL);
    buf_clear(&b);
    d = (struct grpc_details){GRPC_INVALID_ARGUMENT, SLICE("no"), -1, SLICE("spans[3].id"),
                              SLICE("7 bytes, 8 are needed")};
    grpc_details_put(&b, &d);
    CHECK_OK(grpc_details_get(buf_slice(&b), &got, &err), err);
    CHECK_EQ(-1, got.retry_ns);
    CHECK_SLICE("spans[3].id", got.bad_field);
    CHECK_SLICE("7 bytes, 8 are needed", got.bad_reason);
    for (size_t n = 1; n < b.len; n++) {
        struct slice cut = slice_sub(buf_slice(&b), 0, n);
        int rc = grpc_details_get(cut, &got, &err);
        CHECK(rc == 0 || rc == -ERR_TRUNCATED || rc == -ERR_CORRUPT);
    }
    buf_clear(&b);
    d.retry_ns = 0;
    grpc_details_put(&b, &d);
    CHECK_OK(grpc_details_get(buf_slice(&b), &got, &err), err);
    CHECK_EQ(0, got.retry_ns);
    buf_done(&b);
}

TEST(grpc_tables_have_names_and_docs)
{
    char name[GRPC_REASON_BYTES];
    for (int i = 0; i < GRPC_REASON_COUNT; i++) {
        enum grpc_reason r = (enum grpc_reason)i;
        CHECK(grpc_reason_name(r, name)[0] != '\0' && strlen(name) < GRPC_REASON_BYTES - 1);
        CHECK(grpc_reason_doc(r)[0] != '\0');
        CHECK(grpc_reason_status(r) < GRPC_STATUS_COUNT);
        /* What may succeed later says so: never INTERNAL or UNKNOWN for an overload. */
        CHECK(grpc_reason_http(r) == 0 || grpc_reason_http(r) >= 200);
    }
    CHECK_STR("continuation_flood", grpc_reason_name(GRPC_REASON_CONTINUATION_FLOOD, name));
    CHECK_STR("UNAVAILABLE", grpc_status_name(14));
    CHECK_STR("?", grpc_status_name(17));
    CHECK_STR("?", grpc_status_name(-1));
}
