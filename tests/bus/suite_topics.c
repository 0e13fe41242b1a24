/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: ensure, describe, list, names.
 */
#include "tests/bus/suite.h"

static struct suite_ev *describe(struct suite_client *c, const char *name)
{
    struct err err;
    uint64_t tag = suite_tag(c);
    CHECK_OK(bus_describe(c->c, bus_topic(c->c, slice_str(name)), tag, &err), err);
    return suite_await(c, BUS_EV_DONE, tag);
}

static enum err_code ensure_refused(struct suite_client *c, const char *name, uint32_t partitions,
                                    enum bus_cleanup cleanup)
{
    struct bus_topic_spec spec = {slice_str(name), partitions, cleanup, -1, -1};
    struct err err;
    uint64_t tag = suite_tag(c);
    return suite_refusal(c, bus_ensure(c->c, &spec, 1, tag, &err), tag);
}

TEST(topics_ensure_makes_them_and_describe_tells)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_topic_spec specs[] = {
        {SLICE("plain"), 3, BUS_DELETE, 3600 * 1000, 1 << 20},
        {SLICE("x.default.g.l-1.Out_2"), 1, BUS_DELETE, -1, -1},
        {SLICE("ctl"), 2, BUS_COMPACT, -1, -1},
        {SLICE("state"), 4, BUS_COMPACT_DELETE, -1, -1},
    };
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_ensure(a->c, specs, ARRAY_LEN(specs), tag, &err), err);
    (void)suite_await(a, BUS_EV_DONE, tag);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct suite_ev *e = describe(a, specs[i].name.ptr);
        CHECK_EQ(1, e->ev.count);
        CHECK(slice_eq(specs[i].name, e->ev.topics[0].name));
        CHECK_EQ(specs[i].partitions, e->ev.topics[0].partitions);
        CHECK_EQ(specs[i].cleanup, e->ev.topics[0].cleanup);
        CHECK_EQ(specs[i].retention_ms, e->ev.topics[0].retention_ms);
        CHECK_EQ(specs[i].retention_bytes, e->ev.topics[0].retention_bytes);
    }
    suite_end(&s);
}

TEST(topics_ensure_twice_changes_nothing)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic_with(a, "t", 2, BUS_DELETE, 7200 * 1000, -1);
    suite_write(a, tp, "k", "v");
    (void)suite_topic_with(a, "t", 2, BUS_DELETE, 1000, 4096);
    CHECK_EQ(7200 * 1000, describe(a, "t")->ev.topics[0].retention_ms);
    CHECK_STR("v", suite_values(a, suite_read(a, tp, BUS_FROM_START, 1)));
    suite_end(&s);
}

TEST(topics_of_another_shape_are_a_mismatch)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    CHECK_EQ(ERR_MISMATCH, ensure_refused(a, "t", 3, BUS_DELETE));
    CHECK_EQ(ERR_MISMATCH, ensure_refused(a, "t", 1, BUS_DELETE));
    CHECK_EQ(ERR_MISMATCH, ensure_refused(a, "t", 2, BUS_COMPACT));
    CHECK_EQ(2, describe(a, "t")->ev.topics[0].partitions);
    CHECK_EQ(BUS_DELETE, describe(a, "t")->ev.topics[0].cleanup);
    suite_write(a, tp, "k", "v");
    suite_end(&s);
}

TEST(topics_one_mismatch_does_not_keep_the_others_from_being_made)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    (void)suite_topic(a, "old", 2, BUS_DELETE);
    struct bus_topic_spec specs[] = {{SLICE("old"), 3, BUS_DELETE, -1, -1},
                                     {SLICE("new"), 1, BUS_DELETE, -1, -1}};
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_EQ(ERR_MISMATCH,
             suite_refusal(a, bus_ensure(a->c, specs, ARRAY_LEN(specs), tag, &err), tag));
    CHECK_EQ(1, describe(a, "new")->ev.topics[0].partitions);
    suite_end(&s);
}

static struct suite_ev *list(struct suite_client *c)
{
    struct err err;
    uint64_t tag = suite_tag(c);
    CHECK_OK(bus_list(c->c, tag, &err), err);
    return suite_await(c, BUS_EV_DONE, tag);
}

TEST(topics_are_listed_without_the_prefix)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    static const char *const names[] = {"one", "two", "three.four", "five-6_7"};
    for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)suite_topic(i % 2 == 0 ? a : b, names[i], i + 1, BUS_DELETE);
    }
    struct suite_ev *e = list(b);
    for (int64_t until = suite_now(b) + suite_hooks.patience_ns;
         e->ev.count < ARRAY_LEN(names) && suite_now(b) < until; e = list(b)) {
        suite_sleep(b, 10 * CLOCK_NS_PER_MS); /* one broker of several hears of a topic later */
    }
    CHECK_EQ(ARRAY_LEN(names), e->ev.count);
    for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
        uint32_t found = 0;
        for (uint32_t j = 0; j < e->ev.count; j++) {
            if (slice_eq(slice_str(names[i]), e->ev.topics[j].name)) {
                CHECK_EQ(i + 1, e->ev.topics[j].partitions);
                found++;
            }
        }
        CHECK_EQ(1, found);
    }
    suite_end(&s);
}

TEST(topics_list_of_an_empty_bus_is_empty)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_list(a->c, tag, &err), err);
    CHECK_EQ(0, suite_await(a, BUS_EV_DONE, tag)->ev.count);
    suite_end(&s);
}

TEST(topics_that_do_not_exist_are_not_found)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    (void)suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_tp none = {bus_topic(a->c, SLICE("no.such.topic")), 0};
    struct bus_tp beyond = {bus_topic(a->c, SLICE("t")), 2};
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_EQ(ERR_NOT_FOUND, suite_refusal(a, bus_describe(a->c, none.topic, tag, &err), tag));
    const struct bus_tp tps[] = {none, beyond};
    for (size_t i = 0; i < ARRAY_LEN(tps); i++) {
        tag = suite_tag(a);
        CHECK_EQ(ERR_NOT_FOUND, suite_refusal(a, bus_bounds(a->c, tps[i], tag, &err), tag));
        tag = suite_tag(a);
        CHECK_EQ(ERR_NOT_FOUND, suite_refusal(a, bus_by_time(a->c, tps[i], 0, tag, &err), tag));
        tag = suite_tag(a);
        CHECK_EQ(ERR_NOT_FOUND, suite_refusal(a, bus_trim(a->c, tps[i], 0, tag, &err), tag));
        struct bus_reader *r = bus_reader_new(a->c);
        tag = suite_tag(a);
        CHECK_EQ(ERR_NOT_FOUND,
                 suite_refusal(a, bus_assign(r, tps[i], BUS_FROM_START, tag, &err), tag));
        bus_reader_free(r);
    }
    suite_end(&s);
}

TEST(topics_numbers_are_small_and_stay_the_same)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    uint32_t x = bus_topic(a->c, SLICE("x")), y = bus_topic(a->c, SLICE("y"));
    CHECK(x != 0 && y != 0 && x != y);
    CHECK_EQ(x, bus_topic(a->c, SLICE("x")));
    CHECK_SLICE("y", bus_topic_name(a->c, y));
    suite_end(&s);
}

TEST(topics_illegal_names_are_refused)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    char long_name[BUS_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    long_name[BUS_NAME_MAX + 1] = '\0';
    const struct slice names[] = {
        SLICE(""),    SLICE("."),    SLICE(".."),
        SLICE("a/b"), SLICE("a b"),  SLICE("caf\xc3\xa9"),
        SLICE("a:b"), SLICE("a\0b"), slice_of(long_name, BUS_NAME_MAX + 1)};
    struct err err;
    struct bus_writer *w = NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct bus_topic_spec spec = {names[i], 1, BUS_DELETE, -1, -1};
        CHECK_EQ(0, bus_topic(a->c, names[i]));
        CHECK_EQ(-ERR_USAGE, bus_ensure(a->c, &spec, 1, 1, &err));
        CHECK_EQ(-ERR_USAGE, bus_fence(a->c, names[i], 1, &err));
        CHECK_EQ(-ERR_USAGE, bus_elect(a->c, names[i], 1, &err));
        if (names[i].len > 0) {
            CHECK_EQ(-ERR_USAGE, bus_open(a->c, names[i], 1, &w, &err));
        }
    }
    CHECK(bus_topic(a->c, slice_of(long_name, BUS_NAME_MAX)) != 0);
    struct bus_topic_spec spec = {SLICE("t"), 0, BUS_DELETE, -1, -1};
    CHECK_EQ(-ERR_RANGE, bus_ensure(a->c, &spec, 1, 1, &err));
    CHECK_EQ(-ERR_USAGE, bus_describe(a->c, 0, 1, &err));
    CHECK_EQ(-ERR_USAGE, bus_describe(a->c, 99999, 1, &err));
    suite_quiet(a, ~0u, SUITE_ANY_TAG); /* what was refused started nothing */
    suite_end(&s);
}
