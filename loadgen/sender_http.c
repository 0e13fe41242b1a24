/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over HTTP/1.1: POST /v1/traces and its siblings. What may be sent again is what the protocol
 * says: 429, 502, 503, 504, and calls without an answer; Retry-After in seconds or as a date.
 */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/grpc.h"
#include "core/net/http_client.h"
#include "core/net/url.h"
#include "loadgen/sender.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

enum { ANSWER_MAX = 256 * 1024, URL_BYTES = 600, SLACK = 4 };

/* One call under way. */
struct ticket {
    struct sender_http *owner;
    struct sender_job *job; /* NULL: free */
    struct http_call *call;
    unsigned status;
    int64_t retry_ns;
    struct buf answer;
};

struct sender_http {
    struct sender base;
    struct loop *loop;
    struct http_client *client;
    char urls[SIGNAL_COUNT][URL_BYTES];
    struct http_field fields[2];
    size_t field_count;
    bool json;
    struct ticket *tickets;
    size_t ticket_count;
};

/* Retry-After: seconds, or a date; -1 if it is neither. */
static int64_t read_retry_after(struct slice value)
{
    char text[64];
    struct tm tm = {0};
    int64_t seconds;
    if (value.ptr == NULL || value.len >= sizeof text) {
        return -1;
    }
    if (slice_to_i64(value, &seconds) && seconds >= 0 && seconds < 86400 * 365) {
        return seconds * CLOCK_NS_PER_S;
    }
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end == NULL || *end != '\0') {
        return -1;
    }
    struct clock c = clock_system();
    int64_t at = (int64_t)timegm(&tm) * CLOCK_NS_PER_S;
    return MAX(at - clock_wall(&c), 0);
}

static void on_head(struct http_call *call, const struct http_head *h, void *arg)
{
    struct ticket *t = arg;
    (void)call;
    t->status = h->status;
    t->retry_ns = read_retry_after(http_head_field(h, SLICE("retry-after")));
}

static void on_data(struct http_call *call, struct slice part, void *arg)
{
    struct ticket *t = arg;
    (void)call;
    (void)buf_add_slice(&t->answer, part); /* what is too long is cut */
}

static bool may_come_again(unsigned status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* The message of the google.rpc.Status that errors carry. */
static struct slice reason_of(const struct ticket *t)
{
    struct grpc_details d;
    struct err e;
    if (!t->owner->json && grpc_details_get(buf_slice(&t->answer), &d, &e) == 0 &&
        d.message.len > 0) {
        return d.message;
    }
    return buf_slice(&t->answer);
}

static void on_done(struct http_call *call, const struct err *err, void *arg)
{
    struct ticket *t = arg;
    struct sender_job *job = t->job;
    struct sender_result r = {.outcome = SENDER_AGAIN, .retry_ns = t->retry_ns};
    char text[300];
    (void)call;
    assert(job != NULL);
    if (err != NULL) {
        r.why = slice_str(err->msg);
    } else {
        r.answered = true;
        if (t->status == 200) {
            r.outcome = SENDER_TAKEN;
            sender_read_partial(buf_slice(&t->answer), t->owner->json, &r.rejected, &r.why);
        } else {
            struct slice reason = reason_of(t);
            r.outcome = may_come_again(t->status) ? SENDER_AGAIN : SENDER_REFUSED;
            snprintf(text, sizeof text, "%u %.*s", t->status, (int)MIN(reason.len, (size_t)200),
                     reason.ptr != NULL ? reason.ptr : "");
            r.why = slice_str(text);
        }
    }
    t->job = NULL;
    job->done(job, &r);
}

static void http_send(struct sender *s, struct sender_job *job)
{
    static const struct http_call_ops ops = {.head = on_head, .data = on_data, .done = on_done};
    struct sender_http *h = (struct sender_http *)s;
    struct err e;
    struct ticket *t = h->tickets;
    while (t->job != NULL) {
        t++;
        assert(t < h->tickets + h->ticket_count);
    }
    t->job = job;
    t->status = 0;
    t->retry_ns = -1;
    buf_clear(&t->answer);
    struct http_call_spec spec = {.method = HTTP_POST,
                                  .url = h->urls[job->signal],
                                  .fields = h->fields,
                                  .field_count = h->field_count,
                                  .body = job->body,
                                  .repeatable = true};
    int rc = http_call_start(h->client, &spec, &ops, t, &t->call, &e);
    assert(rc == 0); /* the URL has been tried, and there are as many waiting places as tickets */
    (void)rc;
}

static void http_close(struct sender *s)
{
    struct sender_http *h = (struct sender_http *)s;
    for (size_t i = 0; i < h->ticket_count; i++) {
        if (h->tickets[i].job != NULL) {
            http_call_cancel(h->tickets[i].call);
        }
        buf_done(&h->tickets[i].answer);
    }
    http_client_free(h->client);
    mem_free(h->tickets);
    mem_free(h);
}

static int http_open(struct loop *l, const struct sender_conf *conf, struct sender **ret_sender,
                     struct err *reterr)
{
    static const char *const paths[SIGNAL_COUNT] = {[SIGNAL_SPANS] = "/v1/traces",
                                                    [SIGNAL_LOGS] = "/v1/logs",
                                                    [SIGNAL_METRICS] = "/v1/metrics"};
    struct url url;
    int rc = url_parse(slice_str(conf->url), &url, reterr);
    if (rc != 0) {
        return err_wrap(reterr, "--to");
    }
    struct slice base = slice_str(conf->url);
    while (slice_ends(base, SLICE("/"))) {
        base.len--;
    }
    if (base.len + 16 > URL_BYTES) {
        return err_set(reterr, ERR_TOO_BIG, "--to: the URL is too long");
    }
    struct sender_http *h = MEM_NEW(struct sender_http);
    struct http_client_conf c = http_client_conf_default();
    c.tls = conf->tls;
    c.connections_max = (uint32_t)conf->connections;
    c.waiting_max = (uint32_t)conf->connections + SLACK;
    c.total_ms = (uint32_t)(conf->timeout_ns / CLOCK_NS_PER_MS);
    c.stall_ms = 0;
    c.answer_max = ANSWER_MAX;
    h->client = http_client_new(l, &c);
    h->loop = l;
    h->json = conf->json;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        snprintf(h->urls[i], URL_BYTES, SLICE_FMT "%s", SLICE_ARG(base), paths[i]);
    }
    h->fields[h->field_count++] =
        (struct http_field){SLICE("content-type"), conf->json ? SLICE("application/json")
                                                              : SLICE("application/x-protobuf")};
    if (conf->coding != INFLATE_IDENTITY) {
        h->fields[h->field_count++] = (struct http_field){
            SLICE("content-encoding"), slice_str(inflate_coding_name(conf->coding))};
    }
    h->ticket_count = (size_t)conf->connections;
    h->tickets = mem_calloc(h->ticket_count, sizeof *h->tickets);
    for (size_t i = 0; i < h->ticket_count; i++) {
        h->tickets[i].owner = h;
        buf_init(&h->tickets[i].answer, ANSWER_MAX);
    }
    *ret_sender = &h->base;
    return 0;
}

extern const struct sender_ops sender_http, sender_https;
const struct sender_ops sender_http = {"http",    "OTLP/HTTP", false,
                                       http_open, http_close,  http_send};
const struct sender_ops sender_https = {"https",   "OTLP/HTTP over TLS", true,
                                        http_open, http_close,           http_send};
