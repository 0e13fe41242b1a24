/* SPDX-License-Identifier: Apache-2.0
 *
 * Workers over the simulated bus, with a store that writes: who says that he is there gets tasks,
 * who leaves or dies loses them in the order that keeps a task from being run twice, and whose
 * worker died is told to who has them next.
 */
#include "coordinator/members.h"

#include "core/base/arena.h"
#include "core/base/mem.h"
#include "tests/test.h"
#include "tests/unit/coordinator/desk.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { WORKERS = 2, PARTS = 4, TEXT = 2000 };

struct seat { /* the last record of a worker's only slot */
    bool there, revoked;
    int64_t incarnation, epoch;
    uint32_t tasks, died, moved;
};

struct world {
    struct desk d;
    struct bus_writer *out;
    struct seat seats[WORKERS];
    bool beats[WORKERS], opened;
    int64_t patience;
    char mover[100];   /* the last writer of which a task was told that it had it */
    const char *waits; /* 'b' says that it waits for that writer; NULL: for none */
    uint32_t boots[WORKERS];
    int64_t beat, beaten;
    uint32_t fenced, most; /* most: tasks that had a slot that is not revoked */
};

static const char *const names[WORKERS] = {"a", "b"};

static int lay_out(struct arena *a, struct slice document, uint32_t raw_parts,
                   const struct coordinator_group **ret, uint32_t *ret_n, struct err *reterr)
{
    (void)document;
    (void)raw_parts;
    (void)reterr;
    struct coordinator_group *g = ARENA_NEW(a, struct coordinator_group);
    *g = (struct coordinator_group){.name = SLICE("g"), .parts = PARTS};
    *ret = g;
    *ret_n = 1;
    return 0;
}

/* ---- the coordinator ---- */

static void read_seat(struct world *w, struct slice key, struct slice value)
{
    struct seat s = {.there = value.ptr != NULL};
    uint32_t sum = 0;
    json_t *o = s.there ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
    s.revoked = json_is_true(json_object_get(o, "revoked"));
    s.incarnation = json_integer_value(json_object_get(o, "incarnation"));
    s.epoch = json_integer_value(json_object_get(o, "epoch"));
    s.tasks = (uint32_t)json_array_size(json_object_get(o, "tasks"));
    s.died = (uint32_t)json_array_size(json_object_get(o, "died"));
    s.moved = (uint32_t)json_object_size(json_object_get(o, "moved"));
    const char *task;
    json_t *from;
    json_object_foreach(json_object_get(o, "moved"), task, from)
    {
        (void)snprintf(w->mover, sizeof w->mover, "%s", json_string_value(from));
    }
    json_decref(o);
    struct seat *had = &w->seats[key.ptr[0] - 'a'];
    CHECK(s.there || had->revoked); /* never removed before it is revoked */
    *had = s;
    for (uint32_t i = 0; i < WORKERS; i++) {
        sum += w->seats[i].there ? w->seats[i].tasks : 0;
    }
    w->most = MAX(w->most, sum);
}

static void on_record(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    struct world *w = arg;
    if (topic == STORE_ASSIGN) {
        read_seat(w, key, value);
    }
    if (topic == STORE_ASSIGN || topic == STORE_MEMBERS) {
        members_take(w->d.members, topic, key, value);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    const struct world *w = arg;
    return members_hold(w->d.members, topic, key, value);
}

/* ---- workers ---- */

static void say(struct world *w, uint32_t i, bool leaves)
{
    const struct seat *s = &w->seats[i];
    char text[TEXT], held[TEXT] = "";
    struct err err;
    if (s->there && !s->revoked) { /* follows at once */
        (void)snprintf(held, sizeof held,
                       "{\"slot\":0,\"incarnation\":%" PRId64 ",\"epoch\":%" PRId64
                       ",\"lost\":false,\"waits\":\"%s\"}",
                       s->incarnation, s->epoch, i == 1 && w->waits != NULL ? w->waits : "");
    }
    int n =
        snprintf(text, sizeof text,
                 "{\"format\":1,\"worker\":\"%s\",\"boot\":\"%u\",\"slots\":1,\"level\":\"\","
                 "\"leaves\":%s,\"beat\":%" PRId64 ",\"patience_ns\":%" PRId64 ",\"held\":[%s]}",
                 names[i], w->boots[i], leaves ? "true" : "false", ++w->beat, w->patience, held);
    struct bus_put put = {.to = {bus_topic(w->d.other, SLICE("ctl.members")), 0},
                          .key = slice_str(names[i]),
                          .value = slice_of(text, (size_t)n)};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    w->beats[i] = !leaves;
}

static void poll_all(struct world *w)
{
    struct bus_ev ev;
    while (bus_poll(w->d.client, &ev, 1) > 0) {
        if (ev.tag > MEMBERS_TAG) {
            w->fenced += ev.kind == BUS_EV_DONE;
            members_on_event(w->d.members, &ev);
        } else {
            store_on_event(w->d.store, &ev);
        }
    }
    while (bus_poll(w->d.other, &ev, 1) > 0) {
        w->opened |= ev.kind == BUS_EV_OPENED;
    }
}

static void pass(struct world *w, int64_t ns)
{
    int64_t until = bus_sim_now(w->d.bus) + ns;
    while (bus_sim_now(w->d.bus) < until) {
        desk_step(&w->d);
        poll_all(w);
        members_step(w->d.members);
        if (bus_sim_now(w->d.bus) - w->beaten >= 500 * CLOCK_NS_PER_MS) {
            w->beaten = bus_sim_now(w->d.bus);
            for (uint32_t i = 0; i < WORKERS; i++) {
                if (w->beats[i]) {
                    say(w, i, false);
                }
            }
        }
    }
}

static struct world *make(void)
{
    struct world *w = MEM_NEW(struct world);
    struct err err;
    const struct graph x = {
        .tenant = SLICE("t"), .name = SLICE("x"), .version = 1, .document = SLICE("a document")};
    desk_open(&w->d, &x, &(struct store_conf){.on_record = on_record, .holds = holds, .arg = w},
              lay_out);
    CHECK_OK(bus_open(w->d.other, SLICE(""), DESK_TAG, &w->out, &err), err);
    pass(w, CLOCK_NS_PER_S);
    CHECK(w->opened);
    store_start(w->d.store);
    pass(w, 2 * CLOCK_NS_PER_S);
    CHECK(store_writable(w->d.store));
    return w;
}

static void unmake(struct world *w)
{
    CHECK(w->most <= PARTS); /* no task was ever with two */
    store_free(w->d.store);
    bus_writer_close(w->out);
    desk_close(&w->d);
    mem_free(w);
}

static struct world *make_two(void)
{
    struct world *w = make();
    say(w, 0, false);
    pass(w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(PARTS, w->seats[0].tasks);
    say(w, 1, false);
    pass(w, 5 * CLOCK_NS_PER_S);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks);
    CHECK_EQ(PARTS / 2, w->seats[1].tasks);
    CHECK_EQ(0, w->seats[0].died + w->seats[1].died);
    CHECK_EQ(0, members_count(w->d.members).waiting);
    CHECK_EQ(PARTS / 2, w->seats[1].moved); /* 'a' lives: they wait for its release */
    CHECK_EQ(0, w->seats[0].moved);
    return w;
}

TEST(members_share_what_there_is)
{
    struct world *w = make_two();
    CHECK_EQ(2, members_count(w->d.members).workers);
    CHECK_EQ(0, w->fenced);
    unmake(w);
}

TEST(members_who_is_silent_is_fenced_and_his_tasks_are_of_a_dead_one)
{
    struct world *w = make_two();
    w->beats[0] = false;
    pass(w, 2 * CLOCK_NS_PER_S);
    CHECK(w->seats[0].there && !w->seats[0].revoked); /* not yet */
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK(!w->seats[0].there);
    CHECK_EQ(1, w->fenced);
    CHECK_EQ(PARTS, w->seats[1].tasks);
    CHECK_EQ(PARTS / 2, w->seats[1].died);
    CHECK_EQ(1, members_count(w->d.members).workers);
    w->boots[0]++;
    say(w, 0, false);
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks); /* of one who lives */
    CHECK_EQ(0, w->seats[0].died);
    unmake(w);
}

TEST(members_who_leaves_has_not_died)
{
    struct world *w = make_two();
    say(w, 0, true);
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK(!w->seats[0].there);
    CHECK_EQ(PARTS, w->seats[1].tasks);
    CHECK_EQ(0, w->seats[1].died);
    unmake(w);
}

TEST(members_who_begins_anew_gets_another_incarnation)
{
    struct world *w = make_two();
    int64_t before = w->seats[0].incarnation;
    w->boots[0]++;
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK(w->seats[0].there && w->seats[0].incarnation > before);
    CHECK_EQ(1, w->fenced);
    CHECK_EQ(PARTS, w->seats[0].tasks + w->seats[1].tasks);
    CHECK_EQ(PARTS / 2, w->seats[0].died + w->seats[1].died);
    unmake(w);
}

TEST(members_who_was_not_listened_to_is_not_dead)
{
    struct world *w = make_two();
    bus_sim_advance(w->d.bus, 8 * CLOCK_NS_PER_S); /* the coordinator does something else */
    members_step(w->d.members);
    pass(w, 5 * CLOCK_NS_PER_S);
    CHECK_EQ(0, w->fenced);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks);
    CHECK_EQ(PARTS / 2, w->seats[1].tasks);
    unmake(w);
}

TEST(members_who_has_said_that_he_will_be_silent_is_waited_for)
{
    struct world *w = make_two();
    w->patience = 10 * CLOCK_NS_PER_S;
    say(w, 0, false);
    w->beats[0] = false;
    w->patience = 0;
    pass(w, 10 * CLOCK_NS_PER_S);
    CHECK_EQ(0, w->fenced);
    pass(w, 8 * CLOCK_NS_PER_S);
    CHECK_EQ(1, w->fenced);
    CHECK_EQ(PARTS, w->seats[1].tasks);
    unmake(w);
}

TEST(members_who_will_be_silent_for_long_is_not_forgotten)
{
    struct world *w = make_two();
    w->patience = 100 * CLOCK_NS_PER_S;
    say(w, 0, false);
    w->beats[0] = false;
    w->patience = 0;
    pass(w, 90 * CLOCK_NS_PER_S);
    CHECK_EQ(0, w->fenced);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks);
    CHECK_EQ(2, members_count(w->d.members).workers);
    unmake(w);
}

TEST(members_with_a_name_too_long_for_their_slots_get_none)
{
    struct world *w = make_two();
    char name[200], text[TEXT];
    memset(name, 'x', sizeof name);
    int n = snprintf(text, sizeof text,
                     "{\"format\":1,\"worker\":\"%.200s\",\"boot\":\"1\",\"slots\":1,"
                     "\"beat\":1}",
                     name);
    members_take(w->d.members, STORE_MEMBERS, slice_of(name, sizeof name),
                 slice_of(text, (size_t)n));
    pass(w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(2, members_count(w->d.members).workers);
    unmake(w);
}

TEST(members_who_does_not_let_go_is_fenced)
{
    struct world *w = make_two();
    char writer[100];
    int64_t before = w->seats[0].incarnation;
    (void)snprintf(writer, sizeof writer, "a.0.%" PRId64, before);
    CHECK_SLICE(writer, slice_str(w->mover));
    w->waits = writer;
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK_EQ(1, w->fenced);
    CHECK(w->seats[0].there && w->seats[0].incarnation > before);
    CHECK_EQ(0, w->seats[1].moved); /* nobody is waited for any more */
    CHECK_EQ(PARTS, w->seats[0].tasks + w->seats[1].tasks);
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK_EQ(1, w->fenced); /* the new incarnation of 'a' is another writer */
    unmake(w);
}

TEST(members_whose_name_is_anothers_are_named_and_get_nothing)
{
    struct world *w = make_two();
    struct slice key = SLICE("a#77-1");
    members_take(w->d.members, STORE_MEMBERS, key,
                 SLICE("{\"format\":1,\"worker\":\"a\",\"boot\":\"77-1\",\"slots\":3,"
                       "\"refused\":true,\"beat\":1}"));
    pass(w, 2 * CLOCK_NS_PER_S);
    json_t *list = members_refused(w->d.members);
    CHECK_EQ(1, json_array_size(list));
    CHECK_STR("a", json_string_value(json_array_get(list, 0)));
    json_decref(list);
    CHECK_EQ(2, members_count(w->d.members).workers);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks);
    pass(w, 4 * CLOCK_NS_PER_S);
    list = members_refused(w->d.members);
    CHECK_EQ(0, json_array_size(list)); /* it says nothing any more */
    json_decref(list);
    unmake(w);
}

TEST(members_who_dies_is_not_waited_for)
{
    struct world *w = make_two();
    w->beats[0] = false;
    pass(w, 8 * CLOCK_NS_PER_S);
    CHECK_EQ(PARTS, w->seats[1].tasks);
    CHECK_EQ(0, w->seats[1].moved);
    unmake(w);
}

/* Records of nobody who could have written them: none is taken, and what was there stays. */
TEST(members_records_that_make_no_sense_are_passed_over)
{
    static const struct {
        enum store_topic topic;
        const char *key, *value;
    } odd[] = {
        {STORE_MEMBERS, "c", "{\"format\":2,\"worker\":\"c\",\"boot\":\"1\",\"slots\":1}"},
        {STORE_MEMBERS, "c", "{\"format\":1,\"worker\":\"d\",\"boot\":\"1\",\"slots\":1}"},
        {STORE_MEMBERS, "c", "{\"format\":1,\"worker\":\"c\",\"boot\":5,\"slots\":1}"},
        {STORE_MEMBERS, "", "{\"format\":1,\"worker\":\"\",\"boot\":\"1\",\"slots\":1}"},
        {STORE_MEMBERS, "c", "[\"c\"]"},
        {STORE_MEMBERS, "c", "\xff"},
        {STORE_ASSIGN, "a/0", "{\"format\":1}"},
        {STORE_ASSIGN, "a/0", "7"},
#define SEAT(worker, slot, incarnation, tasks)                                                     \
    "{\"format\":1,\"worker\":" worker ",\"boot\":\"0\",\"slot\":" slot                            \
    ",\"incarnation\":" incarnation ",\"epoch\":1,\"revoked\":false,\"tasks\":" tasks "}"
        {STORE_ASSIGN, "a/0", SEAT("\"a\"", "0", "1", "{}")},
        {STORE_ASSIGN, "a/0", SEAT("\"a\"", "0", "1", "[\"t\",7]")},
        {STORE_ASSIGN, "a/0", SEAT("\"a\"", "0", "9223372036854775807", "[]")},
        {STORE_ASSIGN, "a/0", SEAT("\"a\"", "1", "1", "[]")},
        {STORE_ASSIGN, "a/-1", SEAT("\"a\"", "-1", "1", "[]")},
        {STORE_ASSIGN, "a/0", SEAT("5", "0", "1", "[]")},
#undef SEAT
    };
    struct world *w = make_two();
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        members_take(w->d.members, odd[i].topic, slice_str(odd[i].key), slice_str(odd[i].value));
    }
    pass(w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(2, members_count(w->d.members).workers);
    CHECK_EQ(0, w->fenced);
    CHECK_EQ(PARTS / 2, w->seats[0].tasks);
    w->boots[0]++; /* numbers are still given */
    pass(w, 6 * CLOCK_NS_PER_S);
    CHECK_EQ(1, w->fenced);
    CHECK_EQ(PARTS, w->seats[0].tasks + w->seats[1].tasks);
    unmake(w);
}
