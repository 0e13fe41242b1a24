/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `kaiju top`: rates between two tables, what counts as an error, what is cleaned.
 */
#include "core/bus/top_view.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <stdio.h>

static void add(struct top_view *v, const char *type, const char *key, struct val value,
                const char *text_key, const char *text)
{
    struct val_pair where = val_pair(SLICE("service.name"), val_string(SLICE("cart")));
    struct rec_context context = {.pairs = &where, .len = 1};
    struct val_pair payload[] = {val_pair(slice_str(key), value),
                                 val_pair(slice_str(text_key), val_string(slice_str(text)))};
    struct rec r = {.ts = CLOCK_NS_PER_S,
                    .context = &context,
                    .payload = payload,
                    .payload_len = 2,
                    .type = slice_str(type)};
    struct rec_batch b = {.events = &r, .events_len = 1, .contexts = &context, .contexts_len = 1};
    top_view_add(v, &b);
}

TEST(top_view_shows_rates_and_errors)
{
    struct top_view *v = top_view_new();
    struct buf out;
    buf_init(&out, 64 * 1024);
    top_view_show(v, CLOCK_NS_PER_S, 100, &out);
    CHECK_HAS("none", buf_cstr(&out));
    for (int i = 0; i < 10; i++) {
        add(v, "LogRecord", "severity_number", val_int(9), "body", "all is well");
    }
    add(v, "LogRecord", "severity_number", val_int(17), "body", "it\x1b[2J broke");
    add(v, "KubeEvent", "type", val_string(SLICE("Warning")), "message", "back-off");
    add(v, "ExceptionEvent", "exception_type", val_string(SLICE("IOError")), "exception_message",
        "disk gone");
    buf_clear(&out);
    top_view_show(v, 3 * CLOCK_NS_PER_S, 100, &out);
    const char *text = buf_cstr(&out);
    CHECK_HAS("LogRecord                               6             11          0.5", text);
    CHECK_HAS("(3 so far)", text);
    CHECK_HAS("it [2J broke", text); /* no control bytes reach the terminal */
    CHECK_HAS("back-off", text);
    CHECK_HAS("disk gone", text);
    CHECK(strstr(text, "all is well") == NULL);
    buf_clear(&out);
    top_view_show(v, 4 * CLOCK_NS_PER_S, 100, &out);
    CHECK_HAS("LogRecord                               0             11          0.0",
              buf_cstr(&out));
    CHECK_EQ(13, top_view_total(v));
    buf_done(&out);
    top_view_free(v);
}

TEST(top_view_holds_its_limits)
{
    struct top_view *v = top_view_new();
    struct buf out;
    char type[16];
    buf_init(&out, 64 * 1024);
    for (int i = 0; i < 3 * TOP_TYPES_MAX; i++) {
        snprintf(type, sizeof type, "T%d", i);
        add(v, type, "x", val_int(1), "y", "z");
    }
    top_view_show(v, CLOCK_NS_PER_S, 40, &out);
    CHECK(!buf_failed(&out));
    CHECK_EQ(3 * TOP_TYPES_MAX, top_view_total(v));
    buf_done(&out);
    top_view_free(v);
}
