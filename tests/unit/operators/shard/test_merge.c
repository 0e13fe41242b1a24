/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/merge.h: random topics arrive in random portions; the order that came out live,
 * written down as a journal, is the order of every replay, and without skips it does not depend on
 * how anything arrived.
 */
#include "operators/shard/merge.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

enum { SUBS = 5, PIECES = 40, EVENTS_MAX = 4, PARTY = 7 };

struct piece {
    struct merge_piece p;
    struct rec events[EVENTS_MAX];
    struct merge_hint hint;
    int64_t ts[EVENTS_MAX], peaks[EVENTS_MAX];
    uint32_t wants[EVENTS_MAX];
};
struct topic {
    struct piece pieces[PIECES];
};
struct world {
    uint64_t seed;
    struct topic t[SUBS];
    struct merge_spec specs[SUBS];
    uint32_t subs;   /* of them that the merge has */
    int out;         /* pieces that were not given back */
    uint32_t whole;  /* that merge_pass_record took */
    uint32_t ridden; /* and merge_ride behind it */
    uint32_t rider;  /* this sub-stream rides, from 1; 0: none */
    struct merge_ride ride;
    bool passes;
};

struct taken {
    uint32_t sub, index;
    int64_t offset, clock;
    bool late, mark;
    bool passed; /* one of several: clock and late are known of them all, behind the last */
    uint64_t late_so_far;
};
typedef struct {
    VEC(struct taken) v;
} list_of_taken; /* a name for a struct that is passed about here only */

struct cut { /* a record of the journal */
    struct merge_pos to[SUBS];
    struct merge_skip *skips;
    uint32_t n_skips;
    uint64_t takes;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

static void hint(struct world *w, struct piece *p)
{
    int64_t peak = INT64_MIN;
    p->hint = (struct merge_hint){p->ts, p->peaks, INT64_MAX, true};
    p->p.wants = p->wants;
    p->p.party = draw(w, 8) > 0 ? PARTY : PARTY + 1;
    p->p.hint = draw(w, 8) > 0 ? &p->hint : NULL;
    for (uint32_t k = 0; k < p->p.n; k++) {
        p->ts[k] = p->events[k].ts;
        p->hint.ascending &= p->ts[k] >= peak;
        p->hint.least = MIN(p->hint.least, p->ts[k]);
        p->peaks[k] = peak = MAX(peak, p->ts[k]);
        if (draw(w, 4) == 0) {
            p->wants[p->p.n_wants++] = k;
        }
    }
}

static void make(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed};
    for (uint32_t s = 0; s < SUBS; s++) {
        bool marked = s >= 3;
        w->specs[s] = (struct merge_spec){s / 2, s % 2, marked ? s : 0, marked ? 0 : 50};
        int64_t offset = 0, ts = 1000;
        for (uint32_t i = 0; i < PIECES; i++) {
            struct piece *p = &w->t[s].pieces[i];
            offset += 1 + (int64_t)draw(w, 3);
            uint32_t n = (uint32_t)draw(w, EVENTS_MAX + 1);
            for (uint32_t k = 0; k < n; k++) {
                ts += (int64_t)draw(w, 30);
                p->events[k].ts = marked ? ts : ts - (int64_t)draw(w, 100);
            }
            p->p = (struct merge_piece){
                .offset = offset, .events = p->events, .n = n, .mark = MERGE_NO_MARK, .owner = w};
            if (marked && (n == 0 || draw(w, 2) == 0)) {
                p->p.mark = ts += (int64_t)draw(w, 60);
            }
            hint(w, p);
        }
    }
}

static void on_done(void *arg, void *owner)
{
    struct world *w = arg;
    CHECK(owner == w);
    w->out--;
}

static struct merge *begin(struct world *w)
{
    const struct merge_conf conf = {on_done, w};
    w->rider = 0;
    w->subs = SUBS;
    return merge_new(&conf, w->specs, w->subs);
}

static uint64_t late_so_far(const list_of_taken *l)
{
    return l->v.len > 0 ? VEC_LAST(&l->v)->late_so_far : 0;
}

static void note(list_of_taken *l, struct merge *m, const struct merge_take *t)
{
    uint64_t late = late_so_far(l) + t->late;
    *VEC_PUSH(&l->v) = (struct taken){.sub = t->sub,
                                      .index = t->index,
                                      .offset = t->offset,
                                      .clock = merge_clock(m),
                                      .late = t->late,
                                      .mark = t->event == NULL,
                                      .late_so_far = late};
}

static bool is_wanted(const struct world *w, uint32_t sub, int64_t offset, uint32_t index)
{
    for (uint32_t i = 0; i < PIECES; i++) {
        const struct merge_piece *p = &w->t[sub].pieces[i].p;
        for (uint32_t k = 0; p->offset == offset && k < p->n_wants; k++) {
            if (p->wants[k] == index) {
                return true;
            }
        }
    }
    return false;
}

static void note_passed(list_of_taken *to, struct merge *m, struct taken first, uint32_t n,
                        uint64_t late)
{
    for (uint32_t k = 0; k < n; k++) {
        uint64_t so_far = late_so_far(to) + (k + 1 == n ? late : 0);
        *VEC_PUSH(&to->v) = (struct taken){.sub = first.sub,
                                           .index = first.index + k,
                                           .offset = first.offset,
                                           .clock = merge_clock(m),
                                           .passed = k + 1 < n,
                                           .late = true,
                                           .late_so_far = so_far};
    }
}

static struct merge_bounds bounds(struct world *w, const struct merge *m, uint32_t max)
{
    return (struct merge_bounds){.party = PARTY,
                                 .before = draw(w, 2) == 0 ? INT64_MAX
                                                           : merge_clock(m) + (int64_t)draw(w, 99),
                                 .max = MIN(max, 1 + (uint32_t)draw(w, 6)),
                                 .none_late = draw(w, 2) == 0};
}

/* Behind one that was passed over, and nothing was done since. */
static bool rides(struct world *w, struct merge *m, uint32_t sub, const struct merge_piece *p,
                  list_of_taken *to)
{
    const struct merge_hint *h = p->hint;
    const struct merge_ride *r = &w->ride;
    if (w->rider != sub + 1 || h == NULL || p->n == 0 || p->n_wants > 0 || p->party != PARTY ||
        p->mark != MERGE_NO_MARK) {
        return false;
    }
    int64_t peak = h->peaks[p->n - 1], clock = merge_clock(m);
    bool late = h->least < MAX(clock, peak - r->bound) && !(h->ascending && h->ts[0] >= clock);
    if (peak >= r->limit || late) {
        return false;
    }
    merge_ride(m, sub, p->offset + 1, peak, p->n);
    note_passed(to, m, (struct taken){.sub = sub, .offset = p->offset}, p->n, 0);
    w->ridden++;
    return true;
}

/* Or it is passed over at once. */
static void push(struct world *w, struct merge *m, uint32_t sub, uint32_t i, list_of_taken *to)
{
    const struct merge_piece *p = &w->t[sub].pieces[i].p;
    uint64_t late = 0;
    if (rides(w, m, sub, p, to)) {
        return;
    }
    w->rider = 0;
    if (w->passes && merge_clock(m) != MERGE_NO_CLOCK && draw(w, 4) > 0) {
        const struct merge_bounds b = bounds(w, m, 1);
        if (merge_pass_record(m, sub, p, &b, &late)) {
            CHECK(p->n_wants == 0 && merge_clock(m) < b.before && (late == 0 || !b.none_late));
            note_passed(to, m, (struct taken){.sub = sub, .offset = p->offset}, p->n, late);
            w->whole++;
            w->ride = merge_may_ride(m, sub, &b);
            w->rider = sub + 1;
            return;
        }
    }
    w->out++;
    merge_push(m, sub, p);
}

/* What merge_pass took, one by one. */
static uint32_t pass(struct world *w, struct merge *m, list_of_taken *to, uint32_t max)
{
    struct merge_pos was[SUBS];
    uint64_t late = 0;
    const struct merge_bounds b = bounds(w, m, max);
    for (uint32_t s = 0; s < w->subs; s++) {
        was[s] = merge_pos(m, s);
    }
    uint32_t n = merge_clock(m) != MERGE_NO_CLOCK ? merge_pass(m, &b, &late) : 0, moved = 0;
    CHECK(n <= b.max && (n == 0 || merge_clock(m) < b.before) && (late == 0 || !b.none_late));
    for (uint32_t s = 0; s < w->subs && n > 0; s++) {
        struct merge_pos p = merge_pos(m, s);
        if (p.offset == was[s].offset && p.index == was[s].index) {
            continue;
        }
        moved++;
        int64_t offset = p.index > 0 ? p.offset : p.offset - 1;
        uint32_t first = was[s].offset == offset ? was[s].index : 0;
        for (uint32_t k = 0; k < n; k++) {
            CHECK(!is_wanted(w, s, offset, first + k));
        }
        note_passed(to, m, (struct taken){.sub = s, .index = first, .offset = offset}, n, late);
    }
    CHECK_EQ(n > 0, moved);
    return n;
}

/* One or more are taken, at most `max`. */
static bool next(struct world *w, struct merge *m, list_of_taken *to, uint64_t max)
{
    struct merge_take t;
    w->rider = 0;
    if (w->passes && draw(w, 4) > 0 && pass(w, m, to, (uint32_t)MIN(max, 100U)) > 0) {
        return true;
    }
    bool some = merge_next(m, &t);
    if (some) {
        note(to, m, &t);
    }
    return some;
}

static void check_same(const list_of_taken *a, const list_of_taken *b)
{
    CHECK_EQ(a->v.len, b->v.len);
    for (size_t i = 0; i < a->v.len; i++) {
        const struct taken *x = &a->v.ptr[i], *y = &b->v.ptr[i];
        bool some = x->passed || y->passed;
        CHECK(x->sub == y->sub && x->offset == y->offset && x->index == y->index &&
              x->mark == y->mark);
        CHECK(some || (x->clock == y->clock && x->late_so_far == y->late_so_far));
    }
}

/* Everything arrives in a random order and ends; nobody is skipped. */
static void run_free(struct world *w, list_of_taken *to)
{
    struct merge *m = begin(w);
    uint32_t at[SUBS] = {0}, left = SUBS * PIECES;
    while (left > 0) {
        uint32_t s = (uint32_t)draw(w, SUBS);
        for (uint64_t n = draw(w, 4); n > 0 && at[s] < PIECES; n--, left--) {
            push(w, m, s, at[s]++, to);
            if (at[s] == PIECES) {
                merge_end(m, s);
            }
        }
        while (draw(w, 3) > 0 && next(w, m, to, UINT64_MAX)) {
        }
    }
    while (next(w, m, to, UINT64_MAX)) {
    }
    CHECK(merge_is_empty(m));
    merge_free(m);
    CHECK_EQ(0, w->out);
}

typedef struct {
    VEC(struct cut) v;
} journal_of_test;

static void cut(struct merge *m, journal_of_test *j)
{
    struct cut *c = VEC_PUSH(&j->v);
    c->takes = merge_takes(m);
    const struct merge_skip *s = merge_cut(m, &c->n_skips);
    c->skips = mem_calloc(c->n_skips + 1, sizeof *s);
    for (uint32_t i = 0; i < c->n_skips; i++) {
        c->skips[i] = s[i];
    }
    for (uint32_t i = 0; i < SUBS; i++) {
        c->to[i] = merge_pos(m, i);
    }
}

/* Arrives in bursts; at the end of a burst the sub-stream may be skipped. */
static void run_live(struct world *w, struct merge *m, uint32_t *at, list_of_taken *to,
                     journal_of_test *j, int rounds)
{
    for (int r = 0; r < rounds; r++) {
        uint32_t s = (uint32_t)draw(w, SUBS);
        for (uint64_t n = draw(w, 4); n > 0 && at[s] < PIECES; n--) {
            push(w, m, s, at[s]++, to);
        }
        merge_may_skip(m, s, draw(w, 2) == 0);
        w->rider = 0;
        while (draw(w, 8) > 0 && next(w, m, to, UINT64_MAX)) {
        }
        if (draw(w, 6) == 0) {
            cut(m, j);
        }
    }
    cut(m, j);
}

/* Plays records [0, n) of the journal; what is beyond them is buffered, too, at times. */
static void replay(struct world *w, struct merge *m, uint32_t *at, list_of_taken *to,
                   const journal_of_test *j, size_t n)
{
    for (size_t r = 0; r < n; r++) {
        const struct cut *c = &j->v.ptr[r];
        merge_replay(m, c->to, c->skips, c->n_skips);
        w->rider = 0;
        while (merge_takes(m) < c->takes) {
            while (merge_takes(m) < c->takes && next(w, m, to, c->takes - merge_takes(m))) {
            }
            uint32_t s = (uint32_t)draw(w, SUBS);
            if (at[s] < PIECES) {
                push(w, m, s, at[s]++, to);
            }
        }
        for (uint32_t s = 0; s < SUBS; s++) {
            struct merge_pos p = merge_pos(m, s);
            CHECK(p.offset == c->to[s].offset && p.index == c->to[s].index);
        }
        merge_replay_end(m);
    }
}

static void forget(journal_of_test *j)
{
    VEC_EACH (&j->v, c) {
        mem_free(c->skips);
    }
    VEC_DONE(&j->v);
}

TEST(the_order_does_not_depend_on_arrival)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world *w = MEM_NEW(struct world);
        make(w, seed);
        list_of_taken a = {0}, b = {0};
        run_free(w, &a);
        w->passes = true;
        run_free(w, &b);
        check_same(&a, &b);
        size_t inputs = 0;
        for (uint32_t s = 0; s < SUBS; s++) {
            for (uint32_t i = 0; i < PIECES; i++) {
                inputs += w->t[s].pieces[i].p.n + (w->t[s].pieces[i].p.mark != MERGE_NO_MARK);
            }
        }
        CHECK_EQ(inputs, a.v.len);
        VEC_DONE(&a.v);
        VEC_DONE(&b.v);
        mem_free(w);
    }
}

static void run_alone(struct world *w, list_of_taken *to)
{
    const struct merge_conf conf = {on_done, w};
    struct merge *m = merge_new(&conf, w->specs, 1);
    w->rider = 0;
    w->subs = 1;
    for (uint32_t i = 0; i < PIECES; i++) {
        push(w, m, 0, i, to);
        while (draw(w, 8) > 0 && next(w, m, to, UINT64_MAX)) {
        }
    }
    while (next(w, m, to, UINT64_MAX)) {
    }
    merge_free(m);
    CHECK_EQ(0, w->out);
}

TEST(who_rides_has_passed_over_each)
{
    size_t ridden = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world *w = MEM_NEW(struct world);
        make(w, seed);
        list_of_taken a = {0}, b = {0};
        run_alone(w, &a);
        w->passes = true;
        run_alone(w, &b);
        check_same(&a, &b);
        ridden += w->ridden;
        VEC_DONE(&a.v);
        VEC_DONE(&b.v);
        mem_free(w);
    }
    CHECK(ridden > 20);
}

TEST(replay_takes_what_was_taken_live)
{
    size_t skips = 0, whole = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world *w = MEM_NEW(struct world);
        make(w, seed);
        list_of_taken live = {0}, again = {0};
        journal_of_test j = {0};
        struct merge *m = begin(w);
        uint32_t at[SUBS] = {0}, at2[SUBS] = {0};
        w->passes = (seed & 1) != 0;
        run_live(w, m, at, &live, &j, 120);
        merge_free(m);
        VEC_EACH (&j.v, c) {
            skips += c->n_skips;
        }
        m = begin(w);
        w->passes = (seed & 2) != 0;
        replay(w, m, at2, &again, &j, j.v.len);
        check_same(&live, &again);
        whole += w->whole;
        merge_free(m);
        CHECK_EQ(0, w->out);
        forget(&j);
        VEC_DONE(&live.v);
        VEC_DONE(&again.v);
        mem_free(w);
    }
    CHECK(skips > 1000 && whole > 100);
}

/* Half of the journal is replayed by another, who then goes on live; the whole is one journal. */
TEST(a_successor_goes_on_with_the_journal)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world *w = MEM_NEW(struct world);
        make(w, seed);
        list_of_taken live = {0}, second = {0}, again = {0};
        journal_of_test j = {0};
        struct merge *m = begin(w);
        uint32_t at[SUBS] = {0}, at2[SUBS] = {0}, at3[SUBS] = {0};
        w->passes = (seed & 1) != 0;
        run_live(w, m, at, &live, &j, 60);
        merge_free(m);
        m = begin(w);
        replay(w, m, at2, &second, &j, j.v.len);
        run_live(w, m, at2, &second, &j, 60);
        merge_free(m);
        m = begin(w);
        w->passes = (seed & 2) != 0;
        replay(w, m, at3, &again, &j, j.v.len);
        check_same(&second, &again);
        merge_free(m);
        CHECK_EQ(0, w->out);
        forget(&j);
        VEC_DONE(&live.v);
        VEC_DONE(&second.v);
        VEC_DONE(&again.v);
        mem_free(w);
    }
}

TEST(one_that_is_empty_holds_the_others_up)
{
    struct world *w = MEM_NEW(struct world);
    make(w, 7);
    struct merge *m = begin(w);
    struct merge_take t;
    push(w, m, 0, 0, NULL);
    CHECK(!merge_next(m, &t));
    CHECK_EQ(1, merge_holder(m));
    for (uint32_t s = 1; s < SUBS; s++) {
        merge_may_skip(m, s, true);
    }
    CHECK_EQ(UINT32_MAX, merge_holder(m));
    merge_free(m);
    mem_free(w);
}
