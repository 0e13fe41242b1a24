/* SPDX-License-Identifier: Apache-2.0
 *
 * See sweep.h. A pass goes partition by partition: bounds of `state` and `journal` (ASKS), reading
 * to there (READS), removing (REMOVES).
 */
#include "coordinator/sweep.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_topics.h"
#include "core/codec/endian.h"
#include "core/event/swept.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEYS_MAX = 20000, /* of one partition; the rest when these are gone */
    LINEAGES_MAX = 1000000,
    KEY_MAX = 64,         /* longer ones are no task's */
    TURN_BYTES = 2 << 20, /* read in TURN_NS, about */
    BATCH = 200,          /* records of a transaction */
    SLOW = 10,            /* a pass takes one part in so many of the time, at most */
};
#define TURN_NS  (100 * CLOCK_NS_PER_MS)
#define CHECK_NS CLOCK_NS_PER_S
#define AGAIN_NS (24 * 3600 * CLOCK_NS_PER_S) /* marks are not needed for ever */

enum kind { KIND_STATE, KIND_JOURNAL, KIND_READ };
enum phase { PHASE_REST, PHASE_ASKS, PHASE_READS, PHASE_REMOVES };

struct one { /* a record to be written */
    char key[KEY_MAX];
    uint32_t key_len;
    bool mark;      /* is put, not removed */
    uint32_t bytes; /* that are there under the key */
};

struct sweep {
    struct sweep_conf conf;
    struct bus_tp state, journal; /* the partition it is at */
    uint32_t parts;
    enum phase phase;
    struct map carried; /* lineages */
    uint64_t turn, swept_turn;
    int64_t turned, checked, not_before, began, due_since;
    int64_t again_at;
    bool due, failed; /* failed: the pass is given up at the next step */
    bool flies;       /* a transaction was asked for, and has not ended */

    uint64_t number; /* of what was asked for: what is older, is not heard */
    int64_t state_end, journal_start, journal_end; /* -1: not known yet */
    struct bus_reader *reader;
    int64_t from, next; /* from: what lies before was swept, for not all could be held */
    size_t turn_bytes;  /* read since */
    int64_t turn_began;
    bool paused, full;
    struct map found; /* keys, with their bytes: of strange lineages, and marks that are over */
    VEC(struct one) todo;
    size_t done, under_way; /* of them; under_way: in the transaction */
    char mark[SWEPT_VALUE_BYTES];
    struct slice mark_value;
    struct bus_put puts[BATCH];
    char why[SWEEP_WHY];
    struct sweep_look look;
};

struct sweep *sweep_new(const struct sweep_conf *conf)
{
    struct sweep *s = MEM_NEW(struct sweep);
    s->conf = *conf;
    s->state.topic = bus_topic(conf->bus, SLICE("state"));
    s->journal.topic = bus_topic(conf->bus, SLICE("journal"));
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        if (bus_topic_rows[i].id == BUS_TOPIC_STATE) {
            s->parts = bus_topic_rows[i].partitions;
        }
    }
    map_init(&s->carried, LINEAGES_MAX);
    map_init(&s->found, KEYS_MAX);
    return s;
}

static void end_reading(struct sweep *s)
{
    s->number++;
    if (s->reader != NULL) {
        bus_reader_free(s->reader);
        s->reader = NULL;
    }
}

void sweep_free(struct sweep *s)
{
    if (s != NULL) {
        end_reading(s);
        map_done(&s->carried);
        map_done(&s->found);
        VEC_DONE(&s->todo);
        mem_free(s);
    }
}

static int64_t now_of(const struct sweep *s)
{
    return clock_mono(bus_clock(s->conf.bus));
}

static struct slice lineage_key(uint64_t lineage, char to[SWEEP_LINEAGE_BYTES])
{
    endian_put_be64(to, lineage);
    return slice_of(to, SWEEP_LINEAGE_BYTES);
}

bool sweep_carry(struct map *to, uint64_t lineage)
{
    char key[SWEEP_LINEAGE_BYTES];
    return map_put(to, lineage_key(lineage, key)) != NULL;
}

static bool is_carried(const struct sweep *s, uint64_t lineage)
{
    char key[SWEEP_LINEAGE_BYTES];
    return map_slot(&s->carried, lineage_key(lineage, key)) != NULL;
}

/* ---- a partition ---- */

static uint64_t tag_of(const struct sweep *s, enum kind kind)
{
    return SWEEP_TAG | s->number << 2 | (uint64_t)kind;
}

static void give_up(struct sweep *s, const char *why)
{
    char copy[SWEEP_WHY];
    (void)snprintf(copy, sizeof copy, "%s", why);
    LOG_DEBUG("the sweep of state is given up", LOG_STR("why", why));
    end_reading(s);
    map_clear(&s->found);
    VEC_CLEAR(&s->todo);
    s->done = 0;
    s->phase = PHASE_REST;
    s->failed = false;
    s->turned = now_of(s);
    s->turn = s->conf.turn(s->conf.arg);
    memcpy(s->why, copy, sizeof copy);
}

/* Nobody who writes under a strange lineage is there; of what those before him wrote, nothing may
 * be under way. */
static void ask(struct sweep *s)
{
    struct err err;
    end_reading(s);
    map_clear(&s->found);
    VEC_CLEAR(&s->todo);
    s->done = 0;
    s->from = s->full ? s->next : BUS_FROM_START;
    s->full = s->paused = false;
    s->state_end = s->journal_end = -1;
    s->phase = PHASE_ASKS;
    if (bus_settled(s->conf.bus, s->state, tag_of(s, KIND_STATE), &err) != 0 ||
        bus_settled(s->conf.bus, s->journal, tag_of(s, KIND_JOURNAL), &err) != 0) {
        give_up(s, err.msg);
    }
}

static void read_on(struct sweep *s)
{
    struct err err;
    s->phase = PHASE_READS;
    s->next = 0;
    s->reader = bus_reader_new(s->conf.bus);
    if (bus_assign(s->reader, s->state, s->from, tag_of(s, KIND_READ), &err) != 0) {
        give_up(s, err.msg);
    }
}

static void pause_reading(struct sweep *s, bool paused)
{
    struct err err;
    if (s->paused != paused && bus_pause(s->reader, s->state, paused, &err) == 0) {
        s->paused = paused;
    }
}

static bool is_read(const struct sweep *s)
{
    return s->full || s->next >= s->state_end;
}

/* A mark is not needed when no record of the journal is left that it speaks of. */
static void take(struct sweep *s, const struct bus_record *r)
{
    uint64_t lineage = 0;
    bool whose = r->key.len <= KEY_MAX && swept_lineage(r->key, &lineage);
    bool mark = whose && swept_is_mark(r->key);
    int64_t over = mark ? swept_read(r->value) : -1;
    bool wanted = whose && (mark ? over >= 0 && over <= s->journal_start : !is_carried(s, lineage));
    bool puts = r->value.ptr != NULL && wanted;
    void **at = puts ? map_put(&s->found, r->key) : NULL;
    s->turn_bytes += r->key.len + r->value.len;
    s->full = puts && at == NULL;
    s->next = s->full ? r->offset : r->offset + 1;
    if (at != NULL) {
        *at = (void *)(uintptr_t)(r->key.len + r->value.len);
    } else if (!puts) {
        (void)map_remove(&s->found, r->key);
    }
}

static void note_event(struct sweep *s, const struct bus_ev *ev)
{
    enum kind kind = (enum kind)(ev->tag & 3);
    if (ev->kind == BUS_EV_ERROR) {
        (void)snprintf(s->why, sizeof s->why, "the bus says: %.150s", ev->err->msg);
        s->failed = true;
    } else if (ev->kind == BUS_EV_DONE && kind == KIND_STATE) {
        s->state_end = ev->end;
    } else if (ev->kind == BUS_EV_DONE) {
        s->journal_start = ev->offset;
        s->journal_end = ev->end;
    } else if (ev->kind == BUS_EV_RECORDS) {
        for (uint32_t i = 0; i < ev->count && !s->full; i++) {
            take(s, &ev->records[i]);
        }
        pause_reading(s, is_read(s) || s->turn_bytes >= TURN_BYTES);
    } else if (ev->kind == BUS_EV_END) {
        s->next = s->full ? s->next : MAX(s->next, ev->offset);
    }
}

void sweep_on_event(struct sweep *s, const struct bus_ev *ev)
{
    if ((ev->tag | 3) == (tag_of(s, KIND_STATE) | 3)) { /* else of one that was given up */
        note_event(s, ev);
        sweep_step(s);
    }
}

/* ---- what goes ---- */

static int by_key(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    return slice_cmp(slice_of(x->key, x->key_len), slice_of(y->key, y->key_len));
}

static void add(struct sweep *s, struct slice key, uint32_t bytes, bool mark)
{
    struct one *x = VEC_PUSH(&s->todo);
    *x = (struct one){.key_len = (uint32_t)key.len, .mark = mark, .bytes = bytes};
    memcpy(x->key, key.ptr, key.len);
}

/* Of a strange lineage first the mark, then the root, also if it was not seen yet; then the rest.
 * In order of keys, all of one lineage stands together. Where not all was read, a later mark may
 * stand under the key of one that is over: that one waits for the next pass. */
static void plan(struct sweep *s)
{
    VEC(struct one) all = {0};
    uint64_t last = 0, lineage = 0;
    bool any = false;
    MAP_EACH (&s->found, e) {
        struct one *x = VEC_PUSH(&all);
        *x = (struct one){.key_len = (uint32_t)e->key.len, .bytes = (uint32_t)(uintptr_t)e->value};
        memcpy(x->key, e->key.ptr, e->key.len);
    }
    if (all.len > 0) {
        qsort(all.ptr, all.len, sizeof *all.ptr, by_key);
    }
    VEC_EACH (&all, x) {
        struct slice key = slice_of(x->key, x->key_len);
        bool root = key.len == SWEPT_LINEAGE_BYTES, over = swept_is_mark(key);
        char mark[SWEPT_KEY_BYTES];
        (void)swept_lineage(key, &lineage);
        bool first = !any || lineage != last;
        if (first && !over) {
            if (s->journal_end > s->journal_start) {
                add(s, swept_mark(lineage, mark), 0, true);
            }
            add(s, slice_sub(key, 0, SWEPT_LINEAGE_BYTES), root ? x->bytes : 0, false);
            any = true;
            last = lineage;
        }
        if (!root &&
            !(over && (!first || s->full))) { /* a mark that is over has a new one in its place */
            add(s, key, x->bytes, false);
        }
    }
    VEC_DONE(&all);
    s->mark_value = swept_write(s->journal_end, s->mark);
    s->phase = PHASE_REMOVES;
}

/* Whatever has changed since the lineages were asked for was committed before this is. */
uint32_t sweep_puts(struct sweep *s, const struct bus_put **ret_puts)
{
    assert(s->phase == PHASE_REMOVES && s->flies);
    if (s->conf.turn(s->conf.arg) != s->turn) {
        s->flies = false;
        return 0;
    }
    size_t n = MIN(s->todo.len - s->done, (size_t)BATCH);
    for (size_t i = 0; i < n; i++) {
        const struct one *x = &s->todo.ptr[s->done + i];
        s->puts[i] = (struct bus_put){.to = s->state,
                                      .key = slice_of(x->key, x->key_len),
                                      .value = x->mark ? s->mark_value : SLICE_NONE};
    }
    s->under_way = n;
    *ret_puts = s->puts;
    return (uint32_t)n;
}

void sweep_written(struct sweep *s, const struct err *err)
{
    assert(s->flies);
    s->flies = false;
    if (err != NULL) {
        (void)snprintf(s->why, sizeof s->why, "it was not committed: %.150s", err->msg);
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < s->under_way; i++) {
        const struct one *x = &s->todo.ptr[s->done + i];
        s->look.keys += x->bytes > 0;
        s->look.bytes += x->bytes;
    }
    s->done += s->under_way;
}

/* ---- a pass ---- */

static void end_pass(struct sweep *s)
{
    int64_t took = now_of(s) - s->began;
    s->phase = PHASE_REST;
    s->due = false;
    s->swept_turn = s->turn;
    s->look.passes++;
    s->not_before = now_of(s) + took * SLOW;
    s->again_at = now_of(s) + AGAIN_NS;
    map_clear(&s->carried);
    LOG_DEBUG("state was swept", LOG_INT("keys", s->look.keys), LOG_INT("bytes", s->look.bytes));
}

static void next_part(struct sweep *s)
{
    end_reading(s);
    if (s->full) { /* there is more than could be held */
        ask(s);
    } else if (++s->state.part < s->parts) {
        s->journal.part = s->state.part;
        ask(s);
    } else {
        end_pass(s);
    }
}

/* All is calm, and what tasks carry on is known: a pass begins. */
static void look_whether(struct sweep *s, int64_t now)
{
    if (now - s->turned < s->conf.calm_ns || now < s->not_before || now - s->checked < CHECK_NS) {
        return;
    }
    s->checked = now;
    map_clear(&s->carried);
    if (s->conf.carried(s->conf.arg, &s->carried, s->why)) {
        s->why[0] = '\0';
        s->began = now;
        s->full = false;
        s->state.part = s->journal.part = 0;
        ask(s);
    }
}

static bool is_due(const struct sweep *s, uint64_t turn)
{
    return turn != 0 && (turn != s->swept_turn || now_of(s) >= s->again_at);
}

static void rest(struct sweep *s, uint64_t turn)
{
    int64_t now = now_of(s);
    if (turn != s->turn || s->turned == 0) {
        s->turn = turn;
        s->turned = now;
    }
    bool due = is_due(s, turn);
    s->due_since = due && !s->due ? now : s->due_since;
    s->due = due;
    if (due) {
        look_whether(s, now);
    }
}

static void work(struct sweep *s)
{
    if (now_of(s) - s->turn_began >= TURN_NS) {
        s->turn_began = now_of(s);
        s->turn_bytes = 0;
    }
    if (s->phase == PHASE_ASKS && s->state_end >= 0 && s->journal_end >= 0) {
        read_on(s);
    } else if (s->phase == PHASE_READS && is_read(s)) {
        end_reading(s);
        plan(s);
    } else if (s->phase == PHASE_READS && s->turn_bytes < TURN_BYTES) {
        pause_reading(s, false);
    }
    if (s->phase == PHASE_REMOVES && s->done < s->todo.len) {
        s->flies = true;
        s->flies = s->conf.write(s->conf.arg, s) && s->flies;
    } else if (s->phase == PHASE_REMOVES) {
        next_part(s);
    }
}

void sweep_step(struct sweep *s)
{
    if (s->conf.calm_ns == 0 || s->flies) {
        return;
    }
    uint64_t turn = s->conf.turn(s->conf.arg);
    if (s->phase != PHASE_REST && (s->failed || turn != s->turn)) {
        give_up(s, s->failed ? s->why : "something was changed meanwhile");
    }
    if (s->phase == PHASE_REST) {
        rest(s, turn);
    } else {
        work(s);
    }
}

/* ---- looking ---- */

const char *sweep_state_name(enum sweep_state state)
{
    static const char *const names[] = {[SWEEP_OFF] = "off",
                                        [SWEEP_IDLE] = "idle",
                                        [SWEEP_WAITS] = "waits",
                                        [SWEEP_READS] = "reads",
                                        [SWEEP_REMOVES] = "removes"};
    return names[state];
}

struct sweep_look sweep_look(const struct sweep *s)
{
    struct sweep_look look = s->look;
    bool waits = s->phase == PHASE_REST && is_due(s, s->conf.turn(s->conf.arg));
    look.state = s->conf.calm_ns == 0        ? SWEEP_OFF
                 : s->phase == PHASE_REMOVES ? SWEEP_REMOVES
                 : s->phase != PHASE_REST    ? SWEEP_READS
                 : waits                     ? SWEEP_WAITS
                                             : SWEEP_IDLE;
    look.waits_ns = waits && s->due ? now_of(s) - s->due_since : 0;
    look.part = s->state.part;
    look.parts = s->parts;
    look.why = waits ? s->why : "";
    return look;
}
