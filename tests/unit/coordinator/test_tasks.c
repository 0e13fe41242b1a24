/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/tasks.h"

#include "tests/test.h"

#include <jansson.h>

static void take(struct tasks *t, const char *key, const char *value)
{
    tasks_take(t, slice_str(key), slice_str(value));
}

static int64_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static struct tasks *some(void)
{
    struct tasks *t = tasks_new();
    take(t, "t/g/logs/10",
         "{\"format\":1,\"version\":2,\"worker\":\"w1\",\"slot\":1,\"state\":\"live\",\"clock\":50,"
         "\"lag_records\":3,\"lag_ns\":7,\"taken\":100,\"state_bytes\":10}");
    take(t, "t/g/logs/2",
         "{\"format\":1,\"version\":2,\"worker\":\"w1\",\"slot\":2,\"state\":\"live\",\"clock\":40,"
         "\"lag_records\":1,\"lag_ns\":9,\"taken\":1,\"state_bytes\":5}");
    take(t, "t/g/hl/0", "{\"version\":2,\"worker\":\"w2\",\"state\":\"replay\",\"odd\":[1]}");
    take(t, "t/h/logs/0", "{\"tenant\":\"t\",\"graph\":\"h\",\"state\":\"strange\"}");
    return t;
}

TEST(tasks_are_listed_in_order_with_the_names_of_their_keys)
{
    struct tasks *t = some();
    json_t *l = tasks_list(t, &(struct tasks_filter){.graph = SLICE("g")}, SLICE_NONE, 10);
    CHECK_EQ(3, json_array_size(l));
    CHECK_STR("t/g/hl/0", json_string_value(json_object_get(json_array_get(l, 0), "key")));
    CHECK_STR("t/g/logs/2", json_string_value(json_object_get(json_array_get(l, 1), "key")));
    CHECK_STR("t/g/logs/10", json_string_value(json_object_get(json_array_get(l, 2), "key")));
    CHECK_EQ(10, number(json_array_get(l, 2), "partition"));
    CHECK_STR("hl", json_string_value(json_object_get(json_array_get(l, 0), "group")));
    CHECK(json_object_get(json_array_get(l, 0), "odd") != NULL);
    json_decref(l);
    l = tasks_list(t, &(struct tasks_filter){.graph = SLICE("g")}, SLICE("t/g/logs/2"), 10);
    CHECK_EQ(1, json_array_size(l));
    json_decref(l);
    l = tasks_list(t, &(struct tasks_filter){.worker = SLICE("w1")}, SLICE_NONE, 1);
    CHECK_EQ(1, json_array_size(l));
    json_decref(l);
    tasks_free(t);
}

TEST(tasks_sums)
{
    struct tasks *t = some();
    json_t *s = tasks_sum(t, &(struct tasks_filter){.worker = SLICE("w1")});
    CHECK_EQ(2, number(s, "tasks"));
    CHECK_EQ(2, number(s, "live"));
    CHECK_EQ(4, number(s, "lag_records"));
    CHECK_EQ(9, number(s, "lag_ns"));
    CHECK_EQ(40, number(s, "clock"));
    CHECK_EQ(15, number(s, "state_bytes"));
    CHECK(json_object_get(s, "put") == NULL); /* nobody said so */
    json_decref(s);
    s = tasks_sum(t, &(struct tasks_filter){.tenant = SLICE_NONE});
    CHECK_EQ(1, number(s, "other"));
    CHECK_EQ(1, number(s, "replay"));
    json_decref(s);
    json_t *w = tasks_workers(t);
    CHECK_EQ(2, json_array_size(w));
    CHECK_STR("w1", json_string_value(json_object_get(json_array_get(w, 0), "worker")));
    CHECK_EQ(2, json_array_size(json_object_get(json_array_get(w, 0), "slots")));
    json_decref(w);
    json_t *g = tasks_groups(t, SLICE("t"), SLICE("g"));
    CHECK_EQ(2, json_array_size(g));
    json_decref(g);
    tasks_free(t);
}

TEST(tasks_sums_name_what_may_lack_lost_input_once)
{
    static const char lacks[] = "{\"state\":\"live\",\"incomplete\":[{\"statement\":\"hl/a\"}]}";
    struct tasks *t = some();
    take(t, "t/g/hl/0", lacks);
    take(t, "t/g/hl/1", lacks);
    take(t, "t/h/hl/0", lacks);
    json_t *s = tasks_sum(t, &(struct tasks_filter){.tenant = SLICE_NONE});
    const json_t *list = json_object_get(s, "incomplete");
    CHECK_EQ(3, number(s, "incomplete_tasks"));
    CHECK_EQ(2, json_array_size(list));
    for (size_t i = 0; i < 2; i++) {
        const json_t *one = json_array_get(list, i);
        bool g = strcmp("g", json_string_value(json_object_get(one, "graph"))) == 0;
        CHECK_EQ(g ? 2 : 1, number(one, "tasks"));
        CHECK_STR("hl/a", json_string_value(json_object_get(one, "statement")));
    }
    json_decref(s);
    tasks_free(t);
}

TEST(tasks_phases)
{
    struct tasks *t = some();
    CHECK_STR("pending", tasks_phase(t, SLICE("t"), SLICE("none"), 1));
    CHECK_STR("replaying", tasks_phase(t, SLICE("t"), SLICE("g"), 2));
    CHECK_STR("switching", tasks_phase(t, SLICE("t"), SLICE("g"), 3));
    take(t, "t/g/hl/0", "{\"version\":2,\"state\":\"live\"}");
    CHECK_STR("running", tasks_phase(t, SLICE("t"), SLICE("g"), 2));
    take(t, "t/g/hl/0", "{\"version\":2,\"state\":\"lost\",\"why\":\"x\"}");
    CHECK_STR("degraded", tasks_phase(t, SLICE("t"), SLICE("g"), 2));
    tasks_take(t, SLICE("t/g/hl/0"), SLICE_NONE);
    CHECK_EQ(3, tasks_count(t));
    CHECK_STR("running", tasks_phase(t, SLICE("t"), SLICE("g"), 2));
    tasks_free(t);
}

TEST(tasks_reports_that_are_none)
{
    static const char *const keys[] = {"", "t", "t/g/logs", "t/g/logs/0/1", "t//logs/0"};
    struct tasks *t = tasks_new();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        take(t, keys[i], "{}");
    }
    take(t, "t/g/logs/0", "[]");
    take(t, "t/g/logs/0", "nonsense");
    CHECK_EQ(0, tasks_count(t));
    tasks_take(t, SLICE("t/g/logs/0"), SLICE_NONE);
    take(t, "t/g/logs/0", "{}");
    CHECK_EQ(1, tasks_count(t));
    tasks_free(t);
}

TEST(tasks_sums_end_at_the_largest_number_and_take_figures_of_any_kind)
{
    struct tasks *t = tasks_new();
    take(t, "t/g/l/0", "{\"state\":\"live\",\"taken\":9223372036854775807,\"lag_ns\":1e300}");
    take(t, "t/g/l/1", "{\"state\":7,\"taken\":9223372036854775807,\"lag_ns\":\"none\"}");
    json_t *s = tasks_sum(t, &(struct tasks_filter){.tenant = SLICE("t")});
    CHECK_EQ(INT64_MAX, number(s, "taken"));
    CHECK_EQ(INT64_C(9000000000000000000), number(s, "lag_ns"));
    CHECK_EQ(1, number(s, "other"));
    json_decref(s);
    tasks_free(t);
}

TEST(tasks_have_the_names_of_their_keys_whatever_they_say)
{
    struct tasks *t = tasks_new();
    take(t, "t/g/l/0", "{\"tenant\":5,\"graph\":\"other\",\"group\":null,\"partition\":\"x\"}");
    take(t, "t/g/\xff/0", "{\"state\":\"live\"}");
    take(t, "t/g/l", "{\"state\":\"live\"}");
    take(t, "t/g/l/1", "[]");
    CHECK_EQ(1, tasks_count(t));
    const struct tasks_filter of = {.tenant = SLICE("t"), .graph = SLICE("g"), .group = SLICE("l")};
    json_t *l = tasks_list(t, &of, SLICE_NONE, 10);
    CHECK_EQ(1, json_array_size(l));
    CHECK_EQ(0, number(json_array_get(l, 0), "partition"));
    json_decref(l);
    tasks_free(t);
}

TEST(tasks_name_no_statement_without_a_name)
{
    struct tasks *t = tasks_new();
    take(t, "t/g/l/0", "{\"incomplete\":[{\"statement\":3},{},7,{\"statement\":\"l/s\"}]}");
    json_t *s = tasks_sum(t, &(struct tasks_filter){.tenant = SLICE("t")});
    CHECK_EQ(1, json_array_size(json_object_get(s, "incomplete")));
    json_decref(s);
    tasks_free(t);
}
