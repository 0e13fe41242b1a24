/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc.h. Pure functions, any thread.
 */
#include "core/net/grpc.h"

#include "core/base/clock.h"
#include "core/codec/pbwire.h"
#include "core/codec/pbwrite.h"

#include <assert.h>
#include <stdio.h>

static const struct {
    const char *name, *doc;
    enum grpc_status status;
    unsigned http;
} reasons[] = {
#define GRPC_REASON(name, status, http, doc) {#name, doc, GRPC_##status, http},
#include "core/net/grpc_reason.def"
#undef GRPC_REASON
};

static const char *const statuses[] = {
#define GRPC_STATUS(name, number, doc) [number] = #name,
#include "core/net/grpc_status.def"
#undef GRPC_STATUS
};

static const char type_prefix[] = "type.googleapis.com/google.rpc.";

const char *grpc_status_name(int status)
{
    return status >= 0 && status < GRPC_STATUS_COUNT ? statuses[status] : "?";
}

const char *grpc_reason_name(enum grpc_reason r, char out[GRPC_REASON_BYTES])
{
    assert((unsigned)r < GRPC_REASON_COUNT);
    size_t i = 0;
    for (const char *p = reasons[r].name; *p != '\0' && i + 1 < GRPC_REASON_BYTES; p++) {
        out[i++] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    out[i] = '\0';
    return out;
}

const char *grpc_reason_doc(enum grpc_reason r)
{
    assert((unsigned)r < GRPC_REASON_COUNT);
    return reasons[r].doc;
}

enum grpc_status grpc_reason_status(enum grpc_reason r)
{
    assert((unsigned)r < GRPC_REASON_COUNT);
    return reasons[r].status;
}

unsigned grpc_reason_http(enum grpc_reason r)
{
    assert((unsigned)r < GRPC_REASON_COUNT);
    return reasons[r].http;
}

/* --- grpc-timeout --- */

static const struct {
    char letter;
    int64_t ns;
} units[] = {
    {'n', 1},
    {'u', 1000},
    {'m', CLOCK_NS_PER_MS},
    {'S', CLOCK_NS_PER_S},
    {'M', 60 * CLOCK_NS_PER_S},
    {'H', 3600 * CLOCK_NS_PER_S},
};
enum { TIMEOUT_DIGITS = 8 };

bool grpc_timeout_parse(struct slice text, int64_t *ret_ns)
{
    uint64_t n;
    if (text.len < 2 || text.len > TIMEOUT_DIGITS + 1 || text.ptr[0] == '+' ||
        !slice_to_u64(slice_sub(text, 0, text.len - 1), &n)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].letter == text.ptr[text.len - 1]) {
            int64_t max = INT64_MAX / units[i].ns;
            *ret_ns = (int64_t)n > max ? INT64_MAX : (int64_t)n * units[i].ns;
            return true;
        }
    }
    return false;
}

const char *grpc_timeout_text(int64_t ns, char out[16])
{
    assert(ns >= 0);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        int64_t n = ns / units[i].ns + (ns % units[i].ns != 0);
        if (n < 100000000) {
            snprintf(out, 16, "%d%c", (int)n, units[i].letter);
            return out;
        }
    }
    snprintf(out, 16, "99999999H");
    return out;
}

/* --- status messages --- */

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c <= 0x7e && c != '%';
}

void grpc_percent_put(struct buf *out, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (is_plain(c)) {
            buf_add_byte(out, c);
        } else {
            const char esc[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add(out, esc, sizeof esc);
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void grpc_percent_get(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (text.ptr[i] == '%' && text.len - i > 2) {
            high = hex_digit(text.ptr[i + 1]);
            low = hex_digit(text.ptr[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            buf_add_byte(out, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            buf_add_byte(out, (uint8_t)text.ptr[i]);
        }
    }
}

/* --- google.rpc.Status: 1 code, 2 message, 3 repeated Any {1 type_url, 2 value} --- */

static void put_type(struct buf *out, const char *name)
{
    char url[64];
    snprintf(url, sizeof url, "%s%s", type_prefix, name);
    pbwrite_string(out, 1, slice_str(url));
}

void grpc_details_put(struct buf *out, const struct grpc_details *d)
{
    assert(out != NULL && d != NULL);
    pbwrite_varint(out, 1, (uint64_t)d->status);
    if (d->message.len > 0) {
        pbwrite_string(out, 2, d->message);
    }
    if (d->retry_ns >= 0) {
        size_t any = pbwrite_open(out, 3);
        put_type(out, "RetryInfo");
        size_t info = pbwrite_open(out, 2);
        size_t delay = pbwrite_open(out, 1); /* Duration: 1 seconds, 2 nanos */
        if (d->retry_ns >= CLOCK_NS_PER_S) {
            pbwrite_varint(out, 1, (uint64_t)(d->retry_ns / CLOCK_NS_PER_S));
        }
        if (d->retry_ns % CLOCK_NS_PER_S != 0) {
            pbwrite_varint(out, 2, (uint64_t)(d->retry_ns % CLOCK_NS_PER_S));
        }
        pbwrite_close(out, delay);
        pbwrite_close(out, info);
        pbwrite_close(out, any);
    }
    if (d->bad_reason.ptr != NULL) {
        size_t any = pbwrite_open(out, 3);
        put_type(out, "BadRequest");
        size_t bad = pbwrite_open(out, 2);
        size_t violation = pbwrite_open(out, 1); /* 1 field, 2 description */
        pbwrite_string(out, 1, d->bad_field);
        pbwrite_string(out, 2, d->bad_reason);
        pbwrite_close(out, violation);
        pbwrite_close(out, bad);
        pbwrite_close(out, any);
    }
}

/* The first length-delimited field 1 of a message, or the absent slice. */
static struct slice first_child(struct slice message)
{
    struct pbwire r = pbwire_of(message);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
            return f.bytes;
        }
    }
    return SLICE_NONE;
}

static void get_retry(struct slice info, struct grpc_details *d)
{
    struct pbwire r = pbwire_of(first_child(info));
    struct pbwire_field f;
    uint64_t seconds = 0, nanos = 0;
    while (pbwire_next(&r, &f)) {
        seconds = f.tag == PBWIRE_TAG(1, PBWIRE_VARINT) ? f.value : seconds;
        nanos = f.tag == PBWIRE_TAG(2, PBWIRE_VARINT) ? f.value : nanos;
    }
    if (!pbwire_bad(&r) && seconds < 1000000000 && nanos < 1000000000) {
        d->retry_ns = (int64_t)seconds * CLOCK_NS_PER_S + (int64_t)nanos;
    }
}

static void get_bad(struct slice bad, struct grpc_details *d)
{
    struct pbwire r = pbwire_of(first_child(bad));
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
            d->bad_field = f.bytes;
        } else if (f.tag == PBWIRE_TAG(2, PBWIRE_LEN)) {
            d->bad_reason = f.bytes;
        }
    }
}

static void get_any(struct slice any, struct grpc_details *d)
{
    struct pbwire r = pbwire_of(any);
    struct pbwire_field f;
    struct slice type = SLICE_NONE, value = SLICE_NONE;
    while (pbwire_next(&r, &f)) {
        if (f.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
            type = f.bytes;
        } else if (f.tag == PBWIRE_TAG(2, PBWIRE_LEN)) {
            value = f.bytes;
        }
    }
    if (slice_ends(type, SLICE("/google.rpc.RetryInfo"))) {
        get_retry(value, d);
    } else if (slice_ends(type, SLICE("/google.rpc.BadRequest"))) {
        get_bad(value, d);
    }
}

int grpc_details_get(struct slice bytes, struct grpc_details *ret_d, struct err *reterr)
{
    assert(ret_d != NULL);
    struct pbwire r = pbwire_of(bytes);
    struct pbwire_field f;
    struct grpc_details d = {.retry_ns = -1};
    while (pbwire_next(&r, &f)) {
        switch (f.tag) {
        case PBWIRE_TAG(1, PBWIRE_VARINT):
            d.status = f.value < GRPC_STATUS_COUNT ? (enum grpc_status)f.value : GRPC_UNKNOWN;
            break;
        case PBWIRE_TAG(2, PBWIRE_LEN): d.message = f.bytes; break;
        case PBWIRE_TAG(3, PBWIRE_LEN): get_any(f.bytes, &d); break;
        default: break;
        }
    }
    if (pbwire_bad(&r)) {
        return pbwire_error(&r, reterr);
    }
    *ret_d = d;
    return 0;
}
