/* SPDX-License-Identifier: Apache-2.0
 *
 * What is put is what is read: keys, values, headers, partitions, time, order, sizes.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

TEST(write_keys_and_values_come_back_as_they_were)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    const struct slice parts[] = {SLICE("text"), SLICE("\0a\0\xff\0"), SLICE(""), SLICE_NONE};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t j = 0; j < ARRAY_LEN(parts); j++) {
            struct bus_put put = {.to = tp, .key = parts[i], .value = parts[j]};
            suite_put_it(a, w, &put);
        }
    }
    (void)suite_commit(a, w);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 16);
    for (size_t i = 0; i < 16; i++) {
        struct slice key = parts[i / 4], value = parts[i % 4];
        CHECK(slice_eq(key, log->recs[i].key) && slice_eq(value, log->recs[i].value));
        CHECK_EQ(key.ptr == NULL, log->recs[i].key.ptr == NULL);
        CHECK_EQ(value.ptr == NULL, log->recs[i].value.ptr == NULL);
        CHECK_EQ(0, log->recs[i].header_count);
    }
    suite_end(&s);
}

TEST(write_headers_come_back_in_order)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct bus_header headers[BUS_HEADERS_MAX];
    char names[BUS_HEADERS_MAX][8];
    for (int i = 0; i < BUS_HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "h%d", i % 5); /* names may repeat */
        headers[i].name = slice_str(names[i]);
        headers[i].value = i % 3 == 0   ? SLICE("")
                           : i % 3 == 1 ? SLICE("\0nul\0")
                                        : slice_str(names[i]);
    }
    for (uint32_t n = 0; n <= BUS_HEADERS_MAX; n += 8) {
        struct bus_put put = {.to = tp,
                              .key = SLICE("k"),
                              .value = SLICE("v"),
                              .headers = headers,
                              .header_count = n};
        suite_put_it(a, w, &put);
    }
    (void)suite_commit(a, w);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 5);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQ(i * 8, log->recs[i].header_count);
        for (uint32_t j = 0; j < i * 8; j++) {
            CHECK(slice_eq(headers[j].name, log->recs[i].headers[j].name));
            CHECK(slice_eq(headers[j].value, log->recs[i].headers[j].value));
        }
    }
    suite_end(&s);
}

TEST(write_goes_to_the_partition_named)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 7, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    for (uint32_t p = 0; p < 7; p++) {
        char value[8];
        snprintf(value, sizeof value, "%u", p);
        suite_put(a, w, suite_part(tp, p), "same key", value);
    }
    (void)suite_commit(a, w);
    for (uint32_t p = 0; p < 7; p++) {
        char value[8];
        snprintf(value, sizeof value, "%u", p);
        CHECK_STR(value, suite_values(a, suite_read(a, suite_part(tp, p), BUS_FROM_START, 1)));
    }
    suite_end(&s);
}

TEST(write_record_time_is_the_time_of_the_append)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    int64_t times[6];
    for (int i = 0; i < 3; i++) {
        times[2 * i] = clock_wall(bus_clock(a->c)) / CLOCK_NS_PER_MS;
        suite_put(a, w, tp, "k", "v");
        (void)suite_commit(a, w);
        times[2 * i + 1] = clock_wall(bus_clock(a->c)) / CLOCK_NS_PER_MS;
        suite_sleep(a, 30 * CLOCK_NS_PER_MS);
    }
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(log->recs[i].time_ms >= times[2 * i]);
        CHECK(log->recs[i].time_ms <= times[2 * i + 1]);
    }
    suite_end(&s);
}

TEST(write_order_of_puts_is_order_of_offsets)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    enum { N = 500 };
    for (int i = 0; i < N; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        suite_put(a, w, suite_part(tp, (uint32_t)(i % 3 == 0)), NULL, value);
        if (i % 50 == 49) {
            (void)suite_commit(a, w);
        }
    }
    size_t counts[2] = {N - (N + 2) / 3, (N + 2) / 3};
    for (uint32_t p = 0; p < 2; p++) {
        struct suite_log *log = suite_read(a, suite_part(tp, p), BUS_FROM_START, counts[p]);
        int64_t last = -1;
        for (size_t i = 0; i < log->count; i++) {
            int64_t n;
            CHECK(slice_to_i64(log->recs[i].value, &n));
            CHECK(n > last && (n % 3 == 0) == (p == 1));
            last = n;
        }
    }
    suite_end(&s);
}

TEST(write_the_largest_record_and_not_a_byte_more)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct bus_header h = {SLICE("name"), SLICE("value")};
    size_t room = BUS_RECORD_MAX - 9 - 3;
    struct slice big = suite_bytes(a, room + 1, 42);
    struct bus_put put = {
        .to = tp, .key = SLICE("key"), .value = big, .headers = &h, .header_count = 1};
    struct err err;
    CHECK_EQ(-ERR_TOO_BIG, bus_put(w, &put, &err));
    put.value.len = room;
    suite_put_it(a, w, &put);
    struct bus_header many[BUS_HEADERS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = h;
    }
    struct bus_put crowded = {
        .to = tp, .value = SLICE("v"), .headers = many, .header_count = BUS_HEADERS_MAX + 1};
    CHECK_EQ(-ERR_TOO_BIG, bus_put(w, &crowded, &err));
    (void)suite_commit(a, w);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 1);
    CHECK(slice_eq(put.value, log->recs[0].value));
    CHECK_SLICE("value", log->recs[0].headers[0].value);
    suite_end(&s);
}

TEST(write_many_big_records)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    enum { N = 12, BYTES = 1000 * 1000 };
    struct slice values[N];
    for (uint32_t i = 0; i < N; i++) {
        values[i] = suite_bytes(a, BYTES, i + 1);
        struct bus_put put = {.to = suite_part(tp, i % 2), .value = values[i]};
        suite_put_it(a, w, &put);
    }
    (void)suite_commit(a, w);
    for (uint32_t p = 0; p < 2; p++) {
        struct suite_log *log = suite_read(a, suite_part(tp, p), BUS_FROM_START, N / 2);
        for (uint32_t i = 0; i < N / 2; i++) {
            CHECK(slice_eq(values[2 * i + p], log->recs[i].value));
        }
    }
    suite_end(&s);
}

TEST(write_thousands_of_small_records)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    int n = (int)(50 * suite_hooks.scale);
    for (int i = 0; i < n; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        suite_put(a, w, tp, NULL, value);
        if (i % 1000 == 999) {
            (void)suite_commit(a, w);
        }
    }
    (void)suite_commit(a, w);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, (size_t)n);
    for (int i = 0; i < n; i++) {
        int64_t got = -1;
        CHECK(slice_to_i64(log->recs[i].value, &got));
        CHECK_EQ(i, got);
    }
    suite_end(&s);
}

TEST(write_the_put_is_copied_before_it_returns)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot"), *plain = suite_open(a, "");
    char key[4] = "key", value[6] = "value", name[5] = "name";
    struct bus_header h = {slice_str(name), slice_str(value)};
    struct bus_put put = {.to = tp,
                          .key = slice_str(key),
                          .value = slice_str(value),
                          .headers = &h,
                          .header_count = 1,
                          .token = suite_tag(a)};
    suite_put_it(a, w, &put);
    suite_put_it(a, plain, &put);
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    memset(name, 'x', 4);
    (void)suite_await(a, BUS_EV_DELIVERED, put.token);
    (void)suite_commit(a, w);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_SLICE("key", log->recs[i].key);
        CHECK_SLICE("value", log->recs[i].value);
        CHECK_SLICE("name", log->recs[i].headers[0].name);
    }
    suite_end(&s);
}

TEST(write_to_what_does_not_exist_never_succeeds)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct bus_put put = {.to = suite_part(tp, 5), .value = SLICE("v")};
    struct err err;
    int rc = bus_put(w, &put, &err);
    if (rc == 0) { /* allowed: then the transaction must not end well */
        uint64_t tag = suite_commit_start(a, w);
        (void)suite_await(a, BUS_EV_ABORTED, tag);
    } else {
        CHECK_EQ(-ERR_NOT_FOUND, rc);
    }
    put.to.topic = 0;
    CHECK_EQ(-ERR_USAGE, bus_put(w, &put, &err));
    suite_end(&s);
}

TEST(write_a_compacted_topic_wants_keys)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_COMPACT);
    struct bus_writer *w = suite_open(a, "slot");
    struct bus_put put = {.to = tp, .value = SLICE("v")};
    struct err err;
    int rc = bus_put(w, &put, &err);
    if (rc == 0) {
        (void)suite_await(a, BUS_EV_ABORTED, suite_commit_start(a, w));
    } else {
        CHECK_EQ(-ERR_USAGE, rc);
    }
    suite_end(&s);
}
