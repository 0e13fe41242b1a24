/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast path held against avro-c's generic reader and writer, on random batches.
 */
#include "core/codec/endian.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_other.h"
#include "core/event/schema.h"
#include "tests/test.h"
#include "tests/unit/core/event/avro_side.h"
#include "tests/unit/core/event/gen.h"

enum { MIB = 1024 * 1024, ROUNDS = 200 };

struct sides {
    struct arena *gen_arena, *dec_arena;
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct avro_side avro;
    struct buf ours, theirs;
    struct err err;
    struct gen gen;
};

static void setup(struct sides *s)
{
    *s = (struct sides){0};
    s->gen_arena = arena_new(NULL, "gen", 256 * MIB);
    s->dec_arena = arena_new(NULL, "dec", 256 * MIB);
    s->keys = intern_new(100000, MIB);
    s->dec = batch_dec_new(BATCH_LIMITS, s->keys);
    s->enc = batch_enc_new(BATCH_LIMITS, 16 * MIB);
    avro_side_init(&s->avro, schema_file_get(SLICE("event_batch.avsc"))->text);
    buf_init(&s->ours, 16 * MIB);
    buf_init(&s->theirs, 16 * MIB);
}

static void teardown(struct sides *s)
{
    batch_dec_free(s->dec);
    batch_enc_free(s->enc);
    avro_side_done(&s->avro);
    intern_free(s->keys);
    arena_free(s->gen_arena);
    arena_free(s->dec_arena);
    buf_done(&s->ours);
    buf_done(&s->theirs);
}

/* avro-c cuts map keys at a NUL byte: leave those out where it takes part. */
static void next_batch(struct sides *s, uint64_t seed, struct rec_batch *ret)
{
    arena_reset(s->gen_arena);
    arena_reset(s->dec_arena);
    gen_init(&s->gen, seed, s->gen_arena);
    s->gen.no_nul = seed % 2 == 0;
    /* One draw a statement: the order in which arguments are computed is the compiler's choice. */
    uint32_t contexts = 1 + gen_below(&s->gen, 8);
    gen_batch(&s->gen, contexts, gen_below(&s->gen, 40), ret);
}

static bool keys_without_nul(const struct val_pair *pairs, uint32_t n);

static bool value_without_nul(struct val v)
{
    bool ok = true;
    for (uint32_t i = 0; v.tag == VAL_LIST && ok && i < v.len; i++) {
        ok = value_without_nul(v.list[i]);
    }
    return ok && (v.tag != VAL_MAP || keys_without_nul(v.map, v.len));
}

static bool keys_without_nul(const struct val_pair *pairs, uint32_t n)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < n; i++) {
        ok = memchr(pairs[i].key, 0, pairs[i].key_len) == NULL && value_without_nul(pairs[i].value);
    }
    return ok;
}

static bool avro_c_can(const struct rec_batch *b)
{
    bool ok = true;
    for (uint32_t i = 0; ok && i < b->events_len; i++) {
        ok = keys_without_nul(b->events[i].payload, b->events[i].payload_len) &&
             keys_without_nul(b->events[i].context->pairs, b->events[i].context->len);
    }
    return ok;
}

static void encode(struct sides *s, const struct rec_batch *b)
{
    buf_clear(&s->ours);
    batch_enc_begin(s->enc, b->source, b->seq);
    for (uint32_t i = 0; i < b->events_len; i++) {
        CHECK_OK(batch_enc_add(s->enc, &b->events[i], &s->err), s->err);
    }
    CHECK_OK(batch_enc_end(s->enc, &s->ours, &s->err), s->err);
}

TEST(avro_c_reads_what_we_write)
{
    struct sides s;
    int checked = 0;
    setup(&s);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rec_batch b, got;
        next_batch(&s, seed, &b);
        if (!avro_c_can(&b)) {
            continue;
        }
        encode(&s, &b);
        CHECK_OK(batch_dec_read(s.dec, s.dec_arena, buf_slice(&s.ours), &got, &s.err), s.err);
        CHECK(avro_side_read(&s.avro, buf_slice(&s.ours)));
        CHECK_STR(NULL, avro_side_differs(&s.avro, &got));
        checked++;
    }
    CHECK(checked > ROUNDS / 2);
    teardown(&s);
}

TEST(avro_c_writes_what_we_read)
{
    struct sides s;
    int checked = 0;
    setup(&s);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rec_batch b, got;
        next_batch(&s, seed, &b);
        if (!avro_c_can(&b)) {
            continue;
        }
        avro_side_fill(&s.avro, &b);
        buf_clear(&s.theirs);
        CHECK(avro_side_write(&s.avro, &s.theirs));
        CHECK_OK(batch_dec_read(s.dec, s.dec_arena, buf_slice(&s.theirs), &got, &s.err), s.err);
        CHECK_EQ(b.events_len, got.events_len);
        for (uint32_t i = 0; i < b.events_len; i++) {
            CHECK(rec_same(&b.events[i], &got.events[i]));
            CHECK_EQ(b.events[i].context->index, got.events[i].context->index);
        }
        CHECK_STR(NULL, avro_side_differs(&s.avro, &got));
        checked++;
    }
    CHECK(checked > ROUNDS / 2);
    teardown(&s);
}

/* The comparison itself must be able to fail. */
TEST(avro_side_sees_a_changed_bit)
{
    struct sides s;
    struct rec_batch b, got;
    setup(&s);
    struct val_pair pair = val_pair(SLICE("k"), val_double(endian_double(0x7ff0000000000002u)));
    struct rec_context context = {0};
    struct rec r = {.type = SLICE("T"), .payload = &pair, .payload_len = 1, .context = &context};
    b = (struct rec_batch){.source = SLICE("s"), .events = &r, .events_len = 1};
    encode(&s, &b);
    CHECK_OK(batch_dec_read(s.dec, s.dec_arena, buf_slice(&s.ours), &got, &s.err), s.err);
    CHECK(avro_side_read(&s.avro, buf_slice(&s.ours)));
    CHECK_STR(NULL, avro_side_differs(&s.avro, &got));
    CHECK(endian_bits(got.events[0].payload[0].value.d) == 0x7ff0000000000002u);
    char *last_byte_of_double = s.ours.ptr + s.ours.len - 3 - 7;
    CHECK_EQ(2, *last_byte_of_double);
    *last_byte_of_double = 3;
    CHECK(avro_side_read(&s.avro, buf_slice(&s.ours)));
    CHECK_STR("payload", avro_side_differs(&s.avro, &got));
    teardown(&s);
}

/* The one known difference: where damage made two keys of a map equal and both values are lists,
 * avro-c reads the second into the first and keeps the items of both; we keep the last value. Then
 * what we kept is shorter than what was given, and written again it reads the same on both sides.
 */
static bool is_repeated_list(struct sides *s, const struct rec_batch *got)
{
    struct rec_batch again;
    size_t given = s->ours.len;
    buf_clear(&s->theirs);
    batch_enc_begin(s->enc, got->source, got->seq);
    for (uint32_t i = 0; i < got->events_len; i++) {
        CHECK_OK(batch_enc_add(s->enc, &got->events[i], &s->err), s->err);
    }
    CHECK_OK(batch_enc_end(s->enc, &s->theirs, &s->err), s->err);
    CHECK_OK(batch_dec_read(s->dec, s->dec_arena, buf_slice(&s->theirs), &again, &s->err), s->err);
    return s->theirs.len < given && avro_side_read(&s->avro, buf_slice(&s->theirs)) &&
           avro_side_differs(&s->avro, &again) == NULL;
}

/* Bytes changed at random: whoever of the two accepts them, neither may crash; and where both do,
 * they must agree. We refuse more: block sizes that lie, tails, numbers beyond their range. */
TEST(avro_c_and_we_agree_on_damaged_bytes)
{
    struct sides s;
    int both = 0, we_alone = 0, repeated = 0;
    setup(&s);
    for (uint64_t seed = 2; seed <= 2 * ROUNDS; seed += 2) {
        struct rec_batch b, got;
        next_batch(&s, seed, &b);
        encode(&s, &b);
        for (int i = 0; i < 20 && s.ours.len > 0; i++) {
            uint32_t at = gen_below(&s.gen, (uint32_t)s.ours.len);
            char was = s.ours.ptr[at];
            s.ours.ptr[at] = (char)(was ^ (1 << gen_below(&s.gen, 8)));
            arena_reset(s.dec_arena);
            int rc = batch_dec_read(s.dec, s.dec_arena, buf_slice(&s.ours), &got, &s.err);
            /* avro-c believes lengths: only what was accepted is safe to give it. */
            if (rc == 0 && avro_c_can(&got)) {
                bool ok = avro_side_read(&s.avro, buf_slice(&s.ours));
                const char *differs = ok ? avro_side_differs(&s.avro, &got) : NULL;
                both += ok;
                we_alone += !ok;
                if (differs != NULL && is_repeated_list(&s, &got)) {
                    repeated++;
                    differs = NULL;
                }
                CHECK_STR(NULL, differs);
            }
            s.ours.ptr[at] = was;
        }
    }
    CHECK(both > 500 && repeated < both / 100);
    CHECK_EQ(0, we_alone);
    teardown(&s);
}
