/* SPDX-License-Identifier: Apache-2.0
 *
 * Two coordinators in one process on one embedded bus, each with its own server, and a writer
 * beside them: what only one of two answers, and what streams carry. Everything else of the API is
 * tested from outside (tests/e2e/test_coordinator.py).
 */
#include "coordinator/coordinator.h"
#include "coordinator/feed.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "core/net/health.h"
#include "core/net/http_client.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/stats/stats.h"
#include "operators/graph/eng_doc.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

const struct doc_engine *const coordinator_engine = &eng_doc;
const coordinator_layout_fn coordinator_layout = NULL;
const coordinator_diff_fn coordinator_diff = NULL;

enum { REPLICAS = 2, PARTITIONS = 2, TAG_OPEN = 1, BODY_MAX = 64 << 20 };

struct rig {
    char dir[64];
    struct role_settings settings;
    struct loop *loop;
    struct bus *bus;
    struct role_env env[REPLICAS];
    void *state[REPLICAS];
    bool stopped[REPLICAS];
    struct role_client *writer;
    struct bus_writer *w;
    bool open;
    uint64_t delivered, put;
    struct http_client *client;
};

static void on_writer(void *arg, const struct bus_ev *ev)
{
    struct rig *g = arg;
    g->open |= ev->kind == BUS_EV_OPENED;
    g->delivered += ev->kind == BUS_EV_DELIVERED;
    CHECK(ev->kind != BUS_EV_REFUSED);
}

static void replica_start(struct rig *g, unsigned i)
{
    struct role_env *env = &g->env[i];
    struct err e;
    *env = (struct role_env){.settings = &g->settings, .loop = g->loop, .bus = g->bus};
    env->stats = stats_new();
    env->health = health_new();
    env->http = http_server_new(g->loop, NULL);
    CHECK_OK(http_server_listen(env->http, &(struct http_listen){.addr = "127.0.0.1:0"}, &e), e);
    env->topics = role_topics_new(env);
    CHECK_OK(role_coordinator.start(env, NULL, &g->state[i], &e), e);
}

static void replica_stop(struct rig *g, unsigned i)
{
    if (!g->stopped[i]) {
        g->stopped[i] = true;
        role_coordinator.drain(g->state[i]);
        role_coordinator.stop(g->state[i]);
        role_topics_free(g->env[i].topics);
        http_server_free(g->env[i].http);
        health_free(g->env[i].health);
        stats_free(g->env[i].stats);
    }
}

static void rig_start(struct rig *g)
{
    struct err e;
    *g = (struct rig){.dir = "/tmp/kaiju-api-XXXXXX"};
    CHECK(mkdtemp(g->dir) != NULL);
    g->settings.bus.partitions = PARTITIONS;
    g->settings.bus.retention_ns = 3600 * CLOCK_NS_PER_S;
    struct bus_conf conf = {.kind = BUS_LOCAL,
                            .prefix = "t.",
                            .local = {.dir = g->dir, .map_bytes = UINT64_C(1) << 30}};
    log_setup(&(struct log_conf){.level = LOG_LEVEL_ERROR, .fd = STDERR_FILENO});
    CHECK_OK(bus_new(&conf, &g->bus, &e), e);
    g->loop = loop_new();
    g->client = http_client_new(g->loop, NULL);
    for (unsigned i = 0; i < REPLICAS; i++) {
        replica_start(g, i);
    }
    g->writer = role_client_new(&g->env[0], "writer", on_writer, g);
    CHECK_OK(bus_open(role_client_bus(g->writer), SLICE_NONE, TAG_OPEN, &g->w, &e), e);
}

static void rig_stop(struct rig *g)
{
    char command[100];
    bus_writer_close(g->w);
    role_client_free(g->writer);
    http_client_free(g->client);
    for (unsigned i = 0; i < REPLICAS; i++) {
        replica_stop(g, i);
    }
    loop_free(g->loop);
    bus_free(g->bus);
    snprintf(command, sizeof command, "rm -rf %s", g->dir);
    CHECK_EQ(0, system(command));
}

/* ---- asking ---- */

struct answer {
    unsigned status;
    struct buf body;
    size_t ids; /* events that came */
    bool done;
    struct http_call *call;
};

/* Bodies are large: what has been looked at is not looked at again. */
static bool comes(struct answer *a, const char *text, size_t *from)
{
    size_t n = strlen(text), at = MIN(*from, a->body.len);
    bool found = a->body.len > 0 && memmem(a->body.ptr + at, a->body.len - at, text, n) != NULL;
    *from = a->body.len > n ? a->body.len - n : 0;
    return found;
}

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    (void)c;
    ((struct answer *)arg)->status = h->status;
}

static void on_data(struct http_call *c, struct slice part, void *arg)
{
    struct answer *a = arg;
    size_t at = a->body.len > 4 ? a->body.len - 4 : 0;
    const char *next;
    (void)c;
    (void)buf_add_slice(&a->body, part);
    while ((next = memmem(a->body.ptr + at, a->body.len - at, "\nid: ", 5)) != NULL) {
        a->ids++;
        at = (size_t)(next - a->body.ptr) + 5;
    }
}

static void on_done(struct http_call *c, const struct err *err, void *arg)
{
    (void)c;
    (void)err;
    ((struct answer *)arg)->done = true;
}

static void ask(struct rig *g, unsigned i, enum http_method method, const char *path,
                const char *body, bool endless, struct answer *a)
{
    static const struct http_call_ops ops = {.head = on_head, .data = on_data, .done = on_done};
    static const struct http_field any = {SLICE("If-None-Match"), SLICE("*")};
    char url[300];
    struct err e;
    *a = (struct answer){.status = 0};
    buf_init(&a->body, BODY_MAX);
    snprintf(url, sizeof url, "http://%s/api/v1/%s", http_server_addr(g->env[i].http, 0), path);
    struct http_call_spec spec = {.method = method,
                                  .url = url,
                                  .body = slice_str(body),
                                  .fields = &any,
                                  .field_count = method == HTTP_PUT,
                                  .answer_max = BODY_MAX,
                                  .endless = endless};
    CHECK_OK(http_call_start(g->client, &spec, &ops, a, &a->call, &e), e);
}

static void wait_for(struct rig *g, struct answer *a, const char *text)
{
    size_t from = 0;
    bool found = false;
    for (int i = 0; i < 20000 && !a->done && !found; i++) {
        loop_step(g->loop, 10 * CLOCK_NS_PER_MS);
        found = text != NULL && comes(a, text, &from);
    }
    CHECK(text == NULL ? a->done : found);
}

static unsigned get(struct rig *g, unsigned i, enum http_method method, const char *path,
                    const char *body, const char *has)
{
    struct answer a;
    ask(g, i, method, path, body, false, &a);
    wait_for(g, &a, NULL);
    if (has != NULL) {
        CHECK_HAS(has, buf_cstr(&a.body));
    }
    buf_done(&a.body);
    return a.status;
}

static void wait_status(struct rig *g, unsigned i, const char *text)
{
    struct answer a = {.status = 0};
    for (int n = 0; n < 1000; n++) {
        ask(g, i, HTTP_GET, "status", NULL, false, &a);
        wait_for(g, &a, NULL);
        bool is = strstr(buf_cstr(&a.body), text) != NULL;
        buf_done(&a.body);
        if (is) {
            return;
        }
        loop_step(g->loop, 10 * CLOCK_NS_PER_MS);
    }
    CHECK(false);
}

/* ---- events ---- */

static void put(struct rig *g, const char *topic, struct slice value)
{
    struct err e;
    struct bus_client *c = role_client_bus(g->writer);
    struct bus_put put = {.to = {bus_topic(c, slice_str(topic)), (uint32_t)(g->put % PARTITIONS)},
                          .key = SLICE("k"),
                          .value = value,
                          .token = ++g->put};
    while (bus_put(g->w, &put, &e) != 0) {
        CHECK_EQ(ERR_AGAIN, e.code);
        loop_step(g->loop, CLOCK_NS_PER_MS);
    }
}

static void put_event(struct rig *g, const char *type, int64_t number, size_t bytes)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    struct rec_context context = {.len = 0};
    struct schema *schema;
    struct buf out;
    struct err e;
    char *text = mem_zalloc(bytes + 1);
    memset(text, 'x', bytes);
    struct val_pair payload[] = {val_pair(SLICE("number"), val_int(number)),
                                 val_pair(SLICE("text"), val_string(slice_of(text, bytes)))};
    struct rec r = {.ts = number,
                    .context = &context,
                    .payload = payload,
                    .payload_len = 2,
                    .type = slice_str(type),
                    .kind = REC_DERIVED};
    buf_init(&out, 1 << 20);
    CHECK_OK(schema_parse(schema_file_get(SLICE("event_batch.avsc"))->text, &schema, &e), e);
    batch_enc_begin(enc, SLICE("test"), number);
    CHECK_OK(batch_enc_add(enc, &r, &e), e);
    frame_put(&out, FRAME_SINGLE, schema_fingerprint(schema));
    CHECK_OK(batch_enc_end(enc, &out, &e), e);
    put(g, "events", buf_slice(&out));
    mem_free(text);
    buf_done(&out);
    batch_enc_free(enc);
    schema_free(schema);
}

static size_t count(struct answer *a, const char *text)
{
    size_t n = 0;
    for (const char *at = buf_cstr(&a->body); (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

/* ---- tests ---- */

static const char graph[] =
    "{\"apiVersion\": \"kaiju/v1\", \"kind\": \"RuleGraph\", \"name\": \"g\", "
    "\"levels\": [{\"name\": \"logs\", \"epl\": "
    "\"@name('x') select * from LogRecord;\"}]}";

TEST(api_of_two_coordinators_one_writes_and_both_read)
{
    struct rig g;
    rig_start(&g);
    wait_status(&g, 0, "\"writable\":true");
    wait_status(&g, 1, "\"leader\":false");
    CHECK_EQ(503, get(&g, 1, HTTP_PUT, "rulegraphs/g", graph, "KJ-API-0010"));
    CHECK_EQ(201, get(&g, 0, HTTP_PUT, "rulegraphs/g", graph, "\"version\":1"));
    wait_status(&g, 1, "\"graphs\":1");
    CHECK_EQ(200, get(&g, 1, HTTP_GET, "rulegraphs/g", NULL, "LogRecord"));
    /* The leader goes; the other takes over with all that was answered. */
    replica_stop(&g, 0);
    wait_status(&g, 1, "\"writable\":true");
    CHECK_EQ(412, get(&g, 1, HTTP_PUT, "rulegraphs/g", graph, "KJ-API-0009"));
    rig_stop(&g);
}

TEST(api_streams_carry_what_comes)
{
    struct rig g;
    struct answer all, some, alerts;
    rig_start(&g);
    wait_status(&g, 0, "\"writable\":true");
    put_event(&g, "Before", 0, 1);
    while (g.delivered < g.put) {
        loop_step(g.loop, CLOCK_NS_PER_MS);
    }
    ask(&g, 0, HTTP_GET, "events", NULL, true, &all);
    ask(&g, 0, HTTP_GET, "events?type=B%2EC", NULL, true, &some);
    ask(&g, 1, HTTP_GET, "alerts/events", NULL, true, &alerts);
    wait_for(&g, &all, ": live");
    wait_for(&g, &some, ": live");
    wait_for(&g, &alerts, ": live");
    put_event(&g, "A\nid: 1", 1, 1);
    put_event(&g, "B.C", 2, 1);
    put(&g, "events", SLICE("what is that"));
    put(&g, "alerts.history", SLICE("nor that"));
    wait_for(&g, &all, "event: B.C\ndata: {\"ts\":2,");
    wait_for(&g, &all, "event: A?id: 1\ndata: {\"ts\":1,");
    wait_for(&g, &all, "event: unknown\ndata: {\"value\":\"d2hhdCBpcyB0aGF0\"}\n\n");
    wait_for(&g, &some, "\"number\":2");
    wait_for(&g, &alerts, "event: unknown\ndata: {\"value\":\"bm9yIHRoYXQ=\"}\n\n");
    CHECK_EQ(3, all.ids);
    CHECK_EQ(1, some.ids);
    CHECK_EQ(0, count(&all, "Before"));
    http_call_cancel(all.call);
    http_call_cancel(some.call);
    http_call_cancel(alerts.call);
    buf_done(&all.body);
    buf_done(&some.body);
    buf_done(&alerts.body);
    rig_stop(&g);
}

/* Two listeners, one of which does not read: it loses events and is told how many; the other loses
 * none, and the coordinator holds no more than it said. */
TEST(api_streams_do_not_wait_for_the_slow)
{
    enum { EVENTS = 400, BYTES = 50000 };
    struct rig g;
    struct answer fast, slow;
    rig_start(&g);
    wait_status(&g, 0, "\"writable\":true");
    ask(&g, 0, HTTP_GET, "events", NULL, true, &fast);
    ask(&g, 0, HTTP_GET, "events", NULL, true, &slow);
    wait_for(&g, &fast, ": live");
    wait_for(&g, &slow, ": live");
    http_call_pause(slow.call);
    for (int i = 0; i < EVENTS; i++) {
        put_event(&g, "E", i, BYTES);
        /* Half a megabyte may be on its way to who reads; all happens on one loop here. */
        for (int n = 0; n < 30000 && i > 10 && fast.body.len < (size_t)(i - 10) * BYTES; n++) {
            loop_step(g.loop, CLOCK_NS_PER_MS);
        }
    }
    for (int i = 0; i < 20000 && fast.ids < EVENTS; i++) {
        loop_step(g.loop, 10 * CLOCK_NS_PER_MS);
    }
    CHECK_EQ(EVENTS, fast.ids);
    CHECK_EQ(0, count(&fast, "event: lost"));
    http_call_resume(slow.call);
    wait_for(&g, &slow, "event: lost\ndata: {\"lost\":");
    put_event(&g, "Last", EVENTS, 1);
    wait_for(&g, &slow, "event: Last");
    size_t got = slow.ids;
    long lost = strtol(strstr(buf_cstr(&slow.body), "\"lost\":") + 7, NULL, 10);
    CHECK(lost > 50);
    CHECK_EQ(1, count(&slow, "event: lost"));
    CHECK_EQ(EVENTS + 1, (long)got + lost);
    http_call_cancel(fast.call);
    http_call_cancel(slow.call);
    buf_done(&fast.body);
    buf_done(&slow.body);
    rig_stop(&g);
}
