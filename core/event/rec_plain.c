/* SPDX-License-Identifier: Apache-2.0
 *
 * See rec_plain.h. Each of the three walks takes the rows of the table one after another.
 */
#include "core/event/rec_plain.h"

#include "core/base/vec.h"
#include "core/codec/text.h"
#include "core/codec/varint.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/rec_json.h"
#include "core/event/schema.h"

#include <inttypes.h>

enum sort { FIXED, LONG, TEXT, TIME, VALUES, TEXTS, FIXEDS, BYTES, MAYBE = 16 };
enum { MAYBE_TEXT = MAYBE | TEXT, MAYBE_TIME = MAYBE | TIME, MAYBE_FIXED = MAYBE | FIXED };

struct field {
    const char *name;
    unsigned sort;
};

static const struct field alert_fields[] = {
#define REC_ALERT_FIELD(name, text, sort) {text, sort},
#include "core/event/rec_plain.def"
};
static const struct field dead_fields[] = {
#define REC_DEAD_FIELD(name, text, sort) {text, sort},
#include "core/event/rec_plain.def"
};

static const struct {
    const char *subject, *file;
    const struct field *fields;
    uint32_t n;
} kinds[REC_PLAIN_KINDS] = {
    [REC_PLAIN_ALERT] = {"alert", "alert.avsc", alert_fields, REC_ALERT_FIELDS},
    [REC_PLAIN_DEAD] = {"dlq", "dlq.avsc", dead_fields, REC_DEAD_FIELDS},
};

bool rec_plain_of(const char *subject, enum rec_plain_kind *ret)
{
    for (size_t i = 0; subject != NULL && i < REC_PLAIN_KINDS; i++) {
        if (strcmp(kinds[i].subject, subject) == 0) {
            *ret = (enum rec_plain_kind)i;
            return true;
        }
    }
    return false;
}

const char *rec_plain_name(enum rec_plain_kind kind, uint32_t field)
{
    assert(field < kinds[kind].n);
    return kinds[kind].fields[field].name;
}

/* ---- writing ---- */

static bool put_long(struct buf *to, int64_t v)
{
    char *p = buf_room(to, VARINT_MAX);
    if (p != NULL) {
        buf_commit(to, (size_t)(varint_write_zz(p, v) - p));
    }
    return p != NULL;
}

static bool put_fixed(struct buf *to, struct val v)
{
    static const char none[REC_PLAIN_FIXED] = {0};
    assert(v.tag == VAL_NULL || v.len == REC_PLAIN_FIXED);
    return buf_add(to, v.tag == VAL_NULL ? none : v.str, REC_PLAIN_FIXED);
}

static bool put_texts(struct batch_enc *enc, struct buf *to, struct val map)
{
    bool ok = map.len == 0 || put_long(to, map.len);
    for (uint32_t i = 0; ok && i < map.len; i++) {
        ok = batch_enc_text(enc, to, val_key(&map.map[i])) &&
             batch_enc_text(enc, to, val_slice(map.map[i].value));
    }
    return ok && buf_add_byte(to, 0);
}

static bool put_field(struct batch_enc *enc, struct buf *to, unsigned sort, struct val v)
{
    if ((sort & MAYBE) != 0 && !put_long(to, v.tag != VAL_NULL)) {
        return false;
    }
    if ((sort & MAYBE) != 0 && v.tag == VAL_NULL) {
        return true;
    }
    bool ok = true;
    switch (sort & ~(unsigned)MAYBE) {
    case FIXED: return put_fixed(to, v);
    case LONG:
    case TIME: return put_long(to, v.tag == VAL_INT ? v.i : 0);
    case TEXT: return batch_enc_text(enc, to, v.tag == VAL_STRING ? val_slice(v) : SLICE(""));
    case BYTES: return put_long(to, v.len) && (v.len == 0 || buf_add(to, v.str, v.len));
    case VALUES: return batch_enc_map(enc, to, v);
    case TEXTS: return put_texts(enc, to, v);
    default: break;
    }
    ok = v.len == 0 || put_long(to, v.len);
    for (uint32_t i = 0; ok && i < v.len; i++) {
        ok = put_fixed(to, v.list[i]);
    }
    return ok && buf_add_byte(to, 0);
}

bool rec_plain_write(enum rec_plain_kind kind, struct batch_enc *enc, const struct val *fields,
                     struct buf *to)
{
    size_t before = to->len;
    bool ok = frame_put(to, FRAME_SINGLE, schema_file_print(slice_str(kinds[kind].file)));
    for (uint32_t i = 0; ok && i < kinds[kind].n; i++) {
        ok = put_field(enc, to, kinds[kind].fields[i].sort, fields[i]);
    }
    if (!ok) {
        to->len = before;
    }
    return ok;
}

/* ---- reading ---- */

struct reader {
    struct batch_dec *dec;
    struct arena *arena;
    struct slice rest;
    int bad; /* an error's code */
};

static int64_t get_long(struct reader *r)
{
    int64_t v = 0;
    const char *at = r->rest.ptr, *end = at + r->rest.len;
    const char *behind = r->bad != 0 ? NULL : varint_read_zz(at, end, &v);
    if (behind == NULL) {
        r->bad = r->bad != 0 ? r->bad : ERR_CORRUPT;
        return 0;
    }
    r->rest = slice_of(behind, (size_t)(end - behind));
    return v;
}

static struct slice get_bytes(struct reader *r, uint64_t n)
{
    if (r->bad != 0 || n > r->rest.len) {
        r->bad = r->bad != 0 ? r->bad : ERR_CORRUPT;
        return SLICE("");
    }
    struct slice s = slice_sub(r->rest, 0, (size_t)n);
    r->rest = slice_sub(r->rest, (size_t)n, r->rest.len);
    return s;
}

static struct slice get_text(struct reader *r)
{
    int64_t n = get_long(r);
    return get_bytes(r, n < 0 ? UINT64_MAX : (uint64_t)n);
}

/* How many items the next block of a list or map has; 0: it has ended. */
static int64_t get_block(struct reader *r)
{
    int64_t n = get_long(r);
    if (n < 0) {
        (void)get_long(r); /* bytes of the block */
        n = n == INT64_MIN ? INT64_MAX : -n;
    }
    if (r->bad == 0 && n > (int64_t)r->rest.len) { /* each has a byte at least */
        r->bad = ERR_CORRUPT;
    }
    return r->bad != 0 ? 0 : n;
}

static struct val get_value(struct reader *r)
{
    struct val v = val_null();
    struct err e;
    if (r->bad == 0) {
        r->bad = -batch_dec_value(r->dec, r->arena, &r->rest, &v, &e);
    }
    return v;
}

/* The items lie twice as long as needed while their number is not known. */
static struct val get_map(struct reader *r, bool texts)
{
    VEC(struct val_pair) items = {0};
    for (int64_t n; (n = get_block(r)) > 0;) {
        for (; n > 0 && r->bad == 0; n--) {
            struct slice key = get_text(r);
            struct val v = texts ? val_string(get_text(r)) : get_value(r);
            *VEC_PUSH(&items) = val_pair(key, v);
        }
    }
    struct val_pair *to = arena_array(r->arena, items.len + 1, sizeof *to);
    struct val map = val_null();
    if (to == NULL) {
        r->bad = r->bad != 0 ? r->bad : ERR_LIMIT;
    } else {
        memcpy(to, items.len > 0 ? items.ptr : to, items.len * sizeof *to);
        map = val_map(to, val_map_sort(to, (uint32_t)items.len));
    }
    VEC_DONE(&items);
    return map;
}

static struct val get_fixeds(struct reader *r)
{
    VEC(struct val) items = {0};
    for (int64_t n; (n = get_block(r)) > 0;) {
        for (; n > 0 && r->bad == 0; n--) {
            *VEC_PUSH(&items) = val_bytes(get_bytes(r, REC_PLAIN_FIXED));
        }
    }
    struct val *to = arena_array(r->arena, items.len + 1, sizeof *to);
    struct val list = val_null();
    if (to == NULL) {
        r->bad = r->bad != 0 ? r->bad : ERR_LIMIT;
    } else {
        memcpy(to, items.len > 0 ? items.ptr : to, items.len * sizeof *to);
        list = val_list(to, (uint32_t)items.len);
    }
    VEC_DONE(&items);
    return list;
}

static struct val get_field(struct reader *r, unsigned sort)
{
    if ((sort & MAYBE) != 0) {
        int64_t branch = get_long(r);
        if (branch != 0 && branch != 1) {
            r->bad = ERR_CORRUPT;
        }
        if (branch == 0 || r->bad != 0) {
            return val_null();
        }
    }
    switch (sort & ~(unsigned)MAYBE) {
    case FIXED: return val_bytes(get_bytes(r, REC_PLAIN_FIXED));
    case LONG:
    case TIME: return val_int(get_long(r));
    case TEXT: return val_string(get_text(r));
    case BYTES: return val_bytes(get_text(r));
    case VALUES: return get_map(r, false);
    case TEXTS: return get_map(r, true);
    default: return get_fixeds(r);
    }
}

int rec_plain_read(enum rec_plain_kind kind, struct batch_dec *dec, struct arena *a,
                   struct slice body, struct val *ret_fields, struct err *reterr)
{
    struct reader r = {.dec = dec, .arena = a, .rest = body};
    struct val fields[REC_PLAIN_FIELDS_MAX];
    assert(kinds[kind].n <= REC_PLAIN_FIELDS_MAX);
    for (uint32_t i = 0; i < kinds[kind].n && r.bad == 0; i++) {
        fields[i] = get_field(&r, kinds[kind].fields[i].sort);
    }
    if (r.bad != 0 || r.rest.len > 0) {
        return err_set(reterr, r.bad == ERR_LIMIT ? ERR_LIMIT : ERR_CORRUPT,
                       "a record of '%s' that does not decode", kinds[kind].subject);
    }
    memcpy(ret_fields, fields, kinds[kind].n * sizeof *fields);
    return 0;
}

/* ---- as JSON ---- */

static void json_fixed(struct buf *out, struct val v)
{
    (void)buf_add_byte(out, '"');
    (void)text_put_hex(out, val_slice(v));
    (void)buf_add_byte(out, '"');
}

static void json_field(struct buf *out, unsigned sort, struct val v)
{
    sort &= ~(unsigned)MAYBE;
    if (v.tag == VAL_NULL) {
        (void)buf_add_str(out, "null");
    } else if (sort == FIXED) {
        json_fixed(out, v);
    } else if (sort == TIME) {
        (void)rec_json_time(out, v.i);
    } else if (sort != FIXEDS) {
        (void)rec_json_value(out, v);
    } else {
        (void)buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v.len; i++) {
            (void)buf_add_str(out, i > 0 ? "," : "");
            json_fixed(out, v.list[i]);
        }
        (void)buf_add_byte(out, ']');
    }
}

bool rec_plain_json(enum rec_plain_kind kind, const struct val *fields, struct buf *out)
{
    (void)buf_add_byte(out, '{');
    for (uint32_t i = 0; i < kinds[kind].n; i++) {
        (void)buf_addf(out, "%s\"%s\":", i > 0 ? "," : "", kinds[kind].fields[i].name);
        json_field(out, kinds[kind].fields[i].sort, fields[i]);
    }
    return buf_add_byte(out, '}') && !buf_failed(out);
}
