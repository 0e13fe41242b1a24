/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/clock.h"
#include "loadgen/report.h"
#include "tests/test.h"

TEST(report_quantiles_are_within_three_percent)
{
    static struct report_hist h;
    for (int64_t i = 1; i <= 100000; i++) {
        report_hist_add(&h, i * 1000);
    }
    static const double qs[] = {0.001, 0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < ARRAY_LEN(qs); i++) {
        double want = qs[i] * 1e8, got = (double)report_hist_quantile(&h, qs[i]);
        CHECK(got >= want * 0.99 && got <= want * 1.04);
    }
    CHECK_EQ(100000000, report_hist_quantile(&h, 1));
    CHECK_EQ(100000000, h.max);
}

TEST(report_hist_takes_anything)
{
    static struct report_hist h, none;
    static const int64_t values[] = {-5, 0, 1, 31, 32, 33, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        report_hist_add(&h, values[i]);
    }
    CHECK_EQ(7, h.n);
    CHECK_EQ(INT64_MAX, h.max);
    CHECK_EQ(31, report_hist_quantile(&h, 0.5));
    CHECK_EQ(0, report_hist_quantile(&none, 0.5));
}

static void fill(struct report *r)
{
    report_init(r, 0);
    report_made(r, SIGNAL_SPANS, 100, 5000);
    report_sent(r, false);
    report_again(r, true, 2 * CLOCK_NS_PER_S);
    report_again(r, true, -1);
    report_again(r, false, -1);
    report_sent(r, true);
    report_taken(r, SIGNAL_SPANS, 98, 2, 3 * CLOCK_NS_PER_MS, 5 * CLOCK_NS_PER_MS);
}

static void write_report(char *to, size_t size, bool json)
{
    static struct report r;
    fill(&r);
    FILE *f = fmemopen(to, size, "w");
    struct report_end at = {.now_ns = CLOCK_NS_PER_S, .complaint = "503 later", .sends = true};
    report_line(&r, &at, json, f);
    report_summary(&r, &at, json, f);
    fclose(f);
}

TEST(report_says_what_happened)
{
    char text[8192] = "";
    write_report(text, sizeof text, false);
    CHECK_HAS(
        "    1 s  spans 100/s  logs 0/s  metrics 0/s  | acknowledged 98/s  rejected 2  put off 3",
        text);
    CHECK_HAS("(503 later)", text);
    CHECK_HAS("100 made, 98 acknowledged", text);
    CHECK_HAS("2 tries, 1 of them repeated, 3 put off (1 without a delay), 1 without an answer",
              text);
    CHECK_HAS("2 rejected, 0 refused, 0 requests unacknowledged", text);
    write_report(text, sizeof text, true);
    CHECK_HAS("\"made\":{\"spans\":100,\"logs\":0,\"metrics\":0},\"acknowledged\":{\"spans\":98,",
              text);
    CHECK_HAS("\"from_due\":{\"least_ms\":5.000,\"p50_ms\":5.000", text);
    CHECK_HAS("\"put_off\":3,\"unanswered\":1,\"undirected\":1,", text);
    CHECK_HAS("\"asked_delay\":{\"least_ms\":2000.000,", text);
    CHECK_HAS("\"unacknowledged_requests\":0}", text);
}
