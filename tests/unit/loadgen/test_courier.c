/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/clock.h"
#include "core/net/loop.h"
#include "loadgen/courier.h"
#include "tests/test.h"

#include <stdlib.h>

enum { TRIES_MAX = 4000 };

/* A sender that does as it is told, in the next round of the loop. */
struct fake {
    struct sender base;
    struct loop *loop;
    struct sender_result (*answer)(struct fake *f, const struct sender_job *job);
    int tries, under_way, most;
    int64_t at_ns[TRIES_MAX];
};

struct errand {
    struct fake *f;
    struct sender_job *job;
};

static void fake_done(void *arg)
{
    struct errand e = *(struct errand *)arg;
    free(arg);
    struct sender_result r = e.f->answer(e.f, e.job);
    e.f->under_way--;
    e.job->done(e.job, &r);
}

static void fake_send(struct sender *s, struct sender_job *job)
{
    struct fake *f = (struct fake *)s;
    struct errand *e = malloc(sizeof *e);
    CHECK(e != NULL && f->tries < TRIES_MAX);
    *e = (struct errand){f, job};
    f->at_ns[f->tries++] = loop_now_ns(f->loop);
    f->under_way++;
    f->most = MAX(f->most, f->under_way);
    loop_post(f->loop, fake_done, e);
}

static const struct sender_ops fake_ops = {"fake", "for tests", false, NULL, NULL, fake_send};

struct setup {
    struct fake fake;
    struct loop *loop;
    struct courier *courier;
    struct report report;
    FILE *ledger;
    char text[8192];
    int rooms;
};

static void count_room(void *arg)
{
    struct setup *s = arg;
    s->rooms++;
}

static void open_setup(struct setup *s, int connections,
                       struct sender_result (*answer)(struct fake *, const struct sender_job *))
{
    *s = (struct setup){.loop = loop_new()};
    s->fake = (struct fake){.base = {&fake_ops}, .loop = s->loop, .answer = answer};
    s->ledger = fmemopen(s->text, sizeof s->text, "w");
    report_init(&s->report, 0);
    s->courier = courier_new(s->loop, &s->fake.base,
                             &(struct courier_conf){.connections = connections,
                                                    .waiting_bytes_max = 100,
                                                    .rng = {7},
                                                    .ledger = s->ledger,
                                                    .on_room = count_room,
                                                    .arg = s},
                             &s->report);
}

static void run_until_idle(struct setup *s, int64_t most_ns)
{
    int64_t end = loop_now_ns(s->loop) + most_ns;
    while (courier_waiting(s->courier) > 0 && loop_now_ns(s->loop) < end) {
        loop_step(s->loop, 5 * CLOCK_NS_PER_MS);
    }
}

static void close_setup(struct setup *s)
{
    courier_free(s->courier);
    fclose(s->ledger);
    loop_free(s->loop);
}

static struct sender_result take(struct fake *f, const struct sender_job *job)
{
    (void)f;
    (void)job;
    return (struct sender_result){.answered = true, .retry_ns = -1};
}

TEST(courier_keeps_to_its_connections_and_ends_everything)
{
    struct setup s;
    open_setup(&s, 3, take);
    for (uint64_t i = 1; i <= 50; i++) {
        courier_submit(s.courier, i, SIGNAL_LOGS, SLICE("0123456789"), 4);
        CHECK_EQ(i >= 10, courier_is_full(s.courier));
    }
    run_until_idle(&s, 60 * CLOCK_NS_PER_S);
    CHECK_EQ(0, courier_waiting(s.courier));
    CHECK_EQ(3, s.fake.most);
    CHECK_EQ(50, s.fake.tries);
    CHECK_EQ(50, s.rooms);
    CHECK_EQ(200, s.report.all.taken[SIGNAL_LOGS]);
    CHECK_EQ(0, s.report.all.repeated);
    CHECK(!courier_is_full(s.courier));
    close_setup(&s);
    CHECK_HAS("{\"request\":50,\"signal\":\"logs\",\"items\":4,\"outcome\":\"acknowledged\","
              "\"tries\":1,",
              s.text);
}

/* The first two tries are put off, without a word about when. */
static struct sender_result third_time(struct fake *f, const struct sender_job *job)
{
    (void)job;
    return f->tries < 3 ? (struct sender_result){SENDER_AGAIN, .retry_ns = -1, .why = SLICE("no")}
                        : (struct sender_result){.answered = true, .retry_ns = -1};
}

TEST(courier_comes_again_until_it_is_taken)
{
    struct setup s;
    open_setup(&s, 2, third_time);
    courier_submit(s.courier, 1, SIGNAL_SPANS, SLICE("x"), 9);
    run_until_idle(&s, 60 * CLOCK_NS_PER_S);
    CHECK_EQ(3, s.fake.tries);
    CHECK_EQ(9, s.report.all.taken[SIGNAL_SPANS]);
    CHECK_EQ(2, s.report.all.again);
    CHECK_EQ(2, s.report.all.unanswered);
    CHECK_EQ(2, s.report.all.repeated);
    CHECK_STR("no", courier_complaint(s.courier));
    /* 200 ms and 400 ms, each between half and one and a half. */
    CHECK(s.fake.at_ns[1] - s.fake.at_ns[0] >= 100 * CLOCK_NS_PER_MS);
    CHECK(s.fake.at_ns[2] - s.fake.at_ns[1] >= 200 * CLOCK_NS_PER_MS);
    close_setup(&s);
}

static struct sender_result after_1500ms(struct fake *f, const struct sender_job *job)
{
    (void)job;
    return f->tries < 2 ? (struct sender_result){SENDER_AGAIN, .answered = true,
                                                 .retry_ns = 1500 * CLOCK_NS_PER_MS}
                        : (struct sender_result){.answered = true, .retry_ns = -1};
}

TEST(courier_comes_again_when_the_receiver_said_and_lets_others_pass)
{
    struct setup s;
    open_setup(&s, 1, after_1500ms);
    courier_submit(s.courier, 1, SIGNAL_SPANS, SLICE("x"), 1);
    courier_submit(s.courier, 2, SIGNAL_SPANS, SLICE("y"), 1);
    run_until_idle(&s, 60 * CLOCK_NS_PER_S);
    CHECK_EQ(3, s.fake.tries);
    CHECK(s.fake.at_ns[1] - s.fake.at_ns[0] < 1400 * CLOCK_NS_PER_MS);
    CHECK(s.fake.at_ns[2] - s.fake.at_ns[0] >= 1500 * CLOCK_NS_PER_MS);
    CHECK_EQ(0, s.report.all.unanswered);
    close_setup(&s);
    const char *second = strstr(s.text, "\"request\":2"), *first = strstr(s.text, "\"request\":1");
    CHECK(first != NULL && second != NULL && second < first);
}

static struct sender_result never(struct fake *f, const struct sender_job *job)
{
    (void)f;
    return job->body.ptr[0] == 'p'
               ? (struct sender_result){.answered = true,
                                        .rejected = 2,
                                        .retry_ns = -1,
                                        .why = SLICE("bad id")}
               : (struct sender_result){SENDER_REFUSED, .answered = true, .retry_ns = -1,
                                        .why = SLICE("400 line\nbreak")};
}

TEST(courier_counts_what_is_refused_and_what_is_rejected)
{
    struct setup s;
    open_setup(&s, 1, never);
    courier_submit(s.courier, 1, SIGNAL_SPANS, SLICE("part"), 5);
    courier_submit(s.courier, 2, SIGNAL_SPANS, SLICE("none"), 7);
    run_until_idle(&s, 60 * CLOCK_NS_PER_S);
    CHECK_EQ(2, s.fake.tries);
    CHECK_EQ(3, s.report.all.taken[SIGNAL_SPANS]);
    CHECK_EQ(2, s.report.all.rejected);
    CHECK_EQ(7, s.report.all.refused);
    CHECK_STR("400 line.break", courier_complaint(s.courier));
    close_setup(&s);
    CHECK_HAS("\"outcome\":\"partly rejected\"", s.text);
    CHECK_HAS("\"outcome\":\"refused\"", s.text);
}

static struct sender_result later(struct fake *f, const struct sender_job *job)
{
    (void)f;
    (void)job;
    return (struct sender_result){SENDER_AGAIN, .retry_ns = 3600 * CLOCK_NS_PER_S};
}

TEST(courier_tells_what_has_not_ended)
{
    struct setup s;
    open_setup(&s, 2, later);
    for (uint64_t i = 1; i <= 5; i++) {
        courier_submit(s.courier, i, SIGNAL_METRICS, SLICE("x"), 1);
    }
    for (int i = 0; i < 20; i++) {
        loop_step(s.loop, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(5, s.fake.tries);
    CHECK_EQ(5, courier_waiting(s.courier));
    close_setup(&s);
    CHECK_HAS("{\"request\":3,\"signal\":\"metrics\",\"items\":1,\"outcome\":\"unacknowledged\"",
              s.text);
}

/* Many requests with delays of their own: each comes when it said, the earliest first. */
static struct sender_result scattered(struct fake *f, const struct sender_job *job)
{
    (void)f;
    int64_t ms = (job->body.ptr[0] * 7 + job->body.ptr[1] * 13) % 90;
    return job->body.ptr[2] != 0
               ? (struct sender_result){.answered = true, .retry_ns = -1}
               : (struct sender_result){SENDER_AGAIN, .retry_ns = ms * CLOCK_NS_PER_MS};
}

static struct sender_result scattered_once(struct fake *f, const struct sender_job *job)
{
    struct sender_result r = scattered(f, job);
    ((char *)(uintptr_t)job->body.ptr)[2] = 1;
    return r;
}

TEST(courier_keeps_many_delays_in_order)
{
    struct setup s;
    open_setup(&s, 4, scattered_once);
    for (uint64_t i = 0; i < 500; i++) {
        char body[3] = {(char)(i % 100), (char)(i / 100), 0};
        courier_submit(s.courier, i, SIGNAL_SPANS, slice_of(body, 3), 1);
    }
    run_until_idle(&s, 60 * CLOCK_NS_PER_S);
    CHECK_EQ(0, courier_waiting(s.courier));
    CHECK_EQ(1000, s.fake.tries);
    CHECK_EQ(500, s.report.all.taken[SIGNAL_SPANS]);
    close_setup(&s);
}

TEST(courier_delays_double_up_to_a_bound_and_scatter)
{
    struct rng rng = {1};
    int64_t before = 0;
    for (int tries = 1; tries <= 20; tries++) {
        int64_t least = INT64_MAX, most = 0;
        for (int i = 0; i < 200; i++) {
            int64_t d = courier_delay_ns(tries, -1, &rng);
            least = MIN(least, d);
            most = MAX(most, d);
        }
        CHECK(most > least * 2 && most <= 45 * CLOCK_NS_PER_S);
        CHECK(most >= before * 9 / 10);
        before = most;
        int64_t asked = courier_delay_ns(tries, 2 * CLOCK_NS_PER_S, &rng);
        CHECK(asked >= 2 * CLOCK_NS_PER_S && asked < 3 * CLOCK_NS_PER_S);
    }
}
