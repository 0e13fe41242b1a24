/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/buf.h"
#include "operators/sig/dat.h"

#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text(struct dat v)
{
    static char out[200];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    dat_text_to(v, &b);
    memcpy(out, buf_cstr(&b), b.len + 1);
    buf_done(&b);
    return out;
}

TEST(doubles_are_written_with_the_shortest_digits)
{
    CHECK_STR("0.1", text(dat_double(0.1)));
    CHECK_STR("100.0", text(dat_double(100)));
    CHECK_STR("1.0E7", text(dat_double(1e7)));
    CHECK_STR("9999999.0", text(dat_double(9999999)));
    CHECK_STR("0.001", text(dat_double(0.001)));
    CHECK_STR("9.999E-4", text(dat_double(0.0009999)));
    CHECK_STR("1.0E21", text(dat_double(1e21)));
    CHECK_STR("4.9E-324", text(dat_double(4.9406564584124654e-324)));
    CHECK_STR("1.7976931348623157E308", text(dat_double(1.7976931348623157e308)));
    CHECK_STR("-0.0", text(dat_double(-0.0)));
    CHECK_STR("0.30000000000000004", text(dat_double(0.1 + 0.2)));
    CHECK_STR("-1.234567890125E9", text(dat_double(-1234567890.125)));
    CHECK_STR("NaN", text(dat_double((double)NAN)));
    CHECK_STR("-Infinity", text(dat_double(-(double)INFINITY)));
}

TEST(floats_have_the_digits_of_floats)
{
    CHECK_STR("0.1", text(dat_float(0.1)));
    CHECK_STR("3.4028235E38", text(dat_float(3.4028234663852886e38)));
    CHECK_STR("1.6777216E7", text(dat_float(16777216)));
    CHECK_STR("1.4E-45", text(dat_float(1.401298464324817e-45)));
}

TEST(doubles_read_back_as_they_were)
{
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double d = 0;
        memcpy(&d, &x, sizeof d);
        if (isfinite(d)) {
            CHECK(strtod(text(dat_double(d)), NULL) == d);
        }
    }
}

TEST(containers_show_what_they_hold)
{
    struct vheap *h = vheap_new();
    struct vlist *l = vlist_new(h, 3);
    vlist_set(l, 0, dat_int(1));
    vlist_set(l, 2, dat_str(vstr_new(h, SLICE("x"))));
    struct vmap *m = vmap_new(h, 2);
    vmap_set(m, 0, dat_str(vstr_new(h, SLICE("k"))), dat_list(l));
    vmap_set(m, 1, dat_str(vstr_new(h, SLICE("b"))), dat_bool(true));
    CHECK_STR("{k=[1, null, x], b=true}", text(dat_map(m)));
    CHECK_STR("\xe2\x82\xac", text((struct dat){.kind = DAT_CHAR, .i = 0x20AC}));
    CHECK_STR("-9223372036854775808", text(dat_long(INT64_MIN)));
    vheap_free(h);
}
