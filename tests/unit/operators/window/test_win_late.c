/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring that is saved in slices while events come and go at every place: the bytes are those of
 * the cut, whatever happened meanwhile, and also if nobody wants them in the end.
 */
#include "core/base/arena.h"
#include "core/base/vec.h"
#include "operators/window/win.h"
#include "operators/window/win_late.h"
#include "operators/window/win_state.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

struct rig {
    struct arena *a;
    struct vheap *heap;
    struct etype *type;
    struct state_fixture f;
    struct win_ring ring;
    uint64_t seed;
    int64_t n;
    struct buf before, after; /* of the chunk, without what is in the hole */
    struct save_late *late;
};

static void rig_init(struct rig *r, uint64_t seed)
{
    static struct etypes made;
    struct ecol cols[] = {{.name = SLICE("n"), .ty = TY(LONG)},
                          {.name = SLICE("of"), .ty = TY(EVENT)}};
    *r = (struct rig){.a = arena_new(NULL, "rig", 1 << 20), .heap = vheap_new(), .seed = seed};
    made = (struct etypes){0};
    r->type = ety_new(r->a, &made, ETYPE_PLAIN, SLICE("E"), cols, 2, NULL, 0);
    state_fixture_init(&r->f);
    vheap_number_from(r->heap, &r->f.serial);
    buf_init(&r->before, 1 << 20);
    buf_init(&r->after, 1 << 20);
}

static void rig_done(struct rig *r)
{
    win_ring_done(&r->ring, r->heap);
    state_fixture_done(&r->f);
    buf_done(&r->before);
    buf_done(&r->after);
    vheap_free(r->heap);
    arena_free(r->a);
}

/* Now and then one with another in it, which may be in the ring itself. */
static void push(struct rig *r)
{
    struct evt *e = evt_new(r->heap, r->type);
    evt_set(e, 0, dat_long(r->n));
    if (state_draw(&r->seed, 4) == 0) {
        const struct win_slot *last = win_ring_last(&r->ring);
        bool known = last != NULL && state_draw(&r->seed, 2) == 0;
        evt_set(e, 1, dat_evt(known ? last->e : evt_new(r->heap, r->type)));
    }
    evt_number(r->heap, e);
    win_ring_push(&r->ring, e, r->n++);
}

struct nth {
    uint32_t n;
    struct evt *e;
};

static void find_nth(void *arg, struct evt *e)
{
    struct nth *x = arg;
    x->e = x->n-- == 0 ? e : x->e;
}

static void remove_one(struct rig *r, uint32_t place)
{
    struct nth x = {place, NULL};
    win_ring_each(&r->ring, find_nth, &x);
    CHECK(x.e != NULL && win_ring_remove(&r->ring, x.e));
    evt_drop(r->heap, x.e);
}

static void change(struct rig *r)
{
    uint32_t live = (uint32_t)r->ring.live, what = state_draw(&r->seed, 16);
    if (live == 0 || what < 6) {
        push(r);
    } else if (what < 9) {
        evt_drop(r->heap, win_ring_take(&r->ring));
    } else if (what < 12) {
        remove_one(r, state_draw(&r->seed, live));
    } else if (what < 14) {
        remove_one(r, live - 1);
    } else if (what == 14) { /* closes gaps */
        CHECK(win_ring_nth(&r->ring, state_draw(&r->seed, live)) != NULL);
    } else if (state_draw(&r->seed, 8) == 0) {
        while (r->ring.live > 0) {
            evt_drop(r->heap, win_ring_take(&r->ring));
        }
    }
    vheap_drain(r->heap);
}

static void on_chunk(void *arg, const struct save_chunk *c)
{
    struct rig *r = arg;
    buf_add_slice(&r->before, c->bytes);
}

static void on_held(void *arg, const struct save_chunk *c, const struct save_hole *holes, size_t n)
{
    struct rig *r = arg;
    CHECK_EQ(1, n);
    buf_add_slice(&r->before, slice_sub(c->bytes, 0, holes[0].at));
    buf_add_slice(&r->after, slice_sub(c->bytes, holes[0].at, c->bytes.len));
    r->late = holes[0].late;
}

static void write_now(void *arg, struct save *s)
{
    win_ring_save(&((struct rig *)arg)->ring, s);
}

static void cut(struct rig *r)
{
    buf_clear(&r->before);
    buf_clear(&r->after);
    r->late = NULL;
    struct save *s = save_new(&r->f.types, &r->f.serial, on_chunk, r);
    save_in_slices(s, 1, r->heap, on_held);
    save_begin(s, 1);
    win_late_save(&r->ring, r->heap, s);
    save_end(s);
    save_free(s);
}

static void take_some(struct rig *r)
{
    for (struct slice got; (got = save_late_take(r->late, 7)).len > 0;) {
        buf_add_slice(&r->before, got);
    }
}

static size_t in_slices, given_up;

static void round_of(struct rig *r)
{
    for (uint32_t n = state_draw(&r->seed, 200); n > 0; n--) {
        change(r);
    }
    state_fixture_save(&r->f, write_now, r);
    cut(r);
    bool wanted = state_draw(&r->seed, 8) > 0, done = r->late == NULL;
    while (!done && (wanted || state_draw(&r->seed, 4) > 0)) {
        for (uint32_t n = state_draw(&r->seed, 6); n > 0; n--) {
            change(r);
        }
        done = save_late_step(r->late, 1 + state_draw(&r->seed, 60));
        take_some(r);
    }
    if (done) {
        in_slices += r->late != NULL;
        buf_add_slice(&r->before, buf_slice(&r->after));
        CHECK(slice_eq(buf_slice(&r->before), buf_slice(&r->f.bytes)));
    }
    given_up += !done;
    save_late_free(r->late);
    CHECK(r->ring.late == NULL);
}

TEST(win_ring_in_slices_is_that_of_the_cut)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rig r;
        rig_init(&r, seed);
        for (int i = 0; i < 12; i++) {
            round_of(&r);
        }
        rig_done(&r);
    }
    CHECK(in_slices > 300 && given_up > 20);
}

static void read_again(void *arg, struct load *l)
{
    struct rig *r = arg;
    win_ring_load(&r->ring, l, r->type);
}

TEST(win_ring_is_loaded_with_one_object_per_event)
{
    struct rig r, to;
    struct err err = {0};
    rig_init(&r, 7);
    push(&r);
    struct evt *e = evt_new(r.heap, r.type);
    evt_set(e, 1, dat_evt(win_ring_first(&r.ring)->e));
    win_ring_push(&r.ring, e, 1);
    win_ring_push(&r.ring, e, 2);
    state_fixture_save(&r.f, write_now, &r);
    to = r;
    to.ring = (struct win_ring){0};
    CHECK(state_fixture_load(&r.f, buf_slice(&r.f.bytes), r.heap, read_again, &to, &err));
    CHECK_EQ(3, to.ring.live);
    CHECK(win_ring_nth(&to.ring, 1) == win_ring_nth(&to.ring, 2));
    CHECK(win_ring_nth(&to.ring, 1)->p[1].ev == win_ring_nth(&to.ring, 0));
    win_ring_done(&to.ring, r.heap);
    rig_done(&r);
}
