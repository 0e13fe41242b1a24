/* SPDX-License-Identifier: Apache-2.0
 *
 * See rec_json.h. Written by hand rather than through a tree of objects, because `tail` prints
 * every event of a topic.
 */
#include "core/event/rec_json.h"

#include "core/codec/text.h"
#include "core/codec/utf8.h"

#include <math.h>
#include <time.h>

enum { NS_PER_S = 1000000000, FLAG_BITS = 32 };

static bool put_escaped(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"': return buf_add_str(b, "\\\"");
    case '\\': return buf_add_str(b, "\\\\");
    case '\n': return buf_add_str(b, "\\n");
    case '\r': return buf_add_str(b, "\\r");
    case '\t': return buf_add_str(b, "\\t");
    default: return buf_addf(b, "\\u%04x", c);
    }
}

bool rec_json_string(struct buf *b, struct slice s)
{
    assert(b != NULL);
    s.ptr = s.ptr != NULL ? s.ptr : "";
    bool ok = buf_add_byte(b, '"');
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; ok && i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t bad = 1, n = 1;
        bool escape = c < 0x20 || c == '"' || c == '\\';
        if (c >= 0x80) {
            n = utf8_char(slice_sub(s, i, s.len), &bad);
        }
        if (escape || n == 0) {
            ok = buf_add(b, s.ptr + plain, i - plain) &&
                 (escape ? put_escaped(b, c) : buf_add_str(b, "\xef\xbf\xbd"));
            n = escape ? 1 : bad;
            plain = i + n;
        }
        i += n;
    }
    return ok && buf_add(b, s.ptr + plain, s.len - plain) && buf_add_byte(b, '"');
}

static bool put_double(struct buf *b, double d)
{
    char text[VAL_NUMBER_MAX];
    size_t n = val_double_text(d, text);
    bool quoted = isnan(d) || isinf(d);
    return (!quoted || buf_add_byte(b, '"')) && buf_add(b, text, n) &&
           (!quoted || buf_add_byte(b, '"'));
}

static bool put_pairs(struct buf *b, const struct val_pair *pairs, uint32_t n)
{
    bool ok = buf_add_byte(b, '{');
    for (uint32_t i = 0; ok && i < n; i++) {
        ok = (i == 0 || buf_add_byte(b, ',')) && rec_json_string(b, val_key(&pairs[i])) &&
             buf_add_byte(b, ':') && rec_json_value(b, pairs[i].value);
    }
    return ok && buf_add_byte(b, '}');
}

static bool put_list(struct buf *b, struct val v)
{
    bool ok = buf_add_byte(b, '[');
    for (uint32_t i = 0; ok && i < v.len; i++) {
        ok = (i == 0 || buf_add_byte(b, ',')) && rec_json_value(b, v.list[i]);
    }
    return ok && buf_add_byte(b, ']');
}

bool rec_json_value(struct buf *b, struct val v)
{
    assert(b != NULL);
    assert(v.tag < VAL_TAGS);
    switch (v.tag) {
    case VAL_NULL: return buf_add_str(b, "null");
    case VAL_BOOL: return buf_add_str(b, v.b ? "true" : "false");
    case VAL_INT: return buf_addf(b, "%lld", (long long)v.i);
    case VAL_DOUBLE: return put_double(b, v.d);
    case VAL_STRING: return rec_json_string(b, val_slice(v));
    case VAL_BYTES:
        return buf_add_byte(b, '"') && text_put_base64(b, val_slice(v)) && buf_add_byte(b, '"');
    case VAL_LIST: return put_list(b, v);
    default: return put_pairs(b, v.map, v.len);
    }
}

bool rec_json_time(struct buf *b, int64_t ns)
{
    int64_t rest = ns % NS_PER_S, seconds = ns / NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    char text[32];
    struct tm tm;
    time_t t = (time_t)seconds;
    if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        return buf_add_str(b, "null"); /* no 64-bit ns are out of the calendar's range */
    }
    return buf_addf(b, "\"%s.%09lldZ\"", text, (long long)rest);
}

static bool put_hex(struct buf *b, const char *name, const void *bytes, size_t n)
{
    return buf_addf(b, ",\"%s\":\"", name) && text_put_hex(b, slice_of(bytes, n)) &&
           buf_add_byte(b, '"');
}

static bool put_lower(struct buf *b, const char *name)
{
    bool ok = buf_add_byte(b, '"');
    for (; ok && *name != '\0'; name++) {
        ok = buf_add_byte(b, (uint8_t)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name));
    }
    return ok && buf_add_byte(b, '"');
}

static bool put_flags(struct buf *b, uint32_t flags)
{
    bool ok = buf_add_str(b, ",\"flags\":[");
    const char *comma = "";
    for (unsigned bit = 0; ok && bit < FLAG_BITS; bit++) {
        if ((flags >> bit & 1) != 0) {
            const char *name = rec_flag_name(bit);
            ok = buf_add_str(b, comma) &&
                 (name[0] != '?' ? put_lower(b, name) : buf_addf(b, "\"bit%u\"", bit));
            comma = ",";
        }
    }
    return ok && buf_add_byte(b, ']');
}

static bool put_causes(struct buf *b, const struct rec *r)
{
    bool ok = buf_add_str(b, ",\"causes\":[");
    for (uint32_t i = 0; ok && i < r->causes_len; i++) {
        ok = buf_add_str(b, i > 0 ? ",\"" : "\"") &&
             text_put_hex(b, slice_of(r->causes[i].bytes, sizeof r->causes[i].bytes)) &&
             buf_add_byte(b, '"');
    }
    return ok && buf_add_byte(b, ']');
}

static bool put_kind(struct buf *b, uint8_t kind)
{
    const char *name = rec_kind_name(kind);
    return buf_add_str(b, ",\"kind\":") &&
           (name[0] != '?' ? put_lower(b, name) : buf_addf(b, "%u", kind));
}

/* What every event has. */
static bool put_head(struct buf *b, const struct rec *r)
{
    return buf_addf(b, "{\"ts\":%lld,\"time\":", (long long)r->ts) && rec_json_time(b, r->ts) &&
           buf_addf(b, ",\"ingest_ts\":%lld", (long long)r->ingest_ts) && put_kind(b, r->kind) &&
           buf_add_str(b, ",\"type\":") && rec_json_string(b, r->type) &&
           put_hex(b, "id", r->id.bytes, sizeof r->id.bytes);
}

/* What is left out where it says nothing. */
static bool put_marks(struct buf *b, const struct rec *r, const struct ref *self)
{
    bool ok = self == NULL || put_hex(b, "ref", self->bytes, sizeof self->bytes);
    ok = ok && (!rec_has_trace(r) || put_hex(b, "trace_id", r->trace_id, sizeof r->trace_id));
    ok = ok && (!rec_has_span(r) || put_hex(b, "span_id", r->span_id, sizeof r->span_id));
    ok = ok && (r->n == 0 || buf_addf(b, ",\"n\":%u", r->n));
    ok = ok && (r->flags == 0 || put_flags(b, r->flags));
    return ok && (r->causes_len == 0 || put_causes(b, r));
}

bool rec_json_event(struct buf *b, const struct rec *r, const struct ref *self)
{
    assert(b != NULL && r != NULL);
    const struct rec_context *c = r->context;
    return put_head(b, r) && put_marks(b, r, self) && buf_add_str(b, ",\"context\":") &&
           put_pairs(b, c != NULL ? c->pairs : NULL, c != NULL ? c->len : 0) &&
           buf_add_str(b, ",\"payload\":") && put_pairs(b, r->payload, r->payload_len) &&
           buf_add_byte(b, '}');
}
