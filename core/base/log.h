/* SPDX-License-Identifier: Apache-2.0
 *
 * Logging: one line per entry, logfmt or JSON, to a file descriptor. An entry is a message that
 * never changes, and fields:
 *
 *     LOG_INFO("listening", LOG_STR("addr", addr), LOG_INT("port", port));
 *     => time=2026-01-31T12:00:00.123Z level=info msg=listening addr=127.0.0.1 port=8080
 *
 * Each call site is rate-limited by itself: after `burst` entries in one interval the rest of the
 * interval is counted, and the count is reported with the next entry of that site
 * ("suppressed=17"), so that a flood of equal errors can neither hide others nor fill a disk. Any
 * thread; one write(2) per entry, so lines of several processes do not mix.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include "core/base/slice.h"

#include <stdatomic.h>

enum log_level { LOG_LEVEL_DEBUG = 0, LOG_LEVEL_INFO = 1, LOG_LEVEL_WARN = 2, LOG_LEVEL_ERROR = 3 };
enum log_format { LOG_FORMAT_LOGFMT = 0, LOG_FORMAT_JSON = 1 };
enum log_field_kind { LOG_FIELD_SLICE = 0, LOG_FIELD_INT = 1, LOG_FIELD_DOUBLE = 2 };

struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct slice text;
    int64_t i;
    double d;
};

/* State of one call site; static, zero. */
struct log_site {
    _Atomic int64_t interval; /* number of the interval counted in */
    _Atomic uint32_t count, suppressed;
};

struct log_conf {
    enum log_level level;
    enum log_format format;
    int fd;
    uint32_t burst;      /* entries per site and interval; 0 = no limit */
    int64_t interval_ns; /* 0 = 1 s */
};

void log_setup(
    const struct log_conf *conf); /* before threads start; default: info, logfmt, stderr */
bool log_wants(enum log_level level);
void log_write(struct log_site *site, enum log_level level, const char *msg,
               const struct log_field *fields, size_t n);

#define LOG_STR(name_, s_)   ((struct log_field){.name = (name_), .text = slice_str(s_)})
#define LOG_SLICE(name_, s_) ((struct log_field){.name = (name_), .text = (s_)})
#define LOG_INT(name_, i_)                                                                         \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_INT, .i = (int64_t)(i_)})
#define LOG_DOUBLE(name_, d_)                                                                      \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_DOUBLE, .d = (d_)})

#define LOG_AT(level_, msg_, ...)                                                                  \
    do {                                                                                           \
        PROCESS_WIDE                                                                               \
        static struct log_site site__;                                                             \
        if (log_wants(level_)) {                                                                   \
            const struct log_field fields__[] = {{.name = NULL}, ##__VA_ARGS__};                   \
            log_write(&site__, (level_), (msg_), fields__ + 1, ARRAY_LEN(fields__) - 1);           \
        }                                                                                          \
    } while (0)
#define LOG_DEBUG(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define LOG_INFO(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_WARN(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_ERROR(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
