/* SPDX-License-Identifier: Apache-2.0
 *
 * Many partial matches: each costs what it holds, a match costs what it touches, and what is over
 * gives everything back.
 */
#include "core/base/clock.h"
#include "tests/test.h"
#include "tests/unit/operators/pattern/pat_fixture.h"

#include <stdio.h>

enum { MANY = 10000 };

static void send_many(struct pat_fixture *f, const char *type, int from, int n)
{
    char id[16];
    for (int i = from; i < from + n; i++) {
        (void)snprintf(id, sizeof id, "k%d", i);
        pat_fixture_send(f, type, id, i);
    }
}

TEST(pat_ten_thousand_waiting_with_a_timer_each)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "a.x,b.x", "[every a=A -> b=B(id=a.id) where timer:within(60 sec)]");
    size_t idle = vheap_live(eng_heap(f.e));
    for (int round = 0; round < 3; round++) {
        pat_fixture_advance(&f, round * 100000LL);
        send_many(&f, "A", 0, MANY);
        CHECK(vheap_live(eng_heap(f.e)) >= idle + 2 * MANY);
        CHECK(vheap_live(eng_heap(f.e)) <= idle + 7 * MANY + 100);
        CHECK_STR("", pat_fixture_rows(&f));
        send_many(&f, "B", 5000, 3);
        CHECK_STR("5000,5000|5001,5001|5002,5002", pat_fixture_rows(&f));
        pat_fixture_advance(&f, round * 100000LL + 59999);
        send_many(&f, "B", 7, 1);
        CHECK_STR("7,7", pat_fixture_rows(&f));
        pat_fixture_advance(&f, round * 100000LL + 60000);
        send_many(&f, "B", 8, 1);
        CHECK_STR("", pat_fixture_rows(&f));
        CHECK_EQ(idle, vheap_live(eng_heap(f.e)));
    }
    pat_fixture_close(&f);
}

TEST(pat_a_match_among_many_does_not_look_at_all)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "a.x,b.x", "[every a=A -> b=B(id=a.id)]");
    send_many(&f, "A", 0, MANY);
    int64_t t0 = clock_cpu_ns();
    send_many(&f, "B", 0, MANY);
    int64_t took = clock_cpu_ns() - t0;
    CHECK(took < 5000000000LL); /* each looking at all of the others: far beyond that */
    pat_fixture_close(&f);
}

TEST(pat_distinct_keys_are_forgotten)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "a.x", "[every-distinct(a.id, 10 sec) a=A]");
    size_t idle = vheap_live(eng_heap(f.e));
    for (int i = 0; i < 100; i++) {
        pat_fixture_advance(&f, i * 1000);
        send_many(&f, "A", i * 100, 100);
    }
    CHECK(vheap_live(eng_heap(f.e)) <= idle + 1100);
    pat_fixture_close(&f);
}
