/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of other versions: written by avro-c under schemas with fields missing, added, reordered
 * and of other types; and the slow path on our own bytes against the fast one.
 */
#include "core/base/mem.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_other.h"
#include "core/event/schema_read.h"
#include "tests/test.h"
#include "tests/unit/core/event/avro_side.h"
#include "tests/unit/core/event/gen.h"

enum { MIB = 1024 * 1024, ROUNDS = 100 };

struct other {
    struct arena *gen_arena, *dec_arena;
    struct intern *keys;
    struct buf bytes;
    struct err err;
    struct gen gen;
};

static void setup(struct other *o)
{
    *o = (struct other){0};
    o->gen_arena = arena_new(NULL, "gen", 256 * MIB);
    o->dec_arena = arena_new(NULL, "dec", 256 * MIB);
    o->keys = intern_new(100000, MIB);
    buf_init(&o->bytes, 16 * MIB);
}

static void teardown(struct other *o)
{
    intern_free(o->keys);
    arena_free(o->gen_arena);
    arena_free(o->dec_arena);
    buf_done(&o->bytes);
}

static struct schema *parse(struct slice text)
{
    struct err err;
    struct schema *s = NULL;
    CHECK_OK(schema_parse(text, &s, &err), err);
    return s;
}

static struct slice own_text(void)
{
    return schema_file_get(SLICE("event_batch.avsc"))->text;
}

/* Pairs sorted by key, as the slow path hands them out. */
static const struct val_pair *sorted(struct arena *a, const struct val_pair *pairs, uint32_t n)
{
    struct val_pair *copy = arena_array(a, n, sizeof *copy);
    if (n > 0) {
        memcpy(copy, pairs, n * sizeof *copy);
    }
    CHECK_EQ(n, val_map_sort(copy, n));
    return copy;
}

static bool same_but_for_order(struct arena *a, struct rec want, const struct rec *got)
{
    struct rec_context context = *want.context;
    want.payload = sorted(a, want.payload, want.payload_len);
    context.pairs = sorted(a, context.pairs, context.len);
    want.context = &context;
    struct rec read = *got;
    struct rec_context read_context = *got->context;
    read.payload = sorted(a, read.payload, read.payload_len);
    read_context.pairs = sorted(a, read_context.pairs, read_context.len);
    read.context = &read_context;
    return rec_same(&want, &read);
}

static void next_batch(struct other *o, uint64_t seed, struct rec_batch *ret)
{
    arena_reset(o->gen_arena);
    arena_reset(o->dec_arena);
    gen_init(&o->gen, seed, o->gen_arena);
    o->gen.no_nul = true;
    gen_batch(&o->gen, 1 + gen_below(&o->gen, 6), gen_below(&o->gen, 30), ret);
}

TEST(other_path_reads_our_own_bytes_like_the_fast_one)
{
    struct other o;
    setup(&o);
    struct schema *own = parse(own_text());
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, o.keys);
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 16 * MIB);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rec_batch b, fast, slow;
        next_batch(&o, seed, &b);
        o.gen.no_nul = false; /* here NUL bytes in keys, too */
        buf_clear(&o.bytes);
        batch_enc_begin(enc, b.source, b.seq);
        for (uint32_t i = 0; i < b.events_len; i++) {
            CHECK_OK(batch_enc_add(enc, &b.events[i], &o.err), o.err);
        }
        CHECK_OK(batch_enc_end(enc, &o.bytes, &o.err), o.err);
        struct slice body = buf_slice(&o.bytes);
        CHECK_OK(batch_dec_read(dec, o.dec_arena, body, &fast, &o.err), o.err);
        CHECK_OK(batch_other_read(own, BATCH_LIMITS, o.keys, o.dec_arena, body, &slow, &o.err),
                 o.err);
        CHECK(fast.events_len == slow.events_len && fast.contexts_len == slow.contexts_len);
        CHECK(fast.seq == slow.seq && fast.min_ts == slow.min_ts && fast.max_ts == slow.max_ts);
        CHECK(slice_eq(fast.source, slow.source));
        for (uint32_t i = 0; i < fast.events_len; i++) {
            CHECK(same_but_for_order(o.gen_arena, fast.events[i], &slow.events[i]));
            CHECK_EQ(fast.events[i].type_id, slow.events[i].type_id);
            CHECK_EQ(fast.events[i].context->index, slow.events[i].context->index);
        }
        for (size_t n = 0; n < body.len; n += 1 + body.len / 50) {
            CHECK(batch_other_read(own, BATCH_LIMITS, o.keys, o.dec_arena, slice_sub(body, 0, n),
                                   &slow, &o.err) < 0);
        }
    }
    batch_dec_free(dec);
    batch_enc_free(enc);
    schema_free(own);
    teardown(&o);
}

/* Replaces the only occurrence of `from`. */
static char *edited(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    CHECK(at != NULL && strstr(at + 1, from) == NULL);
    struct buf b;
    buf_init(&b, MIB);
    CHECK(buf_add(&b, text, (size_t)(at - text)) && buf_add_str(&b, to) &&
          buf_add_str(&b, at + strlen(from)));
    char *out = mem_dup(b.ptr, b.len);
    buf_done(&b);
    mem_free(text);
    return out;
}

/* One version: the edits that lead to it from ours, and what reading it must give. */
struct version {
    const char *name;
    const char *edits[8][2];
    void (*expect)(struct rec_batch *b, struct rec *r);
};

static void as_it_is(struct rec_batch *b, struct rec *r)
{
    (void)b;
    (void)r;
}

static void without_optional(struct rec_batch *b, struct rec *r)
{
    b->source = SLICE("");
    r->ingest_ts = 0;
    r->flags = 0;
    r->causes_len = 0;
    r->n = 0;
    memset(r->span_id, 0, sizeof r->span_id);
}

static void small_ints(struct rec_batch *b, struct rec *r)
{
    b->seq = (int32_t)b->seq;
    r->ts = (int32_t)r->ts;
}

static const struct version VERSIONS[] = {
    {"a later one with more fields",
     {{"{\"name\": \"ts\", \"type\": \"long\", \"doc\"",
       "{\"name\": \"host\", \"type\": \"string\", \"default\": \"\"}, {\"name\": \"ts\", "
       "\"type\": \"long\", \"doc\""},
      {"{\"name\": \"source\",",
       "{\"name\": \"tags\", \"type\": {\"type\": \"array\", \"items\": [\"null\", \"float\", "
       "{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\"]}]}, \"default\": []}, "
       "{\"name\": \"source\","},
      {"{\"name\": \"v\", \"default\": null,",
       "{\"name\": \"unit\", \"type\": \"string\", \"default\": \"\"}, {\"name\": \"v\", "
       "\"default\": null,"}},
     as_it_is},
    {"an earlier one with fewer",
     {{"{\"name\": \"source\", \"type\": \"string\", \"default\": \"\", \"doc\": \"Who wrote this: "
       "a protocol at ingest, the name of a task.\"},",
       ""},
      {"{\"name\": \"ingest_ts\", \"type\": \"long\", \"default\": 0, \"doc\": \"When it was "
       "received, ns since 1970 UTC.\"},",
       ""},
      {"{\"name\": \"flags\", \"type\": \"int\", \"default\": 0, \"doc\": \"1 clamped, 2 repaired, "
       "4 no time, 8 saturated, 16 late.\"},",
       ""},
      {"{\"name\": \"span_id\", \"default\": null, \"type\": [\"null\", {\"type\": \"fixed\", "
       "\"name\": \"SpanId\", \"size\": 8}]},",
       ""},
      {"{\"name\": \"n\", \"type\": \"int\", \"default\": 0, \"doc\": \"Derived events: output "
       "number minus the first output number of the record. Raw events: 0.\"},",
       ""},
      {"{\"name\": \"causes\", \"default\": [], \"doc\": \"References of the events this one was "
       "derived from.\", \"type\": {\"type\": \"array\", \"items\": {\"type\": \"fixed\", "
       "\"name\": \"Ref\", \"size\": 16}}},",
       ""}},
     without_optional},
    {"one with promoted types",
     {{"{\"name\": \"seq\", \"type\": \"long\"", "{\"name\": \"seq\", \"type\": \"int\""},
      {"{\"name\": \"ts\", \"type\": \"long\"", "{\"name\": \"ts\", \"type\": \"int\""},
      {"{\"name\": \"source\", \"type\": \"string\"", "{\"name\": \"source\", \"type\": \"bytes\""},
      {"{\"name\": \"type\", \"type\": \"string\"", "{\"name\": \"type\", \"type\": \"bytes\""}},
     small_ints},
};

static void check_version(struct other *o, const struct version *v)
{
    struct slice own = own_text();
    char *text = mem_dup(own.ptr, own.len);
    for (size_t i = 0; i < ARRAY_LEN(v->edits) && v->edits[i][0] != NULL; i++) {
        text = edited(text, v->edits[i][0], v->edits[i][1]);
    }
    struct schema *writer = parse(slice_str(text)), *reader = parse(own);
    CHECK_OK(schema_can_read(reader, writer, &o->err), o->err);
    CHECK(schema_fingerprint(writer) != schema_fingerprint(reader));
    struct avro_side avro;
    avro_side_init(&avro, slice_str(text));
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rec_batch b, got;
        next_batch(o, seed, &b);
        avro_side_fill(&avro, &b);
        buf_clear(&o->bytes);
        CHECK(avro_side_write(&avro, &o->bytes));
        CHECK_OK(batch_other_read(writer, BATCH_LIMITS, o->keys, o->dec_arena, buf_slice(&o->bytes),
                                  &got, &o->err),
                 o->err);
        CHECK_EQ(b.events_len, got.events_len);
        for (uint32_t i = 0; i < b.events_len; i++) {
            struct rec want = b.events[i];
            v->expect(&b, &want);
            CHECK(same_but_for_order(o->gen_arena, want, &got.events[i]));
        }
        CHECK(b.events_len == 0 || slice_eq(b.source, got.source));
        CHECK(b.events_len == 0 || b.seq == got.seq);
        /* And avro-c reads back what it wrote, as we do. */
        CHECK(avro_side_read(&avro, buf_slice(&o->bytes)));
        CHECK_STR(NULL, avro_side_differs(&avro, &got));
    }
    avro_side_done(&avro);
    schema_free(writer);
    schema_free(reader);
    mem_free(text);
}

TEST(other_versions_are_read_by_name)
{
    struct other o;
    setup(&o);
    for (size_t i = 0; i < ARRAY_LEN(VERSIONS); i++) {
        check_version(&o, &VERSIONS[i]);
    }
    teardown(&o);
}

static int read_one(struct other *o, const char *schema, struct slice bytes, struct val *ret)
{
    struct schema *s = parse(slice_str(schema));
    struct batch_limits limits = BATCH_LIMITS;
    limits.events = 1000;
    arena_reset(o->dec_arena);
    int rc = schema_read(s, limits, o->dec_arena, bytes, ret, &o->err);
    /* Field names point into the schema: look before it goes. */
    schema_free(s);
    return rc;
}

TEST(schema_read_refuses_hostile_bytes)
{
    static const struct {
        const char *schema;
        struct slice bytes;
        int rc;
    } cases[] = {
        {"\"string\"", {"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", 9}, -ERR_CORRUPT},
        {"\"bytes\"", {"\x01", 1}, -ERR_CORRUPT},
        {"\"int\"", {"\x80\x80\x80\x80\x20", 5}, -ERR_CORRUPT},
        {"\"boolean\"", {"\x02", 1}, -ERR_CORRUPT},
        {"\"double\"", {"1234567", 7}, -ERR_CORRUPT},
        {"[\"null\",\"int\"]", {"\x04", 1}, -ERR_CORRUPT},
        {"[\"null\",\"int\"]", {"\x01", 1}, -ERR_CORRUPT},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", {"\x02", 1}, -ERR_CORRUPT},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", {"abc", 3}, -ERR_CORRUPT},
        {"{\"type\":\"array\",\"items\":\"null\"}", {"\xfe\xff\xff\xff\x0f\0", 6}, -ERR_LIMIT},
        {"{\"type\":\"array\",\"items\":\"null\"}", {"\x01\xff\xff\xff\x0f", 5}, -ERR_CORRUPT},
        {"{\"type\":\"map\",\"values\":\"int\"}", {"\x02\x7f", 2}, -ERR_CORRUPT},
        {"\"null\"", {"x", 1}, -ERR_CORRUPT},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}",
         {"", 0},
         -ERR_LIMIT},
    };
    struct other o;
    setup(&o);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct val v;
        CHECK_EQ(cases[i].rc, read_one(&o, cases[i].schema, cases[i].bytes, &v));
        CHECK(arena_stats(o.dec_arena).reserved_bytes < MIB);
    }
    struct val v;
    CHECK_OK(read_one(&o, "\"float\"", slice_of("\0\0\xc0\x3f", 4), &v), o.err);
    CHECK(v.tag == VAL_DOUBLE && v.d == 1.5);
    CHECK_OK(
        read_one(&o, "{\"type\":\"array\",\"items\":\"null\"}", slice_of("\x03\x00\x04\0", 4), &v),
        o.err);
    CHECK(v.tag == VAL_LIST && v.len == 4);
    teardown(&o);
}
