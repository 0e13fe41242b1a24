/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/id.h"

#include "core/base/hash.h"
#include "core/codec/text.h"
#include "core/event/rec.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

enum { MIB = 1024 * 1024 };

static void check_id(const char *want_hex, struct id id)
{
    struct buf b;
    buf_init(&b, 100);
    text_put_hex(&b, slice_of(id.bytes, sizeof id.bytes));
    CHECK_SLICE(want_hex, buf_slice(&b));
    buf_done(&b);
}

/* Computed by another implementation of xxh3 from the layouts that id.h states. */
TEST(id_values_are_golden)
{
    struct id d = id_of_derived(0x0123456789abcdef, 42);
    struct hash128 h =
        hash_xxh128(slice_of("\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\x2a", 16));
    CHECK(memcmp(d.bytes, h.bytes, 16) == 0);
    check_id("b7f4b3032dc5f327baa1e6f51e71e1a6", d);
    uint8_t trace[16] = {1}, span[8] = {2};
    check_id("16705b7b8445e5d7512f09c92948dec3", id_of_span(trace, span, 3));
    check_id("f4f13a92f3a55748271af62acab6ffae",
             id_of_alert(SLICE("t"), SLICE("g"), SLICE("s"), SLICE("\x04\x01k"), 1));
    struct id none;
    struct buf scratch;
    struct err err;
    struct rec r = {.ts = 1, .kind = REC_LOG, .type = SLICE("LogRecord")};
    buf_init(&scratch, 1000);
    CHECK_OK(id_of_content(&scratch, SLICE("\x04"), &r, 0, &none, &err), err);
    check_id("76a9ae15a84e8dcc012980418d454a2c", none);
    buf_done(&scratch);
}

TEST(id_of_spans_tells_client_from_server)
{
    uint8_t trace[16] = {1}, span[8] = {2};
    struct id client = id_of_span(trace, span, 3), server = id_of_span(trace, span, 2);
    CHECK(!id_equal(&client, &server));
}

TEST(id_of_alerts_parts_do_not_run_into_each_other)
{
    struct id a = id_of_alert(SLICE("t"), SLICE("ab"), SLICE("c"), SLICE("k"), 1);
    struct id b = id_of_alert(SLICE("t"), SLICE("a"), SLICE("bc"), SLICE("k"), 1);
    struct id c = id_of_alert(SLICE("t"), SLICE("ab"), SLICE("c"), SLICE("k"), 2);
    CHECK(!id_equal(&a, &b) && !id_equal(&a, &c));
}

static struct id content_id(const struct rec *r, uint32_t ordinal)
{
    struct buf scratch;
    struct err err;
    struct id id;
    buf_init(&scratch, MIB);
    CHECK_OK(id_of_content(&scratch, SLICE("subject"), r, ordinal, &id, &err), err);
    buf_done(&scratch);
    return id;
}

static void reverse(struct val_pair *pairs, uint32_t n)
{
    for (uint32_t i = 0; i + 1 < n - i; i++) {
        struct val_pair one = pairs[i];
        pairs[i] = pairs[n - 1 - i];
        pairs[n - 1 - i] = one;
    }
}

TEST(id_of_content_sees_content_and_nothing_else)
{
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct gen g;
    gen_init(&g, 2, a);
    for (int round = 0; round < 100; round++) {
        struct rec r, other;
        gen_rec(&g, gen_context(&g), &r);
        struct id id = content_id(&r, 0), got;
        /* The order of keys, what ingest adds, and what readers number do not count. */
        struct val_pair *pairs = arena_array(a, r.payload_len, sizeof *pairs);
        memcpy(pairs, r.payload, r.payload_len * sizeof *pairs);
        reverse(pairs, r.payload_len);
        other = r;
        other.payload = pairs;
        other.ingest_ts ^= 1;
        other.flags ^= 1;
        other.n++;
        got = content_id(&other, 0);
        CHECK(id_equal(&id, &got));
        /* Everything else does. */
        got = content_id(&r, 1);
        CHECK(!id_equal(&id, &got));
        other = r, other.ts ^= 1;
        got = content_id(&other, 0);
        CHECK(!id_equal(&id, &got));
        other = r, other.type = SLICE("Other");
        got = content_id(&other, 0);
        CHECK(!id_equal(&id, &got));
        struct rec_context more = {.pairs = gen_pairs(&g, 11, 0), .len = 11};
        other = r, other.context = &more;
        got = content_id(&other, 0);
        CHECK(!id_equal(&id, &got));
        if (r.payload_len > 0) {
            other = r, other.payload_len--;
            got = content_id(&other, 0);
            CHECK(!id_equal(&id, &got));
        }
    }
    arena_free(a);
}

TEST(id_of_content_sorts_large_payloads_the_same_way)
{
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct rec r = {.type = SLICE("T")};
    for (uint32_t n = 62; n < 68; n++) {
        struct val_pair *pairs = arena_array(a, n, sizeof *pairs);
        for (uint32_t i = 0; i < n; i++) {
            pairs[i] = val_pair(slice_str(arena_printf(a, "k%u", i * 37 % n)), val_int(i));
        }
        r.payload = pairs, r.payload_len = n;
        struct id id = content_id(&r, 0), got;
        reverse(pairs, n);
        got = content_id(&r, 0);
        CHECK(id_equal(&id, &got));
    }
    struct buf small;
    struct err err;
    struct id id;
    buf_init(&small, 100);
    CHECK_EQ(-ERR_TOO_BIG, id_of_content(&small, SLICE("s"), &r, 0, &id, &err));
    buf_done(&small);
    arena_free(a);
}

static struct id item_id(const struct hash128 *target, const struct rec *r)
{
    struct buf scratch;
    struct err err;
    struct id id;
    buf_init(&scratch, MIB);
    CHECK_OK(id_of_item(&scratch, target, r, &id, &err), err);
    buf_done(&scratch);
    return id;
}

TEST(id_of_item_sees_target_content_and_order)
{
    struct val_pair pairs[] = {val_pair(SLICE("a"), val_string(SLICE("bc"))),
                               val_pair(SLICE("d"), val_int(1)),
                               val_pair(SLICE("e"), val_bool(true))};
    struct rec r = {.type = SLICE("T"), .ts = 5, .payload = pairs, .payload_len = 3}, other;
    struct hash128 target = {{1}}, target2 = {{2}};
    struct id id = item_id(&target, &r), got = item_id(&target, &r);
    CHECK(id_equal(&id, &got));
    got = item_id(&target2, &r);
    CHECK(!id_equal(&id, &got));
    other = r, other.ts = 6, got = item_id(&target, &other);
    CHECK(!id_equal(&id, &got));
    other = r, other.type = SLICE("U"), got = item_id(&target, &other);
    CHECK(!id_equal(&id, &got));
    other = r, other.span_id[7] = 1, got = item_id(&target, &other);
    CHECK(!id_equal(&id, &got));
    other = r, other.ingest_ts = 7, other.flags = 1, got = item_id(&target, &other);
    CHECK(id_equal(&id, &got));
    /* Where a key ends and its value begins counts. */
    pairs[0] = val_pair(SLICE("ab"), val_string(SLICE("c")));
    got = item_id(&target, &r);
    CHECK(!id_equal(&id, &got));
    pairs[0] = val_pair(SLICE("a"), val_bytes(SLICE("bc")));
    got = item_id(&target, &r);
    CHECK(!id_equal(&id, &got));
    struct id second = id_repeat(id, 1), third = id_repeat(id, 2);
    CHECK(!id_equal(&id, &second) && !id_equal(&second, &third));
}
