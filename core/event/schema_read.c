/* SPDX-License-Identifier: Apache-2.0
 *
 * See schema_read.h. Recursion follows the data, which may nest without end where a schema contains
 * itself: `depth` counts all levels. One level of EventBatch's values is three (record, union,
 * list).
 */
#include "core/event/schema_read.h"

#include "core/codec/endian.h"
#include "core/codec/varint.h"

#include <assert.h>
#include <avro.h>

enum { LEVELS_PER_VALUE = 3, LEVELS_AROUND = 16 };

struct reading {
    struct batch_limits limits;
    struct arena *arena;
    const char *p, *start, *end;
    unsigned depth;
    struct err *reterr;
};

static int read_any(struct reading *r, avro_schema_t s, struct val *ret);

static COLD int corrupt(const struct reading *r, const char *what)
{
    return err_set(r->reterr, ERR_CORRUPT, "%s (at byte %td of %td)", what, r->p - r->start,
                   r->end - r->start);
}

static COLD int over(const struct reading *r, const char *what)
{
    return err_set(r->reterr, ERR_LIMIT, "%s (at byte %td of %td)", what, r->p - r->start,
                   r->end - r->start);
}

static int read_long(struct reading *r, int64_t *ret)
{
    const char *next = varint_read_zz(r->p, r->end, ret);
    if (next == NULL) {
        return corrupt(r, "a number does not end");
    }
    r->p = next;
    return 0;
}

static int read_run(struct reading *r, int64_t len, struct slice *ret)
{
    if (len < 0 || len > r->end - r->p || len > UINT32_MAX) {
        return corrupt(r, "a string is longer than the input");
    }
    *ret = slice_of(r->p, (size_t)len);
    r->p += len;
    return 0;
}

static int read_text(struct reading *r, struct slice *ret)
{
    int64_t len = 0;
    int rc = read_long(r, &len);
    return rc != 0 ? rc : read_run(r, len, ret);
}

/* --- arrays and maps --- */

struct items {
    void *ptr;
    size_t size;
    uint32_t len, cap;
};

static int items_grow(struct reading *r, struct items *v, uint32_t more)
{
    if (more > r->limits.events - MIN(v->len, r->limits.events)) {
        return over(r, "more items than the limit allows");
    }
    uint32_t need = v->len + more;
    if (need > v->cap) {
        uint32_t cap = v->cap == 0 ? need : MAX(need, v->cap * 2);
        void *ptr = arena_array(r->arena, cap, v->size);
        if (ptr == NULL) {
            return over(r, "the value needs more memory than its limit");
        }
        if (v->len > 0) {
            memcpy(ptr, v->ptr, v->len * v->size);
        }
        v->ptr = ptr;
        v->cap = cap;
    }
    return 0;
}

/* Count of the next block, 0 at the end. Items may take no bytes (null, empty records), so only
 * the limit and the arena bound a count; memory grows as items are really read. */
static int read_block(struct reading *r, int64_t *ret_count)
{
    int64_t count = 0, size = 0;
    int rc = read_long(r, &count);
    if (rc == 0 && count < 0) {
        rc = read_long(r, &size);
        if (rc != 0) {
            return rc; /* the count was not looked at yet: it may be one that has no negative */
        }
        if (count == INT64_MIN || size < 0 || size > r->end - r->p) {
            return corrupt(r, "a block is larger than the input");
        }
        count = -count;
    }
    if (rc == 0 && count > r->limits.events) {
        return over(r, "more items than the limit allows");
    }
    *ret_count = count;
    return rc;
}

static int read_array(struct reading *r, avro_schema_t s, struct val *ret)
{
    struct items v = {.size = sizeof(struct val)};
    int64_t count = 0;
    int rc;
    while ((rc = read_block(r, &count)) == 0 && count > 0) {
        for (; rc == 0 && count > 0; count--) {
            rc = v.len < v.cap ? 0 : items_grow(r, &v, 1);
            rc =
                rc != 0 ? rc : read_any(r, avro_schema_array_items(s), (struct val *)v.ptr + v.len);
            v.len++;
        }
        if (rc != 0) {
            return rc;
        }
    }
    *ret = val_list(v.ptr, v.len);
    return rc;
}

static int read_map(struct reading *r, avro_schema_t s, struct val *ret)
{
    struct items v = {.size = sizeof(struct val_pair)};
    int64_t count = 0;
    int rc;
    while ((rc = read_block(r, &count)) == 0 && count > 0) {
        for (; rc == 0 && count > 0; count--) {
            struct slice key = SLICE_NONE;
            rc = v.len < v.cap ? 0 : items_grow(r, &v, 1);
            rc = rc != 0 ? rc : read_text(r, &key);
            if (rc == 0) {
                struct val_pair *pair = (struct val_pair *)v.ptr + v.len++;
                *pair = val_pair(key, val_null());
                rc = read_any(r, avro_schema_map_values(s), &pair->value);
            }
        }
        if (rc != 0) {
            return rc;
        }
    }
    *ret = val_map(v.ptr, val_map_sort(v.ptr, v.len));
    return rc;
}

/* --- records and the rest --- */

static int read_record(struct reading *r, avro_schema_t s, struct val *ret)
{
    uint32_t n = (uint32_t)avro_schema_record_size(s);
    struct val_pair *pairs = arena_array(r->arena, n, sizeof *pairs);
    if (pairs == NULL) {
        return over(r, "the value needs more memory than its limit");
    }
    for (uint32_t i = 0; i < n; i++) {
        pairs[i] = val_pair(slice_str(avro_schema_record_field_name(s, (int)i)), val_null());
        int rc = read_any(r, avro_schema_record_field_get_by_index(s, (int)i), &pairs[i].value);
        if (rc != 0) {
            return rc;
        }
    }
    struct val record = val_map(pairs, val_map_sort(pairs, n));
    const struct val *v =
        strcmp(avro_schema_name(s), "Value") == 0 ? val_map_get(record, SLICE("v")) : NULL;
    *ret = v != NULL ? *v : record;
    return 0;
}

static int read_union(struct reading *r, avro_schema_t s, struct val *ret)
{
    int64_t branch = 0;
    int rc = read_long(r, &branch);
    if (rc == 0 && (branch < 0 || branch >= (int64_t)avro_schema_union_size(s))) {
        return corrupt(r, "a union has no such branch");
    }
    return rc != 0 ? rc : read_any(r, avro_schema_union_branch(s, (int)branch), ret);
}

static int read_enum(struct reading *r, avro_schema_t s, struct val *ret)
{
    int64_t symbol = 0;
    int rc = read_long(r, &symbol);
    if (rc == 0 && (symbol < 0 || symbol >= avro_schema_enum_number_of_symbols(s))) {
        return corrupt(r, "an enum has no such symbol");
    }
    if (rc == 0) {
        *ret = val_string(slice_str(avro_schema_enum_get(s, (int)symbol)));
    }
    return rc;
}

static int read_number(struct reading *r, avro_type_t type, struct val *ret)
{
    struct slice bytes = SLICE_NONE;
    int rc = read_run(r, type == AVRO_FLOAT ? 4 : 8, &bytes);
    if (rc != 0) {
        return rc;
    }
    if (type == AVRO_DOUBLE) {
        *ret = val_double(0);
        ret->bits = endian_le64(bytes.ptr);
        return 0;
    }
    uint32_t bits = __builtin_bswap32(endian_be32(bytes.ptr));
    float f;
    memcpy(&f, &bits, sizeof f);
    *ret = val_double((double)f);
    return 0;
}

static int read_int(struct reading *r, avro_type_t type, struct val *ret)
{
    int64_t v = 0;
    int rc = read_long(r, &v);
    if (rc == 0 && type == AVRO_INT32 && (v < INT32_MIN || v > INT32_MAX)) {
        return corrupt(r, "an int of more than 32 bits");
    }
    *ret = val_int(v);
    return rc;
}

static int read_bool(struct reading *r, struct val *ret)
{
    if (r->p == r->end || (unsigned char)*r->p > 1) {
        return corrupt(r, "neither true nor false");
    }
    *ret = val_bool(*r->p++ != 0);
    return 0;
}

static int read_bytes(struct reading *r, avro_schema_t s, struct val *ret)
{
    struct slice text = SLICE_NONE;
    int rc = is_avro_fixed(s) ? read_run(r, avro_schema_fixed_size(s), &text) : read_text(r, &text);
    *ret = is_avro_string(s) ? val_string(text) : val_bytes(text);
    return rc;
}

static int read_one(struct reading *r, avro_schema_t s, struct val *ret)
{
    avro_type_t type = avro_typeof(s);
    switch (type) {
    case AVRO_RECORD: return read_record(r, s, ret);
    case AVRO_UNION: return read_union(r, s, ret);
    case AVRO_ARRAY: return read_array(r, s, ret);
    case AVRO_MAP: return read_map(r, s, ret);
    case AVRO_ENUM: return read_enum(r, s, ret);
    case AVRO_STRING:
    case AVRO_BYTES:
    case AVRO_FIXED: return read_bytes(r, s, ret);
    case AVRO_INT32:
    case AVRO_INT64: return read_int(r, type, ret);
    case AVRO_FLOAT:
    case AVRO_DOUBLE: return read_number(r, type, ret);
    case AVRO_BOOLEAN: return read_bool(r, ret);
    default: *ret = val_null(); return 0;
    }
}

static int read_any(struct reading *r, avro_schema_t s, struct val *ret)
{
    assert(s != NULL);
    s = is_avro_link(s) ? avro_schema_link_target(s) : s;
    if (r->depth == 0) {
        return over(r, "a value is nested too deeply");
    }
    r->depth--;
    int rc = read_one(r, s, ret);
    r->depth++;
    return rc;
}

int schema_read(const struct schema *s, struct batch_limits limits, struct arena *a,
                struct slice body, struct val *ret_value, struct err *reterr)
{
    assert(s != NULL && a != NULL);
    assert(ret_value != NULL);
    struct reading r = {.limits = limits,
                        .arena = a,
                        .p = body.ptr,
                        .start = body.ptr,
                        .end = body.ptr + body.len,
                        .depth = limits.depth * LEVELS_PER_VALUE + LEVELS_AROUND,
                        .reterr = reterr};
    struct val v;
    int rc = read_any(&r, schema_avro(s), &v);
    if (rc == 0 && r.p != r.end) {
        rc = corrupt(&r, "bytes behind the value");
    }
    if (rc == 0) {
        *ret_value = v;
    }
    return rc;
}
