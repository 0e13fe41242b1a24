/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON to values by declared type, and values to JSON. See cmd_json.h.
 */
#include "operators/cmd/cmd_json.h"

#include "core/codec/utf8.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

enum { WIDE_MAX = 4096 }; /* letters of a number as text */

json_t *cmd_json_parse(struct slice text, struct err *reterr)
{
    json_error_t je;
    json_t *j = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_ALLOW_NUL, &je);
    if (j == NULL) {
        (void)err_set(reterr, ERR_SYNTAX, "%s", je.text);
        err_span(reterr, (uint32_t)MAX(je.line, 1), (uint32_t)MAX(je.column, 1), 1);
    }
    return j;
}

static struct slice text_of(const json_t *j)
{
    assert(json_is_string(j));
    return slice_of(json_string_value(j), json_string_length(j));
}

static const char *json_kind(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "a whole number";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

static int wrong(struct ty type, const json_t *j, struct err *reterr)
{
    struct buf b;
    buf_init(&b, 1024);
    ty_print(type, &b);
    int rc = err_set(reterr, ERR_TYPE, "%s where %s is declared", json_kind(j), buf_cstr(&b));
    buf_done(&b);
    return rc;
}

/* ---- without a declared type ---- */

static struct dat untyped_object(struct vheap *h, const json_t *j)
{
    struct vmap *m = vmap_new(h, json_object_size(j));
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value)
    {
        struct dat k = dat_str(vstr_new(h, slice_str(key)));
        vmap_set(m, i++, k, cmd_json_untyped(h, value));
    }
    assert(i == m->len);
    return dat_map(m);
}

static struct dat untyped_list(struct vheap *h, const json_t *j)
{
    struct vlist *l = vlist_new(h, json_array_size(j));
    for (size_t i = 0; i < l->len; i++) {
        vlist_set(l, i, cmd_json_untyped(h, json_array_get(j, i)));
    }
    return dat_list(l);
}

static struct dat number(const json_t *j)
{
    if (json_is_real(j)) {
        return dat_double(json_real_value(j));
    }
    int64_t i = json_integer_value(j);
    return i >= INT32_MIN && i <= INT32_MAX ? dat_int((int32_t)i) : dat_long(i);
}

struct dat cmd_json_untyped(struct vheap *h, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT: return untyped_object(h, j);
    case JSON_ARRAY: return untyped_list(h, j);
    case JSON_STRING: return dat_str(vstr_new(h, text_of(j)));
    case JSON_INTEGER:
    case JSON_REAL: return number(j);
    case JSON_TRUE: return dat_bool(true);
    case JSON_FALSE: return dat_bool(false);
    default: return DAT_NONE;
    }
}

/* ---- by declared type ---- */

static const uint8_t number_kinds[] = {
    [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
    [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
    [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
};

/* A number as text: "NaN", "Infinity" and the like for float and double, digits for big ones. */
static bool number_text(struct vheap *h, enum ty_kind kind, struct slice text, struct dat *ret)
{
    double d;
    if (kind == TY_FLOAT || kind == TY_DOUBLE) {
        if (!slice_to_f64(text, &d)) {
            return false;
        }
        *ret = kind == TY_FLOAT ? dat_float(d) : dat_double(d);
        return true;
    }
    if (kind == TY_BIGINT || kind == TY_BIGDEC) {
        return big_parse(h, text, (enum dat_kind)number_kinds[kind], ret);
    }
    return false;
}

/* A big number of a double has the digits of the double's text, not its binary expansion. */
static bool number_big(struct vheap *h, enum ty_kind kind, const json_t *j, struct dat *ret)
{
    struct buf b;
    buf_init(&b, WIDE_MAX);
    dat_text_to(number(j), &b);
    struct dat dec;
    bool ok = big_parse(h, buf_slice(&b), DAT_BIGDEC, &dec);
    if (ok) {
        *ret = dat_as(h, dec, (enum dat_kind)number_kinds[kind]);
    }
    buf_done(&b);
    return ok;
}

static int typed_number(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                        struct err *reterr)
{
    bool big = type.kind == TY_BIGINT || type.kind == TY_BIGDEC;
    bool ok = false;
    if (json_is_string(j)) {
        ok = number_text(h, type.kind, text_of(j), ret);
    } else if (json_is_number(j) && big) {
        ok = number_big(h, type.kind, j, ret);
    } else if (json_is_number(j)) {
        *ret = dat_as(h, number(j), (enum dat_kind)number_kinds[type.kind]);
        ok = true;
    }
    return ok ? 0 : wrong(type, j, reterr);
}

static int typed_char(struct ty type, const json_t *j, struct dat *ret, struct err *reterr)
{
    if (!json_is_string(j) || json_string_length(j) == 0) {
        return wrong(type, j, reterr);
    }
    struct slice s = text_of(j);
    size_t bad, n = utf8_char(s, &bad);
    unsigned char c = (unsigned char)s.ptr[0];
    int64_t code = n <= 1 ? c : c & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        code = code << 6 | ((unsigned char)s.ptr[i] & 0x3f);
    }
    *ret = (struct dat){.kind = DAT_CHAR, .i = code};
    return 0;
}

static int typed_list(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                      struct err *reterr)
{
    if (!json_is_array(j)) {
        return wrong(type, j, reterr);
    }
    struct vlist *l = vlist_new(h, json_array_size(j));
    for (size_t i = 0; i < l->len; i++) {
        struct dat v;
        int rc = cmd_json_typed(h, *type.elem, json_array_get(j, i), &v, reterr);
        if (rc != 0) {
            return err_wrap(reterr, "[%zu]", i);
        }
        vlist_set(l, i, v);
    }
    *ret = dat_list(l);
    return 0;
}

static int typed_map(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                     struct err *reterr)
{
    if (!json_is_object(j)) {
        return wrong(type, j, reterr);
    }
    struct vmap *m = vmap_new(h, json_object_size(j));
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)j, key, value)
    {
        struct dat v;
        if (cmd_json_typed(h, *type.elem, value, &v, reterr) != 0) {
            return err_wrap(reterr, "('%s')", key);
        }
        vmap_set(m, i++, dat_str(vstr_new(h, slice_str(key))), v);
    }
    *ret = dat_map(m);
    return 0;
}

static int typed_event(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                       struct err *reterr)
{
    struct evt *e = NULL;
    if (!json_is_object(j)) {
        return wrong(type, j, reterr);
    }
    int rc = cmd_json_event(h, type.ev, j, &e, reterr);
    if (rc == 0) {
        *ret = dat_evt(e);
    }
    return rc;
}

static int typed_plain(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                       struct err *reterr)
{
    bool fits = type.kind == TY_BOOL ? json_is_boolean(j) : json_is_string(j);
    if (!fits) {
        return wrong(type, j, reterr);
    }
    *ret = cmd_json_untyped(h, j);
    return 0;
}

int cmd_json_typed(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                   struct err *reterr)
{
    assert(j != NULL);
    if (json_is_null(j)) {
        *ret = DAT_NONE;
        return 0;
    }
    if (ty_is_number(type)) {
        return typed_number(h, type, j, ret, reterr);
    }
    switch (type.kind) {
    case TY_BOOL:
    case TY_STRING: return typed_plain(h, type, j, ret, reterr);
    case TY_CHAR: return typed_char(type, j, ret, reterr);
    case TY_EVENT: return typed_event(h, type, j, ret, reterr);
    case TY_LIST:
        if (type.elem != NULL) {
            return typed_list(h, type, j, ret, reterr);
        }
        break;
    case TY_MAP:
        if (type.elem != NULL) {
            return typed_map(h, type, j, ret, reterr);
        }
        break;
    default: break;
    }
    *ret = cmd_json_untyped(h, j);
    return 0;
}

/* Properties that the type does not declare. */
static struct vmap *undeclared(struct vheap *h, const struct etype *type, const json_t *object,
                               size_t n)
{
    struct vmap *m = vmap_new(h, n);
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (ety_col(type, slice_str(key)) < 0) {
            vmap_set(m, i++, dat_str(vstr_new(h, slice_str(key))), cmd_json_untyped(h, value));
        }
    }
    assert(i == n);
    return m;
}

int cmd_json_event(struct vheap *h, const struct etype *type, const json_t *object,
                   struct evt **ret, struct err *reterr)
{
    assert(type != NULL);
    struct evt *e = evt_new(h, type);
    size_t extra = 0;
    const char *key;
    json_t *value;
    if (object != NULL && !json_is_object(object)) {
        return err_set(reterr, ERR_TYPE, "%s where an event is wanted", json_kind(object));
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        int at = ety_col(type, slice_str(key));
        if (at < 0) {
            extra++;
            continue;
        }
        struct dat v;
        if (cmd_json_typed(h, type->cols[at].ty, value, &v, reterr) != 0) {
            return err_wrap(reterr, "%s", key);
        }
        evt_set(e, (size_t)at, v);
    }
    if (extra > 0) {
        e->extra = undeclared(h, type, object, extra);
        obj_keep(&e->extra->o);
    }
    *ret = e;
    return 0;
}

/* ---- values to JSON ---- */

static void escape(unsigned char c, struct buf *out)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c != 0 ? strchr(plain, c) : NULL;
    if (at != NULL) {
        (void)buf_add_byte(out, '\\');
        (void)buf_add_byte(out, (uint8_t)letters[at - plain]);
    } else {
        (void)buf_addf(out, "\\u%04x", c);
    }
}

void cmd_json_string(struct slice s, struct buf *out)
{
    (void)buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t bad = 1, n = c < 0x80 ? 1 : utf8_char(slice_sub(s, i, s.len), &bad);
        if (n == 0) {
            (void)buf_add_str(out, "\xef\xbf\xbd");
            i += bad;
        } else if (c < 0x20 || c == '"' || c == '\\') {
            escape(c, out);
            i++;
        } else {
            (void)buf_add(out, s.ptr + i, n);
            i += n;
        }
    }
    (void)buf_add_byte(out, '"');
}

static void put_char(int64_t code, struct buf *out)
{
    char s[4];
    size_t n = 0;
    uint32_t c = (uint32_t)code & 0xffff;
    if (c < 0x80) {
        s[n++] = (char)c;
    } else {
        if (c < 0x800) {
            s[n++] = (char)(0xc0 | c >> 6);
        } else {
            s[n++] = (char)(0xe0 | c >> 12);
            s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        }
        s[n++] = (char)(0x80 | (c & 0x3f));
    }
    cmd_json_string(slice_of(s, n), out);
}

static void put_double(double d, struct buf *out)
{
    if (isfinite(d)) {
        dat_text_to(dat_double(d), out);
        return;
    }
    (void)buf_add_str(out, isnan(d) ? "\"NaN\"" : d > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void put_list(const struct vlist *l, struct buf *out)
{
    (void)buf_add_byte(out, '[');
    for (uint32_t i = 0; i < l->len; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        cmd_json_value(l->v[i], out);
    }
    (void)buf_add_byte(out, ']');
}

static void put_key(struct dat key, struct buf *out)
{
    if (key.kind == DAT_STRING) {
        cmd_json_string(vstr_slice(key.s), out);
        return;
    }
    struct buf b;
    buf_init(&b, WIDE_MAX);
    dat_text_to(key, &b);
    cmd_json_string(buf_slice(&b), out);
    buf_done(&b);
}

static void put_map(const struct vmap *m, struct buf *out)
{
    (void)buf_add_byte(out, '{');
    for (uint32_t i = 0; i < m->len; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        put_key(m->v[i].key, out);
        (void)buf_add_str(out, ": ");
        cmd_json_value(m->v[i].value, out);
    }
    (void)buf_add_byte(out, '}');
}

void cmd_json_row(const struct evt *e, struct buf *out)
{
    assert(e != NULL);
    (void)buf_add_byte(out, '{');
    bool any = false;
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        if (e->type->cols[i].name.len == 0) {
            continue; /* the nameless column of a table's row */
        }
        (void)buf_add_str(out, any ? ", " : "");
        cmd_json_string(e->type->cols[i].name, out);
        (void)buf_add_str(out, ": ");
        cmd_json_value(e->p[i], out);
        any = true;
    }
    (void)buf_add_byte(out, '}');
}

void cmd_json_value(struct dat v, struct buf *out)
{
    switch ((enum dat_kind)v.kind) {
    case DAT_BOOL: (void)buf_add_str(out, v.b ? "true" : "false"); break;
    case DAT_CHAR: put_char(v.i, out); break;
    case DAT_BYTE:
    case DAT_SHORT:
    case DAT_INT:
    case DAT_LONG: (void)buf_addf(out, "%" PRId64, v.i); break;
    case DAT_FLOAT:
    case DAT_DOUBLE: put_double(v.d, out); break;
    case DAT_BIGINT:
    case DAT_BIGDEC: big_print(v.big, out); break;
    case DAT_STRING: cmd_json_string(vstr_slice(v.s), out); break;
    case DAT_EVENT: cmd_json_row(v.ev, out); break;
    case DAT_MAP: put_map(v.m, out); break;
    case DAT_LIST: put_list(v.l, out); break;
    default: (void)buf_add_str(out, "null"); break;
    }
}

void cmd_json_rows(struct evt *const *rows, size_t n, struct buf *out)
{
    (void)buf_add_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        cmd_json_value(dat_evt(rows[i]), out);
    }
    (void)buf_add_byte(out, ']');
}
