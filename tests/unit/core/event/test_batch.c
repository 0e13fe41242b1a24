/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/endian.h"
#include "core/codec/utf8.h"
#include "core/codec/varint.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

enum { MIB = 1024 * 1024 };

struct fixture {
    struct arena *gen_arena, *dec_arena;
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct buf out;
    struct err err;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    f->gen_arena = arena_new(NULL, "gen", 256 * MIB);
    f->dec_arena = arena_new(NULL, "dec", 256 * MIB);
    f->keys = intern_new(10000, MIB);
    f->dec = batch_dec_new(BATCH_LIMITS, f->keys);
    f->enc = batch_enc_new(BATCH_LIMITS, 64 * MIB);
    buf_init(&f->out, 64 * MIB);
}

static void teardown(struct fixture *f)
{
    batch_dec_free(f->dec);
    batch_enc_free(f->enc);
    intern_free(f->keys);
    arena_free(f->gen_arena);
    arena_free(f->dec_arena);
    buf_done(&f->out);
}

static void encode(struct fixture *f, const struct rec_batch *b)
{
    buf_clear(&f->out);
    batch_enc_begin(f->enc, b->source, b->seq);
    for (uint32_t i = 0; i < b->events_len; i++) {
        CHECK_OK(batch_enc_add(f->enc, &b->events[i], &f->err), f->err);
    }
    size_t said = batch_enc_bytes(f->enc);
    CHECK_OK(batch_enc_end(f->enc, &f->out, &f->err), f->err);
    CHECK(f->out.len <= said && said <= f->out.len + 900);
}

static int decode(struct fixture *f, struct slice bytes, struct rec_batch *ret)
{
    arena_reset(f->dec_arena);
    return batch_dec_read(f->dec, f->dec_arena, bytes, ret, &f->err);
}

static void check_same(const struct rec_batch *want, const struct rec_batch *got)
{
    CHECK(slice_eq(want->source, got->source));
    CHECK_EQ(want->seq, got->seq);
    CHECK_EQ(want->min_ts, got->min_ts);
    CHECK_EQ(want->max_ts, got->max_ts);
    CHECK_EQ(want->events_len, got->events_len);
    CHECK(got->contexts_len <= want->contexts_len);
    for (uint32_t i = 0; i < want->events_len; i++) {
        CHECK(rec_same(&want->events[i], &got->events[i]));
    }
}

TEST(batch_random_events_come_back_bit_by_bit)
{
    struct fixture f;
    setup(&f);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct gen g;
        struct rec_batch want, got;
        arena_reset(f.gen_arena);
        gen_init(&g, seed, f.gen_arena);
        gen_batch(&g, 1 + gen_below(&g, 20), gen_below(&g, 60), &want);
        encode(&f, &want);
        CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
        check_same(&want, &got);
        for (uint32_t i = 0; i < got.events_len; i++) {
            const struct rec *r = &got.events[i];
            CHECK(r->context == &got.contexts[r->context->index]);
            CHECK_EQ(intern_find(f.keys, r->type), r->type_id);
            for (uint32_t k = 0; k < r->payload_len; k++) {
                CHECK_EQ(intern_find(f.keys, val_key(&r->payload[k])), r->payload[k].key_id);
            }
        }
    }
    teardown(&f);
}

TEST(batch_any_truncation_is_an_error)
{
    struct fixture f;
    struct gen g;
    struct rec_batch want, got = {.seq = 77};
    setup(&f);
    gen_init(&g, 5, f.gen_arena);
    gen_batch(&g, 3, 6, &want);
    encode(&f, &want);
    for (size_t n = 0; n < f.out.len; n++) {
        int rc = decode(&f, slice_of(f.out.ptr, n), &got);
        CHECK_EQ(-ERR_CORRUPT, rc);
        CHECK_EQ(77, got.seq);
    }
    buf_add_byte(&f.out, 0);
    CHECK_EQ(-ERR_CORRUPT, decode(&f, buf_slice(&f.out), &got));
    CHECK_HAS("bytes behind the batch", f.err.msg);
    teardown(&f);
}

TEST(batch_equal_contexts_are_written_once)
{
    struct fixture f;
    struct gen g;
    struct rec_batch got;
    struct rec r;
    setup(&f);
    gen_init(&g, 9, f.gen_arena);
    struct val_pair pair = val_pair(SLICE("k8s.pod.name"), val_string(SLICE("p-1")));
    struct rec_context one = {.pairs = &pair, .len = 1}, same = one, none = {0};
    const struct rec_context *turns[] = {&one, &same, &none, NULL, &one};
    batch_enc_begin(f.enc, SLICE("s"), 1);
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        gen_rec(&g, turns[i], &r);
        CHECK_OK(batch_enc_add(f.enc, &r, &f.err), f.err);
    }
    CHECK_OK(batch_enc_end(f.enc, &f.out, &f.err), f.err);
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    CHECK_EQ(2, got.contexts_len);
    CHECK(got.events[0].context == got.events[1].context);
    CHECK(got.events[2].context == got.events[3].context);
    CHECK(got.events[4].context == got.events[0].context);
    CHECK_EQ(0, got.events[2].context->len);
    teardown(&f);
}

TEST(batch_a_full_batch_refuses_whole_events_and_goes_on)
{
    struct fixture f;
    struct gen g;
    setup(&f);
    gen_init(&g, 11, f.gen_arena);
    struct batch_enc *small = batch_enc_new(BATCH_LIMITS, 4000);
    uint32_t total = 0, batches = 0;
    batch_enc_begin(small, SLICE("s"), 0);
    for (uint32_t i = 0; i < 200;) {
        struct rec r;
        struct rec_batch got;
        gen_rec(&g, gen_context(&g), &r);
        int rc = batch_enc_add(small, &r, &f.err);
        bool last = ++i == 200;
        if (rc == 0 && !last) {
            continue;
        }
        CHECK(rc == 0 || rc == -ERR_TOO_BIG);
        uint32_t count = batch_enc_count(small);
        CHECK(count > 0);
        buf_clear(&f.out);
        CHECK_OK(batch_enc_end(small, &f.out, &f.err), f.err);
        CHECK(f.out.len <= 4000);
        CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
        CHECK_EQ(count, got.events_len);
        CHECK_EQ(batches, got.seq);
        /* No context without an event: those of refused events are gone. */
        for (uint32_t c = 0; c < got.contexts_len; c++) {
            bool used = false;
            for (uint32_t k = 0; k < got.events_len; k++) {
                used = used || got.events[k].context->index == c;
            }
            CHECK(used);
        }
        total += count;
        batches++;
        if (rc != 0) {
            CHECK_OK(batch_enc_add(small, &r, &f.err), f.err);
        }
    }
    CHECK(batches > 5);
    CHECK(total >= 199);
    batch_enc_free(small);
    teardown(&f);
}

TEST(batch_bad_utf8_is_repaired_and_flagged)
{
    struct fixture f;
    setup(&f);
    struct val_pair bad_value = val_pair(SLICE("k"), val_string(SLICE("a\xff")));
    struct val_pair bad_key = val_pair(SLICE("\xc3"), val_bytes(SLICE("\xff\xfe")));
    struct val_pair good = val_pair(SLICE("k"), val_bytes(SLICE("\xff")));
    struct rec_context bad_context = {.pairs = &bad_value, .len = 1}, empty = {0};
    struct rec rs[5];
    for (size_t i = 0; i < ARRAY_LEN(rs); i++) {
        rs[i] = (struct rec){.context = &empty, .type = SLICE("T"), .flags = REC_FLAG_LATE};
    }
    rs[0].payload = &bad_value, rs[0].payload_len = 1;
    rs[1].payload = &bad_key, rs[1].payload_len = 1;
    rs[2].context = &bad_context;
    rs[3].payload = &good, rs[3].payload_len = 1;
    rs[4].type = SLICE("T\x80");
    batch_enc_begin(f.enc, SLICE("s"), 0);
    for (size_t i = 0; i < ARRAY_LEN(rs); i++) {
        CHECK_OK(batch_enc_add(f.enc, &rs[i], &f.err), f.err);
    }
    CHECK_OK(batch_enc_end(f.enc, &f.out, &f.err), f.err);
    struct rec_batch got;
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    const uint32_t both = REC_FLAG_LATE | REC_FLAG_REPAIRED;
    CHECK_EQ(both, got.events[0].flags);
    CHECK_SLICE("a\xef\xbf\xbd", val_slice(got.events[0].payload[0].value));
    CHECK_EQ(both, got.events[1].flags);
    CHECK_SLICE("\xef\xbf\xbd", val_key(&got.events[1].payload[0]));
    CHECK_SLICE("\xff\xfe", val_slice(got.events[1].payload[0].value));
    CHECK_EQ(both, got.events[2].flags);
    CHECK_EQ(REC_FLAG_LATE, got.events[3].flags);
    CHECK_EQ(both, got.events[4].flags);
    CHECK_SLICE("T\xef\xbf\xbd", got.events[4].type);
    teardown(&f);
}

/* --- bytes by hand --- */

static void put_zz(struct buf *b, int64_t v)
{
    char bytes[VARINT_MAX];
    buf_add(b, bytes, (size_t)(varint_write_zz(bytes, v) - bytes));
}

/* Header and one empty context, of so many events. */
static void put_batch(struct buf *b, int64_t events)
{
    buf_clear(b);
    buf_add(b, "\0\0\0\0", 4);
    put_zz(b, 1);
    buf_add(b, "\0\0", 2);
    put_zz(b, events);
}

/* An event up to its payload. */
static void put_event(struct buf *b)
{
    static const char event_head[] = "\0\0"
                                     "iiiiiiiiiiiiiiii"
                                     "\0\0\0\2T\0\0\0\0";
    buf_add(b, event_head, sizeof event_head - 1);
}

static void put_start(struct buf *b)
{
    put_batch(b, 1);
    put_event(b);
}

static void put_entry(struct buf *b, const char *key, int64_t value)
{
    put_zz(b, (int64_t)strlen(key));
    buf_add_str(b, key);
    put_zz(b, VAL_INT);
    put_zz(b, value);
}

TEST(batch_blocks_of_all_forms_are_read)
{
    struct fixture f;
    struct rec_batch got;
    setup(&f);
    put_start(&f.out);
    put_zz(&f.out, 2);
    put_entry(&f.out, "a", 1);
    put_entry(&f.out, "b", 2);
    put_zz(&f.out, -1); /* with its size in bytes */
    put_zz(&f.out, 4);
    put_entry(&f.out, "c", 3);
    put_zz(&f.out, 1);
    put_entry(&f.out, "a", 4); /* again: the last one counts */
    buf_add(&f.out, "\0\0", 2);
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    CHECK_EQ(1, got.events_len);
    CHECK_EQ(3, got.events[0].payload_len);
    CHECK_EQ(4, rec_find_text(got.events[0].payload, 3, SLICE("a"))->i);
    CHECK_EQ(3, rec_find_text(got.events[0].payload, 3, SLICE("c"))->i);
    teardown(&f);
}

/* --- maps that have much in common with the one before --- */

enum { MAPS = 10, ENTRIES = 7 };

struct plan { /* of a map: keys and values by number, and where its second block begins */
    uint32_t n, split;
    uint8_t key[ENTRIES], value[ENTRIES];
};

static void put_choice(struct buf *b, uint8_t key, uint8_t value)
{
    static const char *const keys[] = {
        "a", "b", "fifteen letters", "sixteen letters.", "some more than sixteen letters", "c", ""};
    static const char *const texts[] = {"x", "y", "a text of some more than sixteen letters"};
    const char *name = keys[key % ARRAY_LEN(keys)];
    if (value < 3) {
        put_zz(b, (int64_t)strlen(name));
        buf_add_str(b, name);
        put_zz(b, VAL_STRING);
        put_zz(b, (int64_t)strlen(texts[value]));
        buf_add_str(b, texts[value]);
    } else if (value < 6) {
        put_entry(b, name, value * 1000);
    } else {
        put_zz(b, (int64_t)strlen(name));
        buf_add_str(b, name);
        put_zz(b, VAL_LIST);
        put_zz(b, 1);
        put_zz(b, VAL_INT);
        put_zz(b, value);
        put_zz(b, 0);
    }
}

/* That map, or one of its own, changed at a place. */
static void plan_next(struct gen *g, struct plan *p)
{
    if (gen_below(g, 4) == 0) {
        p->n = (uint32_t)gen_below(g, ENTRIES + 1);
    }
    uint32_t all = gen_below(g, 6) == 0 ? ENTRIES : (uint32_t)gen_below(g, 2);
    for (uint32_t i = 0; i < all; i++) {
        size_t at = gen_below(g, ENTRIES);
        p->key[at] = (uint8_t)gen_below(g, 7);
        p->value[at] = (uint8_t)gen_below(g, 8);
    }
    p->split = gen_below(g, 5) == 0 ? (uint32_t)gen_below(g, ENTRIES) : 0;
}

static void put_plan(struct buf *b, const struct plan *p)
{
    put_event(b);
    for (uint32_t i = 0; i < p->n; i++) {
        if (i == 0 || i == p->split) {
            put_zz(b, i == 0 && p->split > 0 ? MIN(p->split, p->n) : p->n - i);
        }
        put_choice(b, p->key[i], p->value[i]);
    }
    buf_add(b, "\0", 1);
}

/* As a decoder reads it that has seen nothing before. */
static void check_alone(struct fixture *f, const struct plan *p, const struct rec *got)
{
    struct batch_dec *fresh = batch_dec_new(BATCH_LIMITS, f->keys);
    struct rec_batch alone;
    put_batch(&f->out, 1);
    put_plan(&f->out, p);
    buf_add(&f->out, "\0", 1);
    arena_reset(f->gen_arena);
    CHECK_OK(batch_dec_read(fresh, f->gen_arena, buf_slice(&f->out), &alone, &f->err), f->err);
    const struct rec *want = &alone.events[0];
    CHECK_EQ(want->payload_len, got->payload_len);
    for (uint32_t i = 0; i < want->payload_len; i++) {
        CHECK(slice_eq(val_key(&want->payload[i]), val_key(&got->payload[i])));
        CHECK_EQ(want->payload[i].key_id, got->payload[i].key_id);
        CHECK(val_same(want->payload[i].value, got->payload[i].value));
    }
    batch_dec_free(fresh);
}

TEST(batch_maps_are_read_the_same_whatever_came_before_them)
{
    struct fixture f;
    setup(&f);
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct gen g;
        struct plan plans[MAPS] = {0};
        struct rec_batch got;
        gen_init(&g, seed, f.gen_arena);
        put_batch(&f.out, MAPS);
        for (int i = 0; i < MAPS; i++) {
            plans[i] = plans[MAX(i - 1, 0)];
            plan_next(&g, &plans[i]);
            put_plan(&f.out, &plans[i]);
        }
        buf_add(&f.out, "\0", 1);
        arena_reset(f.dec_arena);
        struct slice bytes = arena_copy(f.dec_arena, buf_slice(&f.out));
        CHECK_OK(batch_dec_read(f.dec, f.dec_arena, bytes, &got, &f.err), f.err);
        CHECK_EQ(MAPS, got.events_len);
        for (uint32_t i = 0; i < MAPS; i++) {
            check_alone(&f, &plans[i], &got.events[i]);
        }
    }
    teardown(&f);
}

TEST(batch_hostile_counts_and_lengths_are_refused_without_memory)
{
    static const struct {
        int64_t count, size;
        const char *message;
    } cases[] = {
        {INT64_MAX, -1, "more items than the input"},
        {100000000, -1, "more items than the input"},
        {INT64_MIN, 0, "larger than the input"},
        {-1, 1000, "larger than the input"},
        {-1, -5, "larger than the input"},
        {-1, 5, "not as long as it says"},
        {-1, 3, "not as long as it says"},
        {-1000, 6, "more items than the input"},
    };
    struct fixture f;
    struct rec_batch got;
    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_start(&f.out);
        put_zz(&f.out, cases[i].count);
        if (cases[i].count < 0) {
            put_zz(&f.out, cases[i].size);
        }
        put_entry(&f.out, "a", 1);
        buf_add(&f.out, "\0\0\0\0", 4);
        CHECK_EQ(-ERR_CORRUPT, decode(&f, buf_slice(&f.out), &got));
        CHECK_HAS(cases[i].message, f.err.msg);
        CHECK(arena_stats(f.dec_arena).reserved_bytes < 65536);
    }
    put_start(&f.out);
    put_zz(&f.out, 1);
    put_zz(&f.out, INT64_MAX); /* a key of that length */
    CHECK_EQ(-ERR_CORRUPT, decode(&f, buf_slice(&f.out), &got));
    CHECK_HAS("longer than the input", f.err.msg);
    teardown(&f);
}

TEST(batch_nesting_stops_at_the_limit)
{
    struct fixture f;
    struct rec_batch got;
    setup(&f);
    for (unsigned levels = BATCH_LIMITS.depth; levels <= BATCH_LIMITS.depth + 1; levels++) {
        put_start(&f.out);
        buf_add(&f.out, "\2\2k", 3);
        for (unsigned i = 0; i < levels; i++) {
            put_zz(&f.out, VAL_LIST);
            put_zz(&f.out, i + 1 < levels ? 1 : 0);
        }
        for (unsigned i = 0; i + 1 < levels; i++) {
            buf_add_byte(&f.out, 0);
        }
        buf_add(&f.out, "\0\0", 2);
        int rc = decode(&f, buf_slice(&f.out), &got);
        CHECK_EQ(levels == BATCH_LIMITS.depth ? 0 : -ERR_LIMIT, rc);
    }
    /* What the decoder refuses the encoder does not write. */
    struct val v = val_list(NULL, 0);
    for (unsigned i = 0; i < BATCH_LIMITS.depth; i++) {
        struct val *up = ARENA_NEW(f.gen_arena, struct val);
        *up = v;
        v = val_list(up, 1);
        struct val_pair pair = val_pair(SLICE("k"), v);
        struct rec r = {.type = SLICE("T"), .payload = &pair, .payload_len = 1};
        int rc = batch_enc_add(f.enc, &r, &f.err);
        CHECK_EQ(i + 2 <= BATCH_LIMITS.depth ? 0 : -ERR_LIMIT, rc);
    }
    teardown(&f);
}

TEST(batch_fields_out_of_range_are_refused)
{
    struct fixture f;
    struct rec_batch got;
    setup(&f);
    struct rec r = {.type = SLICE("T"), .n = 1u << 31};
    CHECK_EQ(-ERR_RANGE, batch_enc_add(f.enc, &r, &f.err));
    r = (struct rec){.type = SLICE("T"), .causes_len = BATCH_LIMITS.causes + 1};
    CHECK_EQ(-ERR_LIMIT, batch_enc_add(f.enc, &r, &f.err));
    CHECK_EQ(0, batch_enc_count(f.enc));
    put_start(&f.out);
    f.out.ptr[8] = 2; /* context 1 of 1 */
    buf_add(&f.out, "\0\0", 2);
    CHECK_EQ(-ERR_CORRUPT, decode(&f, buf_slice(&f.out), &got));
    f.out.ptr[8] = 0;
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    f.out.ptr[8] = 1; /* context -1 */
    CHECK_EQ(-ERR_CORRUPT, decode(&f, buf_slice(&f.out), &got));
    teardown(&f);
}

TEST(batch_a_huge_map_and_an_empty_one)
{
    struct fixture f;
    struct rec_batch got;
    setup(&f);
    uint32_t n = BATCH_LIMITS.items;
    struct val_pair *pairs = arena_array(f.gen_arena, n, sizeof *pairs);
    for (uint32_t i = 0; i < n; i++) {
        pairs[i] =
            val_pair(slice_str(arena_printf(f.gen_arena, "k%u", (i * 40503u) % n)), val_int(i));
    }
    struct rec r = {.type = SLICE("T"), .payload = pairs, .payload_len = n};
    CHECK_OK(batch_enc_add(f.enc, &r, &f.err), f.err);
    struct val_pair one = val_pair(SLICE(""), val_map(pairs, 0));
    r = (struct rec){.type = SLICE("T"), .payload = &one, .payload_len = 1};
    CHECK_OK(batch_enc_add(f.enc, &r, &f.err), f.err);
    CHECK_OK(batch_enc_end(f.enc, &f.out, &f.err), f.err);
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    /* More keys than the intern table takes: they keep their text. */
    CHECK_EQ(n, got.events[0].payload_len);
    CHECK_EQ(10000, intern_count(f.keys));
    CHECK_EQ(0, got.events[0].payload[n - 1].key_id);
    CHECK_EQ(n - 1, rec_find_text(got.events[0].payload, n, val_key(&pairs[n - 1]))->i);
    CHECK_EQ(VAL_MAP, got.events[1].payload[0].value.tag);
    CHECK_EQ(0, got.events[1].payload[0].value.len);
    r.payload = pairs, r.payload_len = n + 1;
    CHECK_EQ(-ERR_LIMIT, batch_enc_add(f.enc, &r, &f.err));
    teardown(&f);
}

TEST(batch_memory_limit_is_an_error)
{
    struct fixture f;
    struct gen g;
    struct rec_batch want, got;
    setup(&f);
    gen_init(&g, 3, f.gen_arena);
    gen_batch(&g, 2, 100, &want);
    encode(&f, &want);
    struct arena *tight = arena_new(NULL, "tight", 8192);
    CHECK_EQ(-ERR_LIMIT, batch_dec_read(f.dec, tight, buf_slice(&f.out), &got, &f.err));
    arena_free(tight);
    CHECK_OK(decode(&f, buf_slice(&f.out), &got), f.err);
    teardown(&f);
}

TEST(batch_one_value_by_itself)
{
    struct fixture f;
    setup(&f);
    struct slice rest = slice_of("\x08\x06"
                                 "abc\x04\x01",
                                 7);
    struct val v;
    CHECK_OK(batch_dec_value(f.dec, f.dec_arena, &rest, &v, &f.err), f.err);
    CHECK_SLICE("abc", val_slice(v));
    CHECK_OK(batch_dec_value(f.dec, f.dec_arena, &rest, &v, &f.err), f.err);
    CHECK_EQ(-1, v.i);
    CHECK_EQ(-ERR_CORRUPT, batch_dec_value(f.dec, f.dec_arena, &rest, &v, &f.err));
    rest = SLICE("\x10");
    CHECK_EQ(-ERR_CORRUPT, batch_dec_value(f.dec, f.dec_arena, &rest, &v, &f.err));
    teardown(&f);
}

TEST(batch_sources_are_repaired_and_cut_at_a_character)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    struct rec_batch got;
    struct err err = {0};
    struct buf out;
    char source[400];
    memset(source, 0xff, sizeof source);
    source[0] = 'a';
    buf_init(&out, 1 << 20);
    batch_enc_begin(enc, slice_of(source, sizeof source), 1);
    CHECK_OK(batch_enc_end(enc, &out, &err), err);
    CHECK_OK(batch_dec_read(dec, a, buf_slice(&out), &got, &err), err);
    CHECK_EQ(1 + 84 * 3, got.source.len); /* whole characters, at most 255 bytes */
    for (size_t i = 0; i < sizeof source; i += 2) {
        memcpy(source + i, "\xc3\xa9", 2);
    }
    buf_clear(&out);
    batch_enc_begin(enc, slice_of(source, sizeof source), 1);
    CHECK_OK(batch_enc_end(enc, &out, &err), err);
    CHECK_OK(batch_dec_read(dec, a, buf_slice(&out), &got, &err), err);
    CHECK_EQ(254, got.source.len);
    buf_done(&out);
    batch_enc_free(enc);
    batch_dec_free(dec);
    intern_free(keys);
    arena_free(a);
}
