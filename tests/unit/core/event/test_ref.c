/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/ref.h"

#include "core/base/arena.h"
#include "core/base/hash.h"
#include "core/codec/text.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

#include <stdlib.h>

static void check_hex(const char *want, const void *bytes, size_t n)
{
    struct buf b;
    buf_init(&b, 100);
    text_put_hex(&b, slice_of(bytes, n));
    CHECK_SLICE(want, buf_slice(&b));
    buf_done(&b);
}

TEST(ref_bits_lie_where_the_design_says)
{
    struct ref raw = ref_of_raw((struct ref_raw){
        .topic = 0x7fee, .partition = 0x1234, .index = 0x89abcdef, .offset = 0x1122334455667788});
    check_hex("7fee123489abcdef1122334455667788", raw.bytes, 16);
    CHECK(!ref_is_derived(&raw));
    struct ref_raw parts = ref_raw_parts(&raw);
    CHECK(parts.topic == 0x7fee && parts.partition == 0x1234 && parts.index == 0x89abcdef &&
          parts.offset == 0x1122334455667788);
    struct ref derived =
        ref_of_derived((struct ref_derived){.lineage = 0x0123456789abcdef, .number = 7});
    check_hex("8123456789abcdef0000000000000007", derived.bytes, 16);
    CHECK(ref_is_derived(&derived));
    CHECK(ref_derived_parts(&derived).lineage == 0x0123456789abcdef);
    CHECK_EQ(7, ref_derived_parts(&derived).number);
    CHECK(ref_cmp(&raw, &derived) < 0 && ref_cmp(&raw, &raw) == 0);
}

TEST(ref_of_an_event_follows_its_record)
{
    struct ref_origin raw = {.topic = 3, .partition = 5, .offset = 1000};
    struct ref r = ref_of_event(&raw, 17, 0);
    CHECK_EQ(17, ref_raw_parts(&r).index);
    CHECK_EQ(1000, ref_raw_parts(&r).offset);
    struct ref_origin derived = {.derived = true, .lineage = 9, .first_number = 100};
    r = ref_of_event(&derived, 2, 5);
    CHECK_EQ(105, ref_derived_parts(&r).number);
    CHECK_EQ(9, ref_derived_parts(&r).lineage);
}

TEST(ref_lineage_is_63_bits_of_the_hash_of_the_path)
{
    uint64_t got = ref_lineage(SLICE("default"), SLICE("checkout"), SLICE("logs"), 12);
    CHECK(got == (hash_xxh64(SLICE("default/checkout/logs/12")) & ~(1ull << 63)));
    CHECK(got == 0x0cf5ae2629d29c2du);
    CHECK(got != ref_lineage(SLICE("default"), SLICE("checkout"), SLICE("logs"), 13));
}

static struct ref random_ref(struct gen *g, uint32_t distinct)
{
    uint32_t i = gen_below(g, distinct);
    return i % 2 == 0 ? ref_of_raw((struct ref_raw){.topic = 1, .offset = i})
                      : ref_of_derived((struct ref_derived){.lineage = 77, .number = i});
}

static bool same_list(const struct ref_set *a, const struct ref_set *b)
{
    struct ref x[REF_CAUSES], y[REF_CAUSES];
    uint32_t n = ref_set_list(a, x), m = ref_set_list(b, y);
    return n == m && memcmp(x, y, n * sizeof x[0]) == 0;
}

static struct ref_set merged(const struct ref_set *a, const struct ref_set *b)
{
    struct ref_set out = *a;
    ref_set_union(&out, b);
    return out;
}

static void random_set(struct gen *g, struct ref_set *ret)
{
    ref_set_init(ret);
    for (uint32_t n = gen_below(g, 20); n > 0; n--) {
        ref_set_add(ret, gen_below(g, 6), random_ref(g, 40));
    }
}

TEST(ref_union_is_associative_commutative_and_idempotent)
{
    struct gen g;
    gen_init(&g, 3, NULL);
    for (int round = 0; round < 5000; round++) {
        struct ref_set a, b, c;
        random_set(&g, &a);
        random_set(&g, &b);
        random_set(&g, &c);
        struct ref_set ab = merged(&a, &b), ba = merged(&b, &a), bc = merged(&b, &c);
        struct ref_set left = merged(&ab, &c), right = merged(&a, &bc), twice = merged(&a, &a);
        CHECK(same_list(&ab, &ba));
        CHECK(memcmp(&ab, &ba, sizeof ab) == 0);
        CHECK(same_list(&left, &right) && memcmp(&left, &right, sizeof left) == 0);
        CHECK(memcmp(&twice, &a, sizeof a) == 0);
    }
}

static int by_hash(const void *x, const void *y)
{
    uint64_t a = ref_hash(x), b = ref_hash(y);
    return a != b ? (a < b ? -1 : 1) : ref_cmp(x, y);
}

/* The rule as the design words it, done the slow way. */
static uint32_t select_slowly(const struct ref *refs, uint32_t n, struct ref *out)
{
    struct ref rest[64];
    uint32_t kept = 0, len = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool seen = ref_cmp(&refs[i], &refs[0]) == 0 || ref_cmp(&refs[i], &refs[n - 1]) == 0;
        for (uint32_t k = 0; k < kept; k++) {
            seen = seen || ref_cmp(&rest[k], &refs[i]) == 0;
        }
        if (!seen) {
            rest[kept++] = refs[i];
        }
    }
    qsort(rest, kept, sizeof rest[0], by_hash);
    if (n > 0) {
        out[len++] = refs[0];
    }
    if (n > 0 && ref_cmp(&refs[0], &refs[n - 1]) != 0) {
        out[len++] = refs[n - 1];
    }
    for (uint32_t i = 0; i < kept && len < REF_CAUSES; i++) {
        out[len++] = rest[i];
    }
    return len;
}

TEST(ref_select_takes_oldest_newest_and_the_smallest_hashes)
{
    struct gen g;
    gen_init(&g, 4, NULL);
    for (int round = 0; round < 3000; round++) {
        struct ref refs[64], want[REF_CAUSES], got[REF_CAUSES];
        uint32_t n = gen_below(&g, 64);
        for (uint32_t i = 0; i < n; i++) {
            refs[i] = random_ref(&g, round % 2 == 0 ? 1000 : 12);
        }
        uint32_t m = select_slowly(refs, n, want);
        CHECK_EQ(m, ref_select(refs, n, got));
        CHECK(memcmp(want, got, m * sizeof got[0]) == 0);
        CHECK(n < REF_CAUSES || round % 2 != 0 || m == REF_CAUSES);
        /* Panes: the same events in parts, merged in another order. */
        struct ref_set panes[3], all;
        for (int i = 0; i < 3; i++) {
            ref_set_init(&panes[i]);
        }
        for (uint32_t i = 0; i < n; i++) {
            ref_set_add(&panes[i % 3], i, refs[i]);
        }
        all = panes[2];
        ref_set_union(&all, &panes[0]);
        ref_set_union(&all, &panes[1]);
        CHECK_EQ(m, ref_set_list(&all, got));
        CHECK(memcmp(want, got, m * sizeof got[0]) == 0);
    }
}
