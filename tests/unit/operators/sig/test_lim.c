/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/sig/lim.h"

#include "core/base/arena.h"

#include "tests/test.h"

#include <string.h>

static int parse(const char *text, struct lim_conf *c, struct err *err)
{
    err_clear(err);
    *c = (struct lim_conf){.max = {0}};
    return lim_parse(slice_str(text), c, err);
}

TEST(lim_text)
{
    struct lim_conf c;
    struct err err;
    CHECK_OK(parse("", &c, &err), err);
    CHECK_EQ(0, c.max[LIM_ROWS]);
    CHECK_OK(parse("rows=7,partials = 9:stop_statement", &c, &err), err);
    CHECK_EQ(7, c.max[LIM_ROWS]);
    CHECK_EQ(LIM_DEFAULT, c.policy[LIM_ROWS]);
    CHECK_EQ(9, c.max[LIM_PARTIALS]);
    CHECK_EQ(LIM_STOP, c.policy[LIM_PARTIALS]);
    CHECK_OK(parse("# of both\n\n bytes = 100 : drop_new # so\r\noutput=1\n", &c, &err), err);
    CHECK_EQ(100, c.max[LIM_BYTES]);
    CHECK_EQ(LIM_DROP_NEW, c.policy[LIM_BYTES]);
    CHECK_EQ(1, c.max[LIM_OUTPUT]);
}

TEST(lim_text_refused)
{
    static const char *const wrong[][2] = {
        {"rows", "name=number"},
        {"rows=", "no number"},
        {"rows=0", "no number"},
        {"rows=-1", "no number"},
        {"rows=1k", "no number"},
        {"row=1", "there is rows, bytes"},
        {"rows=1:", "no policy"},
        {"rows=1:explode", "drop_oldest, drop_new, stop_statement"},
        {"groups=1:drop_oldest", "it has drop_new, stop_statement"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct lim_conf c;
        struct err err;
        CHECK(parse(wrong[i][0], &c, &err) != 0);
        CHECK(strstr(err.msg, wrong[i][1]) != NULL);
    }
}

static void count_hit(void *arg, enum lim_kind k, void *who)
{
    (void)k, (void)who;
    ++*(int *)arg;
}

TEST(lim_counts_and_recovers)
{
    struct lim_conf c = {.max = {[LIM_ROWS] = 16}};
    struct lim l;
    int hits = 0;
    lim_init(&l, &c);
    l.on_hit = count_hit;
    l.arg = &hits;
    CHECK_EQ(LIM_DROP_OLDEST, l.policy[LIM_ROWS]);
    CHECK(!l.bytes);
    lim_add(&l, LIM_ROWS, 16);
    CHECK(lim_full(&l, LIM_ROWS, 1));
    CHECK(!lim_full(&l, LIM_GROUPS, 1));
    lim_refuse(&l, LIM_ROWS, 3, NULL);
    CHECK_EQ(1, hits);
    CHECK_EQ(3, l.dropped[LIM_ROWS]);
    uint64_t turn = l.turn[LIM_ROWS];
    lim_sub(&l, LIM_ROWS, 2); /* an eighth is free, no more */
    CHECK_EQ(turn, l.turn[LIM_ROWS]);
    lim_change(&l, LIM_ROWS, 5, 5);
    lim_change(&l, LIM_ROWS, 1, 2);
    CHECK_EQ(turn + 1, l.turn[LIM_ROWS]);
    CHECK_EQ(13, l.used[LIM_ROWS]);
    CHECK_EQ(16, l.peak[LIM_ROWS]);
    lim_add(NULL, LIM_ROWS, 1);
    lim_sub(NULL, LIM_ROWS, 1);
    CHECK(!lim_full(NULL, LIM_ROWS, 1));
}

TEST(lim_declared_bytes)
{
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    struct vheap *h = vheap_new();
    struct ecol cols[] = {{.name = SLICE("b"), .ty = TY(BOOL)},
                          {.name = SLICE("i"), .ty = TY(INT)},
                          {.name = SLICE("d"), .ty = TY(DOUBLE)},
                          {.name = SLICE("s"), .ty = TY(STRING)},
                          {.name = SLICE("l"), .ty = ty_list(a, TY(STRING))}};
    const struct etype *t =
        ety_new(a, NULL, ETYPE_PLAIN, SLICE("T"), cols, ARRAY_LEN(cols), NULL, 0);
    struct evt *e = evt_new(h, t);
    CHECK_EQ(1 + 4 + 8 + 8 + 8, lim_bytes(e)); /* whatever is null */
    evt_set(e, 3, dat_str(vstr_new(h, SLICE("12345"))));
    struct vlist *list = vlist_new(h, 2);
    vlist_set(list, 0, dat_str(vstr_new(h, SLICE("abc"))));
    evt_set(e, 4, dat_list(list));
    CHECK_EQ(29 + 5 + 2 * 8 + 3, lim_bytes(e));
    vheap_free(h);
    arena_free(a);
}
