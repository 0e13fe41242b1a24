/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/key.h"

#include "core/base/hash.h"
#include "core/codec/endian.h"
#include "core/codec/text.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

#include <math.h>

enum { MIB = 1024 * 1024 };

static void check_key(const char *want_hex, struct val v)
{
    struct buf key, hex;
    buf_init(&key, 1000);
    buf_init(&hex, 2000);
    CHECK(key_add(&key, v));
    text_put_hex(&hex, buf_slice(&key));
    CHECK_SLICE(want_hex, buf_slice(&hex));
    buf_done(&key);
    buf_done(&hex);
}

TEST(key_bytes_are_golden)
{
    check_key("00", val_null());
    check_key("0100", val_bool(false));
    check_key("0101", val_bool(true));
    check_key("020000000000000001", val_int(1));
    check_key("02ffffffffffffffff", val_int(-1));
    check_key("033ff8000000000000", val_double(1.5));
    check_key("04026869", val_string(SLICE("hi")));
    check_key("0502ff00", val_bytes(slice_of("\xff\0", 2)));
    struct val items[] = {val_int(1), val_string(SLICE("a"))};
    check_key("0602020000000000000001040161", val_list(items, 2));
    struct val_pair pair = val_pair(SLICE("k"), val_null());
    check_key("070104016b00", val_map(&pair, 1));
    char long_text[200] = {0};
    struct buf key;
    buf_init(&key, 1000);
    CHECK(key_add(&key, val_string(slice_of(long_text, sizeof long_text))));
    CHECK(key.len == 203 && memcmp(key.ptr, "\x04\xc8\x01", 3) == 0);
    buf_done(&key);
}

TEST(key_numbers_have_one_form)
{
    check_key("020000000000000001", val_double(1.0));
    check_key("020000000000000000", val_double(-0.0));
    check_key("028000000000000000", val_double(-0x1p63));
    check_key("0343e0000000000000", val_double(0x1p63));
    check_key("037ff8000000000000", val_double(NAN));
    check_key("037ff8000000000000", val_double(endian_double(0x7ff0000000000002u)));
    check_key("037ff8000000000000", val_double(endian_double(0xfff8000000000001u)));
    check_key("037ff0000000000000", val_double(INFINITY));
    /* Columns of int and double joined: both sides as the double column sees them. */
    int64_t odd = (1ll << 53) + 1;
    check_key("020020000000000000", key_coerce(val_int(odd), VAL_DOUBLE));
    check_key("020020000000000001", key_coerce(val_int(odd), VAL_INT));
    check_key("04013a", key_coerce(val_string(SLICE(":")), VAL_DOUBLE));
}

TEST(key_bytes_are_equal_exactly_when_values_are)
{
    enum { N = 600 };
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct gen g;
    struct val v[N];
    struct slice keys[N];
    struct buf b;
    buf_init(&b, MIB);
    gen_init(&g, 7, a);
    for (int i = 0; i < N; i++) {
        v[i] = gen_val(&g, 2);
        /* An equal value of another form now and then. */
        if (i > 0 && v[i - 1].tag == VAL_INT && gen_below(&g, 2) == 0) {
            v[i] = val_double((double)v[i - 1].i);
        }
        buf_clear(&b);
        CHECK(key_add(&b, v[i]));
        keys[i] = arena_copy(a, buf_slice(&b));
        struct slice rest = keys[i];
        struct val back;
        CHECK(key_read(&rest, a, &back));
        CHECK(rest.len == 0 && val_equal(v[i], back));
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            CHECK(slice_eq(keys[i], keys[j]) == val_equal(v[i], v[j]));
        }
    }
    buf_done(&b);
    arena_free(a);
}

TEST(key_columns_do_not_run_into_each_other)
{
    struct buf x, y;
    buf_init(&x, 100);
    buf_init(&y, 100);
    CHECK(key_add(&x, val_string(SLICE("a"))) && key_add(&x, val_string(SLICE("bc"))));
    CHECK(key_add(&y, val_string(SLICE("ab"))) && key_add(&y, val_string(SLICE("c"))));
    CHECK(!slice_eq(buf_slice(&x), buf_slice(&y)));
    buf_done(&x);
    buf_done(&y);
}

TEST(key_read_refuses_what_key_add_would_not_write)
{
    static const char *const bad[] = {
        "",                       /* nothing */
        "08",                     /* no such tag */
        "0102",                   /* a bool of 2 */
        "0200",                   /* an int that ends early */
        "033ff0000000000000",     /* 1.0 as double */
        "037ff8000000000001",     /* another NaN */
        "040561",                 /* a string longer than the input */
        "04818061",               /* a length in more bytes than needed */
        "0601",                   /* a list without its item */
        "07020401620004016100",   /* a map out of order */
        "0701020000000000000001", /* a map whose key is no string */
    };
    struct arena *a = arena_new(NULL, "t", MIB);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char bytes[64];
        int64_t n = text_get_hex(slice_str(bad[i]), bytes, sizeof bytes);
        struct slice rest = slice_of(bytes, (size_t)n);
        struct val v;
        CHECK(!key_read(&rest, a, &v));
    }
    char deep[200];
    memset(deep, 1, sizeof deep);
    for (size_t i = 0; i < sizeof deep; i += 2) {
        deep[i] = KEY_LIST;
    }
    struct slice rest = slice_of(deep, sizeof deep);
    struct val v;
    CHECK(!key_read(&rest, a, &v));
    arena_free(a);
}

static struct val_pair text_pair(const char *key, const char *value)
{
    return val_pair(slice_str(key), val_string(slice_str(value)));
}

static void check_subject(const char *want_hex, const struct val_pair *pairs, uint32_t n,
                          uint8_t kind, bool trace)
{
    struct rec_context c = {.pairs = pairs, .len = n};
    struct rec r = {.context = &c, .kind = kind};
    memset(r.trace_id, trace ? 0xab : 0, sizeof r.trace_id);
    struct buf key, hex;
    buf_init(&key, 1000);
    buf_init(&hex, 2000);
    CHECK(key_add_subject(&key, &r, NULL));
    text_put_hex(&hex, buf_slice(&key));
    CHECK_SLICE(want_hex, buf_slice(&hex));
    buf_done(&key);
    buf_done(&hex);
}

TEST(key_subject_takes_the_first_that_is_known)
{
    struct val_pair all[] = {
        text_pair("host.name", "h"),          text_pair("service.name", "s"),
        text_pair("kaiju.tenant", "t"),       text_pair("k8s.pod.uid", "never"),
        text_pair("k8s.namespace.name", "n"), text_pair("k8s.pod.name", "p"),
    };
    check_subject("01"      /* pod */
                  "040174"  /* tenant */
                  "00"      /* cluster: not known */
                  "04016e"  /* namespace */
                  "040170", /* pod name */
                  all, 6, REC_LOG, false);
    check_subject("02040174"
                  "00"     /* service namespace */
                  "040173" /* service */
                  "00",    /* instance */
                  all, 4, REC_LOG, false);
    check_subject("0300040168", all, 1, REC_METRIC, false);
    check_subject("0400", all, 0, REC_METRIC, false);
    /* Spans go by trace; a span without one goes by its target, and so does a log with one. */
    check_subject("050401740510abababababababababababababababab", all, 6, REC_SPAN, true);
    check_subject("0300040168", all, 1, REC_SPAN, false);
    check_subject("0300040168", all, 1, REC_LOG, true);
    /* A pod without a name is none. */
    struct val_pair empty[] = {text_pair("k8s.pod.name", ""), text_pair("host.name", "h")};
    check_subject("0300040168", empty, 2, REC_LOG, false);
}

TEST(key_subject_is_the_same_with_and_without_numbers)
{
    struct intern *keys = intern_new(100, 10000);
    struct rec_names names;
    rec_names_init(&names, keys);
    struct val_pair pairs[] = {text_pair("k8s.pod.name", "p"), text_pair("kaiju.tenant", "t")};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        pairs[i].key_id = intern_id(keys, val_key(&pairs[i]));
    }
    struct rec_context c = {.pairs = pairs, .len = 2};
    struct buf x, y;
    buf_init(&x, 100);
    buf_init(&y, 100);
    CHECK(key_add_target(&x, &c, &names) && key_add_target(&y, &c, NULL));
    CHECK(slice_eq(buf_slice(&x), buf_slice(&y)));
    buf_done(&x);
    buf_done(&y);
    intern_free(keys);
}

TEST(key_groups_and_partitions_are_golden)
{
    CHECK_EQ(0xef46db3751d8e999u >> 54, key_group(SLICE("")));
    CHECK_EQ(hash_xxh64(SLICE("abc")) >> 54, key_group(SLICE("abc")));
    CHECK_EQ(0x44bc2cf5ad770999u >> 54, key_group(SLICE("abc")));
    for (uint32_t p = 1; p <= KEY_PARTITIONS_MAX; p *= 2) {
        uint32_t count[KEY_PARTITIONS_MAX] = {0};
        for (uint32_t group = 0; group < KEY_GROUPS; group++) {
            uint32_t part = key_partition_of_group(group, p);
            CHECK(part < p);
            count[part]++;
            /* Halving the partitions merges neighbours. */
            CHECK(p == 1 || key_partition_of_group(group, p / 2) == part / 2);
        }
        for (uint32_t i = 0; i < p; i++) {
            CHECK_EQ(KEY_GROUPS / p, count[i]);
        }
    }
}

TEST(key_says_no_at_the_limit_of_its_buffer)
{
    struct buf b;
    struct val_pair pair = text_pair("k8s.pod.name", "a pod with a long name");
    struct rec_context c = {.pairs = &pair, .len = 1};
    struct rec r = {.context = &c};
    for (size_t max = 1; max < 27; max++) {
        buf_init(&b, max);
        CHECK(!key_add_subject(&b, &r, NULL));
        buf_done(&b);
    }
}
