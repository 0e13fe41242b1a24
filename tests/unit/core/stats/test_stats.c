/* SPDX-License-Identifier: Apache-2.0 */
#include "core/stats/stats.h"

#include "tests/test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const struct stats_row replies = {"kaiju_test_replies_total", STATS_COUNTER, "Replies.",
                                         {"protocol", "state"},      NULL,          0};
static const struct stats_row level = {"kaiju_test_level", STATS_GAUGE, "Level.", {NULL}, NULL, 0};
static const double bounds[] = {0.1, 1, 10};
static const struct stats_row wait = {
    "kaiju_test_wait_seconds", STATS_HISTOGRAM, "Wait.", {"who"}, bounds, ARRAY_LEN(bounds)};

static const char *text_of(struct stats *s)
{
    static struct buf b;
    buf_done(&b);
    buf_init(&b, 1 << 20);
    stats_write(s, &b);
    return buf_cstr(&b);
}

TEST(stats_writes_prometheus_text)
{
    struct stats *s = stats_new();
    const struct slice ok[] = {SLICE("otlp"), SLICE("ok")},
                       odd[] = {SLICE("a\"b\\c\nd"), SLICE("")};
    stats_add(stats_series(stats_family(s, &replies), ok), 3);
    stats_add(stats_series(stats_family(s, &replies), odd), 1);
    stats_add(stats_series(stats_family(s, &replies), ok), 4);
    stats_set(stats_single(s, &level), -1.5);
    const char *text = text_of(s);
    CHECK_HAS("# HELP kaiju_test_replies_total Replies.\n# TYPE kaiju_test_replies_total counter\n"
              "kaiju_test_replies_total{protocol=\"otlp\",state=\"ok\"} 7\n"
              "kaiju_test_replies_total{protocol=\"a\\\"b\\\\c\\nd\",state=\"\"} 1\n",
              text);
    CHECK_HAS("# TYPE kaiju_test_level gauge\nkaiju_test_level -1.5\n", text);
    stats_free(s);
}

static void read_two_rows(struct stats_scrape *scrape, void *arg)
{
    static const struct stats_row first = {
        .name = "t_first", .kind = STATS_GAUGE, .help = "x", .labels = {"who"}};
    static const struct stats_row second = {
        .name = "t_second", .kind = STATS_GAUGE, .help = "y", .labels = {"who"}};
    struct slice who = slice_str(arg);
    stats_read(scrape, &first, &who, 1);
    stats_read(scrape, &second, &who, 2);
}

TEST(stats_keeps_the_lines_of_a_row_together_over_readers)
{
    char a[] = "a", b[] = "b";
    struct stats *s = stats_new();
    stats_reader(s, read_two_rows, a);
    stats_reader(s, read_two_rows, b);
    struct buf out;
    buf_init(&out, 1 << 16);
    stats_write(s, &out);
    CHECK_HAS("# HELP t_first x\n# TYPE t_first gauge\nt_first{who=\"a\"} 1\nt_first{who=\"b\"} 1\n"
              "# HELP t_second y\n# TYPE t_second gauge\nt_second{who=\"a\"} 2\n",
              buf_cstr(&out));
    stats_reader_remove(s, a);
    stats_reader_remove(s, b);
    buf_clear(&out);
    stats_write(s, &out);
    CHECK(strstr(buf_cstr(&out), "t_first") == NULL);
    buf_done(&out);
    stats_free(s);
}

TEST(stats_histograms_are_cumulative_and_have_quantiles)
{
    struct stats *s = stats_new();
    const struct slice who = SLICE("x");
    struct stats_series *h = stats_series(stats_family(s, &wait), &who);
    CHECK(isnan(stats_quantile(h, 0.5)));
    for (int i = 0; i < 98; i++) {
        stats_observe(h, 0.5);
    }
    stats_observe(h, 0.1);
    stats_observe(h, 100);
    const char *text = text_of(s);
    CHECK_HAS("kaiju_test_wait_seconds_bucket{who=\"x\",le=\"0.1\"} 1\n", text);
    CHECK_HAS("kaiju_test_wait_seconds_bucket{who=\"x\",le=\"1\"} 99\n", text);
    CHECK_HAS("kaiju_test_wait_seconds_bucket{who=\"x\",le=\"10\"} 99\n", text);
    CHECK_HAS("kaiju_test_wait_seconds_bucket{who=\"x\",le=\"+Inf\"} 100\n", text);
    CHECK_HAS("kaiju_test_wait_seconds_count{who=\"x\"} 100\n", text);
    CHECK(stats_quantile(h, 0.5) > 0.1 && stats_quantile(h, 0.5) < 1);
    CHECK(stats_quantile(h, 1) == 10);
    stats_free(s);
}

TEST(stats_limits_the_series_of_a_family)
{
    struct stats *s = stats_new();
    char name[32];
    for (int i = 0; i < STATS_SERIES_MAX + 50; i++) {
        snprintf(name, sizeof name, "client-%d", i);
        const struct slice values[] = {slice_str(name), SLICE("ok")};
        stats_add(stats_series(stats_family(s, &replies), values), 1);
    }
    const char *text = text_of(s);
    CHECK_HAS("kaiju_test_replies_total{protocol=\"other\",state=\"other\"} 50\n", text);
    CHECK_HAS("kaiju_stats_series_refused_total 50\n", text);
    stats_free(s);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *hammer(void *arg)
{
    struct stats *s = arg;
    const struct slice values[] = {SLICE("t"), SLICE("ok")}, who = SLICE("t");
    for (int i = 0; i < ROUNDS; i++) {
        stats_add(stats_series(stats_family(s, &replies), values), 1);
        stats_observe(stats_series(stats_family(s, &wait), &who), 1);
    }
    return NULL;
}

TEST(stats_counts_exactly_from_many_threads)
{
    struct stats *s = stats_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(0, pthread_create(&threads[i], NULL, hammer, s));
    }
    text_of(s);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_HAS("state=\"ok\"} 80000\n", text_of(s));
    CHECK_HAS("kaiju_test_wait_seconds_sum{who=\"t\"} 80000\n", text_of(s));
    stats_free(s);
}

/* Every line is a comment or `name{labels} number`; every name has HELP and TYPE before it. */
static void check_format(char *text)
{
    char *save = NULL, family[128] = "";
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            CHECK_EQ(1, sscanf(line + 7, "%127s", family));
        } else if (line[0] != '#') {
            char *space = strrchr(line, ' '), *end;
            CHECK(space != NULL);
            CHECK(strncmp(line, family, strlen(family)) == 0);
            double v = strtod(space + 1, &end);
            CHECK(*end == '\0' && !isnan(v));
        }
    }
}

TEST(stats_process_tells_of_itself)
{
    struct stats *s = stats_new();
    stats_process(s, "1.2.3");
    const char *text = text_of(s);
    CHECK_HAS("kaiju_build_info{version=\"1.2.3\"} 1\n", text);
    CHECK_HAS("# TYPE process_cpu_seconds_total counter\n", text);
    const char *anon = strstr(text, "\nkaiju_process_rss_anon_bytes ");
    CHECK(anon != NULL && strtod(anon + 30, NULL) > 10000);
    check_format((char *)(uintptr_t)text);
    stats_free(s);
}

TEST(stats_rows_are_checked)
{
    struct err e;
    struct stats_row bad = {"kaiju_x", STATS_COUNTER, "x", {NULL}, NULL, 0};
    CHECK_EQ(-ERR_USAGE, stats_row_check(&bad, &e));
    bad = (struct stats_row){"kaiju_x_ms", STATS_GAUGE, "x", {NULL}, NULL, 0};
    CHECK_EQ(-ERR_USAGE, stats_row_check(&bad, &e));
    bad = (struct stats_row){"kaiju_x", STATS_GAUGE, "", {NULL}, NULL, 0};
    CHECK_EQ(-ERR_USAGE, stats_row_check(&bad, &e));
    bad = (struct stats_row){"kaiju_X", STATS_GAUGE, "x", {NULL}, NULL, 0};
    CHECK_EQ(-ERR_USAGE, stats_row_check(&bad, &e));
    CHECK_EQ(0, stats_row_check(&replies, &e));
}
