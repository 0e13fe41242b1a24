/* SPDX-License-Identifier: Apache-2.0
 *
 * Causes: samples are a function of the set of events (and of who is first and last), however they
 * are put together: one by one, by union in any order, kept up over leaving events, saved and
 * loaded. The model is core/event/ref.h's ref_select.
 */
#include "core/base/arena.h"
#include "core/base/mem.h"
#include "operators/sig/cause_refs.h"
#include "tests/test.h"
#include "tests/unit/operators/state_fixture.h"

enum { MANY = 400 };

struct world {
    struct vheap *h;
    struct arena *a;
    const struct etype *type;
    uint64_t seed;
};

static void world_init(struct world *w, uint64_t seed)
{
    w->h = vheap_new();
    w->a = arena_new(NULL, "test", 1 << 20);
    struct ecol col = {.name = SLICE("x"), .ty = TY(OBJECT)};
    w->type = ety_new(w->a, NULL, ETYPE_PLAIN, SLICE("E"), &col, 1, NULL, 0);
    w->seed = seed;
}

static void world_done(struct world *w)
{
    vheap_drain(w->h);
    CHECK_EQ(0, vheap_live(w->h));
    vheap_free(w->h);
    arena_free(w->a);
}

static struct evt *event(struct world *w, uint64_t number)
{
    struct evt *e = evt_new(w->h, w->type);
    e->ref = (struct eref){number % 3 == 0 ? 1ULL << 63 : 7, number};
    return e;
}

static bool same(const struct cause_list *a, const struct cause_list *b)
{
    bool ok = a->len == b->len;
    for (uint32_t i = 0; ok && i < a->len; i++) {
        ok = cause_cmp(a->r[i], b->r[i]) == 0;
    }
    return ok;
}

static struct ref bytes_of(struct eref r)
{
    struct ref b;
    for (int i = 0; i < 8; i++) {
        b.bytes[i] = (uint8_t)(r.hi >> (56 - 8 * i));
        b.bytes[8 + i] = (uint8_t)(r.lo >> (56 - 8 * i));
    }
    return b;
}

/* What the definition says: oldest, newest, then by hash. */
static void model(struct evt *const *v, size_t n, struct cause_list *ret)
{
    struct ref refs[MANY], out[REF_CAUSES];
    for (size_t i = 0; i < n; i++) {
        refs[i] = bytes_of(v[i]->ref);
    }
    uint32_t len = ref_select(refs, n, out);
    cause_list_init(ret, CAUSE_MAX);
    for (uint32_t i = 0; i < len; i++) {
        uint64_t hi = 0, lo = 0;
        for (int k = 0; k < 8; k++) {
            hi = hi << 8 | out[i].bytes[k];
            lo = lo << 8 | out[i].bytes[8 + k];
        }
        cause_add(ret, (struct eref){hi, lo});
    }
}

TEST(cause_ever_is_the_sample_of_all)
{
    struct world w;
    world_init(&w, 1);
    for (size_t n = 0; n < 60; n++) {
        struct evt *v[60];
        struct cause_ever s = {0};
        for (size_t i = 0; i < n; i++) {
            v[i] = event(&w, i * 17 + n);
            cause_ever_add(&s, (int64_t)i, v[i]);
        }
        struct cause_list want, got;
        model(v, n, &want);
        cause_list_init(&got, CAUSE_MAX);
        cause_ever_list(&s, NULL, &got);
        CHECK(same(&want, &got));
        CHECK_EQ(n < 8 ? n : 8, got.len);
    }
    world_done(&w);
}

static void random_set(struct world *w, struct cause_ever *s)
{
    uint32_t n = state_draw(&w->seed, 30);
    *s = (struct cause_ever){0};
    for (uint32_t i = 0; i < n; i++) {
        int64_t at = state_draw(&w->seed, 20); /* in no order, often the same */
        cause_ever_add(s, at, event(w, state_draw(&w->seed, 50)));
    }
}

static bool same_set(const struct cause_ever *a, const struct cause_ever *b)
{
    struct cause_list x, y;
    cause_list_init(&x, CAUSE_MAX);
    cause_list_init(&y, CAUSE_MAX);
    cause_ever_list(a, NULL, &x);
    cause_ever_list(b, NULL, &y);
    return same(&x, &y) && a->set.len == b->set.len &&
           memcmp(a->set.hash, b->set.hash, a->set.len * sizeof a->set.hash[0]) == 0;
}

static struct cause_ever united(struct cause_ever a, const struct cause_ever *b)
{
    cause_ever_union(&a, b);
    return a;
}

TEST(cause_union_is_associative_commutative_idempotent)
{
    struct world w;
    world_init(&w, 7);
    for (int round = 0; round < 2000; round++) {
        struct cause_ever a, b, c;
        random_set(&w, &a);
        random_set(&w, &b);
        random_set(&w, &c);
        struct cause_ever ab = united(a, &b), ba = united(b, &a), bc = united(b, &c);
        struct cause_ever left = united(ab, &c), right = united(a, &bc), twice = united(ab, &a);
        CHECK(same_set(&ab, &ba));
        CHECK(same_set(&left, &right));
        CHECK(same_set(&ab, &twice));
        vheap_drain(w.h);
    }
    world_done(&w);
}

TEST(cause_union_is_the_set_of_all_events)
{
    struct world w;
    world_init(&w, 9);
    for (int round = 0; round < 500; round++) {
        struct cause_ever part[4] = {0}, all = {0}, sum = {0};
        for (int i = 0; i < 80; i++) {
            struct evt *e = event(&w, state_draw(&w.seed, 1000));
            int64_t at = state_draw(&w.seed, 9);
            cause_ever_add(&part[state_draw(&w.seed, 4)], at, e);
            cause_ever_add(&all, at, e);
        }
        for (int i = 3; i >= 0; i--) {
            cause_ever_union(&sum, &part[i]);
        }
        CHECK(same_set(&all, &sum));
        vheap_drain(w.h);
    }
    world_done(&w);
}

/* ---- what is retained ---- */

struct live_run {
    struct world w;
    struct cause_live *l;
    struct cause_refs refs; /* the same */
    struct evt *v[MANY];    /* kept by the list alone */
    size_t n;
    struct state_fixture f;
};

static void check_live(struct live_run *r)
{
    struct cause_list want, got;
    model(r->v, r->n, &want);
    cause_list_init(&got, CAUSE_MAX);
    cause_live_list(r->l, NULL, &got);
    CHECK(same(&want, &got));
    CHECK_EQ(r->n, cause_live_len(r->l));
    cause_list_init(&got, CAUSE_MAX);
    cause_refs_list(&r->refs, NULL, &got);
    CHECK(same(&want, &got));
    CHECK_EQ(r->n, cause_refs_len(&r->refs));
    struct evt *row = evt_new(r->w.h, r->w.type);
    cause_refs_give(&r->refs, r->w.h, row);
    cause_list_init(&got, CAUSE_MAX);
    cause_add_event(&got, row);
    CHECK(same(&want, &got));
}

static void leave(struct live_run *r, size_t at)
{
    cause_refs_leave(&r->refs, r->v[at]->ref);
    cause_live_leave(r->l, r->v[at]);
    memmove(&r->v[at], &r->v[at + 1], (r->n - at - 1) * sizeof r->v[0]);
    r->n--;
}

/* What references have in common, or what their hashes have. */
enum likeness { OF_TWO, NEAR_ONES, FAR_ONES, ALIKE };

static struct eref ref_like(struct world *w, struct eref r, enum likeness how)
{
    r.hi = how == OF_TWO ? r.hi : 7;
    if (how == FAR_ONES) {
        r.hi ^= (uint64_t)state_draw(&w->seed, 2) << (state_draw(&w->seed, 20) == 0 ? 40 : 5);
        r.lo += (uint64_t)state_draw(&w->seed, 3) << (state_draw(&w->seed, 20) == 0 ? 50 : 31);
    }
    for (; how == ALIKE && (cause_hash(r) >> 49) % 0x1555 != 0; r.lo += MANY * MANY) {
    }
    return r;
}

/* fifo: the oldest leaves; rows: of how many changes one makes a row. */
static void random_live(uint64_t seed, size_t size, bool fifo, uint32_t rows, enum likeness how)
{
    struct live_run r = {.n = 0};
    world_init(&r.w, seed);
    r.l = cause_live_new(r.w.h, false);
    for (uint64_t i = 1; i < (how == ALIKE ? 800 : 4000); i++) {
        r.v[r.n] = event(&r.w, i);
        r.v[r.n]->ref = ref_like(&r.w, r.v[r.n]->ref, how);
        cause_refs_enter(&r.refs, r.v[r.n]->ref);
        cause_live_enter(r.l, r.v[r.n++]);
        while (r.n > size || (r.n > 0 && state_draw(&r.w.seed, 50) == 0)) {
            leave(&r, fifo ? 0 : state_draw(&r.w.seed, (uint32_t)r.n));
        }
        if (state_draw(&r.w.seed, rows) == 0) {
            check_live(&r);
        }
        vheap_drain(r.w.h);
    }
    cause_live_free(r.l);
    cause_refs_done(&r.refs);
    world_done(&r.w);
}

TEST(cause_live_is_the_sample_of_what_is_there)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        size_t size = (size_t[]){3, 10, 60, 390}[seed];
        for (enum likeness how = OF_TWO; how <= NEAR_ONES; how++) {
            random_live(seed, size, true, 1, how);
            random_live(seed, size, true, 300, how);
            random_live(seed, size, false, 1, how);
            random_live(seed, size, false, 40, how);
        }
    }
}

TEST(cause_live_takes_references_of_all_kinds)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        size_t size = (size_t[]){4, 16, 30}[seed];
        random_live(seed, size, true, 1, FAR_ONES);
        random_live(seed, size, false, 1, FAR_ONES);
        random_live(seed, size, true, 1, ALIKE);
        random_live(seed, size, false, 1, ALIKE);
    }
}

TEST(cause_live_counts_what_enters_often)
{
    struct world w;
    world_init(&w, 3);
    struct cause_live *l = cause_live_new(w.h, true);
    struct evt *a = event(&w, 1), *b = event(&w, 2);
    struct cause_list got;
    for (int i = 0; i < 100; i++) { /* rows a,b: one joined with many */
        cause_live_enter(l, a);
        cause_live_enter(l, event(&w, 100 + (uint64_t)i));
    }
    cause_live_enter(l, b);
    CHECK_EQ(102, cause_live_len(l));
    for (int i = 0; i < 99; i++) {
        cause_live_leave(l, a);
    }
    cause_list_init(&got, CAUSE_MAX);
    cause_live_list(l, NULL, &got);
    CHECK_EQ(1, got.r[0].lo);
    CHECK_EQ(2, got.r[1].lo);
    cause_live_leave(l, a);
    cause_live_leave(l, a); /* more often than it entered: nothing happens */
    cause_list_init(&got, CAUSE_MAX);
    cause_live_list(l, NULL, &got);
    CHECK_EQ(100, got.r[0].lo);
    CHECK_EQ(101, cause_live_len(l));
    cause_live_free(l);
    world_done(&w);
}

TEST(cause_live_takes_an_event_twice)
{
    struct world w;
    world_init(&w, 3);
    struct cause_live *l = cause_live_new(w.h, false);
    struct cause_refs refs = {.len = 0};
    struct evt *v[40];
    for (uint64_t i = 0; i < 40; i++) {
        v[i] = event(&w, i + 1);
        cause_live_enter(l, v[i]);
        cause_live_enter(l, v[i]);
        cause_refs_enter(&refs, v[i]->ref);
        cause_refs_enter(&refs, v[i]->ref);
    }
    for (int i = 39; i > 0; i--) { /* the newest first: they are looked up */
        cause_live_leave(l, v[i]);
        cause_live_leave(l, v[i]);
        cause_refs_leave(&refs, v[i]->ref);
        cause_refs_leave(&refs, v[i]->ref);
    }
    struct cause_list got;
    cause_list_init(&got, CAUSE_MAX);
    cause_refs_list(&refs, NULL, &got);
    CHECK_EQ(1, got.len);
    CHECK_EQ(1, got.r[0].lo);
    cause_refs_leave(&refs, v[5]->ref); /* it is not there */
    CHECK_EQ(2, cause_refs_len(&refs));
    cause_refs_done(&refs);
    cause_list_init(&got, CAUSE_MAX);
    cause_live_list(l, NULL, &got);
    CHECK_EQ(1, got.len);
    CHECK_EQ(1, got.r[0].lo);
    cause_live_free(l);
    world_done(&w);
}

TEST(cause_own_event_is_in_the_sample)
{
    struct world w;
    world_init(&w, 3);
    struct cause_live *l = cause_live_new(w.h, false);
    struct cause_refs refs = {.len = 0};
    struct cause_ever ever = {0};
    struct cause_list own, got;
    for (uint64_t i = 1; i <= 100; i++) {
        struct evt *e = event(&w, i);
        cause_live_enter(l, e);
        cause_refs_enter(&refs, e->ref);
        cause_ever_add(&ever, (int64_t)i, e);
        cause_list_init(&own, CAUSE_KEPT);
        cause_add(&own, e->ref);
    }
    own.r[0].hi = 7;
    own.r[0].lo = 50;
    for (int i = 0; i < 3; i++) {
        cause_list_init(&got, CAUSE_MAX);
        if (i == 0) {
            cause_live_list(l, &own, &got);
        } else if (i == 1) {
            cause_refs_list(&refs, &own, &got);
        } else {
            cause_ever_list(&ever, &own, &got);
        }
        CHECK_EQ(8, got.len);
        CHECK_EQ(1, got.r[0].lo);
        CHECK_EQ(100, got.r[1].lo);
        CHECK_EQ(50, got.r[2].lo);
    }
    cause_live_free(l);
    cause_refs_done(&refs);
    world_done(&w);
}

/* ---- lists ---- */

TEST(cause_hash_is_that_of_the_reference)
{
    uint64_t seed = 9;
    for (int i = 0; i < 1000; i++) {
        struct eref r = {(uint64_t)state_draw(&seed, UINT32_MAX) << (i % 40),
                         (uint64_t)state_draw(&seed, UINT32_MAX) << (i % 31)};
        struct ref b;
        for (int k = 0; k < 8; k++) {
            b.bytes[k] = (uint8_t)(r.hi >> (56 - 8 * k));
            b.bytes[8 + k] = (uint8_t)(r.lo >> (56 - 8 * k));
        }
        CHECK_EQ(ref_hash(&b), cause_hash(r));
    }
}

TEST(cause_of_what_has_no_reference_is_what_it_holds)
{
    struct world w;
    world_init(&w, 3);
    struct evt *match = evt_new(w.h, w.type);
    struct vlist *list = vlist_new(w.h, 3);
    for (size_t i = 0; i < 3; i++) {
        vlist_set(list, i, dat_evt(event(&w, 10 + i / 2)));
    }
    evt_set(match, 0, dat_list(list));
    struct cause_list l;
    cause_list_init(&l, CAUSE_MAX);
    cause_add_event(&l, match);
    CHECK_EQ(2, l.len); /* each once */
    CHECK_EQ(10, l.r[0].lo);
    CHECK_EQ(11, l.r[1].lo);
    struct evt *row = evt_new(w.h, w.type), *one = evt_new(w.h, w.type);
    cause_give(w.h, row, &l);
    CHECK(!cause_has_ref(row));
    CHECK_EQ(2, row->causes->len);
    CHECK(cause_list_of(w.h, row) == row->causes);
    l.len = 1;
    cause_give(w.h, one, &l);
    CHECK(cause_has_ref(one) && one->causes == NULL);
    CHECK_EQ(1, cause_list_of(w.h, one)->len);
    cause_list_init(&l, 1);
    cause_add_event(&l, row);
    CHECK_EQ(1, l.len); /* bounded */
    world_done(&w);
}

/* ---- state ---- */

struct saved {
    struct cause_live *live;
    struct cause_ever *ever;
};

static void write(void *arg, struct save *s)
{
    const struct saved *c = arg;
    cause_save(s, c->live, c->ever);
}

static void read(void *arg, struct load *l)
{
    struct saved *c = arg;
    cause_load(l, &c->live, &c->ever);
}

static void check_saved(bool many, bool fifo)
{
    struct live_run r = {.n = 0};
    struct cause_ever ever = {0};
    struct err err;
    world_init(&r.w, 5);
    state_fixture_init(&r.f);
    r.l = cause_live_new(r.w.h, many);
    for (uint64_t i = 1; i < 200; i++) {
        r.v[r.n] = event(&r.w, i);
        cause_live_enter(r.l, r.v[r.n++]);
        cause_ever_add(&ever, (int64_t)i, r.v[r.n - 1]);
        if (r.n > 50) {
            leave(&r, fifo ? 0 : state_draw(&r.w.seed, (uint32_t)r.n));
        }
    }
    struct saved was = {r.l, &ever}, now = {NULL, NULL};
    state_fixture_save(&r.f, write, &was);
    CHECK(state_fixture_load(&r.f, buf_slice(&r.f.bytes), r.w.h, read, &now, &err));
    struct cause_list x, y;
    cause_list_init(&x, CAUSE_MAX);
    cause_list_init(&y, CAUSE_MAX);
    cause_live_list(r.l, NULL, &x);
    cause_live_list(now.live, NULL, &y);
    CHECK(same(&x, &y));
    CHECK(same_set(&ever, now.ever));
    for (size_t cut = 0; cut < r.f.bytes.len; cut += 7) { /* too short: refused, not read */
        struct saved none = {NULL, NULL};
        CHECK(!state_fixture_load(&r.f, slice_of(r.f.bytes.ptr, cut), r.w.h, read, &none, &err));
        cause_live_free(none.live);
        mem_free(none.ever);
    }
    cause_live_free(r.l);
    cause_live_free(now.live);
    mem_free(now.ever);
    state_fixture_done(&r.f);
    world_done(&r.w);
}

static void write_refs(void *arg, struct save *s)
{
    cause_refs_save(s, arg);
}

static void read_refs(void *arg, struct load *l)
{
    cause_refs_load(l, arg);
}

static void check_loaded(uint64_t n)
{
    struct live_run r = {.n = 0};
    struct cause_refs now = {.len = 0};
    struct err err;
    world_init(&r.w, 5);
    state_fixture_init(&r.f);
    for (uint64_t i = 1; i < n; i++) {
        cause_refs_enter(&r.refs, ref_like(&r.w, event(&r.w, i)->ref, NEAR_ONES));
    }
    for (uint64_t i = 1; i < n / 4 * 3; i++) { /* not in order: there are gaps */
        struct eref at = event(&r.w, i * 7 % (n - 1) + 1)->ref;
        cause_refs_leave(&r.refs, ref_like(&r.w, at, NEAR_ONES));
    }
    state_fixture_save(&r.f, write_refs, &r.refs);
    CHECK(state_fixture_load(&r.f, buf_slice(&r.f.bytes), r.w.h, read_refs, &now, &err));
    struct cause_list x, y;
    cause_list_init(&x, CAUSE_MAX);
    cause_list_init(&y, CAUSE_MAX);
    cause_refs_list(&r.refs, NULL, &x);
    cause_refs_list(&now, NULL, &y);
    CHECK(same(&x, &y));
    CHECK_EQ(n / 4, cause_refs_len(&now));
    cause_refs_done(&now);
    for (size_t cut = 0; cut < r.f.bytes.len; cut += 7) {
        struct slice part = slice_of(r.f.bytes.ptr, cut);
        CHECK(!state_fixture_load(&r.f, part, r.w.h, read_refs, &now, &err));
        cause_refs_done(&now);
    }
    cause_refs_done(&r.refs);
    state_fixture_done(&r.f);
    world_done(&r.w);
}

TEST(cause_references_are_the_same_after_loading)
{
    check_loaded(200);
    check_loaded(20);
}

TEST(cause_state_is_the_same_after_loading)
{
    check_saved(false, true);
    check_saved(false, false);
    check_saved(true, false);
}
