/* SPDX-License-Identifier: Apache-2.0
 *
 * See store.h. States of the leader: nothing held -> OPENING the slot -> CATCHING up with
 * ctl.graphs -> SERVING; a commit that ended UNKNOWN or used the writer up goes back to OPENING
 * with its record still in hand.
 */
#include "coordinator/store.h"

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_topics.h"

#include <assert.h>
#include <stdio.h>

enum state { STATE_IDLE, STATE_OPENING, STATE_CATCHING, STATE_SERVING };
enum {
    TAG_READ = 1, /* + the topic */
    TAG_ELECT = 10,
    TAG_OPEN,
    TAG_BOUNDS,
    TAG_COMMIT,
    TAG_RETRY,
    TAG_SWEEP,
    TAG_BOUNDS_ASSIGN,
    TRIES_MAX = 5,
};
#define RETRY_NS    CLOCK_NS_PER_S
#define SWEEP_NS    (CLOCK_NS_PER_S / 4)
#define PATIENCE_NS (10 * CLOCK_NS_PER_S)

static const struct slice seat = SLICE("coordinator"); /* the name of election and slot */
static const enum bus_topic_id topic_ids[STORE_TOPICS] = {
    BUS_TOPIC_CTL_GRAPHS, BUS_TOPIC_CTL_TASKS, BUS_TOPIC_CTL_MEMBERS, BUS_TOPIC_CTL_ASSIGN};

struct waiting {
    struct store_change change; /* done NULL: told already */
    void *arg;
    int64_t due_ns;
};

struct store {
    struct store_conf conf;
    struct bus_reader *reader;
    struct bus_tp tps[STORE_TOPICS];
    int64_t next[STORE_TOPICS]; /* what lies before it is known */
    int64_t last[STORE_TOPICS]; /* behind the last record of that */
    bool ended[STORE_TOPICS];
    bool started, told, leading, again; /* again: an election is to be entered */
    enum state state;
    struct bus_writer *writer;
    int64_t epoch, catch_to, catch_assign; /* < 0: not known yet */
    VEC(struct waiting) queue;             /* the first has its turn */
    bool busy, in_doubt; /* it is decided, the record in hand; whether it is there is open */
    bool many;           /* it is one of puts, of which none is in hand */
    unsigned tries;
    struct buf key, value;
    enum store_topic topic; /* of it */
    bool removes;
    char why[400];
    struct store_stats stats;
};

static void run(struct store *s);

static int64_t now_ns(const struct store *s)
{
    return clock_mono(bus_clock(s->conf.bus));
}

static void say_why(struct store *s, const char *text, const char *more)
{
    snprintf(s->why, sizeof s->why, "%s%s", text, more);
}

static struct store_record in_hand(const struct store *s)
{
    return (struct store_record){buf_slice(&s->key), s->removes ? SLICE_NONE : buf_slice(&s->value),
                                 s->topic};
}

/* ---- the queue ---- */

/* Ends the change whose turn it is. */
static void end_first(struct store *s, const struct err *err)
{
    assert(s->queue.len > 0);
    struct waiting w = s->queue.ptr[0];
    VEC_REMOVE(&s->queue, 0);
    s->busy = s->in_doubt = s->many = false;
    s->tries = 0;
    s->stats.changes += err == NULL;
    s->stats.refused += err != NULL;
    if (w.change.done != NULL) {
        w.change.done(w.arg, err);
    }
}

/* No right to write any more: what waits has not been tried; of the first nobody may know. */
static void end_all(struct store *s, enum err_code code, const char *why)
{
    struct err e;
    while (s->queue.len > 0) {
        bool open = s->busy;
        (void)err_set(&e, open && code != ERR_FENCED ? ERR_UNKNOWN : code, "%s%s", why,
                      open && code != ERR_FENCED ? "; it may be stored or not" : "");
        end_first(s, &e);
    }
}

/* Those who have waited too long are told; the one under way goes on without its asker. */
static void sweep(struct store *s)
{
    struct err e;
    for (size_t i = s->queue.len; i > 0; i--) {
        struct waiting *w = &s->queue.ptr[i - 1];
        if (w->change.done == NULL || now_ns(s) < w->due_ns) {
            continue;
        }
        struct waiting late = *w;
        bool open = i == 1 && s->busy;
        if (open) {
            w->change.done = NULL;
        } else {
            VEC_REMOVE(&s->queue, i - 1);
        }
        s->stats.refused++;
        (void)err_set(&e, ERR_TIMEOUT, "the bus has not answered in time: %s",
                      open ? "it may be stored or not" : "it was not stored");
        late.change.done(late.arg, &e);
        i = MIN(i, s->queue.len + 1); /* done may have asked for more */
    }
}

/* ---- writing ---- */

static void drop_writer(struct store *s)
{
    if (s->writer != NULL) {
        bus_writer_close(s->writer);
        s->writer = NULL;
    }
    s->epoch = 0;
    s->catch_to = s->catch_assign = -1;
    s->state = STATE_IDLE;
}

static void retry_later(struct store *s)
{
    bus_at(s->conf.bus, now_ns(s) + RETRY_NS, TAG_RETRY);
}

static void open_slot(struct store *s)
{
    struct err e;
    drop_writer(s);
    say_why(s, "this replica is taking over as the leader", "");
    s->state = STATE_OPENING;
    if (bus_open(s->conf.bus, seat, TAG_OPEN, &s->writer, &e) != 0) {
        LOG_WARN("the coordinator's slot cannot be opened", LOG_STR("error", e.msg));
        s->writer = NULL;
        retry_later(s);
    }
}

static void enter_election(struct store *s)
{
    struct err e;
    s->again = false;
    if (bus_elect(s->conf.bus, seat, TAG_ELECT, &e) != 0 && e.code != ERR_EXISTS) {
        LOG_WARN("no part in the election of the coordinator", LOG_STR("error", e.msg));
        s->again = true;
        retry_later(s);
    }
}

static void ask_bounds(struct store *s)
{
    struct err e;
    s->state = STATE_CATCHING;
    s->catch_to = s->catch_assign = -1;
    if (bus_bounds(s->conf.bus, s->tps[STORE_GRAPHS], TAG_BOUNDS, &e) != 0 ||
        bus_bounds(s->conf.bus, s->tps[STORE_ASSIGN], TAG_BOUNDS_ASSIGN, &e) != 0) {
        retry_later(s);
    }
}

/* Puts the record in hand and commits. */
static void send(struct store *s)
{
    struct err e;
    struct store_record r = in_hand(s);
    struct bus_put put = {.to = s->tps[r.topic], .key = r.key, .value = r.value};
    assert(s->state == STATE_SERVING && s->busy);
    int rc = bus_put(s->writer, &put, &e);
    rc = rc == 0 ? bus_commit(s->writer, TAG_COMMIT, &e) : rc;
    if (rc == -ERR_AGAIN || rc == -ERR_CLOSED) {
        s->in_doubt = true;
        open_slot(s);
    } else if (rc != 0) {
        end_first(s, &e);
    }
}

static void end_unknown(struct store *s)
{
    struct err e;
    (void)err_set(&e, ERR_UNKNOWN, "nobody knows whether it was committed");
    end_first(s, &e);
}

/* Whatever is not taken whole is not committed: the writer is closed. */
static void send_puts(struct store *s, const struct bus_put *puts, uint32_t n)
{
    struct err e;
    int rc = 0;
    assert(s->state == STATE_SERVING && n <= STORE_PUTS_MAX);
    s->many = true;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = bus_put(s->writer, &puts[i], &e);
    }
    rc = rc == 0 ? bus_commit(s->writer, TAG_COMMIT, &e) : rc;
    if (rc != 0) {
        open_slot(s);
        end_first(s, &e);
    }
}

/* True: it was one of puts. */
static bool run_puts(struct store *s)
{
    const struct bus_put *puts = NULL;
    struct waiting *w = &s->queue.ptr[0];
    if (w->change.puts == NULL) {
        return false;
    }
    s->busy = true;
    uint32_t n = w->change.puts(w->arg, &puts);
    if (n > 0) {
        send_puts(s, puts, n);
    } else {
        VEC_REMOVE(&s->queue, 0);
        s->busy = false;
    }
    return true;
}

static void run(struct store *s)
{
    while (s->state == STATE_SERVING && !s->busy && s->queue.len > 0) {
        struct store_record r = {SLICE_NONE, SLICE_NONE, STORE_GRAPHS};
        struct waiting *w = &s->queue.ptr[0];
        if (run_puts(s)) {
            continue;
        }
        s->busy = true;
        if (!w->change.decide(w->arg, &r)) {
            VEC_REMOVE(&s->queue, 0);
            s->busy = false;
            continue;
        }
        buf_clear(&s->key);
        buf_clear(&s->value);
        (void)buf_add_slice(&s->key, r.key);
        (void)buf_add_slice(&s->value, r.value);
        s->removes = r.value.ptr == NULL;
        s->topic = r.topic;
        if (buf_failed(&s->key) || buf_failed(&s->value)) {
            struct err e;
            (void)err_set(&e, ERR_TOO_BIG, "larger than the %d bytes that a record may have",
                          BUS_RECORD_MAX);
            end_first(s, &e);
            continue;
        }
        send(s);
    }
}

int store_submit(struct store *s, const struct store_change *change, void *arg, struct err *reterr)
{
    assert((change->decide != NULL) != (change->puts != NULL) && change->done != NULL);
    if (!store_writable(s) && !(s->leading && s->in_doubt)) {
        return err_set(reterr, ERR_UNAVAILABLE, "%s", s->why);
    }
    if (s->queue.len >= STORE_WAITING_MAX) {
        return err_set(reterr, ERR_LIMIT, "%d changes are waiting already", STORE_WAITING_MAX);
    }
    *VEC_PUSH(&s->queue) = (struct waiting){
        *change, arg, now_ns(s) + (s->conf.patience_ns > 0 ? s->conf.patience_ns : PATIENCE_NS)};
    run(s);
    return 0;
}

/* ---- reading ---- */

static void take(struct store *s, enum store_topic t, int64_t offset, struct slice key,
                 struct slice value)
{
    if (offset >= s->next[t]) {
        s->next[t] = offset + 1;
        s->last[t] = offset + 1;
        if (key.ptr != NULL) {
            s->conf.on_record(s->conf.arg, t, key, value);
        }
    }
}

static void look_up(struct store *s)
{
    struct store_record r = in_hand(s);
    s->in_doubt = false;
    if (s->conf.holds(s->conf.arg, r.topic, r.key, r.value)) {
        end_first(s, NULL);
    } else if (++s->tries > TRIES_MAX) {
        struct err e;
        (void)err_set(&e, ERR_ABORTED, "the bus refused it %d times; it was not stored", TRIES_MAX);
        end_first(s, &e);
    } else {
        s->stats.retried++;
        send(s);
    }
}

static void check_caught_up(struct store *s)
{
    if (s->state != STATE_CATCHING || s->catch_to < 0 || s->catch_assign < 0 ||
        s->next[STORE_GRAPHS] < s->catch_to || s->next[STORE_ASSIGN] < s->catch_assign) {
        return;
    }
    s->state = STATE_SERVING;
    LOG_INFO("leading: graphs are taken", LOG_INT("epoch", s->epoch),
             LOG_INT("offset", s->catch_to));
    if (s->busy && s->in_doubt) {
        look_up(s);
    }
    run(s);
}

static void on_read_error(struct store *s, const struct bus_ev *ev)
{
    LOG_WARN("a control topic cannot be read",
             LOG_SLICE("topic", bus_topic_name(s->conf.bus, ev->tp.topic)),
             LOG_STR("error", ev->err->msg));
    if (ev->err->code == ERR_GONE || ev->err->code == ERR_RANGE) {
        struct err e;
        if (bus_seek(s->reader, ev->tp, BUS_FROM_START, &e) != 0) {
            retry_later(s);
        }
    }
}

/* ---- events ---- */

static void on_leader(struct store *s, const struct bus_ev *ev)
{
    s->told = true;
    if (!ev->leading) {
        say_why(s, "another replica of the coordinator leads", "");
    }
    if (ev->leading == s->leading) {
        return;
    }
    s->leading = ev->leading;
    LOG_INFO(ev->leading ? "elected to lead" : "another replica leads now",
             LOG_INT("epoch", ev->offset));
    if (s->leading) {
        open_slot(s);
    } else {
        drop_writer(s);
        end_all(s, ERR_UNAVAILABLE, s->why);
    }
}

/* Another has opened the slot: this replica may be a zombie. It leads again when it is elected
 * again. */
static void on_fenced(struct store *s)
{
    s->stats.fenced++;
    LOG_WARN("fenced: another coordinator writes; this one takes no more changes",
             LOG_INT("epoch", s->epoch));
    drop_writer(s);
    say_why(s, "another coordinator has taken the writer's slot", "");
    s->leading = s->told = false;
    bus_resign(s->conf.bus, seat);
    end_all(s, ERR_FENCED, s->why);
    s->again = true;
    retry_later(s);
}

static void on_committed(struct store *s, const struct bus_ev *ev)
{
    struct store_record r = in_hand(s);
    assert(s->busy);
    for (uint32_t i = 0; i < ev->count && !s->many; i++) {
        take(s, s->topic, ev->spans[i].offset, r.key, r.value);
    }
    end_first(s, NULL);
    run(s);
}

static void on_write_end(struct store *s, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_FULL && s->busy) {
        end_first(s, ev->err);
    } else if (s->busy && s->many) {
        end_unknown(s);
    } else if (s->busy) {
        s->in_doubt = true;
    }
    LOG_WARN("a change was not committed", LOG_STR("end", bus_ev_name(ev->kind)),
             LOG_STR("error", ev->err != NULL ? ev->err->msg : ""));
    if (ev->reopen) {
        open_slot(s);
    } else if (s->in_doubt) {
        look_up(s);
    }
    run(s);
}

static void on_writer(struct store *s, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_FENCED) {
        on_fenced(s);
    } else if (ev->kind == BUS_EV_OPENED) {
        s->epoch = ev->offset;
        ask_bounds(s);
    } else if (ev->kind == BUS_EV_COMMITTED) {
        on_committed(s, ev);
    } else if (ev->kind == BUS_EV_ERROR) {
        LOG_WARN("the coordinator's slot cannot be opened", LOG_STR("error", ev->err->msg));
        say_why(s, "the bus does not let this replica write: ", ev->err->msg);
        drop_writer(s);
        s->state = STATE_OPENING;
        retry_later(s);
    } else {
        on_write_end(s, ev);
    }
}

static void on_timer(struct store *s, uint64_t tag)
{
    if (tag == TAG_SWEEP) {
        sweep(s);
        bus_at(s->conf.bus, now_ns(s) + SWEEP_NS, TAG_SWEEP);
    } else if (s->again) {
        enter_election(s);
    } else if (s->leading && s->state == STATE_OPENING && s->writer == NULL) {
        open_slot(s);
    } else if (s->state == STATE_CATCHING && (s->catch_to < 0 || s->catch_assign < 0)) {
        ask_bounds(s);
    }
}

static void on_records(struct store *s, const struct bus_ev *ev)
{
    enum store_topic t = (enum store_topic)(ev->tag - TAG_READ);
    assert(t < STORE_TOPICS);
    if (ev->kind == BUS_EV_ERROR) {
        on_read_error(s, ev);
        return;
    }
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && i < ev->count; i++) {
        take(s, t, ev->records[i].offset, ev->records[i].key, ev->records[i].value);
    }
    if (ev->kind == BUS_EV_END) {
        s->ended[t] = true;
        s->next[t] = MAX(s->next[t], ev->offset);
    }
    check_caught_up(s);
}

void store_on_event(struct store *s, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_TIMER) {
        on_timer(s, ev->tag);
    } else if (ev->kind == BUS_EV_LEADER) {
        on_leader(s, ev);
    } else if (ev->reader != NULL && ev->reader == s->reader) {
        on_records(s, ev);
    } else if (ev->tag == TAG_BOUNDS || ev->tag == TAG_BOUNDS_ASSIGN) {
        if (ev->kind == BUS_EV_DONE && s->state == STATE_CATCHING) {
            *(ev->tag == TAG_BOUNDS ? &s->catch_to : &s->catch_assign) = ev->end;
            check_caught_up(s);
        } else if (s->state == STATE_CATCHING) {
            retry_later(s);
        }
    } else if (ev->tag == TAG_ELECT) {
        s->again = true; /* ERROR: it was not entered */
        retry_later(s);
    } else if (ev->writer != NULL && ev->writer == s->writer) {
        on_writer(s, ev);
    }
}

/* ---- life ---- */

struct store *store_new(const struct store_conf *conf)
{
    assert(conf->bus != NULL && conf->on_record != NULL && conf->holds != NULL);
    struct store *s = MEM_NEW(struct store);
    s->conf = *conf;
    s->catch_to = s->catch_assign = -1;
    say_why(s, "the coordinator is starting", "");
    buf_init(&s->key, BUS_RECORD_MAX);
    buf_init(&s->value, BUS_RECORD_MAX);
    return s;
}

void store_free(struct store *s)
{
    if (s != NULL) {
        drop_writer(s);
        end_all(s, ERR_CLOSED, "the coordinator is stopping");
        if (s->reader != NULL) {
            bus_reader_free(s->reader);
        }
        VEC_DONE(&s->queue);
        buf_done(&s->key);
        buf_done(&s->value);
        mem_free(s);
    }
}

static const char *name_of(enum bus_topic_id id)
{
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        if (bus_topic_rows[i].id == id) {
            return bus_topic_rows[i].name;
        }
    }
    return "";
}

void store_start(struct store *s)
{
    struct err e;
    assert(!s->started);
    s->started = true;
    s->reader = bus_reader_new(s->conf.bus);
    for (unsigned t = 0; t < STORE_TOPICS; t++) {
        s->tps[t].topic = bus_topic(s->conf.bus, slice_str(name_of(topic_ids[t])));
        if (bus_assign(s->reader, s->tps[t], BUS_FROM_START, TAG_READ + t, &e) != 0) {
            LOG_ERROR("a control topic cannot be read", LOG_STR("error", e.msg));
        }
    }
    enter_election(s);
    bus_at(s->conf.bus, now_ns(s) + SWEEP_NS, TAG_SWEEP);
}

bool store_loaded(const struct store *s)
{
    bool all = true;
    for (unsigned t = 0; t < STORE_TOPICS; t++) {
        all &= s->ended[t];
    }
    return all;
}

bool store_leads(const struct store *s)
{
    return s->leading;
}

bool store_settled(const struct store *s)
{
    return s->leading ? s->state == STATE_SERVING : s->told;
}

bool store_writable(const struct store *s)
{
    return s->leading && s->state == STATE_SERVING;
}

int64_t store_end(const struct store *s, enum store_topic topic)
{
    return s->last[topic];
}

int64_t store_epoch(const struct store *s)
{
    return s->epoch;
}

const char *store_why(const struct store *s)
{
    return s->why;
}

struct store_stats store_stats(const struct store *s)
{
    struct store_stats st = s->stats;
    st.waiting = s->queue.len;
    return st;
}
