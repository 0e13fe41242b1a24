/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/val.h"

#include "core/codec/endian.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

TEST(val_order_is_total)
{
    enum { N = 150 };
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct gen g;
    struct val v[N];
    gen_init(&g, 1, a);
    for (int i = 0; i < N; i++) {
        v[i] = gen_val(&g, 2);
    }
    for (int i = 0; i < N; i++) {
        CHECK_EQ(0, val_cmp(v[i], v[i]));
        for (int j = 0; j < N; j++) {
            int c = sign(val_cmp(v[i], v[j]));
            CHECK_EQ(-c, sign(val_cmp(v[j], v[i])));
            CHECK(!val_same(v[i], v[j]) || c == 0);
            for (int k = 0; k < N; k++) {
                CHECK(c > 0 || val_cmp(v[j], v[k]) > 0 || val_cmp(v[i], v[k]) <= 0);
            }
        }
    }
    arena_free(a);
}

TEST(val_numbers_compare_exactly_across_types)
{
    int64_t big = (1ll << 53) + 1;
    CHECK(val_equal(val_int(1), val_double(1.0)));
    CHECK(val_cmp(val_int(big), val_double((double)big)) > 0);
    CHECK(val_cmp(val_double((double)big), val_int(big)) < 0);
    CHECK(val_cmp(val_int(INT64_MAX), val_double(0x1p63)) < 0);
    CHECK(val_equal(val_int(INT64_MIN), val_double(-0x1p63)));
    CHECK(val_cmp(val_int(3), val_double(3.5)) < 0 && val_cmp(val_int(-3), val_double(-3.5)) > 0);
    CHECK(val_equal(val_double(0.0), val_double(-0.0)));
    CHECK(val_equal(val_double(NAN), val_double(-NAN)));
    CHECK(val_cmp(val_double(INFINITY), val_double(NAN)) < 0);
    CHECK(val_cmp(val_int(INT64_MAX), val_double(NAN)) < 0);
    CHECK(val_cmp(val_int(INT64_MAX), val_double(INFINITY)) < 0);
    CHECK(!val_same(val_double(0.0), val_double(-0.0)) && !val_same(val_int(1), val_double(1)));
    CHECK(val_cmp(val_string(SLICE("")), val_double(NAN)) > 0);
    CHECK(!val_equal(val_string(SLICE("a")), val_bytes(SLICE("a"))));
}

static void check_sorted(struct gen *g, uint32_t n, uint32_t distinct)
{
    struct val_pair *p = arena_array(g->arena, n, sizeof *p);
    for (uint32_t i = 0; i < n; i++) {
        char *key = arena_printf(g->arena, "%u", gen_below(g, distinct));
        p[i] = val_pair(slice_str(key), val_int(i));
    }
    struct val_pair *before = arena_array(g->arena, n, sizeof *before);
    memcpy(before, p, n * sizeof *p);
    uint32_t kept = val_map_sort(p, n);
    struct val map = val_map(p, kept);
    for (uint32_t i = 0; i < kept; i++) {
        CHECK_EQ(0, p[i].key_id);
        CHECK(i == 0 || slice_cmp(val_key(&p[i - 1]), val_key(&p[i])) < 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t last = i;
        for (uint32_t k = i; k < n; k++) {
            last = slice_eq(val_key(&before[i]), val_key(&before[k])) ? k : last;
        }
        const struct val *v = val_map_get(map, val_key(&before[i]));
        CHECK(v != NULL && v->i == last);
    }
    CHECK(val_map_get(map, SLICE("none")) == NULL);
}

TEST(val_maps_are_sorted_and_the_last_of_equal_keys_stays)
{
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct gen g;
    gen_init(&g, 2, a);
    for (uint32_t n = 0; n < 60; n++) {
        check_sorted(&g, n, 1 + n);
        check_sorted(&g, n, 1 + n / 4);
    }
    check_sorted(&g, 1000, 700);
    arena_free(a);
}

TEST(val_copies_everything_or_says_no)
{
    struct arena *from = arena_new(NULL, "from", 64 * MIB), *to = arena_new(NULL, "to", 64 * MIB);
    struct gen g;
    gen_init(&g, 4, from);
    for (int i = 0; i < 200; i++) {
        struct val v = gen_val(&g, 4), copy;
        CHECK(val_copy(to, v, &copy));
        CHECK(val_same(v, copy));
        CHECK((v.tag != VAL_STRING && v.tag != VAL_BYTES) || v.str != copy.str);
    }
    struct arena *tiny = arena_new(NULL, "tiny", 4096);
    char *big = arena_zalloc(from, 10000);
    struct val v = val_string(slice_of(big, 10000)), copy = val_int(5);
    struct val list = val_list(&v, 1);
    CHECK(!val_copy(tiny, list, &copy));
    CHECK_EQ(5, copy.i);
    arena_free(tiny);
    arena_free(from);
    arena_free(to);
}

TEST(val_doubles_read_back_from_their_text)
{
    struct gen g;
    char text[VAL_NUMBER_MAX];
    gen_init(&g, 6, NULL);
    for (int i = 0; i < 20000; i++) {
        double d = gen_double(&g);
        size_t n = val_double_text(d, text);
        CHECK(n == strlen(text) && n < sizeof text);
        double back = strtod(text, NULL);
        CHECK(isnan(d) ? isnan(back) : endian_bits(d) == endian_bits(back));
        CHECK(strcspn(text, ".eINf") < n); /* never looks like an int */
    }
    val_double_text(0.1, text);
    CHECK_STR("0.1", text);
    val_double_text(-0.0, text);
    CHECK_STR("-0.0", text);
    val_double_text(1e300, text);
    CHECK_STR("1e+300", text);
}

TEST(val_prints_for_people)
{
    struct buf b;
    buf_init(&b, 1000);
    struct val items[] = {val_null(),    val_bool(true),           val_int(-5),
                          val_double(2), val_string(SLICE("x y")), val_bytes(SLICE("\x01\xff"))};
    struct val_pair pair = val_pair(SLICE("k"), val_list(items, 6));
    CHECK(val_print(&b, val_map(&pair, 1)));
    CHECK_SLICE("{k=[null, true, -5, 2.0, \"x y\", 0x01ff]}", buf_slice(&b));
    buf_clear(&b);
    CHECK(val_print(&b, items[4]));
    CHECK_SLICE("x y", buf_slice(&b));
    buf_done(&b);
    buf_init(&b, 10);
    CHECK(!val_print(&b, val_map(&pair, 1)));
    buf_done(&b);
    CHECK_STR("double", val_tag_name(VAL_DOUBLE));
    CHECK_STR("?", val_tag_name(8));
}
