/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/log.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <math.h>
#include <unistd.h>

static char output[65536];

static int open_pipe(int *ret_read, enum log_format format, uint32_t burst)
{
    int fds[2];
    CHECK_EQ(0, pipe(fds));
    log_setup(&(struct log_conf){.level = LOG_LEVEL_INFO,
                                 .format = format,
                                 .fd = fds[1],
                                 .burst = burst,
                                 .interval_ns = 3600 * CLOCK_NS_PER_S});
    *ret_read = fds[0];
    return fds[1];
}

static const char *read_back(int read_fd, int write_fd)
{
    close(write_fd);
    ssize_t n = read(read_fd, output, sizeof output - 1);
    output[n > 0 ? n : 0] = '\0';
    close(read_fd);
    log_setup(&(struct log_conf){.level = LOG_LEVEL_INFO, .fd = 2, .burst = 20});
    return output;
}

TEST(log_writes_logfmt_with_quotes_where_needed)
{
    int in, out = open_pipe(&in, LOG_FORMAT_LOGFMT, 0);
    LOG_INFO("two words", LOG_STR("plain", "a.b"), LOG_STR("odd", "x=\"y\"\n"), LOG_INT("n", -3));
    LOG_DEBUG("below the level");
    const char *text = read_back(in, out);
    CHECK_HAS(" level=info msg=\"two words\" plain=a.b odd=\"x=\\\"y\\\"\\n\" n=-3\n", text);
    CHECK(strstr(text, "below") == NULL);
}

TEST(log_writes_json)
{
    int in, out = open_pipe(&in, LOG_FORMAT_JSON, 0);
    LOG_WARN("m", LOG_SLICE("bytes", slice_of("\xff\0", 2)), LOG_DOUBLE("d", NAN));
    CHECK_HAS("\"level\":\"warn\",\"msg\":\"m\",\"bytes\":\"\\u00ff\\u0000\",\"d\":\"nan\"}\n",
              read_back(in, out));
}

TEST(log_limits_each_call_site)
{
    int in, out = open_pipe(&in, LOG_FORMAT_LOGFMT, 3);
    for (int i = 0; i < 100; i++) {
        LOG_INFO("flood", LOG_INT("i", i));
    }
    LOG_INFO("another site");
    const char *text = read_back(in, out);
    CHECK_HAS("i=2\n", text);
    CHECK(strstr(text, "i=3") == NULL);
    CHECK_HAS("another site", text);
}

TEST(log_cuts_what_is_too_long)
{
    static char big[9000];
    memset(big, 'a', sizeof big - 1);
    int in, out = open_pipe(&in, LOG_FORMAT_JSON, 0);
    LOG_INFO("m", LOG_STR("big", big));
    CHECK_HAS("\"cut\":1}\n", read_back(in, out));
}

TEST(clock_prints_utc)
{
    char text[CLOCK_TEXT_BYTES];
    CHECK_STR("1970-01-01T00:00:00.000Z", clock_text(0, text));
    CHECK_STR("2026-08-01T12:34:56.789Z", clock_text(INT64_C(1785587696789000000), text));
    CHECK_STR("1969-12-31T23:59:59.999Z", clock_text(-1000000, text));
}
