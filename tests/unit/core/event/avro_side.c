/* SPDX-License-Identifier: Apache-2.0
 *
 * See avro_side.h. avro-c's strings carry their NUL in the size.
 */
#include "tests/unit/core/event/avro_side.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static _Noreturn void broken(const char *what)
{
    fprintf(stderr, "avro side: %s: %s\n", what, avro_strerror());
    abort();
}

void avro_side_init(struct avro_side *s, struct slice schema_text)
{
    if (avro_schema_from_json_length(schema_text.ptr, schema_text.len, &s->schema) != 0) {
        broken("schema");
    }
    s->class = avro_generic_class_from_schema(s->schema);
    if (s->class == NULL || avro_generic_value_new(s->class, &s->value) != 0) {
        broken("class");
    }
    s->reader = avro_reader_memory("", 0);
    s->writer = avro_writer_memory("", 0);
}

void avro_side_done(struct avro_side *s)
{
    avro_value_decref(&s->value);
    avro_value_iface_decref(s->class);
    avro_schema_decref(s->schema);
    avro_reader_free(s->reader);
    avro_writer_free(s->writer);
}

bool avro_side_write(struct avro_side *s, struct buf *out)
{
    size_t size;
    if (avro_value_sizeof(&s->value, &size) != 0) {
        return false;
    }
    char *to = buf_room(out, size);
    avro_writer_memory_set_dest(s->writer, to, (int64_t)size);
    if (to == NULL || avro_value_write(s->writer, &s->value) != 0) {
        return false;
    }
    buf_commit(out, (size_t)avro_writer_tell(s->writer));
    return true;
}

bool avro_side_read(struct avro_side *s, struct slice bytes)
{
    avro_value_reset(&s->value);
    avro_reader_memory_set_source(s->reader, bytes.ptr, (int64_t)bytes.len);
    /* That nothing is left over shows when one more byte cannot be skipped. */
    return avro_value_read(s->reader, &s->value) == 0 && avro_skip(s->reader, 1) != 0;
}

/* --- filling --- */

static void set_string(avro_value_t *v, struct slice s)
{
    char *copy = mem_alloc(s.len + 1);
    memcpy(copy, s.len > 0 ? s.ptr : "", s.len);
    copy[s.len] = '\0';
    if (avro_value_get_type(v) == AVRO_BYTES) {
        avro_value_set_bytes(v, copy, s.len);
    } else {
        avro_value_set_string_len(v, copy, s.len + 1);
    }
    mem_free(copy);
}

static void fill_pairs(avro_value_t *map, const struct val_pair *pairs, uint32_t n);

static void fill_value(avro_value_t *v, struct val from)
{
    avro_value_t any, branch, item;
    if (avro_value_get_by_name(v, "v", &any, NULL) != 0 ||
        avro_value_set_branch(&any, from.tag, &branch) != 0) {
        broken("value");
    }
    switch (from.tag) {
    case VAL_NULL: avro_value_set_null(&branch); break;
    case VAL_BOOL: avro_value_set_boolean(&branch, from.b); break;
    case VAL_INT: avro_value_set_long(&branch, from.i); break;
    case VAL_DOUBLE: avro_value_set_double(&branch, from.d); break;
    case VAL_STRING: set_string(&branch, val_slice(from)); break;
    case VAL_BYTES: avro_value_set_bytes(&branch, (void *)(uintptr_t)from.str, from.len); break;
    case VAL_LIST:
        for (uint32_t i = 0; i < from.len; i++) {
            avro_value_append(&branch, &item, NULL);
            fill_value(&item, from.list[i]);
        }
        break;
    default: fill_pairs(&branch, from.map, from.len); break;
    }
}

static void fill_pairs(avro_value_t *map, const struct val_pair *pairs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        avro_value_t item;
        char *key = mem_alloc(pairs[i].key_len + 1u);
        memcpy(key, pairs[i].key_len > 0 ? pairs[i].key : "", pairs[i].key_len);
        key[pairs[i].key_len] = '\0';
        avro_value_add(map, key, &item, NULL, NULL);
        fill_value(&item, pairs[i].value);
        mem_free(key);
    }
}

static void set_long(avro_value_t *record, const char *name, int64_t v)
{
    avro_value_t field;
    if (avro_value_get_by_name(record, name, &field, NULL) == 0) {
        if (avro_value_get_type(&field) == AVRO_INT32) {
            avro_value_set_int(&field, (int32_t)v);
        } else {
            avro_value_set_long(&field, v);
        }
    }
}

static void set_text(avro_value_t *record, const char *name, struct slice s)
{
    avro_value_t field;
    if (avro_value_get_by_name(record, name, &field, NULL) == 0) {
        set_string(&field, s);
    }
}

static void set_opt_fixed(avro_value_t *record, const char *name, const uint8_t *bytes, size_t n,
                          bool there)
{
    avro_value_t field, branch;
    if (avro_value_get_by_name(record, name, &field, NULL) == 0) {
        avro_value_set_branch(&field, there ? 1 : 0, &branch);
        if (there) {
            avro_value_set_fixed(&branch, (void *)(uintptr_t)bytes, n);
        } else {
            avro_value_set_null(&branch);
        }
    }
}

static void fill_event(avro_value_t *v, const struct rec *r)
{
    avro_value_t field, item;
    set_long(v, "context", r->context->index);
    set_long(v, "n", r->n);
    avro_value_get_by_name(v, "id", &field, NULL);
    avro_value_set_fixed(&field, (void *)(uintptr_t)r->id.bytes, sizeof r->id.bytes);
    set_long(v, "ts", r->ts);
    set_long(v, "ingest_ts", r->ingest_ts);
    set_long(v, "kind", r->kind);
    set_text(v, "type", r->type);
    set_opt_fixed(v, "trace_id", r->trace_id, sizeof r->trace_id, rec_has_trace(r));
    set_opt_fixed(v, "span_id", r->span_id, sizeof r->span_id, rec_has_span(r));
    set_long(v, "flags", r->flags);
    if (avro_value_get_by_name(v, "causes", &field, NULL) == 0) {
        for (uint32_t i = 0; i < r->causes_len; i++) {
            avro_value_append(&field, &item, NULL);
            avro_value_set_fixed(&item, (void *)(uintptr_t)r->causes[i].bytes, sizeof(struct ref));
        }
    }
    avro_value_get_by_name(v, "payload", &field, NULL);
    fill_pairs(&field, r->payload, r->payload_len);
}

void avro_side_fill(struct avro_side *s, const struct rec_batch *b)
{
    avro_value_t list, item;
    avro_value_reset(&s->value);
    set_text(&s->value, "source", b->source);
    set_long(&s->value, "seq", b->seq);
    set_long(&s->value, "min_ts", b->min_ts);
    set_long(&s->value, "max_ts", b->max_ts);
    avro_value_get_by_name(&s->value, "contexts", &list, NULL);
    for (uint32_t i = 0; i < b->contexts_len; i++) {
        avro_value_append(&list, &item, NULL);
        fill_pairs(&item, b->contexts[i].pairs, b->contexts[i].len);
    }
    avro_value_get_by_name(&s->value, "events", &list, NULL);
    for (uint32_t i = 0; i < b->events_len; i++) {
        avro_value_append(&list, &item, NULL);
        fill_event(&item, &b->events[i]);
    }
}

/* --- comparing --- */

static bool same_string(avro_value_t *v, struct slice want)
{
    const char *text;
    size_t size;
    if (avro_value_get_type(v) == AVRO_BYTES) {
        const void *bytes;
        return avro_value_get_bytes(v, &bytes, &size) == 0 && slice_eq(slice_of(bytes, size), want);
    }
    return avro_value_get_string(v, &text, &size) == 0 && slice_eq(slice_of(text, size - 1), want);
}

static bool same_pairs(avro_value_t *map, const struct val_pair *pairs, uint32_t n);

static bool same_scalar(avro_value_t *v, struct val want)
{
    int b;
    int64_t i;
    double d;
    switch (want.tag) {
    case VAL_NULL: return avro_value_get_null(v) == 0;
    case VAL_BOOL: return avro_value_get_boolean(v, &b) == 0 && (b != 0) == want.b;
    case VAL_INT: return avro_value_get_long(v, &i) == 0 && i == want.i;
    case VAL_DOUBLE: return avro_value_get_double(v, &d) == 0 && memcmp(&d, &want.d, 8) == 0;
    default: return same_string(v, val_slice(want));
    }
}

static bool same_value(avro_value_t *v, struct val want)
{
    avro_value_t any, branch, item;
    int tag;
    size_t n;
    if (avro_value_get_by_name(v, "v", &any, NULL) != 0 ||
        avro_value_get_discriminant(&any, &tag) != 0 || tag != want.tag ||
        avro_value_get_current_branch(&any, &branch) != 0) {
        return false;
    }
    if (want.tag == VAL_MAP) {
        return same_pairs(&branch, want.map, want.len);
    }
    if (want.tag != VAL_LIST) {
        return same_scalar(&branch, want);
    }
    bool same = avro_value_get_size(&branch, &n) == 0 && n == want.len;
    for (uint32_t i = 0; same && i < want.len; i++) {
        same = avro_value_get_by_index(&branch, i, &item, NULL) == 0 &&
               same_value(&item, want.list[i]);
    }
    return same;
}

static bool same_pairs(avro_value_t *map, const struct val_pair *pairs, uint32_t n)
{
    size_t size;
    bool same = avro_value_get_size(map, &size) == 0 && size == n;
    for (uint32_t i = 0; same && i < size; i++) {
        avro_value_t item;
        const char *key;
        same = avro_value_get_by_index(map, i, &item, &key) == 0;
        const struct val *v = same ? rec_find_text(pairs, n, slice_str(key)) : NULL;
        same = v != NULL && same_value(&item, *v);
    }
    return same;
}

static bool same_long(avro_value_t *record, const char *name, int64_t want)
{
    avro_value_t field;
    int64_t v;
    int32_t i;
    if (avro_value_get_by_name(record, name, &field, NULL) != 0) {
        return true; /* not in this version */
    }
    if (avro_value_get_type(&field) == AVRO_INT32) {
        return avro_value_get_int(&field, &i) == 0 && i == want;
    }
    return avro_value_get_long(&field, &v) == 0 && v == want;
}

static bool same_fixed(avro_value_t *v, const uint8_t *want, size_t n)
{
    const void *bytes;
    size_t size;
    return avro_value_get_fixed(v, &bytes, &size) == 0 && size == n && memcmp(bytes, want, n) == 0;
}

static bool same_opt_fixed(avro_value_t *record, const char *name, const uint8_t *want, size_t n,
                           bool there)
{
    avro_value_t field, branch;
    int tag;
    if (avro_value_get_by_name(record, name, &field, NULL) != 0) {
        return true;
    }
    return avro_value_get_discriminant(&field, &tag) == 0 && tag == (there ? 1 : 0) &&
           avro_value_get_current_branch(&field, &branch) == 0 &&
           (!there || same_fixed(&branch, want, n));
}

static bool same_causes(avro_value_t *event, const struct rec *r)
{
    avro_value_t field, item;
    size_t n;
    if (avro_value_get_by_name(event, "causes", &field, NULL) != 0) {
        return true;
    }
    bool same = avro_value_get_size(&field, &n) == 0 && n == r->causes_len;
    for (uint32_t i = 0; same && i < n; i++) {
        same = avro_value_get_by_index(&field, i, &item, NULL) == 0 &&
               same_fixed(&item, r->causes[i].bytes, sizeof(struct ref));
    }
    return same;
}

static const char *event_differs(avro_value_t *v, const struct rec *r)
{
    avro_value_t field;
    const struct {
        const char *name;
        int64_t want;
    } longs[] = {{"context", r->context->index}, {"n", r->n},       {"ts", r->ts},
                 {"ingest_ts", r->ingest_ts},    {"kind", r->kind}, {"flags", r->flags}};
    for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
        if (!same_long(v, longs[i].name, longs[i].want)) {
            return longs[i].name;
        }
    }
    avro_value_get_by_name(v, "id", &field, NULL);
    if (!same_fixed(&field, r->id.bytes, sizeof r->id.bytes)) {
        return "id";
    }
    avro_value_get_by_name(v, "type", &field, NULL);
    if (!same_string(&field, r->type)) {
        return "type";
    }
    if (!same_opt_fixed(v, "trace_id", r->trace_id, sizeof r->trace_id, rec_has_trace(r)) ||
        !same_opt_fixed(v, "span_id", r->span_id, sizeof r->span_id, rec_has_span(r))) {
        return "trace_id or span_id";
    }
    avro_value_get_by_name(v, "payload", &field, NULL);
    return !same_causes(v, r)                                ? "causes"
           : !same_pairs(&field, r->payload, r->payload_len) ? "payload"
                                                             : NULL;
}

const char *avro_side_differs(struct avro_side *s, const struct rec_batch *b)
{
    avro_value_t list, item;
    size_t n;
    if (avro_value_get_by_name(&s->value, "source", &item, NULL) == 0 &&
        !same_string(&item, b->source)) {
        return "source";
    }
    if (!same_long(&s->value, "seq", b->seq) || !same_long(&s->value, "min_ts", b->min_ts) ||
        !same_long(&s->value, "max_ts", b->max_ts)) {
        return "seq, min_ts or max_ts";
    }
    avro_value_get_by_name(&s->value, "contexts", &list, NULL);
    if (avro_value_get_size(&list, &n) != 0 || n != b->contexts_len) {
        return "contexts";
    }
    for (uint32_t i = 0; i < n; i++) {
        avro_value_get_by_index(&list, i, &item, NULL);
        if (!same_pairs(&item, b->contexts[i].pairs, b->contexts[i].len)) {
            return "contexts";
        }
    }
    avro_value_get_by_name(&s->value, "events", &list, NULL);
    if (avro_value_get_size(&list, &n) != 0 || n != b->events_len) {
        return "events";
    }
    const char *differs = NULL;
    for (uint32_t i = 0; differs == NULL && i < n; i++) {
        avro_value_get_by_index(&list, i, &item, NULL);
        differs = event_differs(&item, &b->events[i]);
    }
    return differs;
}
