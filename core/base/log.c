/* SPDX-License-Identifier: Apache-2.0
 *
 * See log.h. An entry is built in a buffer on the stack (4 KiB; longer ones are cut and marked), so
 * logging never allocates and works when memory is short.
 */
#include "core/base/log.h"

#include "core/base/clock.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, TAIL_ROOM = 32 };

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool cut;
};

/* One logger per process: entries come from everywhere, and two loggers could not share a limit. */
PROCESS_WIDE
static struct log_conf conf = {
    .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT, .fd = 2, .burst = 20};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(const struct log_conf *new_conf)
{
    assert(new_conf != NULL);
    assert(new_conf->fd >= 0);
    conf = *new_conf;
}

bool log_wants(enum log_level level)
{
    return level >= conf.level;
}

static void put(struct line *l, const char *p, size_t n)
{
    if (n > sizeof l->text - TAIL_ROOM - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, p, n);
    l->len += n;
}

static PRINTF_LIKE(2, 3) void putf(struct line *l, const char *fmt, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put(l, text, n < 0 ? 0 : MIN((size_t)n, sizeof text - 1));
}

/* Both formats share the escapes; bytes that are not UTF-8 text come out as \u00xx. */
static void put_quoted(struct line *l, struct slice s)
{
    bool utf8 = slice_is_utf8(s);
    put(l, "\"", 1);
    for (size_t i = 0; i < s.len && !l->cut; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            putf(l, "\\%c", c);
        } else if (c == '\n') {
            put(l, "\\n", 2);
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            putf(l, "\\u%04x", c);
        } else {
            put(l, s.ptr + i, 1);
        }
    }
    put(l, "\"", 1);
}

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return s.len > 0;
}

static void put_name(struct line *l, const char *name)
{
    if (conf.format == LOG_FORMAT_JSON) {
        put(l, l->len > 1 ? ",\"" : "\"", l->len > 1 ? 2 : 1);
        put(l, name, strlen(name));
        put(l, "\":", 2);
    } else {
        put(l, " ", l->len > 0 ? 1 : 0);
        put(l, name, strlen(name));
        put(l, "=", 1);
    }
}

static void put_text(struct line *l, const char *name, struct slice s)
{
    put_name(l, name);
    if (conf.format == LOG_FORMAT_LOGFMT && is_plain(s)) {
        put(l, s.ptr, s.len);
    } else {
        put_quoted(l, s);
    }
}

static void put_field(struct line *l, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_FIELD_SLICE: put_text(l, f->name, f->text); break;
    case LOG_FIELD_INT:
        put_name(l, f->name);
        putf(l, "%lld", (long long)f->i);
        break;
    case LOG_FIELD_DOUBLE:
        put_name(l, f->name);
        putf(l, isfinite(f->d) || conf.format == LOG_FORMAT_LOGFMT ? "%.9g" : "\"%.9g\"", f->d);
        break;
    }
}

/* True if this entry of the site is to be dropped. Threads that race may let one more through. */
static bool suppress(struct log_site *site, int64_t now_mono, uint32_t *ret_suppressed)
{
    int64_t length = conf.interval_ns > 0 ? conf.interval_ns : CLOCK_NS_PER_S;
    int64_t interval = now_mono / length + 1;
    *ret_suppressed = 0;
    if (atomic_exchange(&site->interval, interval) != interval) {
        atomic_store(&site->count, 0);
        *ret_suppressed = atomic_exchange(&site->suppressed, 0);
    }
    if (conf.burst > 0 && atomic_fetch_add(&site->count, 1) >= conf.burst) {
        atomic_fetch_add(&site->suppressed, 1);
        return true;
    }
    return false;
}

void log_write(struct log_site *site, enum log_level level, const char *msg,
               const struct log_field *fields, size_t n)
{
    assert(site != NULL && msg != NULL);
    assert((size_t)level < ARRAY_LEN(level_names));
    struct clock clock = clock_system();
    uint32_t suppressed;
    if (suppress(site, clock_mono(&clock), &suppressed)) {
        return;
    }
    struct line l = {.len = 0};
    char time[CLOCK_TEXT_BYTES];
    bool json = conf.format == LOG_FORMAT_JSON;
    put(&l, "{", json ? 1 : 0);
    put_text(&l, "time", slice_str(clock_text(clock_wall(&clock), time)));
    put_text(&l, "level", slice_str(level_names[level]));
    put_text(&l, "msg", slice_str(msg));
    for (size_t i = 0; i < n; i++) {
        put_field(&l, &fields[i]);
    }
    if (suppressed > 0) {
        put_field(&l, &LOG_INT("suppressed", suppressed));
    }
    /* A cut field leaves a string open: close it, so that JSON stays JSON. */
    const char *tail = !l.cut ? (json ? "}\n" : "\n") : (json ? "\",\"cut\":1}\n" : "\" cut=1\n");
    memcpy(l.text + l.len, tail, strlen(tail));
    l.len += strlen(tail);
    if (write(conf.fd, l.text, l.len) < 0) {
        /* Nobody is left to tell. */
    }
}
