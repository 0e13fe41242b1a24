/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus/tail_spec.h"

#include "core/bus/bus_types.h"
#include "tests/test.h"

enum { NOW_MS = 1000000000 };

TEST(tail_from_takes_every_form)
{
    struct tail_from f;
    struct err e;
    CHECK_OK(tail_from_parse(SLICE("start"), NOW_MS, &f, &e), e);
    CHECK_EQ(BUS_FROM_START, f.offset);
    CHECK_OK(tail_from_parse(SLICE("end"), NOW_MS, &f, &e), e);
    CHECK_EQ(BUS_FROM_END, f.offset);
    CHECK_OK(tail_from_parse(SLICE("1200"), NOW_MS, &f, &e), e);
    CHECK_EQ(1200, f.offset);
    CHECK_EQ(TAIL_FROM_OFFSET, f.kind);
    CHECK_OK(tail_from_parse(SLICE("-5m"), NOW_MS, &f, &e), e);
    CHECK_EQ(TAIL_FROM_TIME, f.kind);
    CHECK_EQ(NOW_MS - 300000, f.time_ms);
    CHECK_OK(tail_from_parse(SLICE("2026-08-01T12:34:56Z"), NOW_MS, &f, &e), e);
    CHECK_EQ(INT64_C(1785587696000), f.time_ms);
}

TEST(tail_from_says_what_it_expects)
{
    const char *bad[] = {"",          "-5", "-m",        "5m", "-99999999999999999d",
                         "yesterday", "-1", "2026-01-01"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tail_from f;
        struct err e;
        CHECK_EQ(-ERR_USAGE, tail_from_parse(slice_str(bad[i]), NOW_MS, &f, &e));
        CHECK_HAS("expected start, end", e.msg);
    }
}

TEST(tail_filter_compares)
{
    struct tail_filter f;
    struct err e;
    CHECK_OK(tail_filter_parse(SLICE("service.name = cart"), &f, &e), e);
    CHECK_SLICE("service.name", f.key);
    CHECK(tail_filter_passes(&f, SLICE("cart")) && !tail_filter_passes(&f, SLICE("carts")));
    CHECK(!tail_filter_passes(&f, SLICE_NONE));
    CHECK_OK(tail_filter_parse(SLICE("a!=b=c"), &f, &e), e);
    CHECK_SLICE("b=c", f.value);
    CHECK(tail_filter_passes(&f, SLICE_NONE) && !tail_filter_passes(&f, SLICE("b=c")));
    CHECK_OK(tail_filter_parse(SLICE("body~time"), &f, &e), e);
    CHECK(tail_filter_passes(&f, SLICE("a timeout")) && !tail_filter_passes(&f, SLICE("ok")));
    CHECK_EQ(-ERR_USAGE, tail_filter_parse(SLICE("nothing"), &f, &e));
    CHECK_EQ(-ERR_USAGE, tail_filter_parse(SLICE("=x"), &f, &e));
}
