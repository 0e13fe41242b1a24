/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker takes: OTLP requests of 512 items over 8 connections into `kaiju ingest`, a process
 * of its own, by gRPC and by HTTP, for each signal. Counted are items acknowledged per CPU second
 * of that process, its peak memory, syncs of the embedded bus, and the time from request to
 * acknowledgement: flat out, and paced at half of that.
 *
 *     bench_ingest [--seconds N] [--only SIGNAL] [OPTION OF KAIJU INGEST...]
 *     bench_ingest [--seconds N] [--only SIGNAL] --peer PID GRPC_ADDR HTTP_ADDR
 *
 * The first starts `kaiju ingest`, on the embedded bus unless told otherwise; the second sends the
 * same to a receiver that runs already. No connection has more than one request under way, so of a
 * bus that syncs before it acknowledges there are at most 8 requests to a sync.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/slice.h"
#include "core/codec/pbwrite.h"
#include "core/net/grpc_client.h"
#include "core/net/http_client.h"
#include "core/net/loop.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ITEMS = 512,
    CONNECTIONS = 8,
    VARIANTS = 16,
    REQUEST_MAX = 4 << 20,
    SAMPLES_MAX = 1 << 20,
    SERVICES = 4,
    LOG_BYTES = 64 << 10,
};

enum signal { TRACES, METRICS, LOGS, SIGNALS };
enum wire { GRPC, HTTP, WIRES };

static const char *const signal_names[SIGNALS] = {"traces", "metrics", "logs"};
static const char *const wire_names[WIRES] = {"grpc", "http"};
static const char *const grpc_paths[SIGNALS] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export"};

/* --- requests --- */

static void attribute(struct buf *b, uint32_t field, const char *key, const char *text)
{
    size_t kv = pbwrite_open(b, field);
    pbwrite_string(b, 1, slice_str(key));
    size_t value = pbwrite_open(b, 2);
    pbwrite_string(b, 1, slice_str(text));
    pbwrite_close(b, value);
    pbwrite_close(b, kv);
}

static void attribute_int(struct buf *b, uint32_t field, const char *key, uint64_t n)
{
    size_t kv = pbwrite_open(b, field);
    pbwrite_string(b, 1, slice_str(key));
    size_t value = pbwrite_open(b, 2);
    pbwrite_varint(b, 3, n);
    pbwrite_close(b, value);
    pbwrite_close(b, kv);
}

static void resource(struct buf *b, unsigned service)
{
    char pod[40], name[20];
    snprintf(name, sizeof name, "service-%u", service);
    snprintf(pod, sizeof pod, "service-%u-7d9c5b6f4-x2x9z", service);
    size_t r = pbwrite_open(b, 1);
    attribute(b, 1, "service.name", name);
    attribute(b, 1, "service.version", "1.42.0");
    attribute(b, 1, "k8s.cluster.name", "prod-eu-1");
    attribute(b, 1, "k8s.namespace.name", "shop");
    attribute(b, 1, "k8s.pod.name", pod);
    attribute(b, 1, "k8s.node.name", "node-3");
    attribute(b, 1, "telemetry.sdk.language", "java");
    pbwrite_close(b, r);
}

static void ids(uint64_t n, char trace[16], char span[8])
{
    for (int i = 0; i < 16; i++) {
        n = n * 6364136223846793005u + 1442695040888963407u;
        trace[i] = (char)(n >> 33 | 1);
        span[i % 8] = (char)(n >> 41 | 1);
    }
}

static void span(struct buf *b, uint64_t n)
{
    char trace[16], id[8], path[40];
    ids(n, trace, id);
    snprintf(path, sizeof path, "/api/products/%u", (unsigned)(n % 1000));
    size_t s = pbwrite_open(b, 2);
    pbwrite_string(b, 1, slice_of(trace, 16));
    pbwrite_string(b, 2, slice_of(id, 8));
    pbwrite_string(b, 5, SLICE("GET /api/products/{id}"));
    pbwrite_varint(b, 6, 2);
    pbwrite_fixed64(b, 7, UINT64_C(1790000000000000000) + n * 1000);
    pbwrite_fixed64(b, 8, UINT64_C(1790000000012000000) + n * 1000);
    attribute(b, 9, "http.request.method", "GET");
    attribute(b, 9, "url.path", path);
    attribute(b, 9, "url.scheme", "http");
    attribute(b, 9, "server.address", "catalog.shop.svc");
    attribute_int(b, 9, "server.port", 8080);
    attribute_int(b, 9, "http.response.status_code", 200);
    attribute(b, 9, "network.protocol.version", "1.1");
    attribute(b, 9, "client.address", "10.4.17.22");
    attribute(b, 9, "user_agent.original", "frontend/2.1 (linux)");
    attribute_int(b, 9, "thread.id", n % 64);
    pbwrite_close(b, s);
}

static void point(struct buf *b, uint64_t n)
{
    size_t m = pbwrite_open(b, 2);
    pbwrite_string(b, 1, SLICE("http.server.request.duration.sum"));
    pbwrite_string(b, 3, SLICE("s"));
    size_t sum = pbwrite_open(b, 7);
    size_t p = pbwrite_open(b, 1);
    pbwrite_fixed64(b, 2, UINT64_C(1780000000000000000));
    pbwrite_fixed64(b, 3, UINT64_C(1790000000000000000) + n * 1000);
    pbwrite_double(b, 4, (double)n * 0.25);
    attribute(b, 7, "http.request.method", "GET");
    attribute(b, 7, "http.route", "/api/products/{id}");
    attribute_int(b, 7, "http.response.status_code", 200);
    attribute(b, 7, "url.scheme", "http");
    pbwrite_close(b, p);
    pbwrite_varint(b, 2, 2);
    pbwrite_varint(b, 3, 1);
    pbwrite_close(b, sum);
    pbwrite_close(b, m);
}

static void record(struct buf *b, uint64_t n)
{
    char trace[16], id[8], line[120];
    ids(n, trace, id);
    snprintf(line, sizeof line, "handled request %u for customer %u in 12 ms, cache miss",
             (unsigned)n, (unsigned)(n % 5000));
    size_t r = pbwrite_open(b, 2);
    pbwrite_fixed64(b, 1, UINT64_C(1790000000000000000) + n * 1000);
    pbwrite_varint(b, 2, 9);
    pbwrite_string(b, 3, SLICE("INFO"));
    size_t body = pbwrite_open(b, 5);
    pbwrite_string(b, 1, slice_str(line));
    pbwrite_close(b, body);
    attribute(b, 6, "code.function", "handle");
    attribute(b, 6, "thread.name", "http-worker-7");
    attribute_int(b, 6, "customer", n % 5000);
    pbwrite_string(b, 9, slice_of(trace, 16));
    pbwrite_string(b, 10, slice_of(id, 8));
    pbwrite_fixed64(b, 11, UINT64_C(1790000000000000000) + n * 1000);
    pbwrite_close(b, r);
}

static void request(struct buf *b, enum signal signal, unsigned variant)
{
    static void (*const items[SIGNALS])(struct buf *, uint64_t) = {span, point, record};
    for (unsigned service = 0; service < SERVICES; service++) {
        size_t group = pbwrite_open(b, 1);
        resource(b, service);
        size_t scope = pbwrite_open(b, 2);
        for (unsigned i = 0; i < ITEMS / SERVICES; i++) {
            items[signal](b, ((uint64_t)variant * SERVICES + service) * ITEMS + i);
        }
        pbwrite_close(b, scope);
        pbwrite_close(b, group);
    }
}

/* --- the worker --- */

struct worker {
    pid_t pid;
    char log[PATH_MAX], otlp[WIRES][64], pages[64]; /* pages: none of a peer's */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_ingest: %s\n", what);
    exit(1);
}

static bool find_addr(const char *log, const char *before, char *ret, size_t size)
{
    static char text[LOG_BYTES];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, before);
    if (at == NULL || strchr(at, '\n') == NULL) {
        return false;
    }
    at += strlen(before);
    snprintf(ret, size, "%.*s", (int)strcspn(at, " \n"), at);
    return true;
}

static void worker_start(struct worker *w, const char *self, const char *dir, char **args, int n)
{
    char exe[PATH_MAX], copy[PATH_MAX];
    const char *argv[64] = {exe,
                            "ingest",
                            "--http-listen",
                            "127.0.0.1:0",
                            "--otlp-http-listen",
                            "127.0.0.1:0",
                            "--otlp-grpc-listen",
                            "off",
                            "--bus-local-dir"};
    char bus[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", self);
    snprintf(exe, sizeof exe, "%s/../kaiju", dirname(copy));
    snprintf(bus, sizeof bus, "%s/bus", dir);
    snprintf(w->log, sizeof w->log, "%s/log", dir);
    argv[9] = bus;
    for (int i = 0; i < n && i < 50; i++) {
        argv[10 + i] = args[i];
    }
    w->pid = fork();
    if (w->pid == 0) {
        int fd = open(w->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(fd, STDERR_FILENO);
        execv(exe, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    for (int i = 0; i < 600; i++) {
        char ready[64];
        if (find_addr(w->log, "msg=ready role=ingest bus=", ready, sizeof ready) &&
            find_addr(w->log, "http=", w->pages, sizeof w->pages) &&
            find_addr(w->log, "msg=\"receiving OTLP\" addr=", w->otlp[GRPC],
                      sizeof w->otlp[GRPC]) &&
            find_addr(w->log, "msg=\"topics are there\" ", ready, sizeof ready)) {
            memcpy(w->otlp[HTTP], w->otlp[GRPC], sizeof w->otlp[HTTP]); /* it takes both */
            clock_sleep_ns(500 * CLOCK_NS_PER_MS);
            return;
        }
        clock_sleep_ns(50 * CLOCK_NS_PER_MS);
    }
    die("kaiju ingest did not become ready; is it built beside this program?");
}

/* utime + stime of /proc/PID/stat, in ns; and a field of /proc/PID/status, in kB. */
static int64_t worker_cpu(const struct worker *w)
{
    char path[64], text[1024];
    unsigned long long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)w->pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(text, sizeof text, f) == NULL) {
        die("the worker has ended");
    }
    fclose(f);
    sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
           &kernel);
    return (int64_t)((user + kernel) * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK)));
}

static long worker_memory(const struct worker *w, const char *field)
{
    char path[64], line[200];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)w->pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kb = strtol(line + strlen(field) + 1, NULL, 10);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kb;
}

/* The peak begins anew; where that is not allowed it stays that of the whole life. */
static void worker_forget_peak(const struct worker *w)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)w->pid);
    FILE *f = fopen(path, "w");
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
}

/* What was acknowledged may still be under way in a peer: its CPU time counts until it rests. */
static void worker_rest(const struct worker *w)
{
    int64_t before = worker_cpu(w);
    for (int i = 0; i < 100; i++) {
        clock_sleep_ns(250 * CLOCK_NS_PER_MS);
        int64_t now = worker_cpu(w);
        if (now - before <= 10 * CLOCK_NS_PER_MS) {
            return;
        }
        before = now;
    }
}

/* How often the bus has synced, from /metrics; 0 where there is none. */
static uint64_t worker_syncs(const struct worker *w)
{
    static char text[256 << 10];
    static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static const char name[] = "\nkaiju_bus_syncs_total ";
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *to = NULL;
    char host[64];
    size_t len = 0;
    snprintf(host, sizeof host, "%s", w->pages);
    char *port = strrchr(host, ':');
    if (port == NULL) {
        return 0;
    }
    *port++ = '\0';
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (getaddrinfo(host, port, &hints, &to) != 0 ||
        connect(fd, to->ai_addr, to->ai_addrlen) != 0 ||
        write(fd, ask, sizeof ask - 1) != (ssize_t)sizeof ask - 1) {
        die("no metrics of the worker");
    }
    for (ssize_t n; len < sizeof text - 1; len += (size_t)n) {
        n = read(fd, text + len, sizeof text - 1 - len);
        if (n <= 0) {
            break;
        }
    }
    text[len] = '\0';
    close(fd);
    freeaddrinfo(to);
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + sizeof name - 1, NULL, 10) : 0;
}

/* --- sending --- */

struct sender;

struct lane {
    struct sender *s;
    struct grpc_client *grpc;
    struct http_client *http;
    int64_t sent_ns;
    unsigned next;
    bool busy;
    unsigned status;
};

struct sender {
    struct loop *loop;
    enum wire wire;
    enum signal signal;
    char url[200];
    struct buf requests[VARIANTS];
    struct lane lanes[CONNECTIONS];
    uint64_t acknowledged, failed;
    int64_t until_ns, gap_ns, next_ns; /* gap: between two requests of all lanes; 0 = flat out */
    int64_t *samples;
    size_t sample_count;
};

static void lane_send(struct lane *l);

static void lane_done(struct lane *l, bool ok)
{
    struct sender *s = l->s;
    int64_t now = loop_now_ns(s->loop);
    l->busy = false;
    s->acknowledged += ok;
    s->failed += !ok;
    if (s->sample_count < SAMPLES_MAX) {
        s->samples[s->sample_count++] = now - l->sent_ns;
    }
    if (s->gap_ns == 0 && now < s->until_ns) {
        lane_send(l);
    }
}

static void on_grpc(void *arg, const struct grpc_result *r)
{
    lane_done(arg, r->status == 0);
}

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    (void)c;
    ((struct lane *)arg)->status = h->status;
}

static void on_http(struct http_call *c, const struct err *err, void *arg)
{
    struct lane *l = arg;
    (void)c;
    lane_done(l, err == NULL && l->status == 200);
}

static const struct http_call_ops http_ops = {.head = on_head, .done = on_http};

static void lane_send(struct lane *l)
{
    struct sender *s = l->s;
    static const struct http_field type = {SLICE("content-type"), SLICE("application/x-protobuf")};
    struct slice body = buf_slice(&s->requests[l->next++ % VARIANTS]);
    struct http_call *call;
    struct err err;
    l->busy = true;
    if (s->gap_ns == 0) {
        l->sent_ns = loop_now_ns(s->loop);
    }
    if (s->wire == GRPC) {
        grpc_client_call(l->grpc, &(struct grpc_ask){.path = grpc_paths[s->signal],
                                                     .message = body,
                                                     .done = on_grpc,
                                                     .arg = l});
        return;
    }
    struct http_call_spec spec = {
        .method = HTTP_POST, .url = s->url, .fields = &type, .field_count = 1, .body = body};
    if (http_call_start(l->http, &spec, &http_ops, l, &call, &err) != 0) {
        die(err.msg);
    }
}

static void sender_init(struct sender *s, const struct worker *w, enum wire wire,
                        enum signal signal)
{
    *s = (struct sender){.loop = loop_new(), .wire = wire, .signal = signal};
    snprintf(s->url, sizeof s->url, "http://%s/v1/%s", w->otlp[HTTP], signal_names[signal]);
    s->samples = mem_calloc(SAMPLES_MAX, sizeof *s->samples);
    for (unsigned i = 0; i < VARIANTS; i++) {
        buf_init(&s->requests[i], REQUEST_MAX);
        request(&s->requests[i], signal, i);
    }
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct lane *l = &s->lanes[i];
        struct err err;
        l->s = s;
        l->next = i * 2;
        if (wire == HTTP) {
            l->http = http_client_new(s->loop, NULL);
        } else {
            struct grpc_client_conf conf = grpc_client_conf_default();
            conf.addr = w->otlp[GRPC];
            if (grpc_client_new(s->loop, &conf, &l->grpc, &err) != 0) {
                die(err.msg);
            }
        }
    }
}

static void sender_done(struct sender *s)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        if (s->lanes[i].grpc != NULL) {
            grpc_client_free(s->lanes[i].grpc);
        }
        http_client_free(s->lanes[i].http);
    }
    for (unsigned i = 0; i < VARIANTS; i++) {
        buf_done(&s->requests[i]);
    }
    mem_free(s->samples);
    loop_free(s->loop);
}

static void drain(struct sender *s)
{
    for (int rounds = 0; rounds < 20000; rounds++) {
        bool busy = false;
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            busy = busy || s->lanes[i].busy;
        }
        if (!busy) {
            return;
        }
        loop_step(s->loop, CLOCK_NS_PER_MS);
    }
    die("requests were not answered");
}

static void flat_out(struct sender *s, int64_t seconds)
{
    s->gap_ns = 0;
    s->until_ns = loop_now_ns(s->loop) + seconds * CLOCK_NS_PER_S;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        lane_send(&s->lanes[i]);
    }
    while (loop_now_ns(s->loop) < s->until_ns) {
        loop_step(s->loop, 10 * CLOCK_NS_PER_MS);
    }
    drain(s);
}

/* Open loop: a request is due at its time, and its time counts from there, free lane or not. */
static void paced(struct sender *s, int64_t seconds, double requests_per_s)
{
    int64_t now = loop_now_ns(s->loop), due = now;
    s->gap_ns = (int64_t)(1e9 / requests_per_s);
    s->until_ns = now + seconds * CLOCK_NS_PER_S;
    while ((now = loop_now_ns(s->loop)) < s->until_ns) {
        for (unsigned i = 0; i < CONNECTIONS && due <= now; i++) {
            if (!s->lanes[i].busy) {
                s->lanes[i].sent_ns = due;
                lane_send(&s->lanes[i]);
                due += s->gap_ns;
            }
        }
        loop_step(s->loop, due > now ? MIN(due - now, CLOCK_NS_PER_MS) : CLOCK_NS_PER_MS);
    }
    drain(s);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile_ms(struct sender *s, double q)
{
    if (s->sample_count == 0) {
        return 0;
    }
    qsort(s->samples, s->sample_count, sizeof *s->samples, by_size);
    size_t at = (size_t)((double)(s->sample_count - 1) * q);
    return (double)s->samples[at] / 1e6;
}

static void row(struct worker *w, enum wire wire, enum signal signal, int64_t seconds)
{
    struct sender s;
    char syncs[40] = "-";
    sender_init(&s, w, wire, signal);
    flat_out(&s, 1); /* warm */
    worker_rest(w);
    worker_forget_peak(w);
    s.acknowledged = s.sample_count = 0;
    uint64_t synced = worker_syncs(w);
    int64_t cpu = worker_cpu(w), began = loop_now_ns(s.loop);
    flat_out(&s, seconds);
    double took = (double)(loop_now_ns(s.loop) - began) / 1e9;
    synced = worker_syncs(w) - synced;
    worker_rest(w);
    double cpu_s = (double)(worker_cpu(w) - cpu) / 1e9;
    double rate = (double)s.acknowledged / took;
    double p50 = quantile_ms(&s, 0.5), p99 = quantile_ms(&s, 0.99);
    uint64_t failed = s.failed;
    if (synced > 0) {
        snprintf(syncs, sizeof syncs, "%.2f", (double)s.acknowledged / (double)synced);
    }
    s.sample_count = 0;
    paced(&s, seconds, rate / 2);
    printf("%-5s %-8s %9.0f %11.0f %7.1f %7.1f %12.1f %12.1f %7llu %9s %7.1f %9.1f\n",
           wire_names[wire], signal_names[signal], rate * ITEMS, rate * took * ITEMS / cpu_s, p50,
           p99, quantile_ms(&s, 0.5), quantile_ms(&s, 0.99),
           (unsigned long long)(failed + s.failed), syncs,
           (double)worker_memory(w, "VmHWM:") / 1024, (double)worker_memory(w, "RssAnon:") / 1024);
    fflush(stdout);
    sender_done(&s);
}

struct asked {
    int64_t seconds;
    enum signal first, end;
    bool peer;
};

/* Our own options, which come first; the index of what follows them. */
static int options(int argc, char **argv, struct asked *ret_asked, struct worker *w)
{
    struct asked a = {.seconds = 4, .first = TRACES, .end = SIGNALS};
    int at = 1;
    for (; at + 1 < argc; at += 2) {
        if (strcmp(argv[at], "--seconds") == 0) {
            a.seconds = strtoll(argv[at + 1], NULL, 10);
        } else if (strcmp(argv[at], "--only") == 0) {
            while (a.first < a.end && strcmp(argv[at + 1], signal_names[a.first]) != 0) {
                a.first++;
            }
            a.end = MIN(a.first + 1, SIGNALS);
        } else {
            break;
        }
    }
    a.peer = at < argc && strcmp(argv[at], "--peer") == 0;
    if (a.peer && at + 4 <= argc) {
        w->pid = (pid_t)strtol(argv[at + 1], NULL, 10);
        snprintf(w->otlp[GRPC], sizeof w->otlp[GRPC], "%s", argv[at + 2]);
        snprintf(w->otlp[HTTP], sizeof w->otlp[HTTP], "%s", argv[at + 3]);
    } else if (a.peer || a.seconds <= 0 || a.first == SIGNALS) {
        die("see its source for its options");
    }
    *ret_asked = a;
    return at;
}

int main(int argc, char **argv)
{
    struct worker w = {0};
    struct asked asked;
    char dir[] = "/tmp/kaiju-bench-XXXXXX", clean[200];
    int first = options(argc, argv, &asked, &w);
    if (mkdtemp(dir) == NULL) {
        die("no directory for the data");
    }
    if (!asked.peer) {
        worker_start(&w, argv[0], dir, argv + first, argc - first);
    }
    printf("requests of %d items, %d connections, %lld s a row; half = paced at half of the rate\n"
           "%-5s %-8s %9s %11s %7s %7s %12s %12s %7s %9s %7s %9s\n",
           ITEMS, CONNECTIONS, (long long)asked.seconds, "wire", "signal", "items/s", "items/CPU s",
           "p50 ms", "p99 ms", "half p50 ms", "half p99 ms", "failed", "reqs/sync", "peak MB",
           "RssAnon MB");
    for (int wire = 0; wire < WIRES; wire++) {
        for (enum signal signal = asked.first; signal < asked.end; signal++) {
            row(&w, (enum wire)wire, signal, asked.seconds);
        }
    }
    if (!asked.peer) {
        kill(w.pid, SIGTERM);
        waitpid(w.pid, NULL, 0);
    }
    snprintf(clean, sizeof clean, "rm -rf '%s'", dir);
    return system(clean) == 0 ? 0 : 1;
}
