/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions of a slot. At every interval all tasks that have something to say are cut; their
 * outputs and journal records go into one transaction. The cuts stay until it is known what became
 * of it, and are sent again as they are if it did not happen. With a plain writer (conf.plain, to
 * measure what transactions cost) the puts end one by one, and all are put again if one is refused.
 */
#include "core/codec/endian.h"
#include "operators/shard/slot_floor.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>

enum {
    PAUSE_NS = 50000000, /* after a transaction that found no room */
    AGAIN_NS = 1000000,  /* the queue is full */
};
#define WAITS_NS CLOCK_NS_PER_S         /* a cut that nobody waits for, at most */
#define LONG_NS  (50 * CLOCK_NS_PER_MS) /* an interval of which a commit takes the smaller part */

/* ---- cutting ---- */

/* Who reads what comes out waits for the interval and the commit behind it. So the interval counts
 * to the end of the commit, as long as these have taken lately, and half of it at most. */
int64_t slot_interval(const struct slot *s)
{
    int64_t all = s->conf.commit_ns;
    return all < LONG_NS ? all : all - MIN(s->took_mean, all / 2);
}

/* A task that nobody waits for is not cut at every interval. */
int64_t slot_cut_due(const struct slot *s, const struct slot_one *o)
{
    if (o->state != SLOT_LIVE || slot_is_amid(o) || !task_is_dirty(o->task)) {
        return INT64_MAX;
    }
    bool now = task_is_urgent(o->task) || o->snap.state == SNAP_CUT || o->leaving || s->draining ||
               s->conf.range != NULL || o->trial.step == TRIAL_TAKEN;
    return now ? 0 : o->cut_at + WAITS_NS;
}

bool slot_releases(const struct slot *s, const struct slot_one *o)
{
    bool ends = o->how == SLOT_LEAVE_SAVED || (o->how == SLOT_LEAVE_FINAL && o->said);
    bool leaves =
        o->leaving && ends && !o->final && o->snap.state == SNAP_NONE && !slot_snap_sends(o);
    return !o->freed && s->conf.range == NULL && o->state == SLOT_LIVE &&
           (leaves || (s->draining && !o->leaving));
}

/* True: the task must be cut, for a snapshot or because it goes. Behind a release nothing comes. */
static bool has_to_say(struct slot *s, struct slot_one *o)
{
    if (o->state != SLOT_LIVE || (s->draining && !o->leaving && o->freed)) {
        return false;
    }
    bool pages = slot_snap_before_cut(s, o), goes = slot_releases(s, o);
    if (goes) {
        task_say(o->task, JOURNAL_RELEASE);
        o->freed = true;
    }
    return pages || goes;
}

/* What one input has put out at once, beyond all measure: others wait for that transaction, so the
 * next such one comes when they have had three times as long. */
static bool is_burst(const struct slot_one *o)
{
    return task_put_bytes(o->task) > TASK_PUT_MAX;
}

static bool waits_for_turn(const struct slot *s, const struct slot_one *o)
{
    return is_burst(o) && s->last_commit < o->burst_from && s->tasks.len > 1 && !s->draining &&
           !o->leaving;
}

/* A transaction is not larger than the writer's queue: tasks that do not fit into this one are cut
 * for the next, which then follows at once. */
static bool cut_all(struct slot *s)
{
    struct err err;
    bool any = false;
    const int64_t now = s->last_commit;
    size_t room = SLOT_TXN_MAX, n = s->tasks.len, first = s->cut_next;
    s->cut_next = 0;
    for (size_t k = 0; k < n; k++) {
        size_t i = (first + k) % n;
        struct slot_one *o = s->tasks.ptr[i];
        if (slot_is_amid(o) || (o->state == SLOT_LIVE && waits_for_turn(s, o))) {
            continue;
        }
        size_t bytes = task_put_bytes(o->task) + (slot_snap_sends(o) ? SLOT_SNAP_PORTION : 0);
        if (any && bytes > room) {
            s->cut_next = i;
            s->last_commit -= s->conf.commit_ns;
            break;
        }
        bool says = has_to_say(s, o), bursts = is_burst(o);
        if (o->state != SLOT_LIVE || (!says && slot_cut_due(s, o) > now)) {
            continue;
        }
        slot_ride_off(o);
        slot_note_cut(s, o);
        if (task_cut(o->task, s->epoch, &o->cut, &err) != 0) {
            slot_lose_one(s, o, "%s", err.msg);
            continue;
        }
        o->burst = bursts;
        bytes += o->cut.journal.len;
        room -= MIN(room, bytes);
        slot_snap_cut(o);
        o->in_cut = any = true;
        o->cut_at = now;
        o->seen = false;
    }
    return any;
}

static void rewind_sending(struct slot *s)
{
    s->sending = true;
    s->send_task = s->send_at = 0;
}

/* ---- sending ---- */

static int put_output(struct slot *s, const struct slot_one *o, const struct emit_record *r,
                      struct err *reterr)
{
    const struct bus_header head = {SLICE(HEAD_NAME), r->head};
    struct bus_put put = {.to = {bus_topic(s->bus, o->conf.plan->to[r->to].topic), r->part},
                          .key = r->key,
                          .value = r->value.len > 0 ? r->value : SLICE(""),
                          .headers = &head,
                          .header_count = 1,
                          .token = slot_tag(SLOT_TAG_PUT, 0, 0)};
    return bus_put(s->writer, &put, reterr);
}

static int put_journal(struct slot *s, const struct slot_one *o, struct err *reterr)
{
    char key[8];
    endian_put_be64(key, o->conf.plan->lineage);
    struct bus_put put = {.to = slot_journal_of(s, o),
                          .key = slice_of(key, sizeof key),
                          .value = o->cut.journal,
                          .token = slot_tag(SLOT_TAG_PUT, s->send_task + 1, 0)};
    return bus_put(s->writer, &put, reterr);
}

/* Of a cut: outputs, pages of a snapshot, the journal record. */
static int put_part(struct slot *s, struct slot_one *o, uint32_t i, struct err *reterr)
{
    uint32_t outputs = o->cut.parcel->n, pages = slot_snap_puts(o), note = slot_note_puts(o);
    return i < outputs                  ? put_output(s, o, &o->cut.parcel->records[i], reterr)
           : i < outputs + pages        ? slot_snap_put(s, o, i - outputs, reterr)
           : i < outputs + pages + note ? slot_note_put(s, o, reterr)
                                        : put_journal(s, o, reterr);
}

/* 0 when all is put; -ERR_AGAIN: go on after the next poll. *ret_more: go on at once, for values of
 * a snapshot are many bytes, and inputs wait while they are put. */
static int send_cuts(struct slot *s, bool *ret_more, struct err *reterr)
{
    enum { PUTS_NS = 2000000 };
    int64_t began = slot_now(s);
    for (; s->send_task < s->tasks.len; s->send_task++, s->send_at = 0) {
        struct slot_one *o = s->tasks.ptr[s->send_task];
        uint32_t outputs = o->in_cut ? o->cut.parcel->n : 0, pages = slot_snap_puts(o);
        uint32_t n = o->in_cut ? outputs + pages + slot_note_puts(o) + 1 : 0;
        for (; s->send_at < n; s->send_at++) {
            if (s->send_at > outputs && pages > 0 && slot_now(s) - began > PUTS_NS) {
                *ret_more = true;
                return 0;
            }
            int rc = put_part(s, o, s->send_at, reterr);
            if (rc != 0) {
                return rc;
            }
            s->undelivered += s->conf.plain;
        }
    }
    return 0;
}

static void send_on(struct slot *s)
{
    struct err err;
    bool more = false;
    int rc = send_cuts(s, &more, &err);
    if (rc == 0 && more) {
        s->not_before = 0;
        return;
    }
    if (rc == 0 && !s->conf.plain) {
        rc = bus_commit(s->writer, slot_tag(SLOT_TAG_COMMIT, 0, 0), &err);
    }
    if (rc == -ERR_AGAIN || rc == -ERR_CLOSED) { /* closed: the event that says so is on its way */
        s->not_before = slot_now(s) + AGAIN_NS;
        return;
    }
    if (rc != 0) {
        slot_lose(s, "outputs cannot be written: %s", err.msg);
        return;
    }
    s->sending = false;
    s->committing = true;
    s->commit_began = slot_now(s);
}

void slot_commit_step(struct slot *s)
{
    if (s->writer == NULL || s->committing || s->looking) {
        return;
    }
    int64_t now = slot_now(s);
    bool due = now - s->last_commit >= slot_interval(s) || s->put_bytes >= SLOT_PUT_ENOUGH;
    if (!s->sending && due) {
        s->last_commit = now;
        if (cut_all(s)) {
            rewind_sending(s);
        }
    }
    if (s->sending && now >= s->not_before && s->open) {
        send_on(s);
    }
}

/* ---- what became of it ---- */

static int64_t offset_in(const struct bus_ev *ev, struct bus_tp tp)
{
    for (uint32_t i = 0; i < ev->count && ev->spans != NULL; i++) {
        if (ev->spans[i].tp.topic == tp.topic && ev->spans[i].tp.part == tp.part) {
            return ev->spans[i].offset;
        }
    }
    return -1;
}

/* Where outputs lie: journals and states tell of themselves. */
static void list_spans(struct slot *s, const struct bus_ev *ev)
{
    VEC_CLEAR(&s->spans);
    for (uint32_t k = 0; k < ev->count && ev->spans != NULL; k++) {
        const struct bus_span *x = &ev->spans[k];
        bool own = false;
        for (int i = 0; i < SLOT_OWN; i++) {
            own |= x->tp.topic == s->own[i];
        }
        if (!own) {
            *VEC_PUSH(&s->spans) = (struct journal_span){bus_topic_name(s->bus, x->tp.topic),
                                                         x->tp.part, x->offset, x->count};
        }
    }
}

static void committed(struct slot *s, const struct bus_ev *ev)
{
    int64_t took = slot_now(s) - s->commit_began;
    s->counts.commits++;
    slot_took(s, took, ev->spans != NULL ? ev->count : 0);
    s->took_mean += (took - s->took_mean) / 4;
    s->counts.commit_worst_ns = MAX(s->counts.commit_worst_ns, took);
    s->committing = false;
    s->aborted = 0;
    list_spans(s, ev);
    VEC_EACH (&s->tasks, of) {
        struct slot_one *o = *of;
        if (o->in_cut) {
            int64_t at = s->conf.plain ? o->seen_at : offset_in(ev, slot_journal_of(s, o));
            task_committed(o->task, at, s->spans.ptr, (uint32_t)s->spans.len);
            o->written = at >= 0 ? at : o->seen_at;
            o->readable = false;
            slot_floor_written(o, o->written);
            slot_snap_committed(s, o, o->written);
            slot_note_committed(o);
            slot_trial_committed(s, o);
            o->burst_from = o->burst ? slot_now(s) + 3 * took : 0;
            o->in_cut = false;
        }
    }
}

void slot_commit_looked(struct slot *s)
{
    uint32_t seen = 0, cut = 0;
    VEC_EACH (&s->tasks, o) {
        cut += (*o)->in_cut;
        seen += (*o)->in_cut && (*o)->seen;
    }
    s->looking = false;
    if (s->fenced) {
        slot_lose(s, "another has taken a task of the slot over");
        return;
    }
    if (cut == 0) {
        return;
    }
    if (seen != 0 && seen != cut) {
        slot_lose(s, "a transaction is torn: %u of %u journal records are there", seen, cut);
    } else if (seen > 0) {
        const struct bus_ev nowhere = {.kind = BUS_EV_COMMITTED};
        committed(s, &nowhere);
    } else {
        rewind_sending(s);
    }
}

void slot_put_event(struct slot *s, const struct bus_ev *ev)
{
    uint32_t task = slot_tag_index(ev->tag);
    assert(s->conf.plain && s->undelivered > 0 && task <= s->tasks.len);
    s->undelivered--;
    s->again |= ev->kind != BUS_EV_DELIVERED;
    if (task > 0) {
        s->tasks.ptr[task - 1]->seen_at = ev->offset;
    }
    if (s->undelivered > 0 || !s->committing) {
        return;
    }
    if (!s->again) {
        committed(s, ev);
        return;
    }
    s->again = s->committing = false;
    s->counts.aborts++;
    s->not_before = slot_now(s) + PAUSE_NS;
    rewind_sending(s);
}

void slot_commit_event(struct slot *s, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_COMMITTED) {
        committed(s, ev);
        return;
    }
    if (ev->kind == BUS_EV_FENCED) {
        s->fenced = true;
        slot_lose(s, "another has taken the slot over");
        return;
    }
    s->committing = false;
    s->counts.aborts += ev->kind != BUS_EV_UNKNOWN;
    s->counts.unknowns += ev->kind == BUS_EV_UNKNOWN;
    s->aborted++;
    if (ev->reopen) {
        bus_writer_close(s->writer);
        s->writer = NULL;
        s->sending = s->open = false;
        s->looking = true;
        slot_open(s);
        return;
    }
    s->not_before = slot_now(s) + (ev->kind == BUS_EV_FULL ? PAUSE_NS : 0);
    rewind_sending(s);
}
