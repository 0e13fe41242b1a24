/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_can_read: the resolution rules of the Avro specification, decided on schemas alone.
 *   - a field the reader wants and the writer lacks needs a default; one the writer has and the
 *     reader does not want is skipped
 *   - int -> long -> float -> double, string <-> bytes
 *   - each type of a writer's union must be readable; a reader's union needs one type that reads
 *   - named types match by name without namespace, or by an alias of the reader
 * Types that contain themselves: a pair that is being compared counts as readable, since whatever
 * is wrong with it will be found by the comparison under way.
 */
#include "core/event/schema.h"

#include "core/base/vec.h"

#include <assert.h>
#include <avro.h>
#include <jansson.h>
#include <stdio.h>

enum { PAIRS_MAX = 4096, PATH_MAX_LEN = 160 };

struct pair {
    avro_schema_t reader, writer;
};

struct compat {
    const struct schema *reader, *writer;
    VEC(struct pair) under_way;
    char path[PATH_MAX_LEN];
    size_t path_len;
    struct err *reterr; /* NULL while trying the types of a union */
};

static int can_read(struct compat *c, avro_schema_t r, avro_schema_t w);

static int mismatch(const struct compat *c, const char *what, const char *reader,
                    const char *writer)
{
    return err_set(c->reterr, ERR_MISMATCH, "%.*s: %s: the reader has %s, the writer %s",
                   (int)c->path_len, c->path_len > 0 ? c->path : "", what, reader, writer);
}

static size_t path_push(struct compat *c, const char *name)
{
    size_t before = c->path_len;
    int n =
        snprintf(c->path + before, sizeof c->path - before, "%s%s", before > 0 ? "." : "", name);
    c->path_len = MIN(before + (size_t)MAX(n, 0), sizeof c->path - 1);
    return before;
}

static bool has_alias(const json_t *object, const char *name)
{
    size_t i;
    json_t *alias;
    json_array_foreach(json_object_get(object, "aliases"), i, alias)
    {
        const char *text = json_string_value(alias);
        const char *dot = text != NULL ? strrchr(text, '.') : NULL;
        text = dot != NULL ? dot + 1 : text;
        if (text != NULL && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

static const json_t *field_json(const json_t *record, size_t i)
{
    return json_array_get(json_object_get(record, "fields"), i);
}

/* The writer's field that the reader's field i reads from, or -1. */
static int writer_field(avro_schema_t r, const json_t *record, size_t i, avro_schema_t w)
{
    const char *name = avro_schema_record_field_name(r, (int)i);
    int at = avro_schema_record_field_get_index(w, name);
    for (size_t k = 0; at < 0 && k < avro_schema_record_size(w); k++) {
        if (has_alias(field_json(record, i), avro_schema_record_field_name(w, (int)k))) {
            at = (int)k;
        }
    }
    return at;
}

static int can_read_record(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    const json_t *record = schema_record_json(c->reader, r);
    assert(record != NULL);
    if (strcmp(avro_schema_name(r), avro_schema_name(w)) != 0 &&
        !has_alias(record, avro_schema_name(w))) {
        return mismatch(c, "record", avro_schema_name(r), avro_schema_name(w));
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < avro_schema_record_size(r); i++) {
        size_t before = path_push(c, avro_schema_record_field_name(r, (int)i));
        int at = writer_field(r, record, i, w);
        if (at >= 0) {
            rc = can_read(c, avro_schema_record_field_get_by_index(r, (int)i),
                          avro_schema_record_field_get_by_index(w, at));
        } else if (json_object_get(field_json(record, i), "default") == NULL) {
            rc = mismatch(c, "field", "it without default", "no such field");
        }
        c->path_len = before;
    }
    return rc;
}

static int can_read_enum(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    if (strcmp(avro_schema_name(r), avro_schema_name(w)) != 0) {
        return mismatch(c, "enum", avro_schema_name(r), avro_schema_name(w));
    }
    /* An enum's default would excuse this, but avro-c knows none and we use no enums. */
    for (int i = 0; i < avro_schema_enum_number_of_symbols(w); i++) {
        const char *symbol = avro_schema_enum_get(w, i);
        if (avro_schema_enum_get_by_name(r, symbol) < 0) {
            return mismatch(c, "enum symbol", "no such symbol", symbol);
        }
    }
    return 0;
}

static int can_read_fixed(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    if (strcmp(avro_schema_name(r), avro_schema_name(w)) != 0 ||
        avro_schema_fixed_size(r) != avro_schema_fixed_size(w)) {
        return mismatch(c, "fixed", avro_schema_name(r), avro_schema_name(w));
    }
    return 0;
}

static int can_read_union(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    struct err *reterr = c->reterr;
    int rc = -ERR_MISMATCH;
    c->reterr = NULL;
    for (size_t i = 0; rc != 0 && i < avro_schema_union_size(r); i++) {
        rc = can_read(c, avro_schema_union_branch(r, (int)i), w);
    }
    c->reterr = reterr;
    return rc == 0 ? 0 : mismatch(c, "union", "no type that reads it", avro_schema_type_name(w));
}

static int can_read_each(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < avro_schema_union_size(w); i++) {
        rc = can_read(c, r, avro_schema_union_branch(w, (int)i));
    }
    return rc;
}

static bool promotes(avro_type_t from, avro_type_t to)
{
    switch (from) {
    case AVRO_INT32: return to == AVRO_INT64 || to == AVRO_FLOAT || to == AVRO_DOUBLE;
    case AVRO_INT64: return to == AVRO_FLOAT || to == AVRO_DOUBLE;
    case AVRO_FLOAT: return to == AVRO_DOUBLE;
    case AVRO_STRING: return to == AVRO_BYTES;
    case AVRO_BYTES: return to == AVRO_STRING;
    default: return false;
    }
}

static int can_read_same_type(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    switch (avro_typeof(r)) {
    case AVRO_RECORD: return can_read_record(c, r, w);
    case AVRO_ENUM: return can_read_enum(c, r, w);
    case AVRO_FIXED: return can_read_fixed(c, r, w);
    case AVRO_ARRAY: return can_read(c, avro_schema_array_items(r), avro_schema_array_items(w));
    case AVRO_MAP: return can_read(c, avro_schema_map_values(r), avro_schema_map_values(w));
    default: return 0;
    }
}

static int can_read(struct compat *c, avro_schema_t r, avro_schema_t w)
{
    r = is_avro_link(r) ? avro_schema_link_target(r) : r;
    w = is_avro_link(w) ? avro_schema_link_target(w) : w;
    if (is_avro_record(r) && is_avro_record(w)) {
        VEC_EACH (&c->under_way, it) {
            if (it->reader == r && it->writer == w) {
                return 0;
            }
        }
        if (c->under_way.len >= PAIRS_MAX) {
            return err_set(c->reterr, ERR_LIMIT, "schemas too large to compare");
        }
        *VEC_PUSH(&c->under_way) = (struct pair){r, w};
    }
    size_t mark = c->under_way.len;
    int rc;
    if (is_avro_union(w)) {
        rc = can_read_each(c, r, w);
    } else if (is_avro_union(r)) {
        rc = can_read_union(c, r, w);
    } else if (avro_typeof(r) == avro_typeof(w)) {
        rc = can_read_same_type(c, r, w);
    } else if (promotes(avro_typeof(w), avro_typeof(r))) {
        rc = 0;
    } else {
        rc = mismatch(c, "type", avro_schema_type_name(r), avro_schema_type_name(w));
    }
    if (rc != 0) {
        /* What was assumed on the way to a failure holds no more. */
        bool pushed = mark > 0 && is_avro_record(r) && is_avro_record(w);
        c->under_way.len = pushed ? mark - 1 : mark;
    }
    return rc;
}

int schema_can_read(const struct schema *reader, const struct schema *writer, struct err *reterr)
{
    assert(reader != NULL && writer != NULL);
    struct compat c = {.reader = reader, .writer = writer, .reterr = reterr};
    int rc = can_read(&c, schema_avro(reader), schema_avro(writer));
    VEC_DONE(&c.under_way);
    return rc;
}

int schema_compatible(const struct schema *a, const struct schema *b, struct err *reterr)
{
    int rc = schema_can_read(a, b, reterr);
    return rc != 0 ? rc : schema_can_read(b, a, reterr);
}
