/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers, byte by byte in protobuf and as text in JSON.
 */
#include "core/codec/pbwire.h"
#include "core/codec/text.h"
#include "ingest/otlp_resp.h"
#include "tests/test.h"

enum { MIB = 1024 * 1024 };

static struct otlp_result some(void)
{
    struct otlp_result r = {.items = 10, .rejected = 3};
    r.reasons[OTLP_REASON_TRACE_ID] = 2;
    r.reasons[OTLP_REASON_TOO_BIG] = 1;
    return r;
}

#define SENTENCE(noun)                                                                             \
    "3 of 10 " noun " rejected: 2 because trace_id is not 16 bytes or all zero; 1 because the "    \
    "item is larger than one record of the log may be"

TEST(otlp_resp_full_success_has_no_partial_success)
{
    struct otlp_result all = {.items = 5, .events = 5};
    struct buf b;
    buf_init(&b, MIB);
    for (int signal = OTLP_TRACES; signal <= OTLP_LOGS; signal++) {
        buf_clear(&b);
        CHECK(otlp_resp_success(&b, (enum otlp_signal)signal, OTLP_PROTOBUF, &all));
        CHECK_EQ(0, b.len);
        CHECK(otlp_resp_success(&b, (enum otlp_signal)signal, OTLP_JSON, &all));
        CHECK_SLICE("{}", buf_slice(&b));
    }
    buf_done(&b);
}

TEST(otlp_resp_partial_success_in_both_forms)
{
    static const char *const json[] = {
        "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"" SENTENCE("spans") "\"}}",
        "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"" SENTENCE(
            "data points") "\"}}",
        "{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"" SENTENCE(
            "log records") "\"}}"};
    struct otlp_result r = some();
    struct buf b;
    buf_init(&b, MIB);
    for (int signal = OTLP_TRACES; signal <= OTLP_LOGS; signal++) {
        buf_clear(&b);
        CHECK(otlp_resp_success(&b, (enum otlp_signal)signal, OTLP_JSON, &r));
        CHECK_SLICE(json[signal], buf_slice(&b));
    }
    buf_clear(&b);
    CHECK(otlp_resp_success(&b, OTLP_TRACES, OTLP_PROTOBUF, &r));
    struct pbwire response = pbwire_of(buf_slice(&b));
    struct pbwire_field f;
    CHECK(pbwire_next(&response, &f) && f.tag == PBWIRE_TAG(1, PBWIRE_LEN));
    struct pbwire partial = pbwire_of(f.bytes);
    CHECK(!pbwire_next(&response, &f) && !pbwire_bad(&response));
    CHECK(pbwire_next(&partial, &f) && f.tag == PBWIRE_TAG(1, PBWIRE_VARINT));
    CHECK_EQ(3, f.value);
    CHECK(pbwire_next(&partial, &f) && f.tag == PBWIRE_TAG(2, PBWIRE_LEN));
    CHECK_SLICE(SENTENCE("spans"), f.bytes);
    CHECK(!pbwire_next(&partial, &f) && !pbwire_bad(&partial));
    buf_done(&b);
}

TEST(otlp_resp_status_with_retry_info)
{
    struct buf b, hex;
    buf_init(&b, MIB);
    buf_init(&hex, MIB);
    CHECK(otlp_resp_status(&b, OTLP_JSON, 14, SLICE("busy \"now\"\xff"), 1500000000));
    CHECK_SLICE("{\"code\":14,\"message\":\"busy \\\"now\\\"\xef\xbf\xbd\",\"details\":[{\"@type\":"
                "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.500000000s\"}]}",
                buf_slice(&b));
    buf_clear(&b);
    CHECK(otlp_resp_status(&b, OTLP_JSON, 3, SLICE("bad"), 0));
    CHECK_SLICE("{\"code\":3,\"message\":\"bad\"}", buf_slice(&b));
    buf_clear(&b);
    CHECK(otlp_resp_status(&b, OTLP_PROTOBUF, 14, SLICE("busy"), 2000000005));
    text_put_hex(&hex, buf_slice(&b));
    CHECK_SLICE("080e1204627573791a320a28747970652e676f6f676c65617069732e636f6d2f676f6f676c652e7270"
                "632e5265747279496e666f12060a0408021005",
                buf_slice(&hex));
    buf_clear(&b);
    CHECK(otlp_resp_status(&b, OTLP_PROTOBUF, 3, SLICE(""), 0));
    CHECK_SLICE("\x08\x03", buf_slice(&b));
    buf_done(&b);
    buf_done(&hex);
}

TEST(otlp_resp_says_when_the_buffer_is_too_small)
{
    struct otlp_result r = some();
    struct buf b;
    buf_init(&b, 16);
    CHECK(!otlp_resp_success(&b, OTLP_TRACES, OTLP_PROTOBUF, &r));
    buf_clear(&b);
    CHECK(!otlp_resp_status(&b, OTLP_JSON, 14, SLICE("a message of some length"), 0));
    buf_done(&b);
}

TEST(otlp_reasons_and_notices_have_labels)
{
    for (int i = 0; i < OTLP_REASON_COUNT; i++) {
        CHECK(otlp_reason_label((enum otlp_reason)i)[0] != '\0');
        CHECK(otlp_reason_doc((enum otlp_reason)i)[0] != '\0');
    }
    for (int i = 0; i < OTLP_NOTICE_COUNT; i++) {
        CHECK(otlp_notice_label((enum otlp_notice)i)[0] != '\0');
    }
}
