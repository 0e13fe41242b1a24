/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay_floor.h. One pass over the journal finds for each place where a replay could begin
 * which offsets it would need: the first that is read of each sub-stream behind it.
 */
#include "operators/replay/replay_floor.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "core/event/rec_json.h"
#include "operators/state/snap_archive.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { RECORD_ARENA = 64 << 20, PLACES_MAX = 1024, TIME_BYTES = 64 };
enum { TO_MS = 23 /* characters of a time, down to ms */ };
#define NOT_READ INT64_MAX

struct place {     /* where a replay could begin: behind the record */
    uint64_t seq;  /* 0: with the first one */
    int64_t clock; /* MERGE_NO_CLOCK: none yet */
    int64_t *need; /* per sub-stream, the offset; NOT_READ */
};

struct finder {
    const struct replay_exact *x;
    VEC(struct place) places;
    struct arena *arena;
    uint64_t first; /* record of the rules that is there; 0: none is */
};

static uint32_t part_of(const struct replay_exact *x)
{
    return (uint32_t)(x->task->plan->lineage % x->journal_parts);
}

static void add(struct finder *f, uint64_t seq, int64_t clock)
{
    uint32_t n = f->x->task->plan->n_subs;
    int64_t *need = mem_calloc(n + 1, sizeof *need);
    for (uint32_t i = 0; i < n; i++) {
        need[i] = NOT_READ;
    }
    *VEC_PUSH(&f->places) = (struct place){seq, clock, need};
}

bool replay_floor_begins(const struct journal_record *r)
{
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        if (r->decisions[i].kind == JOURNAL_SUCCEEDS) {
            return r->decisions[i].bytes.len == 0; /* else with the state of the rules before */
        }
    }
    return r->seq == 1;
}

/* ---- looking ---- */

static int list_archived(struct finder *f, struct err *reterr)
{
    const struct task_plan *plan = f->x->task->plan;
    const struct bus_record *b;
    struct tape *t;
    int rc = tape_open(f->x->tapes, f->x->archive, part_of(f->x), BUS_FROM_START, &t, reterr);
    while (rc == 0 && (rc = tape_next(t, &b, reterr)) == 1) {
        struct snap_archive_key k;
        struct snap_archive_root r;
        struct err err;
        rc = 0;
        if (snap_archive_key_read(b->key, &k) && k.lineage == plan->lineage &&
            k.page == SNAP_ARCHIVE_ROOT && snap_archive_root_read(b->value, &r, &err) == 0 &&
            r.root.plan == plan->hash && r.root.engine == JOURNAL_ENGINE_NUMBER &&
            f->places.len < PLACES_MAX) {
            add(f, r.root.seq, r.clock);
        }
    }
    if (rc == 0) {
        tape_close(t);
    }
    return rc;
}

static void take_record(struct finder *f, const struct journal_record *r)
{
    f->first = f->first == 0 ? r->seq : f->first;
    if (replay_floor_begins(r)) {
        add(f, r->seq - 1, MERGE_NO_CLOCK);
    }
    VEC_EACH (&f->places, p) {
        for (uint32_t i = 0; i < r->n_reads && p->seq < r->seq; i++) {
            uint32_t sub = r->reads[i].sub;
            if (sub < f->x->task->plan->n_subs && p->need[sub] == NOT_READ) {
                p->need[sub] = r->reads[i].from.offset;
            }
        }
    }
}

static int read_journal(struct finder *f, struct err *reterr)
{
    const struct task_plan *plan = f->x->task->plan;
    const struct bus_record *b;
    struct tape *t;
    int rc = tape_open(f->x->tapes, f->x->journal, part_of(f->x), BUS_FROM_START, &t, reterr);
    if (rc != 0) {
        return rc;
    }
    while ((rc = tape_next(t, &b, reterr)) == 1) {
        struct journal_record r;
        struct err err;
        uint64_t sum;
        arena_reset(f->arena);
        if (b->key.len == 8 && endian_be64(b->key.ptr) == plan->lineage &&
            journal_read(b->value, f->arena, &r, &sum, &err) == 0 && r.plan == plan->hash) {
            take_record(f, &r);
        }
    }
    tape_close(t);
    return rc;
}

/* Places that need what is gone are none. */
static int drop_what_is_gone(struct finder *f, struct err *reterr)
{
    const struct task_plan *plan = f->x->task->plan;
    struct tape *t = NULL;
    for (uint32_t i = 0; i < plan->n_subs; i++) {
        const struct merge_spec *sub = &plan->subs[i];
        bool same = i > 0 && sub[-1].topic == sub->topic && sub[-1].part == sub->part;
        if (!same) {
            tape_close(t);
            int rc = tape_open(f->x->tapes, f->x->task->topics[sub->topic], sub->part,
                               BUS_FROM_START, &t, reterr);
            if (rc != 0) {
                return rc;
            }
        }
        for (size_t k = f->places.len; k > 0; k--) {
            struct place *p = &f->places.ptr[k - 1];
            bool old = p->seq > 0 && p->seq + 1 < f->first;
            if (old || p->need[i] < tape_start(t)) {
                mem_free(p->need);
                VEC_REMOVE(&f->places, k - 1);
            }
        }
    }
    tape_close(t);
    return 0;
}

/* ---- saying ---- */

static const char *time_text(int64_t ns, char to[TIME_BYTES])
{
    struct buf b;
    buf_init(&b, TIME_BYTES);
    bool fits = rec_json_time(&b, ns) && b.len > TO_MS;
    (void)snprintf(to, TIME_BYTES, "%.*sZ", fits ? TO_MS : 0, b.ptr + 1); /* without the quote */
    buf_done(&b);
    return to;
}

static int say(const struct finder *f, const char *why, struct err *reterr)
{
    const struct place *first = NULL;
    char from[TIME_BYTES], floor[TIME_BYTES];
    VEC_EACH (&f->places, p) {
        first = first == NULL || p->seq < first->seq ? p : first;
    }
    (void)time_text(f->x->from, from);
    if (first == NULL) {
        return err_set(reterr, ERR_GONE,
                       "not from %s: %s; there is no replay floor: nothing that is left in journal "
                       "and state.archive can be begun with",
                       from, why);
    }
    if (first->clock == MERGE_NO_CLOCK) {
        return err_set(reterr, ERR_GONE, "not from %s: %s; the replay floor is record %" PRIu64,
                       from, why, first->seq + 1);
    }
    int64_t ms = first->clock / CLOCK_NS_PER_MS + 1;
    return err_set(reterr, ERR_GONE, "not from %s: %s; the replay floor is %s (record %" PRIu64 ")",
                   from, why, time_text(ms * CLOCK_NS_PER_MS, floor), first->seq);
}

int replay_floor_refuse(const struct replay_exact *x, const char *why, struct err *reterr)
{
    struct finder f = {.x = x, .arena = arena_new(NULL, "record", RECORD_ARENA)};
    int rc = x->archive.len > 0 ? list_archived(&f, reterr) : 0;
    rc = rc == 0 ? read_journal(&f, reterr) : rc;
    rc = rc == 0 ? drop_what_is_gone(&f, reterr) : rc;
    rc = rc == 0 ? say(&f, why, reterr) : rc;
    VEC_EACH (&f.places, p) {
        mem_free(p->need);
    }
    VEC_DONE(&f.places);
    arena_free(f.arena);
    assert(rc != 0);
    return rc;
}
