/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers: assign, seek, pause, unassign, END, bounds, positions that are gone or beyond the end.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

#define READ_KINDS (SUITE_BIT(BUS_EV_RECORDS) | SUITE_BIT(BUS_EV_END) | SUITE_BIT(BUS_EV_ERROR))

static void write_numbers(struct suite_client *c, struct bus_tp tp, int from, int to)
{
    struct bus_writer *w = suite_open(c, "numbers");
    for (int i = from; i < to; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        suite_put(c, w, tp, "k", value);
    }
    (void)suite_commit(c, w);
    bus_writer_close(w);
}

static struct bus_reader *assign(struct suite_client *c, struct bus_tp tp, int64_t from,
                                 uint64_t tag)
{
    struct bus_reader *r = bus_reader_new(c->c);
    struct err err;
    CHECK_OK(bus_assign(r, tp, from, tag, &err), err);
    return r;
}

/* Reads on until END: how many records came, all of which continue the numbers from *next. */
static void read_on(struct suite_client *c, uint64_t tag, int64_t *next, int64_t upto)
{
    for (;;) {
        struct suite_ev *e = suite_next(c, READ_KINDS, tag, suite_hooks.patience_ns);
        CHECK(e != NULL);
        CHECK_STR(NULL, e->ev.kind == BUS_EV_ERROR ? e->err.msg : NULL);
        if (e->ev.kind == BUS_EV_END && *next >= upto) {
            return;
        }
        for (uint32_t i = 0; e->ev.kind == BUS_EV_RECORDS && i < e->ev.count; i++) {
            int64_t n = -1;
            CHECK(slice_to_i64(e->ev.records[i].value, &n));
            CHECK_EQ(*next, n);
            (*next)++;
        }
    }
}

TEST(read_an_empty_partition_ends_at_once)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct suite_bounds b = suite_bounds(a, tp);
    CHECK_EQ(b.start, b.end);
    CHECK_EQ(b.end, suite_read(a, tp, BUS_FROM_START, 0)->end);
    CHECK_EQ(b.end, suite_read(a, tp, BUS_FROM_END, 0)->end);
    suite_end(&s);
}

TEST(read_from_the_end_gives_only_what_comes_after)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 5);
    (void)suite_read(a, tp, BUS_FROM_START, 5); /* all readable */
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_END, tag);
    (void)suite_await(a, BUS_EV_END, tag);
    write_numbers(a, tp, 5, 9);
    int64_t next = 5;
    read_on(a, tag, &next, 9);
    CHECK_EQ(9, next);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_from_an_offset_starts_exactly_there)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 10);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 10);
    for (size_t i = 0; i < 10; i++) {
        struct suite_log *log = suite_read(a, tp, all->recs[i].offset, 10 - i);
        CHECK_EQ(all->recs[i].offset, log->recs[0].offset);
        /* An offset in a gap, or behind the last, is a position as well. */
        CHECK_EQ(9 - i, suite_read(a, tp, all->recs[i].offset + 1, 9 - i)->count);
    }
    (void)suite_read(a, tp, all->end, 0);
    suite_end(&s);
}

TEST(read_end_comes_once_per_arrival)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    int64_t last_end = suite_await(a, BUS_EV_END, tag)->ev.offset;
    suite_quiet(a, READ_KINDS, tag);
    for (int round = 0; round < 3; round++) {
        write_numbers(a, tp, 10 * round, 10 * round + 3);
        int64_t got = 0, last_offset = -1;
        for (;;) {
            bool all = got == 3 && last_end > last_offset; /* then: nothing more */
            struct suite_ev *e = suite_next(a, READ_KINDS, tag,
                                            all ? suite_hooks.quiet_ns : suite_hooks.patience_ns);
            if (e == NULL) {
                break;
            }
            if (e->ev.kind == BUS_EV_END) {
                CHECK(e->ev.offset > last_end && e->ev.offset > last_offset);
                last_end = e->ev.offset;
            } else {
                got += e->ev.count;
                last_offset = e->ev.records[e->ev.count - 1].offset;
            }
        }
        CHECK_EQ(3, got);
        CHECK(last_end > last_offset);
        CHECK_EQ(last_end, suite_bounds(a, tp).end);
    }
    suite_trim(a, tp, last_end); /* the start moves to where he stands: nothing to tell */
    suite_quiet(a, READ_KINDS, tag);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_what_an_event_points_at_lives_until_the_next_poll)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 10);
    (void)suite_read(a, tp, BUS_FROM_START, 10);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    int64_t until = suite_now(a) + suite_hooks.patience_ns;
    struct bus_ev ev = {.kind = BUS_EV_DONE};
    while (ev.kind != BUS_EV_RECORDS) {
        CHECK(suite_now(a) < until);
        if (bus_poll(a->c, &ev, 1) == 0) {
            bus_wait(a->c, CLOCK_NS_PER_S);
        }
    }
    bus_unassign(r, tp);
    bus_reader_free(r);
    suite_pass(&s, CLOCK_NS_PER_MS);
    for (uint32_t i = 0; i < ev.count; i++) {
        int64_t n = -1;
        CHECK(slice_to_i64(ev.records[i].value, &n));
        CHECK_EQ((int64_t)i, n);
        CHECK_SLICE("k", ev.records[i].key);
    }
    suite_end(&s);
}

/* Forgets what was polled before; polls nothing. */
static void drop_read(struct suite_client *c, uint64_t tag)
{
    for (size_t i = c->inbox.len; i > 0; i--) {
        const struct bus_ev *ev = &c->inbox.ptr[i - 1]->ev;
        if (ev->tag == tag && (READ_KINDS & SUITE_BIT(ev->kind)) != 0) {
            VEC_REMOVE(&c->inbox, i - 1);
        }
    }
}

TEST(read_seek_leaves_nothing_of_the_old_position)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 200);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 200);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    struct err err;
    static const int64_t places[] = {150, 20, 199, 0, 77};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (size_t polls = 0; polls < i; polls++) {
            (void)suite_pump(a, 20 * CLOCK_NS_PER_MS); /* at some state of fetching */
        }
        CHECK_OK(bus_seek(r, tp, all->recs[places[i]].offset, &err), err);
        drop_read(a, tag);
        int64_t next = places[i];
        read_on(a, tag, &next, 200);
        CHECK_EQ(200, next);
    }
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_seek_to_start_and_end)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 20);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    struct err err;
    int64_t next = 0;
    read_on(a, tag, &next, 20);
    CHECK_OK(bus_seek(r, tp, BUS_FROM_END, &err), err);
    (void)suite_await(a, BUS_EV_END, tag);
    CHECK(suite_next(a, SUITE_BIT(BUS_EV_RECORDS), tag, 0) == NULL);
    CHECK_OK(bus_seek(r, tp, BUS_FROM_START, &err), err);
    next = 0;
    read_on(a, tag, &next, 20);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_unassign_is_final_and_assign_starts_anew)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    write_numbers(a, tp, 0, 50);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    struct err err;
    CHECK_EQ(-ERR_EXISTS, bus_assign(r, tp, BUS_FROM_START, suite_tag(a), &err));
    CHECK_EQ(-ERR_NOT_FOUND, bus_seek(r, suite_part(tp, 1), 0, &err));
    CHECK_EQ(-ERR_NOT_FOUND, bus_pause(r, suite_part(tp, 1), true, &err));
    bus_unassign(r, suite_part(tp, 1));
    (void)suite_await(a, BUS_EV_RECORDS, tag);
    bus_unassign(r, tp);
    while (suite_next(a, READ_KINDS, tag, -1) != NULL) {
    }
    suite_quiet(a, READ_KINDS, SUITE_ANY_TAG);
    CHECK_EQ(-ERR_NOT_FOUND, bus_seek(r, tp, 0, &err));
    uint64_t again = suite_tag(a);
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, again, &err), err);
    int64_t next = 0;
    read_on(a, again, &next, 50);
    CHECK(suite_next(a, READ_KINDS, tag, 0) == NULL);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_paused_partitions_are_silent_and_lose_nothing)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE), other = suite_part(tp, 1);
    write_numbers(a, tp, 0, 100);
    write_numbers(a, other, 0, 100);
    uint64_t tag = suite_tag(a), other_tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    struct err err;
    CHECK_OK(bus_assign(r, other, BUS_FROM_START, other_tag, &err), err);
    CHECK_OK(bus_pause(r, tp, true, &err), err);
    int64_t next = 0, other_next = 0;
    read_on(a, other_tag, &other_next, 100);
    suite_quiet(a, READ_KINDS, tag);
    CHECK_OK(bus_pause(r, tp, false, &err), err);
    CHECK_OK(bus_pause(r, tp, false, &err), err); /* resuming what runs does nothing */
    read_on(a, tag, &next, 100);
    CHECK_OK(bus_pause(r, tp, true, &err), err);
    write_numbers(a, tp, 100, 120);
    suite_quiet(a, READ_KINDS, tag);
    CHECK_OK(bus_pause(r, tp, false, &err), err);
    read_on(a, tag, &next, 120);
    CHECK_EQ(120, next);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_seek_while_paused_counts_after_resuming)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 60);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 60);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, BUS_FROM_START, tag);
    struct err err;
    (void)suite_await(a, BUS_EV_RECORDS, tag);
    CHECK_OK(bus_pause(r, tp, true, &err), err);
    CHECK_OK(bus_seek(r, tp, all->recs[40].offset, &err), err);
    while (suite_next(a, READ_KINDS, tag, -1) != NULL) {
    }
    suite_quiet(a, READ_KINDS, tag);
    CHECK_OK(bus_pause(r, tp, false, &err), err);
    int64_t next = 40;
    read_on(a, tag, &next, 60);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_two_readers_of_one_client_keep_their_own_positions)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 100);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 100);
    uint64_t t1 = suite_tag(a), t2 = suite_tag(a), t3 = suite_tag(a);
    struct bus_reader *r1 = assign(a, tp, BUS_FROM_START, t1);
    struct bus_reader *r2 = assign(a, tp, all->recs[70].offset, t2);
    struct bus_reader *r3 = assign(a, tp, BUS_FROM_END, t3);
    (void)suite_await(a, BUS_EV_END, t3);
    write_numbers(a, tp, 100, 110);
    int64_t n1 = 0, n2 = 70, n3 = 100;
    read_on(a, t3, &n3, 110);
    read_on(a, t1, &n1, 110);
    read_on(a, t2, &n2, 110);
    bus_reader_free(r1);
    write_numbers(a, tp, 110, 120);
    read_on(a, t2, &n2, 120);
    bus_reader_free(r2);
    bus_reader_free(r3);
    suite_end(&s);
}

TEST(read_many_partitions_with_one_reader)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    enum { PARTS = 16 };
    struct bus_tp tp = suite_topic(a, "t", PARTS, BUS_DELETE);
    struct bus_reader *r = bus_reader_new(a->c);
    uint64_t tags[PARTS];
    struct err err;
    for (uint32_t p = 0; p < PARTS; p++) {
        tags[p] = suite_tag(a);
        CHECK_OK(bus_assign(r, suite_part(tp, p), BUS_FROM_START, tags[p], &err), err);
    }
    struct bus_writer *w = suite_open(a, "slot");
    for (int i = 0; i < 10 * PARTS; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i / PARTS);
        suite_put(a, w, suite_part(tp, (uint32_t)i % PARTS), NULL, value);
    }
    (void)suite_commit(a, w);
    for (uint32_t p = 0; p < PARTS; p++) {
        int64_t next = 0;
        read_on(a, tags[p], &next, 10);
    }
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_before_the_start_is_gone_until_seek)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 30);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 30);
    suite_trim(a, tp, all->recs[10].offset);
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, all->recs[3].offset, tag);
    struct suite_ev *e = suite_await(a, BUS_EV_ERROR, tag);
    CHECK_EQ(ERR_GONE, e->err.code);
    CHECK_EQ(suite_bounds(a, tp).start, e->ev.offset);
    suite_quiet(a, READ_KINDS, tag);
    struct err err;
    CHECK_OK(bus_seek(r, tp, e->ev.offset, &err), err);
    int64_t next = 10;
    read_on(a, tag, &next, 30);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_far_beyond_the_end_is_an_error_until_seek)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_numbers(a, tp, 0, 3);
    int64_t end = suite_read(a, tp, BUS_FROM_START, 3)->end;
    uint64_t tag = suite_tag(a);
    struct bus_reader *r = assign(a, tp, end + 1000000, tag);
    CHECK_EQ(ERR_RANGE, suite_await(a, BUS_EV_ERROR, tag)->err.code);
    suite_quiet(a, READ_KINDS, tag);
    struct err err;
    CHECK_OK(bus_seek(r, tp, BUS_FROM_START, &err), err);
    int64_t next = 0;
    read_on(a, tag, &next, 3);
    bus_reader_free(r);
    suite_end(&s);
}

TEST(read_bounds_follow_what_happens)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct suite_bounds empty = suite_bounds(a, tp);
    write_numbers(a, tp, 0, 10);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 10);
    struct suite_bounds full = suite_bounds(a, tp);
    CHECK_EQ(empty.start, full.start);
    CHECK(full.start <= all->recs[0].offset && full.end > all->recs[9].offset);
    suite_trim(a, tp, all->recs[4].offset);
    struct suite_bounds trimmed = suite_bounds(a, tp);
    CHECK_EQ(all->recs[4].offset, trimmed.start);
    CHECK(trimmed.end >= full.end);
    suite_end(&s);
}
