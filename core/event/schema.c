/* SPDX-License-Identifier: Apache-2.0
 *
 * See schema.h. One walk over avro-c's tree writes the canonical form and vets on the way; named
 * types stand in full where they are defined and by name elsewhere (avro-c's links). A second walk,
 * over the JSON, files each record's object under its full name.
 */
#include "core/event/schema.h"

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/codec/crc64.h"

#include <assert.h>
#include <avro.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    NAMED_MAX = 1000,
    FIELDS_MAX = 1000,
    BRANCHES_MAX = 64,
    FIXED_MAX = 1 << 20,
    FILES_MAX = 64
};

struct schema {
    avro_schema_t avro;
    json_t *json;
    struct map records; /* full name -> json_t */
    struct buf canonical;
    uint64_t fingerprint;
    struct slice text;
};

struct canon {
    struct buf *out;
    unsigned depth;
    bool spaced; /* some record around has a namespace */
    struct err *reterr;
};

static int put(struct canon *c, avro_schema_t s);

static int refuse(struct canon *c, const char *why, const char *name)
{
    return err_set(c->reterr, ERR_SYNTAX, "schema: %s%s%s", why, name != NULL ? ": " : "",
                   name != NULL ? name : "");
}

static bool name_ok(const char *name, bool dots)
{
    size_t n = name != NULL ? strlen(name) : 0;
    bool start = true;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (dots && c == '.' && !start && i + 1 < n) {
            start = true;
        } else if (!alpha && (start || !digit)) {
            return false;
        } else {
            start = false;
        }
    }
    return n > 0 && n <= SCHEMA_NAME_MAX;
}

struct slice schema_full_name(avro_schema_t named, char *out)
{
    assert(is_avro_named_type(named));
    const char *space = avro_schema_namespace(named);
    bool has_space = space != NULL && space[0] != '\0';
    int n = snprintf(out, SCHEMA_NAME_MAX + 1, "%s%s%s", has_space ? space : "",
                     has_space ? "." : "", avro_schema_name(named));
    return slice_of(out, MIN((size_t)n, (size_t)SCHEMA_NAME_MAX));
}

static int put_name(struct canon *c, avro_schema_t named)
{
    char full[SCHEMA_NAME_MAX + 1];
    struct slice s = schema_full_name(named, full);
    const char *space = avro_schema_namespace(named);
    size_t len = strlen(avro_schema_name(named)) + (space != NULL ? strlen(space) + 1 : 0);
    if (!name_ok(full, true) || len > SCHEMA_NAME_MAX) {
        return refuse(c, "not a name", full);
    }
    /* The canonical form has no way to say that: read again, the name would be in the namespace. */
    if (c->spaced && slice_find(s, '.') == s.len) {
        return refuse(c, "a name without a namespace within one that has it", full);
    }
    buf_addf(c->out, "\"" SLICE_FMT "\"", SLICE_ARG(s));
    return 0;
}

static int put_record(struct canon *c, avro_schema_t s)
{
    size_t n = avro_schema_record_size(s);
    if (n > FIELDS_MAX) {
        return err_set(c->reterr, ERR_LIMIT, "schema: a record of %zu fields", n);
    }
    buf_add_str(c->out, "{\"name\":");
    int rc = put_name(c, s);
    bool around = c->spaced;
    const char *space = avro_schema_namespace(s);
    c->spaced = around || (space != NULL && space[0] != '\0');
    buf_add_str(c->out, ",\"type\":\"record\",\"fields\":[");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *name = avro_schema_record_field_name(s, (int)i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(name, avro_schema_record_field_name(s, (int)k)) == 0) {
                return refuse(c, "a field given twice", name);
            }
        }
        if (!name_ok(name, false)) {
            return refuse(c, "not a name", name);
        }
        buf_addf(c->out, "%s{\"name\":\"%s\",\"type\":", i > 0 ? "," : "", name);
        rc = put(c, avro_schema_record_field_get_by_index(s, (int)i));
        buf_add_byte(c->out, '}');
    }
    buf_add_str(c->out, "]}");
    c->spaced = around;
    return rc;
}

static int put_enum(struct canon *c, avro_schema_t s)
{
    int n = avro_schema_enum_number_of_symbols(s);
    if (n > FIELDS_MAX) {
        return err_set(c->reterr, ERR_LIMIT, "schema: an enum of %d symbols", n);
    }
    buf_add_str(c->out, "{\"name\":");
    int rc = put_name(c, s);
    buf_add_str(c->out, ",\"type\":\"enum\",\"symbols\":[");
    for (int i = 0; rc == 0 && i < n; i++) {
        const char *symbol = avro_schema_enum_get(s, i);
        if (!name_ok(symbol, false) || avro_schema_enum_get_by_name(s, symbol) != i) {
            rc = refuse(c, "a symbol that is no name or given twice", symbol);
        } else {
            buf_addf(c->out, "%s\"%s\"", i > 0 ? "," : "", symbol);
        }
    }
    buf_add_str(c->out, "]}");
    return rc;
}

static int put_fixed(struct canon *c, avro_schema_t s)
{
    int64_t size = avro_schema_fixed_size(s);
    if (size < 0 || size > FIXED_MAX) {
        return refuse(c, "a fixed of that size", avro_schema_name(s));
    }
    buf_add_str(c->out, "{\"name\":");
    int rc = put_name(c, s);
    buf_addf(c->out, ",\"type\":\"fixed\",\"size\":%lld}", (long long)size);
    return rc;
}

static avro_schema_t followed(avro_schema_t s)
{
    return is_avro_link(s) ? avro_schema_link_target(s) : s;
}

static bool same_branch(avro_schema_t a, avro_schema_t b)
{
    char x[SCHEMA_NAME_MAX + 1], y[SCHEMA_NAME_MAX + 1];
    a = followed(a);
    b = followed(b);
    if (avro_typeof(a) != avro_typeof(b)) {
        return false;
    }
    return !is_avro_named_type(a) || slice_eq(schema_full_name(a, x), schema_full_name(b, y));
}

static int put_union(struct canon *c, avro_schema_t s)
{
    size_t n = avro_schema_union_size(s);
    if (n > BRANCHES_MAX) {
        return err_set(c->reterr, ERR_LIMIT, "schema: a union of %zu types", n);
    }
    int rc = 0;
    buf_add_byte(c->out, '[');
    for (size_t i = 0; rc == 0 && i < n; i++) {
        avro_schema_t branch = avro_schema_union_branch(s, (int)i);
        if (is_avro_union(branch)) {
            return refuse(c, "a union within a union", NULL);
        }
        for (size_t k = 0; k < i; k++) {
            if (same_branch(branch, avro_schema_union_branch(s, (int)k))) {
                return refuse(c, "a type given twice in a union", avro_schema_type_name(branch));
            }
        }
        if (i > 0) {
            buf_add_byte(c->out, ',');
        }
        rc = put(c, branch);
    }
    buf_add_byte(c->out, ']');
    return rc;
}

static int put_items(struct canon *c, const char *head, avro_schema_t items)
{
    buf_add_str(c->out, head);
    int rc = put(c, items);
    buf_add_byte(c->out, '}');
    return rc;
}

static int put_any(struct canon *c, avro_schema_t s)
{
    static const char *const primitives[] = {
        [AVRO_STRING] = "string",   [AVRO_BYTES] = "bytes", [AVRO_INT32] = "int",
        [AVRO_INT64] = "long",      [AVRO_FLOAT] = "float", [AVRO_DOUBLE] = "double",
        [AVRO_BOOLEAN] = "boolean", [AVRO_NULL] = "null"};
    switch (avro_typeof(s)) {
    case AVRO_RECORD: return put_record(c, s);
    case AVRO_ENUM: return put_enum(c, s);
    case AVRO_FIXED: return put_fixed(c, s);
    case AVRO_UNION: return put_union(c, s);
    case AVRO_LINK: return put_name(c, avro_schema_link_target(s));
    case AVRO_ARRAY:
        return put_items(c, "{\"type\":\"array\",\"items\":", avro_schema_array_items(s));
    case AVRO_MAP: return put_items(c, "{\"type\":\"map\",\"values\":", avro_schema_map_values(s));
    default: buf_addf(c->out, "\"%s\"", primitives[avro_typeof(s)]); return 0;
    }
}

static int put(struct canon *c, avro_schema_t s)
{
    assert(s != NULL);
    if (c->depth == 0) {
        return err_set(c->reterr, ERR_LIMIT, "schema: more than %d levels", SCHEMA_DEPTH_MAX);
    }
    c->depth--;
    int rc = put_any(c, s);
    c->depth++;
    return rc;
}

/* --- the records' JSON, by full name --- */

static struct slice text_of(const json_t *v)
{
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

/* The full name and, in *space, its namespace. */
static struct slice name_of(const json_t *object, struct slice *space, char *out)
{
    struct slice name = text_of(json_object_get(object, "name"));
    const json_t *own = json_object_get(object, "namespace");
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.') {
        dot--;
    }
    if (dot > 0) {
        *space = slice_sub(name, 0, dot - 1);
    } else if (own != NULL) {
        *space = text_of(own);
    }
    struct slice bare = slice_sub(name, dot, name.len);
    int n = snprintf(out, SCHEMA_NAME_MAX + 1, SLICE_FMT "%s" SLICE_FMT, SLICE_ARG(*space),
                     space->len > 0 ? "." : "", SLICE_ARG(bare));
    return slice_of(out, MIN((size_t)n, (size_t)SCHEMA_NAME_MAX));
}

/* False when there are too many. Depth is bounded: avro-c's tree was walked before. */
static bool collect(struct schema *s, json_t *v, struct slice space)
{
    size_t i;
    json_t *item;
    bool ok = true;
    if (json_is_array(v)) {
        json_array_foreach(v, i, item)
        {
            ok = ok && collect(s, item, space);
        }
        return ok;
    }
    json_t *fields = json_object_get(v, "fields");
    if (json_is_array(fields)) {
        char full[SCHEMA_NAME_MAX + 1];
        void **slot = map_put(&s->records, name_of(v, &space, full));
        if (slot == NULL) {
            return false;
        }
        *slot = v;
        json_array_foreach(fields, i, item)
        {
            ok = ok && collect(s, json_object_get(item, "type"), space);
        }
        return ok;
    }
    json_t *inner = json_object_get(v, "items");
    inner = inner != NULL ? inner : json_object_get(v, "values");
    return inner == NULL || collect(s, inner, space);
}

static int parse_both(struct schema *s, struct slice text, struct err *reterr)
{
    json_error_t at;
    s->json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (s->json == NULL) {
        int rc = err_set(reterr, ERR_SYNTAX, "schema: %s", at.text);
        err_span(reterr, (uint32_t)MAX(at.line, 0), (uint32_t)MAX(at.column, 0), 0);
        return rc;
    }
    if (avro_schema_from_json_length(text.ptr, text.len, &s->avro) != 0) {
        s->avro = NULL;
        return err_set(reterr, ERR_SYNTAX, "schema: %s", avro_strerror());
    }
    return 0;
}

int schema_parse(struct slice text, struct schema **ret_schema, struct err *reterr)
{
    assert(ret_schema != NULL);
    if (text.len > SCHEMA_TEXT_MAX) {
        return err_set(reterr, ERR_LIMIT, "schema: %zu bytes of text", text.len);
    }
    struct schema *s = MEM_NEW(struct schema);
    map_init(&s->records, NAMED_MAX);
    buf_init(&s->canonical, SCHEMA_TEXT_MAX);
    s->text = slice_of(mem_dup(text.ptr, text.len), text.len);
    struct canon c = {.out = &s->canonical, .depth = SCHEMA_DEPTH_MAX, .reterr = reterr};
    int rc = parse_both(s, text, reterr);
    rc = rc == 0 ? put(&c, s->avro) : rc;
    if (rc == 0 && (!collect(s, s->json, SLICE("")) || buf_failed(&s->canonical))) {
        rc = err_set(reterr, ERR_LIMIT, "schema: too large");
    }
    if (rc != 0) {
        schema_free(s);
        return rc;
    }
    s->fingerprint = crc64_avro(buf_slice(&s->canonical));
    *ret_schema = s;
    return 0;
}

void schema_free(struct schema *s)
{
    if (s == NULL) {
        return;
    }
    if (s->avro != NULL) {
        avro_schema_decref(s->avro);
    }
    json_decref(s->json);
    map_done(&s->records);
    buf_done(&s->canonical);
    mem_free((char *)(uintptr_t)s->text.ptr);
    mem_free(s);
}

uint64_t schema_fingerprint(const struct schema *s)
{
    return s->fingerprint;
}

struct slice schema_canonical(const struct schema *s)
{
    return buf_slice(&s->canonical);
}

struct slice schema_text(const struct schema *s)
{
    return s->text;
}

avro_schema_t schema_avro(const struct schema *s)
{
    return s->avro;
}

const json_t *schema_record_json(const struct schema *s, avro_schema_t record)
{
    char full[SCHEMA_NAME_MAX + 1];
    assert(is_avro_record(record));
    return map_get(&s->records, schema_full_name(record, full));
}

const struct schema_file *schema_file_get(struct slice name)
{
    for (size_t i = 0; i < schema_files_len; i++) {
        if (slice_eq(name, slice_str(schema_files[i].name))) {
            return &schema_files[i];
        }
    }
    return NULL;
}

/* Of files that are compiled in, by their place: the same for everybody, whoever is first. Parsing
 * costs a tenth of a millisecond, and this is asked for each alert. */
PROCESS_WIDE
static _Atomic uint64_t prints[FILES_MAX];

uint64_t schema_file_print(struct slice name)
{
    const struct schema_file *file = schema_file_get(name);
    assert(file != NULL);
    size_t at = (size_t)(file - schema_files);
    uint64_t print = at < FILES_MAX ? atomic_load(&prints[at]) : 0;
    if (print == 0) {
        struct schema *s = NULL;
        struct err err;
        int rc = schema_parse(file->text, &s, &err);
        assert(rc == 0);
        (void)rc;
        print = schema_fingerprint(s);
        schema_free(s);
        if (at < FILES_MAX) {
            atomic_store(&prints[at], print);
        }
    }
    return print;
}
