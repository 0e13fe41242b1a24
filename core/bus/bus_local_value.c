/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_local_value.h. The reader trusts nothing: bytes come from a file. (Fuzzed by
 * tests/fuzz/fuzz_bus_local.c.)
 */
#include "core/bus/bus_local_value.h"

#include "core/base/hash.h"
#include "core/bus/bus_impl.h"

#include <assert.h>

enum {
    VARINT_MAX = 10,
    RECORD_LEAST = 4, /* skip, key, value, header count */
    AT_CHECKSUM = 4,
    AT_TIME = 8,
    AT_COUNT = 16,
    AT_HEADERS = 20,
    AT_BYTES = 24,
    AT_LAST = 28,
};

static void put_u32(char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (char)(v >> (8 * i));
    }
}

static uint32_t get_u32(const char *from)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        v |= (uint32_t)(uint8_t)from[i] << (8 * i);
    }
    return v;
}

static char *put_varint(char *to, uint64_t v)
{
    while (v >= 0x80) {
        *to++ = (char)(uint8_t)(v | 0x80);
        v >>= 7;
    }
    *to++ = (char)v;
    return to;
}

static bool get_varint(struct slice *in, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < in->len && i < VARINT_MAX; i++) {
        uint8_t c = (uint8_t)in->ptr[i];
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80) {
            *in = slice_of(in->ptr + i + 1, in->len - i - 1);
            *ret = v;
            return i + 1 < VARINT_MAX || c <= 1;
        }
    }
    return false;
}

size_t bus_local_record_bound(const struct bus_put *put)
{
    return bus_put_bytes(put) + (size_t)(4 + 2 * put->header_count) * VARINT_MAX;
}

/* 0 for null, so that an empty value and none stay apart. */
static uint64_t length_code(struct slice s)
{
    return s.ptr != NULL ? s.len + 1 : 0;
}

static char *put_bytes(char *to, struct slice s)
{
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    return to + s.len;
}

char *bus_local_record_write(char *to, uint64_t skip, const struct bus_put *put)
{
    assert(to != NULL);
    assert(put->header_count <= BUS_HEADERS_MAX);
    to = put_varint(to, skip);
    to = put_varint(to, length_code(put->key));
    to = put_varint(to, length_code(put->value));
    to = put_varint(to, put->header_count);
    for (uint32_t i = 0; i < put->header_count; i++) {
        to = put_varint(to, put->headers[i].name.len);
        to = put_varint(to, length_code(put->headers[i].value));
    }
    to = put_bytes(to, put->key);
    to = put_bytes(to, put->value);
    for (uint32_t i = 0; i < put->header_count; i++) {
        to = put_bytes(to, put->headers[i].name);
        to = put_bytes(to, put->headers[i].value);
    }
    return to;
}

void bus_local_record_skip(char *record, uint32_t skip)
{
    assert(record[0] == 0);
    assert(skip <= BUS_LOCAL_SKIP_MAX);
    record[0] = (char)skip;
}

void bus_local_head_write(char *value, size_t len, const struct bus_local_head *head)
{
    assert(len > BUS_LOCAL_HEAD_BYTES);
    assert(head->count > 0 && head->last >= head->count - 1);
    value[0] = BUS_LOCAL_VALUE_VERSION;
    value[1] = value[2] = value[3] = 0;
    put_u32(value + AT_TIME, (uint32_t)head->time_ms);
    put_u32(value + AT_TIME + 4, (uint32_t)((uint64_t)head->time_ms >> 32));
    put_u32(value + AT_COUNT, head->count);
    put_u32(value + AT_HEADERS, head->headers);
    put_u32(value + AT_BYTES, head->bytes);
    put_u32(value + AT_LAST, head->last);
    put_u32(value + AT_CHECKSUM, (uint32_t)hash_xxh64(slice_of(value + AT_TIME, len - AT_TIME)));
}

int bus_local_head_read(struct slice value, struct bus_local_head *ret_head, struct err *reterr)
{
    assert(ret_head != NULL);
    if (value.len <= BUS_LOCAL_HEAD_BYTES) {
        return err_set(reterr, ERR_CORRUPT, "chunk of %zu bytes: shorter than its head", value.len);
    }
    if (value.ptr[0] != BUS_LOCAL_VALUE_VERSION) {
        return err_set(reterr, ERR_UNSUPPORTED, "chunk of format %d: this program reads %d",
                       (uint8_t)value.ptr[0], BUS_LOCAL_VALUE_VERSION);
    }
    struct bus_local_head head = {
        .time_ms = (int64_t)(get_u32(value.ptr + AT_TIME) |
                             (uint64_t)get_u32(value.ptr + AT_TIME + 4) << 32),
        .count = get_u32(value.ptr + AT_COUNT),
        .headers = get_u32(value.ptr + AT_HEADERS),
        .bytes = get_u32(value.ptr + AT_BYTES),
        .last = get_u32(value.ptr + AT_LAST),
    };
    size_t body = value.len - BUS_LOCAL_HEAD_BYTES;
    if (head.count == 0 || head.count > body / RECORD_LEAST || head.last < head.count - 1 ||
        head.headers > body / 2 || head.bytes > body) {
        return err_set(reterr, ERR_CORRUPT,
                       "chunk of %zu bytes says %u records, %u headers, %u bytes, last %u",
                       value.len, head.count, head.headers, head.bytes, head.last);
    }
    *ret_head = head;
    return 0;
}

static bool take(struct slice *in, uint64_t code, struct slice *ret)
{
    if (code == 0) {
        *ret = SLICE_NONE;
        return true;
    }
    if (code - 1 > in->len) {
        return false;
    }
    *ret = slice_of(in->ptr, (size_t)code - 1);
    *in = slice_of(in->ptr + ret->len, in->len - ret->len);
    return true;
}

/* Header lengths stand before the bytes: kept in the slices meanwhile. */
static bool read_headers(struct slice *lengths, struct slice *in, struct bus_header *headers,
                         uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t name, value;
        if (!get_varint(lengths, &name) || !get_varint(lengths, &value) || name >= UINT64_MAX - 1 ||
            !take(in, name + 1, &headers[i].name) || !take(in, value, &headers[i].value)) {
            return false;
        }
    }
    return true;
}

static bool read_record(struct slice *in, struct bus_record *r, struct bus_header *headers,
                        uint32_t room, uint64_t *ret_skip)
{
    uint64_t key, value, n, unused;
    if (!get_varint(in, ret_skip) || !get_varint(in, &key) || !get_varint(in, &value) ||
        !get_varint(in, &n) || n > room || n > BUS_HEADERS_MAX) {
        return false;
    }
    struct slice lengths = *in;
    for (uint64_t i = 0; i < 2 * n; i++) {
        if (!get_varint(in, &unused)) {
            return false;
        }
    }
    if (!take(in, key, &r->key) || !take(in, value, &r->value) ||
        !read_headers(&lengths, in, headers, (uint32_t)n)) {
        return false;
    }
    r->headers = n > 0 ? headers : NULL;
    r->header_count = (uint32_t)n;
    return true;
}

int bus_local_value_read(struct slice value, int64_t base, const struct bus_local_head *head,
                         struct bus_record *ret_records, struct bus_header *ret_headers,
                         struct err *reterr)
{
    assert(value.len > BUS_LOCAL_HEAD_BYTES);
    assert(head->count > 0);
    uint32_t want = get_u32(value.ptr + AT_CHECKSUM);
    uint32_t got = (uint32_t)hash_xxh64(slice_of(value.ptr + AT_TIME, value.len - AT_TIME));
    if (want != got) {
        return err_set(reterr, ERR_CORRUPT, "chunk: checksum %08x, but its bytes give %08x", want,
                       got);
    }
    struct slice in = slice_of(value.ptr + BUS_LOCAL_HEAD_BYTES, value.len - BUS_LOCAL_HEAD_BYTES);
    uint64_t at = 0; /* the offset expected next, less the base */
    uint32_t used = 0;
    for (uint32_t i = 0; i < head->count; i++) {
        struct bus_record *r = &ret_records[i];
        uint64_t skip;
        if (!read_record(&in, r, ret_headers + used, head->headers - used, &skip) ||
            skip > head->last || at + skip > head->last) {
            return err_set(reterr, ERR_CORRUPT, "chunk: record %u of %u does not decode", i,
                           head->count);
        }
        r->offset = base + (int64_t)(at + skip);
        r->time_ms = head->time_ms;
        at += skip + 1;
        used += r->header_count;
    }
    if (in.len != 0 || used != head->headers || at != (uint64_t)head->last + 1) {
        return err_set(reterr, ERR_CORRUPT, "chunk: %zu bytes behind its last record", in.len);
    }
    return 0;
}
