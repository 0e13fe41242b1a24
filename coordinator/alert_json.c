/* SPDX-License-Identifier: Apache-2.0
 *
 * See alert_json.h. A table in the order of the schema's fields: what each is, and its name.
 */
#include "coordinator/alert_json.h"

#include "core/codec/text.h"
#include "core/codec/varint.h"
#include "core/event/batch_dec.h"
#include "core/event/rec_json.h"

#include <inttypes.h>

enum sort { FIXED, LONG, TEXT, TIME, MAYBE_TIME, VALUES, TEXTS, FIXEDS };
static const struct {
    const char *name;
    enum sort sort;
} fields[] = {
    {"id", FIXED},           {"revision", LONG}, {"state", TEXT},        {"severity", TEXT},
    {"summary", TEXT},       {"tenant", TEXT},   {"graph", TEXT},        {"statement", TEXT},
    {"key", VALUES},         {"ordinal", LONG},  {"starts_at", TIME},    {"updated_at", TIME},
    {"ends_at", MAYBE_TIME}, {"labels", TEXTS},  {"annotations", TEXTS}, {"row", VALUES},
    {"trace_ids", FIXEDS},   {"causes", FIXEDS},
};
enum { FIXED_BYTES = 16 };

struct reader {
    struct batch_dec *dec;
    struct arena *arena;
    struct slice rest;
    struct buf *out;
    bool bad;
};

static int64_t get_long(struct reader *r)
{
    int64_t v = 0;
    const char *at = r->rest.ptr, *end = at + r->rest.len;
    const char *behind = r->bad ? NULL : varint_read_zz(at, end, &v);
    if (behind == NULL) {
        r->bad = true;
        return 0;
    }
    r->rest = slice_of(behind, (size_t)(end - behind));
    return v;
}

static struct slice get_bytes(struct reader *r, uint64_t n)
{
    if (r->bad || n > r->rest.len) {
        r->bad = true;
        return SLICE_NONE;
    }
    struct slice s = slice_sub(r->rest, 0, (size_t)n);
    r->rest = slice_sub(r->rest, (size_t)n, r->rest.len);
    return s;
}

static struct slice get_text(struct reader *r)
{
    int64_t n = get_long(r);
    r->bad |= n < 0;
    return get_bytes(r, r->bad ? 0 : (uint64_t)n);
}

/* How many items the next block of a list or map has; 0: it has ended. */
static int64_t get_block(struct reader *r)
{
    int64_t n = get_long(r);
    if (n < 0) {
        (void)get_long(r); /* bytes of the block */
        n = n == INT64_MIN ? INT64_MAX : -n;
    }
    r->bad |= n > (int64_t)r->rest.len; /* each has a byte at least */
    return r->bad ? 0 : n;
}

static void put_fixed(struct reader *r)
{
    struct slice bytes = get_bytes(r, FIXED_BYTES);
    (void)buf_add_byte(r->out, '"');
    (void)text_put_hex(r->out, bytes);
    (void)buf_add_byte(r->out, '"');
}

static void put_value(struct reader *r)
{
    struct val v;
    struct err e;
    if (!r->bad && batch_dec_value(r->dec, r->arena, &r->rest, &v, &e) == 0) {
        (void)rec_json_value(r->out, v);
    } else {
        r->bad = true;
    }
}

static void put_items(struct reader *r, enum sort sort)
{
    const char *between = "";
    int64_t n;
    (void)buf_add_byte(r->out, sort == FIXEDS ? '[' : '{');
    while ((n = get_block(r)) > 0) {
        for (; n > 0 && !r->bad; n--, between = ",") {
            (void)buf_add_str(r->out, between);
            if (sort == FIXEDS) {
                put_fixed(r);
                continue;
            }
            (void)rec_json_string(r->out, get_text(r));
            (void)buf_add_byte(r->out, ':');
            if (sort == TEXTS) {
                (void)rec_json_string(r->out, get_text(r));
            } else {
                put_value(r);
            }
        }
    }
    (void)buf_add_byte(r->out, sort == FIXEDS ? ']' : '}');
}

static void put_field(struct reader *r, enum sort sort)
{
    if (sort == MAYBE_TIME && get_long(r) == 0) {
        (void)buf_add_str(r->out, "null");
    } else if (sort == FIXED) {
        put_fixed(r);
    } else if (sort == TEXT) {
        (void)rec_json_string(r->out, get_text(r));
    } else if (sort == LONG) {
        (void)buf_addf(r->out, "%" PRId64, get_long(r));
    } else if (sort == TIME || sort == MAYBE_TIME) {
        (void)rec_json_time(r->out, get_long(r));
    } else {
        put_items(r, sort);
    }
}

bool alert_json(struct batch_dec *dec, struct arena *a, struct slice body, struct buf *out)
{
    struct reader r = {.dec = dec, .arena = a, .rest = body, .out = out};
    size_t before = out->len;
    (void)buf_add_byte(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(fields) && !r.bad; i++) {
        (void)buf_addf(out, "%s\"%s\":", i > 0 ? "," : "", fields[i].name);
        put_field(&r, fields[i].sort);
    }
    (void)buf_add_byte(out, '}');
    if (r.bad || r.rest.len > 0 || buf_failed(out)) {
        out->len = before;
        return false;
    }
    return true;
}
