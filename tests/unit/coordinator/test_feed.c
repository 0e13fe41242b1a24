/* SPDX-License-Identifier: Apache-2.0
 *
 * Live streams over a real server and a bus in a directory. The test's own client of the bus waits
 * without the loop going round, so what it does there is done before the feed looks again.
 */
#include "coordinator/feed.h"

#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/role/role.h"
#include "tests/test.h"
#include "tests/unit/core/net/rig.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TAG = 5, WAIT_MS = 20000, LARGE = 60 * 1024, MANY = 400, VISITS = 60 };

struct stage {
    struct rig rig;
    struct bus *bus;
    struct bus_client *client;
    struct bus_writer *writer;
    struct feed *feed;
    struct bus_tp tp;
    char large[LARGE];
};

static void on_stream(struct http_req *r, void *arg)
{
    struct stage *s = arg;
    if (!feed_listen(s->feed, r, SLICE_NONE)) {
        http_problem(r, 503, "no");
    }
}

static const struct http_route routes[] = {
    {.path = "/stream", .methods = HTTP_BIT(GET), .fn = on_stream, .doc = "a stream"}};

/* The next event of this kind. */
static struct bus_ev await(struct stage *s, enum bus_ev_kind kind)
{
    struct bus_ev ev;
    for (int tries = 0; tries < 200; tries++) {
        while (bus_poll(s->client, &ev, 1) > 0) {
            CHECK(ev.err == NULL);
            if (ev.kind == kind) {
                return ev;
            }
        }
        bus_wait(s->client, 100 * CLOCK_NS_PER_MS);
    }
    CHECK(false);
    return ev;
}

static void begin(struct stage *s)
{
    char dir[300];
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err = {0};
    rig_start(&s->rig, NULL, NULL);
    snprintf(dir, sizeof dir, "%s/bus", test_tmpdir());
    const struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "", .local = {.dir = dir, .map_bytes = 1 << 28}};
    CHECK_OK(bus_new(&conf, &s->bus, &err), err);
    s->client = bus_client_new(s->bus, "test");
    bus_topic_specs(2, -1, specs);
    CHECK_OK(bus_ensure(s->client, specs, BUS_TOPICS_COUNT, TAG, &err), err);
    (void)await(s, BUS_EV_DONE);
    CHECK_OK(bus_open(s->client, SLICE_NONE, TAG, &s->writer, &err), err);
    (void)await(s, BUS_EV_OPENED);
    s->tp = (struct bus_tp){bus_topic(s->client, SLICE("events")), 1};
    const struct role_env env = {.loop = s->rig.loop, .bus = s->bus};
    s->feed = feed_new(&env, FEED_EVENTS);
    http_router_add(http_server_router(s->rig.server), routes, ARRAY_LEN(routes), s);
    memset(s->large, 'x', sizeof s->large);
}

static void end(struct stage *s)
{
    feed_free(s->feed);
    bus_client_free(s->client);
    bus_free(s->bus);
    rig_stop(&s->rig);
}

/* Where the record lies, which no event can be read of. */
static int64_t put(struct stage *s, struct slice value)
{
    struct err err = {0};
    const struct bus_put p = {.to = s->tp, .key = SLICE("k"), .value = value};
    CHECK_OK(bus_put(s->writer, &p, &err), err);
    return await(s, BUS_EV_DELIVERED).offset;
}

static int come(struct stage *s)
{
    int fd = rig_connect(&s->rig);
    rig_send_str(&s->rig, fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    return fd;
}

static int listen_live(struct stage *s)
{
    int fd = come(s);
    CHECK(rig_read_until(&s->rig, fd, ": live\n\n", WAIT_MS));
    return fd;
}

static bool hears(struct stage *s, int fd, int64_t offset, int64_t ms)
{
    char id[64];
    snprintf(id, sizeof id, "id: 1-%lld-0\n", (long long)offset);
    return rig_read_until(&s->rig, fd, id, ms);
}

/* What it reads until then has so many lines of this kind. */
static uint32_t count(const struct stage *s, struct slice text)
{
    uint32_t n = 0;
    struct slice rest = buf_slice(&s->rig.got);
    size_t at;
    while ((at = slice_find_slice(rest, text)) < rest.len) {
        rest = slice_sub(rest, at + text.len, rest.len);
        n++;
    }
    return n;
}

/* A stream that still stands before what retention has removed says so, once, and goes on. */
TEST(feed_says_that_its_topic_has_lost_what_was_next)
{
    struct stage s;
    struct err err = {0};
    begin(&s);
    int fd = listen_live(&s);
    CHECK(hears(&s, fd, put(&s, SLICE("one")), WAIT_MS));
    (void)put(&s, SLICE("never read"));
    CHECK_OK(bus_trim(s.client, s.tp, put(&s, SLICE("nor this")) + 1, TAG, &err), err);
    (void)await(&s, BUS_EV_DONE);
    CHECK(rig_read_until(&s.rig, fd, "event: lost\ndata: {\"lost\":null}\n\n", WAIT_MS));
    bool goes_on = false;
    for (int tries = 0; tries < 50 && !goes_on; tries++) { /* at an end that is asked for */
        goes_on = hears(&s, fd, put(&s, SLICE("two")), 200);
        CHECK_EQ(0, count(&s, SLICE("event: lost")));
    }
    CHECK(goes_on);
    struct feed_stats st = feed_stats(s.feed);
    CHECK(st.gaps == 1 && st.lost == 0);
    close(fd);
    end(&s);
}

/* Who does not read is not waited for and does not grow; he hears how many he missed. */
TEST(feed_leaves_out_what_a_listener_who_does_not_read_cannot_take)
{
    struct stage s;
    begin(&s);
    int slow = listen_live(&s), quick = listen_live(&s);
    uint32_t heard = 0;
    for (int i = 0; i < MANY; i++) {
        CHECK(hears(&s, quick, put(&s, slice_of(s.large, LARGE)), WAIT_MS));
        heard += count(&s, SLICE("event: unknown"));
        CHECK_EQ(0, count(&s, SLICE("event: lost")));
    }
    (void)rig_read_until(&s.rig, quick, "\n\n", WAIT_MS);
    CHECK(heard + 1 >= MANY);
    uint64_t lost = feed_stats(s.feed).lost, told = 0;
    CHECK(lost > 0 && lost < MANY);
    CHECK(rig_read_until(&s.rig, slow, "event: lost\n", WAIT_MS));
    uint32_t came = count(&s, SLICE("event: unknown"));
    struct slice said = buf_slice(&s.rig.got);
    said = slice_sub(said, slice_find_slice(said, SLICE("{\"lost\":")) + 8, said.len);
    if (said.len == 0) { /* it came with the next bytes */
        CHECK(rig_read_until(&s.rig, slow, "}\n", WAIT_MS));
        said = buf_slice(&s.rig.got);
        said = slice_sub(said, slice_find_slice(said, SLICE("{\"lost\":")) + 8, said.len);
    }
    CHECK(slice_to_u64(slice_sub(said, 0, slice_find(said, '}')), &told));
    CHECK_EQ(lost, told);
    CHECK_EQ(MANY, came + told);
    close(slow);
    close(quick);
    end(&s);
}

/* Whoever has left at any moment, the next one is served, and none stays counted. */
TEST(feed_serves_who_stays_after_many_who_come_and_go)
{
    struct stage s;
    begin(&s);
    for (int i = 0; i < VISITS; i++) {
        int fd = come(&s);
        if (i % 4 > 0) {
            rig_step(&s.rig, i % 4 - 1);
        }
        if (i % 3 == 0) {
            (void)put(&s, SLICE("by the way"));
        }
        close(fd);
    }
    int fd = listen_live(&s);
    CHECK(hears(&s, fd, put(&s, SLICE("one")), WAIT_MS));
    for (int tries = 0; tries < 100 && feed_stats(s.feed).listeners > 1; tries++) {
        rig_step(&s.rig, 20);
    }
    CHECK_EQ(1, feed_stats(s.feed).listeners);
    CHECK_EQ(0, feed_stats(s.feed).gaps);
    close(fd);
    end(&s);
}
