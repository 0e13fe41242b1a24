/* SPDX-License-Identifier: Apache-2.0
 *
 * See key.h.
 */
#include "core/event/key.h"

#include "core/base/hash.h"
#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <math.h>

enum { GROUP_SHIFT = 54 };
static const uint64_t ONE_NAN = 0x7ff8000000000000u;

static bool add_head(struct buf *b, uint8_t tag, uint32_t len)
{
    char *to = buf_room(b, 1 + VARINT_MAX);
    if (to == NULL) {
        return false;
    }
    *to = (char)tag;
    buf_commit(b, (size_t)(varint_write(to + 1, len) - to));
    return true;
}

static bool add_word(struct buf *b, uint8_t tag, uint64_t word)
{
    char *to = buf_room(b, 9);
    if (to == NULL) {
        return false;
    }
    *to = (char)tag;
    endian_put_be64(to + 1, word);
    buf_commit(b, 9);
    return true;
}

static bool add_double(struct buf *b, double d)
{
    if (isnan(d)) {
        return add_word(b, KEY_DOUBLE, ONE_NAN);
    }
    if (d >= -9223372036854775808.0 && d < 9223372036854775808.0 && trunc(d) == d) {
        return add_word(b, KEY_INT, (uint64_t)(int64_t)d);
    }
    return add_word(b, KEY_DOUBLE, endian_bits(d));
}

static bool add_text(struct buf *b, uint8_t tag, struct slice s)
{
    return add_head(b, tag, (uint32_t)s.len) && buf_add_slice(b, s);
}

static bool add_items(struct buf *b, struct val v)
{
    bool ok = add_head(b, v.tag == VAL_LIST ? KEY_LIST : KEY_MAP, v.len);
    for (uint32_t i = 0; ok && i < v.len; i++) {
        if (v.tag == VAL_LIST) {
            ok = key_add(b, v.list[i]);
        } else {
            ok = add_text(b, KEY_STRING, val_key(&v.map[i])) && key_add(b, v.map[i].value);
        }
    }
    return ok;
}

bool key_add(struct buf *b, struct val v)
{
    assert(b != NULL);
    assert(v.tag < VAL_TAGS);
    switch (v.tag) {
    case VAL_NULL: return buf_add_byte(b, KEY_NULL);
    case VAL_BOOL: return buf_add_byte(b, KEY_BOOL) && buf_add_byte(b, v.b);
    case VAL_INT: return add_word(b, KEY_INT, (uint64_t)v.i);
    case VAL_DOUBLE: return add_double(b, v.d);
    case VAL_STRING: return add_text(b, KEY_STRING, val_slice(v));
    case VAL_BYTES: return add_text(b, KEY_BYTES, val_slice(v));
    default: return add_items(b, v);
    }
}

struct val key_coerce(struct val v, enum val_tag column)
{
    return v.tag == VAL_INT && column == VAL_DOUBLE ? val_double((double)v.i) : v;
}

static bool add_names(struct buf *b, enum key_subject_kind kind, const struct rec_context *c,
                      const struct rec_names *names, const enum rec_name *columns, size_t n)
{
    bool ok = buf_add_byte(b, (uint8_t)kind);
    for (size_t i = 0; ok && i < n; i++) {
        const struct val *v = rec_context_get(c, names, columns[i]);
        ok = key_add(b, v != NULL ? *v : val_null());
    }
    return ok;
}

static bool has(const struct rec_context *c, const struct rec_names *names, enum rec_name name)
{
    const struct val *v = rec_context_get(c, names, name);
    return v != NULL && v->tag != VAL_NULL && !(v->tag == VAL_STRING && v->len == 0);
}

bool key_add_target(struct buf *b, const struct rec_context *c, const struct rec_names *names)
{
    static const enum rec_name pod[] = {REC_NAME_TENANT, REC_NAME_CLUSTER, REC_NAME_NAMESPACE,
                                        REC_NAME_POD};
    static const enum rec_name service[] = {REC_NAME_TENANT, REC_NAME_SERVICE_NAMESPACE,
                                            REC_NAME_SERVICE, REC_NAME_SERVICE_INSTANCE};
    static const enum rec_name host[] = {REC_NAME_TENANT, REC_NAME_HOST};
    assert(b != NULL);
    if (has(c, names, REC_NAME_POD)) {
        return add_names(b, KEY_SUBJECT_POD, c, names, pod, ARRAY_LEN(pod));
    }
    if (has(c, names, REC_NAME_SERVICE)) {
        return add_names(b, KEY_SUBJECT_SERVICE, c, names, service, ARRAY_LEN(service));
    }
    if (has(c, names, REC_NAME_HOST)) {
        return add_names(b, KEY_SUBJECT_HOST, c, names, host, ARRAY_LEN(host));
    }
    return add_names(b, KEY_SUBJECT_NONE, c, names, host, 1);
}

bool key_add_trace(struct buf *b, struct val tenant, const uint8_t trace_id[16])
{
    return buf_add_byte(b, KEY_SUBJECT_TRACE) && key_add(b, tenant) &&
           key_add(b, val_bytes(slice_of(trace_id, 16)));
}

bool key_add_subject(struct buf *b, const struct rec *r, const struct rec_names *names)
{
    assert(b != NULL && r != NULL);
    if (r->kind == REC_SPAN && rec_has_trace(r)) {
        const struct val *tenant = rec_context_get(r->context, names, REC_NAME_TENANT);
        return key_add_trace(b, tenant != NULL ? *tenant : val_null(), r->trace_id);
    }
    return key_add_target(b, r->context, names);
}

uint32_t key_group(struct slice key_bytes)
{
    return (uint32_t)(hash_xxh64(key_bytes) >> GROUP_SHIFT);
}

static bool take(struct slice *rest, size_t n, const char **ret_bytes)
{
    if (rest->len < n) {
        return false;
    }
    *ret_bytes = rest->ptr;
    *rest = slice_of(rest->ptr + n, rest->len - n);
    return true;
}

static bool read_count(struct slice *rest, uint32_t *ret_n)
{
    uint64_t n;
    const char *p = varint_read(rest->ptr, rest->ptr + rest->len, &n);
    if (p == NULL || varint_size(n) != (size_t)(p - rest->ptr)) {
        return false;
    }
    *rest = slice_of(p, rest->len - (size_t)(p - rest->ptr));
    *ret_n = (uint32_t)n;
    return n <= rest->len;
}

static bool read_column(struct slice *rest, struct arena *a, unsigned depth, struct val *ret);

static bool read_items(struct slice *rest, struct arena *a, unsigned depth, uint8_t tag,
                       struct val *ret)
{
    uint32_t n;
    if (depth == 0 || !read_count(rest, &n)) {
        return false;
    }
    struct val *items = tag == KEY_LIST ? arena_array(a, n, sizeof *items) : NULL;
    struct val_pair *pairs = tag == KEY_MAP ? arena_array(a, n, sizeof *pairs) : NULL;
    if (items == NULL && pairs == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct val key = val_null();
        if (tag == KEY_MAP) {
            if (!read_column(rest, a, depth - 1, &key) || key.tag != VAL_STRING) {
                return false;
            }
            pairs[i] = val_pair(val_slice(key), key);
            bool ascending = i == 0 || slice_cmp(val_key(&pairs[i - 1]), val_key(&pairs[i])) < 0;
            if (!ascending || !read_column(rest, a, depth - 1, &pairs[i].value)) {
                return false;
            }
        } else if (!read_column(rest, a, depth - 1, &items[i])) {
            return false;
        }
    }
    *ret = tag == KEY_LIST ? val_list(items, n) : val_map(pairs, n);
    return true;
}

static bool read_word(struct slice *rest, uint8_t tag, struct val *ret)
{
    const char *p;
    if (!take(rest, 8, &p)) {
        return false;
    }
    uint64_t word = endian_be64(p);
    *ret = tag == KEY_INT ? val_int((int64_t)word) : val_double(endian_double(word));
    if (tag == KEY_INT) {
        return true;
    }
    double d = ret->d;
    return isnan(d) ? word == ONE_NAN
                    : d < -9223372036854775808.0 || d >= 9223372036854775808.0 || trunc(d) != d;
}

static bool read_text(struct slice *rest, uint8_t tag, struct val *ret)
{
    uint32_t n;
    const char *p;
    if (!read_count(rest, &n) || !take(rest, n, &p)) {
        return false;
    }
    *ret = tag == KEY_STRING ? val_string(slice_of(p, n)) : val_bytes(slice_of(p, n));
    return true;
}

static bool read_column(struct slice *rest, struct arena *a, unsigned depth, struct val *ret)
{
    const char *p;
    if (!take(rest, 1, &p)) {
        return false;
    }
    uint8_t tag = (uint8_t)*p;
    switch (tag) {
    case KEY_NULL: *ret = val_null(); return true;
    case KEY_BOOL:
        if (!take(rest, 1, &p) || (uint8_t)*p > 1) {
            return false;
        }
        *ret = val_bool(*p != 0);
        return true;
    case KEY_INT:
    case KEY_DOUBLE: return read_word(rest, tag, ret);
    case KEY_STRING:
    case KEY_BYTES: return read_text(rest, tag, ret);
    case KEY_LIST:
    case KEY_MAP: return read_items(rest, a, depth, tag, ret);
    default: return false;
    }
}

bool key_read(struct slice *rest, struct arena *a, struct val *ret_column)
{
    assert(rest != NULL && a != NULL);
    assert(ret_column != NULL);
    return read_column(rest, a, VAL_DEPTH_MAX + 1, ret_column);
}
