/* SPDX-License-Identifier: Apache-2.0
 *
 * core/bus/top_tasks.h: reports of tasks become rows, those that take most first; who is gone is
 * gone, and what is no report is passed over.
 */
#include "core/base/clock.h"
#include "core/bus/top_tasks.h"
#include "tests/test.h"

static const char *show(struct top_tasks *t, int64_t at_s, struct buf *b)
{
    buf_clear(b);
    top_tasks_show(t, at_s * CLOCK_NS_PER_S, b);
    return buf_cstr(b);
}

TEST(tasks_are_shown_by_what_they_take)
{
    struct top_tasks *t = top_tasks_new();
    struct buf b;
    buf_init(&b, 100000);
    CHECK_STR("", show(t, 1, &b));
    top_tasks_add(t, SLICE("a/quiet/logs/0"), SLICE("{\"taken\":5,\"state\":\"live\"}"));
    top_tasks_add(t, SLICE("a/busy/logs/0"), SLICE("{\"taken\":1000,\"state\":\"live\"}"));
    (void)show(t, 2, &b);
    top_tasks_add(t, SLICE("a/busy/logs/0"),
                  SLICE("{\"other\":{\"taken\":7},\"put\":12,\"taken\":3000,\"lag_ns\":1500000000,"
                        "\"rules\":[{\"events\":128,\"name\":\"dear\",\"ns_per_event\":812},"
                        "{\"name\":\"cheap\",\"ns_per_event\":3}],\"state\":\"replay\"}"));
    top_tasks_add(t, SLICE("a/none/logs/0"), SLICE("{\"taken\":"));
    const char *text = show(t, 4, &b);
    const char *busy = strstr(text, "a/busy/logs/0"), *quiet = strstr(text, "a/quiet/logs/0");
    CHECK(busy != NULL && quiet != NULL && busy < quiet);
    CHECK_HAS("replay        1000           12       1.5  dear                       812", busy);
    CHECK(strstr(text, "none") == NULL && strstr(text, "cheap") == NULL);
    CHECK(strstr(text, "lost") == NULL);
    top_tasks_add(
        t, SLICE("a/quiet/logs/0"),
        SLICE("{\"incomplete\":[{\"statement\":\"logs/a\"}],\"incomplete_statements\":3}"));
    CHECK_HAS("was lost: 3 statements of 1 tasks may lack it", show(t, 5, &b));
    top_tasks_add(t, SLICE("a/busy/logs/0"), SLICE_NONE);
    CHECK(strstr(show(t, 5, &b), "busy") == NULL);
    top_tasks_free(t);
    buf_done(&b);
}

TEST(the_first_table_knows_no_rates)
{
    struct top_tasks *t = top_tasks_new();
    struct buf b;
    buf_init(&b, 100000);
    top_tasks_add(t, SLICE("a/g/logs/0"), SLICE("{\"taken\":1000,\"state\":\"live\"}"));
    top_tasks_add(t, SLICE("a/g/logs/0"), SLICE("{\"taken\":7000,\"state\":\"live\"}"));
    CHECK_HAS("live             -            0", show(t, 100, &b));
    top_tasks_add(t, SLICE("a/g/logs/0"), SLICE("{\"taken\":7100,\"state\":\"live\"}"));
    CHECK_HAS("live           100            0", show(t, 101, &b));
    top_tasks_free(t);
    buf_done(&b);
}

TEST(more_tasks_than_are_shown_are_counted)
{
    struct top_tasks *t = top_tasks_new();
    struct buf b;
    char key[40];
    buf_init(&b, 100000);
    for (int i = 0; i < TOP_TASKS_MAX + 10; i++) {
        snprintf(key, sizeof key, "a/g/logs/%d", i);
        top_tasks_add(t, slice_str(key), SLICE("{\"taken\":1}"));
    }
    CHECK_HAS("(256 tasks in all)", show(t, 1, &b));
    top_tasks_free(t);
    buf_done(&b);
}
