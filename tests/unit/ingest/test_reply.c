/* SPDX-License-Identifier: Apache-2.0
 *
 * How requests end: for each row of reply.def what each protocol says, by real requests of our
 * clients to the real receivers, over a simulated bus; all in one thread. `table` repeats the rows
 * on purpose: it is what senders were promised. A test makes a state, sends a request into it by
 * both protocols, and checks status, delay, body and counter.
 *
 * To add a row of reply.def: its row in `table`, and a test that meets it.
 */
#include "ingest/reply.h"

#include "core/base/clock.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/codec/pbwrite.h"
#include "core/net/grpc_client.h"
#include "core/net/http_client.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/stats/stats.h"
#include "ingest/otlp_grpc.h"
#include "ingest/otlp_http.h"
#include "tests/test.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024, PARTITIONS = 4, BODY_MAX = MIB, UNPACKED_MAX = 4 * MIB, TAG_ENSURE = 7 };
enum { ACK_NS = 5 };

static const struct row {
    enum reply reply;
    int grpc;
    unsigned http;
    bool again;
} table[] = {
    {REPLY_OK, 0, 200, false},          {REPLY_PARTIAL, 0, 200, false},
    {REPLY_UNDECODABLE, 3, 400, false}, {REPLY_UNSUPPORTED, 12, 415, false},
    {REPLY_TOO_LARGE, 8, 413, false},   {REPLY_OVERLOAD, 14, 503, true},
    {REPLY_NOT_READY, 14, 503, true},   {REPLY_TIMEOUT, 14, 503, true},
    {REPLY_DRAINING, 14, 503, true},
};

struct world {
    struct loop *loop;
    struct stats *stats;
    struct bus_sim_faults faults;
    struct bus *bus;
    struct bus_client *bus_client;
    struct publish *publish;
    struct budget budget;
    struct otlp_taker *taker;
    struct http_server *server;
    struct otlp_http *http;
    struct otlp_grpc *grpc;
    struct http_client *http_client;
    struct grpc_client *grpc_client;
    struct buf body;
    char addr[64];
};

struct options {
    size_t memory, queue;
    bool no_bus; /* publishing is not started */
};

/* What is sent; zero: an empty request of traces in protobuf. */
struct ask {
    enum otlp_signal signal;
    const char *type; /* instead of the protocol's own; "application/json" is HTTP's */
    enum inflate_coding coding;
    const char *coding_name; /* as said; NULL: coding's */
    struct slice body;
};

/* How it ended. */
struct answer {
    bool done, local, closes;
    int grpc;
    unsigned http;
    int64_t retry_ns; /* < 0: none */
    char type[64];
    char bytes[1024]; /* the body, or gRPC's message */
    size_t len;
    char details[1024]; /* gRPC's google.rpc.Status */
    size_t details_len;
};

static void step(struct world *w)
{
    struct bus_ev evs[16];
    int n = bus_poll(w->bus_client, evs, 16);
    for (int i = 0; i < n; i++) {
        (void)publish_on_event(w->publish, &evs[i]);
    }
    if (n == 0) {
        bus_wait(w->bus_client, 10 * CLOCK_NS_PER_MS); /* of virtual time */
    }
    loop_step(w->loop, CLOCK_NS_PER_MS / 10);
}

static void await(struct world *w, const bool *flag)
{
    const struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + 90 * CLOCK_NS_PER_S;
    while (!*flag && clock_mono(&clock) < until) {
        step(w);
    }
    CHECK(*flag);
}

static void open_bus(struct world *w, size_t queue)
{
    struct bus_conf conf = {.kind = BUS_SIM,
                            .prefix = "t.",
                            .writer_queue_bytes = queue,
                            .sim = {.seed = 1, .faults = &w->faults}};
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err;
    struct bus_ev ev;
    w->faults = bus_sim_calm();
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->bus_client = bus_client_new(w->bus, "ingest");
    bus_topic_specs(PARTITIONS, -1, specs);
    CHECK_OK(bus_ensure(w->bus_client, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &err), err);
    bool there = false;
    for (int i = 0; i < 10000 && !there; i++) {
        bus_wait(w->bus_client, CLOCK_NS_PER_MS);
        while (bus_poll(w->bus_client, &ev, 1) > 0) {
            there = there || ev.kind == BUS_EV_DONE;
        }
    }
    CHECK(there);
    w->publish =
        publish_new(w->bus_client, &(struct publish_conf){PARTITIONS, ACK_NS * CLOCK_NS_PER_S});
}

static void open_server(struct world *w)
{
    struct http_server_conf conf = http_server_conf_default();
    struct err err;
    w->server = http_server_new(w->loop, &conf);
    w->http = otlp_http_new(w->server, &(struct otlp_http_conf){.taker = w->taker,
                                                                .budget = &w->budget,
                                                                .body_max = BODY_MAX,
                                                                .unpacked_max = UNPACKED_MAX});
    w->grpc = otlp_grpc_new(w->server, &(struct otlp_grpc_conf){.taker = w->taker,
                                                                .budget = &w->budget,
                                                                .body_max = BODY_MAX,
                                                                .unpacked_max = UNPACKED_MAX});
    CHECK_OK(http_server_listen(w->server, &(struct http_listen){.addr = "127.0.0.1:0"}, &err),
             err);
}

static void world_init(struct world *w, struct options o)
{
    struct err err;
    *w = (struct world){.loop = loop_new(), .stats = stats_new()};
    open_bus(w, o.queue);
    budget_init(&w->budget, o.memory > 0 ? o.memory : 64 * MIB);
    w->taker = otlp_taker_new(&(struct otlp_taker_conf){.publish = w->publish,
                                                        .stats = w->stats,
                                                        .clock = bus_clock(w->bus_client),
                                                        .tenant = "default",
                                                        .arena_bytes = 16 * MIB});
    open_server(w);
    struct http_client_conf http = http_client_conf_default();
    struct grpc_client_conf grpc = grpc_client_conf_default();
    snprintf(w->addr, sizeof w->addr, "%s", http_server_addr(w->server, 0));
    grpc.addr = w->addr;
    w->http_client = http_client_new(w->loop, &http);
    CHECK_OK(grpc_client_new(w->loop, &grpc, &w->grpc_client, &err), err);
    buf_init(&w->body, 16 * MIB);
    if (!o.no_bus) {
        publish_start(w->publish);
        for (int i = 0; i < 1000 && !publish_ready(w->publish); i++) {
            step(w);
        }
        CHECK(publish_ready(w->publish));
    }
}

static void world_done(struct world *w)
{
    http_client_free(w->http_client);
    grpc_client_free(w->grpc_client);
    http_server_free(w->server);
    otlp_http_free(w->http);
    otlp_grpc_free(w->grpc);
    publish_free(w->publish);
    otlp_taker_free(w->taker);
    bus_client_free(w->bus_client);
    bus_free(w->bus);
    CHECK_EQ(0, w->budget.used);
    loop_free(w->loop);
    stats_free(w->stats);
    buf_done(&w->body);
}

/* A request of spans, of which those below `bad` have no valid trace_id. */
static struct slice spans(struct world *w, int n, int bad, size_t text)
{
    static const char id[16] = "0123456789abcdef", zero[16];
    static char name[4 * MIB];
    CHECK(text <= sizeof name);
    memset(name, 'n', sizeof name);
    buf_clear(&w->body);
    size_t rs = pbwrite_open(&w->body, 1), ss = pbwrite_open(&w->body, 2);
    for (int i = 0; i < n; i++) {
        size_t span = pbwrite_open(&w->body, 2);
        pbwrite_string(&w->body, 1, slice_of(i < bad ? zero : id, 16));
        pbwrite_string(&w->body, 2, slice_of(id, 8));
        pbwrite_string(&w->body, 5, slice_of(name, text));
        pbwrite_fixed64(&w->body, 7, (uint64_t)i + 1);
        pbwrite_fixed64(&w->body, 8, (uint64_t)i + 2);
        pbwrite_close(&w->body, span);
    }
    pbwrite_close(&w->body, ss);
    pbwrite_close(&w->body, rs);
    CHECK(!buf_failed(&w->body));
    return buf_slice(&w->body);
}

/* --- asking --- */

static void keep(char *to, size_t size, size_t *len, struct slice s)
{
    CHECK(*len + s.len < size);
    memcpy(to + *len, s.ptr != NULL ? s.ptr : "", s.len);
    *len += s.len;
    to[*len] = '\0';
}

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    struct answer *a = arg;
    int64_t s;
    (void)c;
    a->http = h->status;
    a->closes = http_head_has_token(h, SLICE("connection"), SLICE("close"));
    if (slice_to_i64(http_head_field(h, SLICE("retry-after")), &s)) {
        a->retry_ns = s * CLOCK_NS_PER_S;
    }
    size_t len = 0;
    keep(a->type, sizeof a->type, &len, http_head_field(h, SLICE("content-type")));
}

static void on_data(struct http_call *c, struct slice part, void *arg)
{
    struct answer *a = arg;
    (void)c;
    keep(a->bytes, sizeof a->bytes, &a->len, part);
}

static void on_done(struct http_call *c, const struct err *err, void *arg)
{
    struct answer *a = arg;
    (void)c;
    a->done = true;
    a->local = err != NULL;
}

static void on_result(void *arg, const struct grpc_result *r)
{
    struct answer *a = arg;
    a->done = true;
    a->local = r->local;
    a->grpc = (int)r->status;
    a->http = r->http;
    a->retry_ns = r->retry_ns;
    keep(a->bytes, sizeof a->bytes, &a->len, r->message);
    keep(a->details, sizeof a->details, &a->details_len, r->details);
}

static void start_http(struct world *w, const struct ask *q, struct answer *a)
{
    static const char *const paths[] = {"traces", "metrics", "logs"};
    static const struct http_call_ops ops = {.head = on_head, .data = on_data, .done = on_done};
    char url[100];
    struct err err;
    const char *coding = q->coding_name != NULL ? q->coding_name : inflate_coding_name(q->coding);
    const char *type = q->type != NULL ? q->type : "application/x-protobuf";
    const struct http_field fields[] = {{SLICE("Content-Type"), slice_str(type)},
                                        {SLICE("Content-Encoding"), slice_str(coding)}};
    struct http_call *call;
    snprintf(url, sizeof url, "http://%s/v1/%s", w->addr, paths[q->signal]);
    struct http_call_spec spec = {.method = HTTP_POST,
                                  .url = url,
                                  .fields = fields,
                                  .field_count = ARRAY_LEN(fields),
                                  .body = q->body};
    *a = (struct answer){.retry_ns = -1};
    CHECK_OK(http_call_start(w->http_client, &spec, &ops, a, &call, &err), err);
}

static void start_grpc(struct world *w, const struct ask *q, struct answer *a)
{
#define SERVICE(package_, service_)                                                                \
    "/opentelemetry.proto.collector." package_ ".v1." service_ "/Export"
    static const char *const paths[] = {SERVICE("trace", "TraceService"),
                                        SERVICE("metrics", "MetricsService"),
                                        SERVICE("logs", "LogsService")};
    struct http_field field[2];
    size_t n = 0;
    if (q->type != NULL) { /* the later field counts */
        field[n++] = (struct http_field){SLICE("content-type"), slice_str(q->type)};
    }
    if (q->coding_name != NULL) {
        field[n++] = (struct http_field){SLICE("grpc-encoding"), slice_str(q->coding_name)};
    }
    *a = (struct answer){.retry_ns = -1};
    (void)grpc_client_call(w->grpc_client, &(struct grpc_ask){.path = paths[q->signal],
                                                              .message = q->body,
                                                              .coding = q->coding,
                                                              .metadata = field,
                                                              .metadata_count = n,
                                                              .done = on_result,
                                                              .arg = a});
}

static void start(struct world *w, enum otlp_protocol protocol, const struct ask *q,
                  struct answer *a)
{
    if (protocol == OTLP_HTTP) {
        start_http(w, q, a);
    } else {
        start_grpc(w, q, a);
    }
}

static double counted(struct world *w, enum otlp_protocol protocol, enum reply reply)
{
    char want[128];
    struct buf b;
    double n = 0;
    buf_init(&b, MIB);
    stats_write(w->stats, &b);
    snprintf(want, sizeof want, "kaiju_ingest_replies_total{protocol=\"%s\",state=\"%s\"} ",
             protocol == OTLP_HTTP ? "otlp_http" : "otlp_grpc", reply_rows[reply].name);
    struct slice all = slice_str(buf_cstr(&b));
    size_t at = slice_find_slice(all, slice_str(want));
    if (at < all.len) {
        n = strtod(all.ptr + at + strlen(want), NULL);
    }
    buf_done(&b);
    return n;
}

/* Is it what the table says, and counted so? */
static void check_end(struct world *w, enum otlp_protocol protocol, enum reply reply,
                      const struct answer *a)
{
    const struct row *row = &table[reply];
    CHECK_EQ(reply, row->reply);
    CHECK(!a->local);
    if (protocol == OTLP_HTTP) {
        CHECK_EQ(row->http, a->http);
    } else {
        CHECK_EQ(row->grpc, a->grpc);
        CHECK(a->http == 200 || reply == REPLY_UNSUPPORTED);
    }
    CHECK_EQ(row->again, a->retry_ns >= 0);
    CHECK(!row->again || a->retry_ns >= CLOCK_NS_PER_S);
    CHECK(!row->again || a->retry_ns <= 30 * CLOCK_NS_PER_S);
    for (int i = 0; i < REPLY_COUNT; i++) {
        double want = i == (int)reply ? 1 : 0;
        if (counted(w, protocol, (enum reply)i) != want) {
            test_fail(__FILE__, __LINE__, "%s is counted %g times", reply_rows[i].name,
                      counted(w, protocol, (enum reply)i));
        }
    }
}

/* The error as google.rpc.Status: in HTTP's body, in gRPC's details (where there are any). */
static struct grpc_details status_of(enum otlp_protocol protocol, const struct answer *a)
{
    struct grpc_details d;
    struct err err;
    struct slice bytes =
        protocol == OTLP_HTTP ? slice_of(a->bytes, a->len) : slice_of(a->details, a->details_len);
    CHECK_OK(grpc_details_get(bytes, &d, &err), err);
    return d;
}

static void check_status(enum otlp_protocol protocol, enum reply reply, const struct answer *a)
{
    const struct row *row = &table[reply];
    if (protocol == OTLP_GRPC && !row->again && reply != REPLY_UNDECODABLE) {
        CHECK_EQ(0, a->details_len); /* status and text say all */
        return;
    }
    struct grpc_details d = status_of(protocol, a);
    CHECK_EQ(row->grpc, (int)d.status);
    CHECK(d.message.len > 0);
    CHECK_EQ(row->again, d.retry_ns >= 0);
    if (protocol == OTLP_GRPC) {
        CHECK_EQ(reply == REPLY_UNDECODABLE, d.bad_reason.len > 0); /* BadRequest */
    } else {
        CHECK_STR("application/x-protobuf", a->type);
        /* Retry-After is in whole seconds, not less than the delay. */
        CHECK(!row->again ||
              (a->retry_ns >= d.retry_ns && a->retry_ns - d.retry_ns < CLOCK_NS_PER_S));
    }
}

static struct answer ask(struct world *w, enum otlp_protocol protocol, const struct ask *q)
{
    struct answer a;
    start(w, protocol, q, &a);
    await(w, &a.done);
    return a;
}

/* A state that a request meets with an error: in a world of its own for each protocol. */
struct cell {
    struct options o;
    void (*prepare)(struct world *w);
    struct ask q;
    int spans; /* instead of q.body: so many good ones */
    bool put;  /* something went to the bus */
    uint64_t dead;
};

static void check_refused(enum reply reply, const struct cell *cell)
{
    for (int p = 0; p < OTLP_PROTOCOLS; p++) {
        enum otlp_protocol protocol = (enum otlp_protocol)p;
        struct world w;
        struct ask q = cell->q;
        world_init(&w, cell->o);
        if (cell->prepare != NULL) {
            cell->prepare(&w);
        }
        if (cell->spans > 0) {
            q.body = spans(&w, cell->spans, 0, 10);
        }
        struct answer a = ask(&w, protocol, &q);
        check_end(&w, protocol, reply, &a);
        if (a.http == 200 || protocol == OTLP_HTTP) { /* else the answer is not gRPC's */
            check_status(protocol, reply, &a);
        }
        CHECK_EQ(cell->dead, publish_stats(w.publish).dead);
        CHECK_EQ(cell->put, publish_stats(w.publish).events[BUS_TOPIC_SPANS] > 0);
        world_done(&w);
    }
}

TEST(reply_table_has_every_row)
{
    CHECK_EQ(REPLY_COUNT, ARRAY_LEN(table));
    for (int i = 0; i < REPLY_COUNT; i++) {
        CHECK_EQ(i, table[i].reply);
        CHECK_EQ(table[i].grpc, (int)reply_rows[i].grpc);
        CHECK_EQ(table[i].http, reply_rows[i].http);
        CHECK_EQ(table[i].again, reply_rows[i].again);
        CHECK(reply_rows[i].doc[0] != '\0');
    }
}

/* What passes by is never told as an error of the server: senders give up on those. */
TEST(reply_of_any_error_of_the_bus_is_one_to_come_again_after)
{
    static const enum err_code codes[] = {
#define ERR(name, number, doc) ERR_##name,
#include "core/base/err.def"
#undef ERR
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct err err = {.code = codes[i]};
        CHECK(reply_rows[reply_of_err(&err)].again);
    }
    CHECK_EQ(REPLY_OK, reply_of_err(NULL));
}

TEST(reply_ok_when_the_bus_has_everything)
{
    for (int p = 0; p < OTLP_PROTOCOLS; p++) {
        for (int signal = OTLP_TRACES; signal <= OTLP_LOGS; signal++) {
            enum otlp_protocol protocol = (enum otlp_protocol)p;
            struct world w;
            world_init(&w, (struct options){0});
            struct ask q = {.signal = (enum otlp_signal)signal};
            q.body = signal == OTLP_TRACES ? spans(&w, 10, 0, 10) : SLICE("");
            struct answer a = ask(&w, protocol, &q);
            check_end(&w, protocol, REPLY_OK, &a);
            CHECK_EQ(0, a.len); /* an empty Export...Response: a full success says nothing more */
            CHECK_STR(p == OTLP_HTTP ? "application/x-protobuf" : "", a.type);
            CHECK_EQ(signal == OTLP_TRACES ? 10 : 0,
                     publish_stats(w.publish).events[BUS_TOPIC_SPANS]);
            CHECK_EQ(0, publish_stats(w.publish).waiting_bytes);
            world_done(&w);
        }
    }
}

TEST(reply_ok_in_json_mirrors_the_request)
{
    struct world w;
    world_init(&w, (struct options){0});
    struct ask q = {.type = "application/json; charset=utf-8", .body = SLICE("{}")};
    struct answer a = ask(&w, OTLP_HTTP, &q);
    check_end(&w, OTLP_HTTP, REPLY_OK, &a);
    CHECK_STR("application/json", a.type);
    CHECK_STR("{}", a.bytes);
    world_done(&w);
}

TEST(reply_partial_when_some_items_can_never_be_taken)
{
    for (int p = 0; p < OTLP_PROTOCOLS; p++) {
        enum otlp_protocol protocol = (enum otlp_protocol)p;
        struct world w;
        world_init(&w, (struct options){0});
        struct ask q = {.body = spans(&w, 10, 3, 10)};
        struct answer a = ask(&w, protocol, &q);
        check_end(&w, protocol, REPLY_PARTIAL, &a);
        /* partial_success { rejected_spans: 3, error_message: ... } */
        CHECK(a.len > 6);
        CHECK_EQ('\x0a', a.bytes[0]);
        CHECK_EQ('\x08', a.bytes[2]);
        CHECK_EQ(3, a.bytes[3]);
        CHECK(slice_find_slice(slice_of(a.bytes, a.len), SLICE("trace_id")) < a.len);
        CHECK_EQ(7, publish_stats(w.publish).events[BUS_TOPIC_SPANS]);
        CHECK_EQ(3, publish_stats(w.publish).dead);
        world_done(&w);
    }
}

TEST(reply_undecodable_when_it_is_not_protobuf)
{
    check_refused(REPLY_UNDECODABLE,
                  &(struct cell){.q = {.body = SLICE("\x0a\x7fshort")}, .dead = 1});
}

TEST(reply_undecodable_when_it_does_not_unpack)
{
    check_refused(REPLY_UNDECODABLE,
                  &(struct cell){.q = {.body = SLICE("this is no gzip at all, not in the least"),
                                       .coding = INFLATE_GZIP},
                                 .dead = 1});
}

TEST(reply_undecodable_in_json_is_told_in_json)
{
    struct world w;
    world_init(&w, (struct options){0});
    struct ask q = {.type = "application/json", .body = SLICE("{\"resourceSpans\":")};
    struct answer a = ask(&w, OTLP_HTTP, &q);
    check_end(&w, OTLP_HTTP, REPLY_UNDECODABLE, &a);
    CHECK_STR("application/json", a.type);
    CHECK(slice_starts(slice_of(a.bytes, a.len), SLICE("{\"code\":3,\"message\":\"")));
    CHECK_EQ(1, publish_stats(w.publish).dead);
    world_done(&w);
}

TEST(reply_unsupported_type)
{
    check_refused(REPLY_UNSUPPORTED,
                  &(struct cell){.q = {.body = SLICE("x"), .type = "text/plain"}});
}

TEST(reply_unsupported_coding)
{
    check_refused(REPLY_UNSUPPORTED,
                  &(struct cell){.q = {.body = SLICE("x"), .coding_name = "br"}});
}

TEST(reply_too_large_as_sent)
{
    static const char much[BODY_MAX + 1];
    check_refused(REPLY_TOO_LARGE, &(struct cell){.q = {.body = slice_of(much, sizeof much)}});
}

TEST(reply_too_large_once_unpacked)
{
    static const char much[UNPACKED_MAX + 1];
    static char packed[64 * 1024];
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_gzip_compress(z, much, sizeof much, packed, sizeof packed);
    libdeflate_free_compressor(z);
    CHECK(n > 0);
    check_refused(REPLY_TOO_LARGE,
                  &(struct cell){.q = {.body = slice_of(packed, n), .coding = INFLATE_GZIP}});
}

TEST(reply_overload_when_no_memory_is_left)
{
    static const char body[MIB / 2];
    check_refused(REPLY_OVERLOAD, &(struct cell){.o = {.memory = sizeof body / 2},
                                                 .q = {.body = slice_of(body, sizeof body)}});
}

static void stop_bus(struct world *w)
{
    for (uint32_t part = 0; part < PARTITIONS; part++) {
        bus_sim_outage(w->bus, SLICE("spans"), part, 60 * CLOCK_NS_PER_S);
    }
}

static void count_end(void *arg, const struct err *err)
{
    (void)err;
    ++*(int *)arg;
}

/* False: the bus has no room for a record of that size. */
static bool put_one(struct world *w, size_t bytes)
{
    static char text[BUS_RECORD_MAX / 2];
    static int ended;
    struct rec_context context = {0};
    struct val_pair payload = val_pair(SLICE("text"), val_string(slice_of(text, bytes)));
    struct rec rec = {.ts = 1,
                      .context = &context,
                      .payload = &payload,
                      .payload_len = 1,
                      .type = SLICE("Span"),
                      .kind = REC_SPAN};
    struct err err;
    int before = ended;
    struct publish_req *r = publish_begin(w->publish, SLICE("test"), count_end, &ended);
    CHECK_EQ(0, publish_add(r, BUS_TOPIC_SPANS, SLICE("k"), &rec, &err));
    publish_end(r);
    return ended == before;
}

/* Somebody else's records, of which none is taken. */
static void fill_queue(struct world *w)
{
    stop_bus(w);
    for (size_t bytes = BUS_RECORD_MAX / 2; bytes > 0; bytes /= 4) {
        while (put_one(w, bytes)) {
        }
    }
}

TEST(reply_overload_when_the_queue_to_the_bus_is_full)
{
    check_refused(
        REPLY_OVERLOAD,
        &(struct cell){.o = {.queue = 2 * MIB}, .prepare = fill_queue, .spans = 1000, .put = true});
}

static void refuse_records(struct world *w)
{
    w->faults.refused = 1.0;
    bus_sim_set(w->bus, &w->faults);
}

TEST(reply_overload_when_the_bus_refuses_a_record)
{
    check_refused(REPLY_OVERLOAD,
                  &(struct cell){.prepare = refuse_records, .spans = 10, .put = true});
}

TEST(reply_not_ready_before_the_bus_can_be_written_to)
{
    check_refused(REPLY_NOT_READY, &(struct cell){.o = {.no_bus = true}, .spans = 10});
}

TEST(reply_timeout_when_the_bus_does_not_confirm)
{
    check_refused(REPLY_TIMEOUT, &(struct cell){.prepare = stop_bus, .spans = 10, .put = true});
}

static void drain(struct world *w)
{
    otlp_taker_drain(w->taker);
}

TEST(reply_draining_to_what_still_comes)
{
    check_refused(REPLY_DRAINING, &(struct cell){.prepare = drain, .spans = 10});
}

/* GOAWAY and Connection: close, but what is under way is answered as if nothing were. */
TEST(reply_ok_to_what_was_under_way_when_draining_began)
{
    for (int p = 0; p < OTLP_PROTOCOLS; p++) {
        enum otlp_protocol protocol = (enum otlp_protocol)p;
        struct world w;
        struct answer a;
        world_init(&w, (struct options){0});
        for (uint32_t part = 0; part < PARTITIONS; part++) {
            bus_sim_outage(w.bus, SLICE("spans"), part, 2 * CLOCK_NS_PER_S);
        }
        struct ask q = {.body = spans(&w, 10, 0, 10)};
        start(&w, protocol, &q, &a);
        while (publish_stats(w.publish).waiting_records == 0) {
            step(&w);
        }
        drain(&w);
        http_server_drain(w.server, 20 * CLOCK_NS_PER_S, NULL, NULL);
        CHECK(!a.done);
        await(&w, &a.done);
        check_end(&w, protocol, REPLY_OK, &a);
        CHECK_EQ(protocol == OTLP_HTTP, a.closes);
        struct answer late = ask(&w, protocol, &q);
        CHECK(late.local); /* nobody listens any more */
        world_done(&w);
    }
}
