/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/journal.h, head.h: what was written is read; what is damaged is refused.
 */
#include "operators/shard/head.h"
#include "operators/shard/journal.h"
#include "tests/test.h"

static struct journal_record example(void)
{
    static struct journal_read reads[] = {{0, {5, 0}, {9, 3}}, {300, {-1, 0}, {1LL << 40, 7}}};
    static struct merge_skip skips[] = {{1, 0, 17}, {2, 5, MERGE_NEVER}};
    static struct journal_decision decisions[] = {{JOURNAL_TICK, 3, -5, {NULL, 0}},
                                                  {JOURNAL_GAP, 4, 0, {"abc", 3}}};
    static struct journal_put puts[] = {{{"x.a", 3}, 3, 1ULL << 50, 12}};
    static struct journal_span spans[] = {{{"x.a", 3}, 3, 1LL << 33, 2}};
    return (struct journal_record){.lineage = UINT64_MAX >> 1,
                                   .epoch = 7,
                                   .seq = 1000,
                                   .engine = 1,
                                   .prev_offset = -1,
                                   .prev_sum = 0x0123456789abcdefULL,
                                   .clock = INT64_MIN,
                                   .takes = 20,
                                   .outputs = 99,
                                   .reads = reads,
                                   .skips = skips,
                                   .decisions = decisions,
                                   .puts = puts,
                                   .spans = spans,
                                   .n_reads = 2,
                                   .n_skips = 2,
                                   .n_decisions = 2,
                                   .n_puts = 1,
                                   .n_spans = 1,
                                   .out_sum = {{1, 2, 3}},
                                   .has_state = true,
                                   .state = {{4, 5, 6}}};
}

TEST(what_was_written_is_read)
{
    struct journal_record r = example(), got;
    struct buf b, again;
    struct err err;
    uint64_t sum = 0, sum2 = 0, sum3 = 0;
    buf_init(&b, 1 << 20);
    buf_init(&again, 1 << 20);
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    CHECK_OK(journal_write(&r, &b, &sum, &err), err);
    CHECK_OK(journal_read(buf_slice(&b), a, &got, &sum2, &err), err);
    CHECK_EQ(sum, sum2);
    CHECK_EQ(r.lineage, got.lineage);
    CHECK_EQ(r.prev_sum, got.prev_sum);
    CHECK_EQ(r.clock, got.clock);
    CHECK_EQ(300, got.reads[1].sub);
    CHECK_EQ(1LL << 40, got.reads[1].to.offset);
    CHECK(got.skips[1].to == MERGE_NEVER && got.skips[0].to == 17);
    CHECK_EQ(-5, got.decisions[0].time);
    CHECK_SLICE("abc", got.decisions[1].bytes);
    CHECK_SLICE("x.a", got.puts[0].topic);
    CHECK_EQ(1LL << 33, got.spans[0].offset);
    CHECK_EQ(6, got.state.bytes[2]);
    CHECK_OK(journal_write(&got, &again, &sum3, &err), err);
    CHECK_EQ(b.len, again.len);
    CHECK(memcmp(b.ptr, again.ptr, b.len) == 0);
    arena_free(a);
    buf_done(&b);
    buf_done(&again);
}

TEST(damage_is_noticed)
{
    struct journal_record r = example(), got;
    struct buf b;
    struct err err;
    uint64_t sum;
    buf_init(&b, 1 << 20);
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    CHECK_OK(journal_write(&r, &b, &sum, &err), err);
    for (size_t i = 0; i < b.len; i++) {
        b.ptr[i] ^= 0x20;
        CHECK(journal_read(buf_slice(&b), a, &got, &sum, &err) != 0);
        b.ptr[i] ^= 0x20;
        CHECK(journal_read(slice_of(b.ptr, i), a, &got, &sum, &err) != 0);
    }
    arena_free(a);
    buf_done(&b);
}

/* The sum is right, so nothing is damaged: it is of another program. */
TEST(what_a_newer_program_wrote_is_refused_by_name)
{
    struct journal_record r = example(), got;
    struct buf b;
    struct err err;
    uint64_t sum;
    buf_init(&b, 1 << 20);
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    r.decisions[1].kind = (enum journal_kind)200;
    CHECK_OK(journal_write(&r, &b, &sum, &err), err);
    CHECK_EQ(-ERR_UNSUPPORTED, journal_read(buf_slice(&b), a, &got, &sum, &err));
    CHECK_HAS("decisions of kind 200, of a newer program", err.msg);
    b.ptr[0] = JOURNAL_FORMAT + 1;
    CHECK_EQ(-ERR_UNSUPPORTED, journal_read(buf_slice(&b), a, &got, &sum, &err));
    CHECK_HAS("of a newer program", err.msg);
    r.decisions[1].kind = JOURNAL_GAP; /* one of format 1 lacks nothing but kinds */
    buf_clear(&b);
    CHECK_OK(journal_write(&r, &b, &sum, &err), err);
    b.ptr[0] = 1;
    struct hash128 h = hash_xxh128(slice_of(b.ptr, b.len - 8));
    memcpy(b.ptr + b.len - 8, h.bytes, 8);
    CHECK_OK(journal_read(buf_slice(&b), a, &got, &sum, &err), err);
    CHECK_EQ(2, got.n_decisions);
    arena_free(a);
    buf_done(&b);
}

TEST(heads_go_there_and_back)
{
    const struct head heads[] = {{1, 2, 3, 4, 5, MERGE_NO_MARK, false},
                                 {UINT64_MAX >> 1, 0, UINT64_MAX, 1, 0, -1, false},
                                 {7, 7, 7, 7, UINT32_MAX, INT64_MAX, false},
                                 {7, 7, 7, 7, 0, MERGE_NO_MARK, true}};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct buf b;
        struct head h;
        buf_init(&b, 1000);
        CHECK(head_write(&b, &heads[i]));
        CHECK(head_read(buf_slice(&b), &h));
        CHECK(h.lineage == heads[i].lineage && h.seq == heads[i].seq && h.mark == heads[i].mark);
        CHECK_EQ(heads[i].end, h.end);
        CHECK(h.count == heads[i].count && h.first == heads[i].first);
        CHECK(!head_read(slice_of(b.ptr, 4), &h));
        buf_add_byte(&b, 0);
        CHECK((!h.end && h.mark == MERGE_NO_MARK) || !head_read(buf_slice(&b), &h));
        buf_done(&b);
    }
}

TEST(an_empty_header_is_none)
{
    struct head h;
    CHECK(!head_read(SLICE_NONE, &h));
}
