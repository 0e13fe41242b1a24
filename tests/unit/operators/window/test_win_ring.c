/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring with many events: against a plain list of what should be there, while events come, leave
 * from the front and from the middle; and what one push costs.
 */
#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/window/win_hold.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

enum { MANY = 40000 };

struct rig {
    struct arena *a;
    struct vheap *heap;
    struct etype *type;
    struct win_ring ring;
    uint64_t seed;
    VEC(struct evt *) all; /* all that ever came, NULL: it has left */
    size_t live, first;
};

static void rig_init(struct rig *r, uint64_t seed)
{
    static struct etypes made;
    struct ecol cols[] = {{.name = SLICE("n"), .ty = TY(LONG)}};
    *r = (struct rig){.a = arena_new(NULL, "rig", 1 << 20), .heap = vheap_new(), .seed = seed};
    made = (struct etypes){0};
    r->type = ety_new(r->a, &made, ETYPE_PLAIN, SLICE("E"), cols, 1, NULL, 0);
}

static void rig_done(struct rig *r)
{
    win_ring_done(&r->ring, r->heap);
    VEC_DONE(&r->all);
    vheap_free(r->heap);
    arena_free(r->a);
}

static void push(struct rig *r)
{
    struct evt *e = evt_new(r->heap, r->type);
    win_ring_push(&r->ring, e, (int64_t)r->all.len);
    *VEC_PUSH(&r->all) = e;
    r->live++;
}

static void gone(struct rig *r, size_t i)
{
    evt_drop(r->heap, r->all.ptr[i]);
    r->all.ptr[i] = NULL;
    r->live--;
}

static void take(struct rig *r)
{
    while (r->first < r->all.len && r->all.ptr[r->first] == NULL) {
        r->first++;
    }
    struct evt *e = win_ring_take(&r->ring);
    CHECK(e == (r->first < r->all.len ? r->all.ptr[r->first] : NULL));
    if (e != NULL) {
        gone(r, r->first);
    }
}

static void remove_one(struct rig *r)
{
    size_t span = r->all.len - r->first;
    size_t i = span > 0 ? r->first + state_draw(&r->seed, (uint32_t)span) : r->all.len;
    if (i < r->all.len && r->all.ptr[i] != NULL) {
        const struct win_slot *s = win_ring_find(&r->ring, r->all.ptr[i]);
        CHECK(s != NULL && s->at == (int64_t)i);
        CHECK(win_ring_remove(&r->ring, r->all.ptr[i]));
        gone(r, i);
    }
}

struct look {
    const struct rig *r;
    size_t at, seen;
};

static void look(void *arg, struct evt *e)
{
    struct look *l = arg;
    while (l->at < l->r->all.len && l->r->all.ptr[l->at] == NULL) {
        l->at++;
    }
    CHECK(l->at < l->r->all.len && l->r->all.ptr[l->at] == e);
    l->at++;
    l->seen++;
}

static void check(const struct rig *r)
{
    struct look l = {r, 0, 0};
    CHECK_EQ(r->live, r->ring.live);
    win_ring_each(&r->ring, look, &l);
    CHECK_EQ(r->live, l.seen);
}

/* Of a hundred steps so many are pushes, so many take the oldest; the others remove any. */
static void go_on(struct rig *r, size_t steps, uint32_t pushes, uint32_t takes)
{
    for (size_t i = 0; i < steps; i++) {
        uint32_t what = state_draw(&r->seed, 100);
        if (what < pushes) {
            push(r);
        } else if (what < pushes + takes) {
            take(r);
        } else {
            remove_one(r);
        }
        if (i % (steps / 8) == 0) {
            check(r);
        }
    }
    check(r);
}

TEST(win_ring_of_many_holds_what_came_and_did_not_leave)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rig r;
        rig_init(&r, seed);
        go_on(&r, MANY, 100, 0);
        go_on(&r, MANY, 50, 50);
        go_on(&r, MANY, 40, 0);
        go_on(&r, MANY, 60, 20);
        go_on(&r, MANY, 10, 80);
        go_on(&r, MANY, 100, 0);
        CHECK(win_ring_nth(&r.ring, 0) != NULL);
        check(&r);
        while (r.live > 0) {
            take(&r);
        }
        go_on(&r, MANY, 80, 10);
        rig_done(&r);
    }
}

/* One of the oldest stays for good and most of the others leave: gaps are closed meanwhile. */
TEST(win_ring_does_not_grow_when_few_of_many_stay)
{
    enum { STAY = 6000, ROUNDS = 200000 };
    struct rig r;
    rig_init(&r, 7);
    go_on(&r, STAY, 100, 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        push(&r);
        CHECK(win_ring_remove(&r.ring, r.all.ptr[r.all.len - 2]));
        gone(&r, r.all.len - 2);
    }
    check(&r);
    CHECK(r.ring.cap <= 8 * (size_t)WIN_RING_PAGE);
    CHECK(r.ring.tail - r.ring.head <= 3 * r.live);
    rig_done(&r);
}

/* Neither the array nor its events are copied in one go: no push asks for more than a page and a
 * list of pages. */
TEST(win_ring_push_asks_for_no_more_when_there_are_many)
{
    struct rig r;
    uint64_t most = 0, asked = 0;
    rig_init(&r, 9);
    struct evt *e = evt_new(r.heap, r.type);
    for (size_t i = 0; i < 20 * (size_t)MANY; i++) {
        uint64_t was = mem_calls();
        win_ring_push(&r.ring, e, 0);
        most = MAX(most, mem_calls() - was);
        asked += mem_calls() - was;
    }
    CHECK(most <= 2);
    CHECK(asked > 20 * (uint64_t)MANY / WIN_RING_PAGE - 2);
    CHECK_EQ(20 * (size_t)MANY, r.ring.live);
    rig_done(&r);
}

static void check_places(struct rig *r)
{
    enum { LOOKS = 100 };
    uint64_t span = r->ring.tail - r->ring.head;
    for (int k = 0; k < LOOKS && r->live > 0; k++) {
        size_t n = state_draw(&r->seed, (uint32_t)r->live), i = r->first;
        n = k == 0 ? 0 : k == 1 ? r->live - 1 : n;
        for (size_t left = n; r->all.ptr[i] == NULL || left > 0; i++) {
            left -= r->all.ptr[i] != NULL;
        }
        CHECK(win_ring_nth(&r->ring, n) == r->all.ptr[i]);
    }
    CHECK_EQ(span, r->ring.tail - r->ring.head); /* nothing was moved for it */
}

TEST(win_ring_counts_places_between_gaps)
{
    struct rig r;
    rig_init(&r, 5);
    go_on(&r, MANY, 100, 0);
    for (int round = 0; round < 4; round++) {
        go_on(&r, MANY, 40, 0);
        check_places(&r);
        go_on(&r, MANY, 70, 20);
        check_places(&r);
        go_on(&r, MANY, 45, 55);
        check_places(&r);
    }
    rig_done(&r);
}

TEST(win_ring_indexes_a_page_with_each_removal)
{
    struct rig r;
    rig_init(&r, 6);
    go_on(&r, MANY, 100, 0);
    for (size_t i = 1; i < MANY / WIN_RING_PAGE; i++) {
        remove_one(&r); /* looks for it twice */
        CHECK(r.ring.index.by_event.count <= 2 * i * WIN_RING_PAGE);
    }
    remove_one(&r);
    CHECK_EQ(r.live, r.ring.index.by_event.count);
    rig_done(&r);
}
