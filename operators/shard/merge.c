/* SPDX-License-Identifier: Apache-2.0
 *
 * See merge.h. Sub-streams that have something to take stand in a heap by (k, number); those that
 * hold the others up are counted. Every change of a sub-stream ends in `place`, which puts it where
 * it belongs now.
 */
#include "operators/shard/merge.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

enum where { WHERE_ASIDE, WHERE_HEAP, WHERE_WAITED };

struct sub {
    struct merge_spec spec;
    struct merge_pos pos, to; /* to: in replay */
    int64_t largest;          /* of what was taken */
    int64_t peak, k;          /* with the head, in the heap: the largest then, its k */
    struct merge_piece *ring; /* pieces, the first at `first` */
    uint32_t first, n, cap;
    uint32_t at;   /* place in the heap */
    uint32_t skip; /* live: the open skip in the list, from 1 */
    uint8_t where; /* enum where */
    bool may_skip, skipped, ended;
};

struct merge {
    struct merge_conf conf;
    struct sub *subs;
    uint32_t n;
    uint32_t *heap, n_heap;
    int64_t stays; /* the first of the heap stays it while its k is below; INT64_MIN: not known */
    uint32_t n_waited, n_may; /* of those waited for: may be skipped */
    int64_t clock;
    uint64_t takes;
    VEC(struct merge_skip) skips, given; /* of this record; handed out by the last cut */
    const struct merge_skip *plan;       /* of a replay */
    uint32_t n_plan;
    uint64_t next_change; /* the take before which the plan has something to do */
    bool replay;
    void *done; /* the owner of the piece whose last event is in use */
};

struct merge *merge_new(const struct merge_conf *conf, const struct merge_spec *specs, uint32_t n)
{
    assert(n > 0);
    struct merge *m = MEM_NEW(struct merge);
    m->conf = *conf;
    m->n = m->n_waited = n;
    m->clock = MERGE_NO_CLOCK;
    m->stays = INT64_MIN;
    m->subs = mem_calloc(n, sizeof *m->subs);
    m->heap = mem_calloc(n, sizeof *m->heap);
    for (uint32_t i = 0; i < n; i++) {
        m->subs[i] = (struct sub){.spec = specs[i], .largest = INT64_MIN, .where = WHERE_WAITED};
    }
    return m;
}

static void give_back(struct merge *m)
{
    void *owner = m->done;
    m->done = NULL;
    if (owner != NULL && m->conf.on_done != NULL) {
        m->conf.on_done(m->conf.arg, owner);
    }
}

static void drop_piece(struct merge *m, struct merge_piece *p)
{
    give_back(m);
    m->done = p->owner;
}

void merge_free(struct merge *m)
{
    if (m == NULL) {
        return;
    }
    for (uint32_t i = 0; i < m->n; i++) {
        struct sub *s = &m->subs[i];
        for (uint32_t k = 0; k < s->n; k++) {
            drop_piece(m, &s->ring[(s->first + k) & (s->cap - 1)]);
        }
        mem_free(s->ring);
    }
    give_back(m);
    VEC_DONE(&m->skips);
    VEC_DONE(&m->given);
    mem_free(m->heap);
    mem_free(m->subs);
    mem_free(m);
}

/* ---- the heap ---- */

static bool before(const struct merge *m, uint32_t a, uint32_t b)
{
    int64_t ka = m->subs[a].k, kb = m->subs[b].k;
    return ka != kb ? ka < kb : a < b;
}

static void put(struct merge *m, uint32_t at, uint32_t sub)
{
    m->heap[at] = sub;
    m->subs[sub].at = at;
    m->stays = INT64_MIN;
}

static void up(struct merge *m, uint32_t at)
{
    uint32_t sub = m->heap[at];
    for (; at > 0 && before(m, sub, m->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        put(m, at, m->heap[(at - 1) / 2]);
    }
    put(m, at, sub);
}

static void down(struct merge *m, uint32_t at)
{
    uint32_t sub = m->heap[at];
    for (uint32_t to = 2 * at + 1; to < m->n_heap; to = 2 * at + 1) {
        if (to + 1 < m->n_heap && before(m, m->heap[to + 1], m->heap[to])) {
            to++;
        }
        if (!before(m, m->heap[to], sub)) {
            break;
        }
        put(m, at, m->heap[to]);
        at = to;
    }
    put(m, at, sub);
}

static void take_out(struct merge *m, uint32_t at)
{
    uint32_t last = m->heap[--m->n_heap];
    if (at < m->n_heap) {
        put(m, at, last);
        up(m, at);
        down(m, m->subs[last].at);
    }
}

/* ---- where a sub-stream belongs ---- */

static inline struct merge_piece *head(const struct sub *s)
{
    return &s->ring[s->first & (s->cap - 1)];
}

static bool is_before(struct merge_pos a, struct merge_pos b)
{
    return a.offset != b.offset ? a.offset < b.offset : a.index < b.index;
}

/* Of the head piece, the input to be taken next. */
static inline uint32_t index_of(const struct sub *s)
{
    return s->pos.offset == head(s)->offset ? s->pos.index : 0;
}

/* What its largest ts is with its head. */
static int64_t largest_with_head(const struct sub *s)
{
    const struct merge_piece *p = head(s);
    uint32_t i = index_of(s);
    if (p->bad != 0 && i == 0) {
        return s->largest;
    }
    if (p->hint != NULL && i < p->n) {
        return MAX(s->largest, p->hint->ts[i]);
    }
    return MAX(s->largest, i < p->n ? p->events[i].ts : p->mark);
}

static enum where belongs(const struct merge *m, const struct sub *s)
{
    if (s->skipped || (m->replay && !is_before(s->pos, s->to))) {
        return WHERE_ASIDE;
    }
    return s->n > 0 ? WHERE_HEAP : s->ended ? WHERE_ASIDE : WHERE_WAITED;
}

static void count_waited(struct merge *m, const struct sub *s, uint32_t by)
{
    m->n_waited += by;
    m->n_may += s->may_skip ? by : 0;
}

static int64_t k_of(const struct sub *s, int64_t largest)
{
    return largest < INT64_MIN + s->spec.bound_ns ? INT64_MIN : largest - s->spec.bound_ns;
}

static void place(struct merge *m, uint32_t sub)
{
    struct sub *s = &m->subs[sub];
    enum where to = belongs(m, s);
    if (to == WHERE_HEAP) {
        s->peak = largest_with_head(s);
        s->k = k_of(s, s->peak);
    }
    if (s->where == WHERE_HEAP && to == WHERE_HEAP) {
        down(m, s->at); /* k never falls */
        return;
    }
    if (s->where == WHERE_HEAP) {
        take_out(m, s->at);
    } else if (s->where == WHERE_WAITED) {
        count_waited(m, s, UINT32_MAX);
    }
    s->where = (uint8_t)to;
    if (to == WHERE_HEAP) {
        put(m, m->n_heap++, sub);
        up(m, s->at);
    } else if (to == WHERE_WAITED) {
        count_waited(m, s, 1);
    }
}

/* ---- pieces in ---- */

void merge_seek(struct merge *m, uint32_t sub, struct merge_pos pos, int64_t largest)
{
    assert(sub < m->n && m->subs[sub].n == 0);
    m->subs[sub].pos = pos;
    m->subs[sub].largest = largest;
}

void merge_set_clock(struct merge *m, int64_t clock)
{
    m->clock = clock;
}

static void ring_push(struct sub *s, const struct merge_piece *p)
{
    if (s->n == s->cap) {
        uint32_t cap = MAX(4u, 2 * s->cap);
        struct merge_piece *to = mem_calloc(cap, sizeof *to);
        for (uint32_t i = 0; i < s->n; i++) {
            to[i] = s->ring[(s->first + i) & (s->cap - 1)];
        }
        mem_free(s->ring);
        s->ring = to;
        s->cap = cap;
        s->first = 0;
    }
    s->ring[(s->first + s->n++) & (s->cap - 1)] = *p;
}

static uint32_t inputs_of(const struct merge_piece *p)
{
    return p->n + (p->bad != 0) + (p->mark != MERGE_NO_MARK);
}

static void end_skip(struct merge *m, struct sub *s)
{
    assert(s->skipped);
    s->skipped = false;
    if (s->skip > 0) {
        struct merge_skip *k = &m->skips.ptr[s->skip - 1];
        k->to = m->takes;
        s->skip = 0;
    }
}

void merge_push(struct merge *m, uint32_t sub, const struct merge_piece *p)
{
    assert(sub < m->n);
    struct sub *s = &m->subs[sub];
    struct merge_pos end = {p->offset, inputs_of(p)};
    assert(s->n == 0 || p->offset > s->ring[(s->first + s->n - 1) & (s->cap - 1)].offset);
    if (end.index == 0 || !is_before(s->pos, end)) {
        if (m->conf.on_done != NULL) { /* the piece that is in use stays so */
            m->conf.on_done(m->conf.arg, p->owner);
        }
        return;
    }
    ring_push(s, p);
    merge_may_skip(m, sub, false);
    if (s->skipped && !m->replay) {
        end_skip(m, s);
    }
    if (s->n == 1) {
        place(m, sub);
    }
}

void merge_may_skip(struct merge *m, uint32_t sub, bool may)
{
    assert(sub < m->n);
    struct sub *s = &m->subs[sub];
    if (s->where == WHERE_WAITED && s->may_skip != may) {
        m->n_may += may ? 1 : UINT32_MAX;
    }
    s->may_skip = may;
}

static void drop_head(struct merge *m, struct sub *s)
{
    drop_piece(m, head(s));
    s->first = (s->first + 1) & (s->cap - 1);
    s->n--;
}

void merge_jump(struct merge *m, uint32_t sub, int64_t offset)
{
    assert(sub < m->n);
    struct sub *s = &m->subs[sub];
    while (s->n > 0 && head(s)->offset < offset) {
        drop_head(m, s);
    }
    s->pos = (struct merge_pos){offset, 0};
    place(m, sub);
}

void merge_end(struct merge *m, uint32_t sub)
{
    assert(sub < m->n);
    m->subs[sub].ended = true;
    place(m, sub);
}

/* ---- takes out ---- */

/* Those that are waited for and may be passed over are, from this take on. */
static void skip_waited(struct merge *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        struct sub *s = &m->subs[i];
        if (s->where == WHERE_WAITED) {
            *VEC_PUSH(&m->skips) = (struct merge_skip){i, m->takes, MERGE_NEVER};
            s->skipped = true;
            s->skip = (uint32_t)m->skips.len;
            place(m, i);
        }
    }
}

/* Skips as the journal has them, for the take that comes. */
static void follow_plan(struct merge *m)
{
    if (m->takes < m->next_change) {
        return;
    }
    m->next_change = MERGE_NEVER;
    for (uint32_t i = 0; i < m->n_plan; i++) {
        const struct merge_skip *k = &m->plan[i];
        if (k->from == m->takes || k->to == m->takes) {
            m->subs[k->sub].skipped = k->from == m->takes && k->to > m->takes;
            place(m, k->sub);
        }
        if (k->from > m->takes) {
            m->next_change = MIN(m->next_change, k->from);
        } else if (k->to > m->takes) {
            m->next_change = MIN(m->next_change, k->to);
        }
    }
}

static int64_t plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Is there a next one? */
static bool is_ready(struct merge *m)
{
    give_back(m);
    if (m->replay) {
        follow_plan(m);
    } else if (m->n_waited > 0 && m->n_waited == m->n_may && m->n_heap > 0) {
        skip_waited(m);
    }
    return m->n_waited == 0 && m->n_heap > 0;
}

/* No other comes before the first of the heap while its k is below that. */
static int64_t stays_below(const struct merge *m)
{
    int64_t limit = INT64_MAX;
    for (uint32_t i = 1; i <= 2 && i < m->n_heap; i++) {
        limit = MIN(limit, plus(m->subs[m->heap[i]].k, m->heap[0] < m->heap[i]));
    }
    return limit;
}

/* s is the first of the heap. */
static void advance(struct merge *m, struct sub *s, uint32_t to)
{
    const struct merge_piece *p = head(s);
    if (LIKELY(to < p->n && !m->replay)) { /* it stays in the heap */
        s->pos = (struct merge_pos){p->offset, to};
        s->peak = MAX(s->largest, p->hint != NULL ? p->hint->ts[to] : p->events[to].ts);
        int64_t k = k_of(s, s->peak);
        s->k = k; /* never falls */
        if (k >= m->stays) {
            down(m, s->at);
            m->stays = stays_below(m);
        }
        return;
    }
    s->pos = (struct merge_pos){p->offset, to};
    if (to == inputs_of(p)) {
        s->pos = (struct merge_pos){p->offset + 1, 0};
        drop_head(m, s);
    }
    place(m, (uint32_t)(s - m->subs));
}

bool merge_next(struct merge *m, struct merge_take *ret)
{
    if (!is_ready(m)) {
        return false;
    }
    uint32_t sub = m->heap[0];
    struct sub *s = &m->subs[sub];
    struct merge_piece *p = head(s);
    uint32_t i = index_of(s);
    bool bad = p->bad != 0 && i == 0, mark = i >= p->n;
    *ret = (struct merge_take){.sub = sub,
                               .index = i,
                               .offset = p->offset,
                               .k = s->k,
                               .first = p->first,
                               .event = mark ? NULL : &p->events[i],
                               .n = p->n,
                               .bad = bad ? p->bad : 0};
    s->largest = s->peak;
    m->clock = MAX(m->clock, s->k);
    ret->late = !mark && ret->event->ts < m->clock;
    m->takes++;
    advance(m, s, i + 1);
    return true;
}

bool merge_peek(const struct merge *m, uint32_t *ret_sub, int64_t *ret_offset)
{
    assert(!m->replay);
    if (m->n_heap == 0 || (m->n_waited > 0 && m->n_waited != m->n_may)) {
        return false;
    }
    *ret_sub = m->heap[0];
    *ret_offset = head(&m->subs[m->heap[0]])->offset;
    return true;
}

bool merge_peek_clock(const struct merge *m, int64_t *ret_k)
{
    if (m->n_heap == 0 || (m->n_waited > 0 && m->n_waited != m->n_may)) {
        return false;
    }
    *ret_k = m->subs[m->heap[0]].k;
    return true;
}

/* ---- what concerns nobody ---- */

/* The first of `wants` from i on, or `end`. */
static uint32_t next_wanted(const struct merge_piece *p, uint32_t i, uint32_t end)
{
    uint32_t lo = 0, hi = p->n_wants;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        lo = p->wants[mid] < i ? mid + 1 : lo;
        hi = p->wants[mid] < i ? hi : mid;
    }
    return lo < p->n_wants ? MIN(p->wants[lo], end) : end;
}

/* The first event from i on with which the largest ts is `limit` or more, or `end`. */
static uint32_t first_peak(const struct merge_hint *h, uint32_t i, uint32_t end, int64_t limit)
{
    if (end > i && h->peaks[end - 1] < limit) {
        return end;
    }
    while (i < end) {
        uint32_t mid = i + (end - i) / 2;
        i = h->peaks[mid] < limit ? mid + 1 : i;
        end = h->peaks[mid] < limit ? end : mid;
    }
    return i;
}

/* While its largest ts is below that, it comes before all others, and the clock stays below. */
static int64_t limit_of(const struct merge *m, const struct sub *s, int64_t before_clock)
{
    return plus(MIN(before_clock, stays_below(m)), s->spec.bound_ns);
}

/* Of events i to end, taken one after another; *end becomes the first of them if none may be. */
static uint64_t count_late(const struct merge *m, const struct sub *s, const struct merge_hint *h,
                           uint32_t i, uint32_t *end, bool none)
{
    int64_t clock = MAX(m->clock, k_of(s, MAX(s->largest, h->peaks[*end - 1])));
    if (h->least >= clock || (h->ascending && h->ts[i] >= m->clock)) {
        return 0;
    }
    uint64_t late = 0;
    for (uint32_t k = i; k < *end; k++) {
        clock = MAX(m->clock, k_of(s, MAX(s->largest, h->peaks[k])));
        if (h->ts[k] < clock && none) {
            *end = k;
        }
        late += k < *end && h->ts[k] < clock;
    }
    return late;
}

bool merge_may_pass(const struct merge *m)
{
    const struct merge_piece *p = m->n_heap > 0 ? head(&m->subs[m->heap[0]]) : NULL;
    return p != NULL && p->hint != NULL && p->n_wants < p->n;
}

uint32_t merge_pass(struct merge *m, const struct merge_bounds *b, uint64_t *late)
{
    if (!is_ready(m) || m->clock >= b->before) {
        return 0;
    }
    struct sub *s = &m->subs[m->heap[0]];
    const struct merge_piece *p = head(s);
    uint32_t i = index_of(s);
    if (p->hint == NULL || p->party != b->party || p->bad != 0 || i >= p->n) {
        return 0;
    }
    uint32_t end = next_wanted(p, i, p->n - i > b->max ? i + b->max : p->n);
    if (m->replay && p->offset == s->to.offset) {
        end = MIN(end, s->to.index);
    }
    if (m->replay && m->next_change - m->takes < end - i) {
        end = i + (uint32_t)(m->next_change - m->takes);
    }
    int64_t limit = limit_of(m, s, b->before);
    end = s->largest >= limit ? i : first_peak(p->hint, i, end, limit);
    if (end <= i) {
        return 0;
    }
    *late += count_late(m, s, p->hint, i, &end, b->none_late);
    if (end == i) {
        return 0;
    }
    s->largest = MAX(s->largest, p->hint->peaks[end - 1]);
    m->clock = MAX(m->clock, k_of(s, s->largest));
    m->takes += end - i;
    advance(m, s, end);
    return end - i;
}

/* It would be next, and go without waiting. */
static bool is_alone(const struct merge *m, const struct sub *s, const struct merge_piece *p)
{
    uint32_t others = m->n_waited - (s->where == WHERE_WAITED);
    return !m->replay && others == 0 && s->n == 0 && !s->ended &&
           !is_before((struct merge_pos){p->offset, 0}, s->pos);
}

/* Of a record of a sub-stream that has none: below that, it comes before what others have. */
static int64_t limit_alone(const struct merge *m, uint32_t sub, int64_t before_clock)
{
    const struct sub *s = &m->subs[sub];
    int64_t limit = plus(before_clock, s->spec.bound_ns);
    if (m->n_heap > 0) {
        int64_t k = m->subs[m->heap[0]].k;
        limit = MIN(limit, plus(plus(k, s->spec.bound_ns), sub < m->heap[0]));
    }
    return limit;
}

bool merge_pass_record(struct merge *m, uint32_t sub, const struct merge_piece *p,
                       const struct merge_bounds *b, uint64_t *late)
{
    assert(sub < m->n);
    struct sub *s = &m->subs[sub];
    uint32_t end = p->n;
    bool spared = p->hint != NULL && p->party == b->party && p->n_wants == 0 && p->n > 0 &&
                  p->bad == 0 && p->mark == MERGE_NO_MARK;
    if (!spared || !is_alone(m, s, p) || m->clock >= b->before) {
        return false;
    }
    int64_t limit = limit_alone(m, sub, b->before);
    int64_t largest = MAX(s->largest, p->hint->peaks[p->n - 1]);
    uint64_t n = largest < limit ? count_late(m, s, p->hint, 0, &end, b->none_late) : 0;
    if (largest >= limit || end < p->n) {
        return false;
    }
    merge_may_skip(m, sub, false);
    if (s->skipped) {
        end_skip(m, s);
    }
    *late += n;
    s->largest = largest;
    s->pos = (struct merge_pos){p->offset + 1, 0};
    m->clock = MAX(m->clock, k_of(s, largest));
    m->takes += p->n;
    place(m, sub);
    return true;
}

struct merge_ride merge_may_ride(const struct merge *m, uint32_t sub, const struct merge_bounds *b)
{
    return (struct merge_ride){limit_alone(m, sub, b->before), m->clock,
                               m->subs[sub].spec.bound_ns};
}

void merge_ride(struct merge *m, uint32_t sub, int64_t next, int64_t largest, uint64_t n)
{
    struct sub *s = &m->subs[sub];
    assert(!m->replay && s->n == 0 && !s->ended && !s->skipped && next >= s->pos.offset);
    s->largest = MAX(s->largest, largest);
    s->pos = (struct merge_pos){next, 0};
    m->clock = MAX(m->clock, k_of(s, s->largest));
    m->takes += n;
}

void merge_hop(struct merge *m, int64_t clock)
{
    assert(clock >= m->clock);
    m->clock = clock;
}

int64_t merge_clock(const struct merge *m)
{
    return m->clock;
}

uint64_t merge_takes(const struct merge *m)
{
    return m->takes;
}

struct merge_pos merge_pos(const struct merge *m, uint32_t sub)
{
    return m->subs[sub].pos;
}

int64_t merge_largest(const struct merge *m, uint32_t sub)
{
    return m->subs[sub].largest;
}

bool merge_has(const struct merge *m, uint32_t sub)
{
    return m->subs[sub].n > 0;
}

uint32_t merge_holder(const struct merge *m)
{
    for (uint32_t i = 0; i < m->n && m->n_waited > 0; i++) {
        if (m->subs[i].where == WHERE_WAITED && !m->subs[i].may_skip) {
            return i;
        }
    }
    return UINT32_MAX;
}

bool merge_is_held(const struct merge *m)
{
    return m->n_waited != m->n_may;
}

bool merge_is_waited(const struct merge *m, uint32_t sub)
{
    return m->subs[sub].where == WHERE_WAITED && !m->subs[sub].may_skip;
}

bool merge_is_empty(const struct merge *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->subs[i].n > 0) {
            return false;
        }
    }
    return true;
}

bool merge_is_over(const struct merge *m)
{
    bool over = true;
    for (uint32_t i = 0; i < m->n && over; i++) {
        over = m->subs[i].ended && m->subs[i].n == 0;
    }
    return over;
}

/* ---- the journal ---- */

size_t merge_skips(const struct merge *m)
{
    return m->skips.len;
}

const struct merge_skip *merge_cut(struct merge *m, uint32_t *ret_n)
{
    assert(!m->replay);
    VEC_CLEAR(&m->given);
    VEC_EACH (&m->skips, k) {
        if (k->from < k->to && k->from < m->takes) { /* others skipped nothing */
            *VEC_PUSH(&m->given) = *k;
        }
    }
    VEC_CLEAR(&m->skips);
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->subs[i].skipped) {
            *VEC_PUSH(&m->skips) = (struct merge_skip){i, 0, MERGE_NEVER};
            m->subs[i].skip = (uint32_t)m->skips.len;
        }
    }
    m->takes = 0;
    *ret_n = (uint32_t)m->given.len;
    return m->given.ptr;
}

void merge_replay(struct merge *m, const struct merge_pos *to, const struct merge_skip *skips,
                  uint32_t n_skips)
{
    m->replay = true;
    m->takes = 0;
    m->plan = skips;
    m->n_plan = n_skips;
    m->next_change = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        m->subs[i].to = to[i];
        m->subs[i].skipped = false;
        m->subs[i].skip = 0;
        place(m, i);
    }
}

/* Who was skipped at the end is skipped on until something of his arrives. */
void merge_replay_end(struct merge *m)
{
    uint64_t takes = m->takes;
    VEC_CLEAR(&m->skips);
    m->replay = false;
    m->takes = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        m->subs[i].skipped = false;
    }
    for (uint32_t i = 0; i < m->n_plan; i++) {
        const struct merge_skip *k = &m->plan[i];
        struct sub *s = &m->subs[k->sub];
        if (k->to > takes && s->n == 0) {
            *VEC_PUSH(&m->skips) = (struct merge_skip){k->sub, 0, MERGE_NEVER};
            s->skipped = true;
            s->skip = (uint32_t)m->skips.len;
        }
    }
    m->plan = NULL;
    m->n_plan = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        place(m, i);
    }
}
