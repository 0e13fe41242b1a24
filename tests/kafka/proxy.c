/* SPDX-License-Identifier: Apache-2.0
 *
 * See proxy.h. A connection's thread collects whole requests (length, kind, version, number) and
 * passes them on one by one; answers pass as bytes. A lost answer is everything that the broker
 * sends after the request until it is silent for a moment.
 */
#include "tests/kafka/proxy.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/slice.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RULES_MAX = 16,
    FRAME_MAX = 64 << 20,
    STEP_MS = 10,
    SILENCE_MS = 50,   /* after an answer: nothing more comes */
    ANSWER_MS = 60000, /* a broker that does not answer has been asked in vain */
};

struct rule {
    enum proxy_api api;
    enum proxy_act act;
    int64_t ms;
};

struct proxy {
    struct clock clock;
    struct sockaddr_in to;
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t idle;
    bool stopping;
    unsigned connections;
    struct rule rules[RULES_MAX];
    size_t rule_count;
    int64_t out_until;
    uint32_t sent[PROXY_APIS], late;
    int late_code;
};

struct conn {
    struct proxy *p;
    int client, broker;
    struct buf request;
};

static struct sockaddr_in address(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    bool ok = colon != NULL && slice_to_u64(slice_str(colon + 1), &port) && port < 65536;
    assert(ok);
    (void)ok;
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool out(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    bool is = p->stopping || clock_mono(&p->clock) < p->out_until;
    pthread_mutex_unlock(&p->lock);
    return is;
}

static bool ready(int fd, int ms)
{
    struct pollfd f = {.fd = fd, .events = POLLIN};
    return poll(&f, 1, ms) > 0;
}

static bool send_all(int fd, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* The rule for this request, taken off the queue. */
static struct rule take_rule(struct proxy *p, unsigned api)
{
    struct rule found = {0};
    pthread_mutex_lock(&p->lock);
    p->sent[MIN(api, PROXY_APIS - 1)]++;
    for (size_t i = 0; i < p->rule_count; i++) {
        if ((unsigned)p->rules[i].api == api) {
            found = p->rules[i];
            p->rule_count--;
            memmove(&p->rules[i], &p->rules[i + 1], (p->rule_count - i) * sizeof p->rules[0]);
            break;
        }
    }
    if (found.act == PROXY_LOSE_REQUEST) {
        p->out_until = clock_mono(&p->clock) + found.ms * CLOCK_NS_PER_MS;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

/* Reads what the broker answers until it is silent; the beginning goes to head. */
static size_t swallow(struct conn *c, char *head, size_t room)
{
    char more[4096];
    size_t n = 0;
    int ms = ANSWER_MS;
    while (ready(c->broker, ms)) {
        ssize_t got = recv(c->broker, more, sizeof more, 0);
        if (got <= 0) {
            break;
        }
        size_t take = MIN((size_t)got, room - n);
        memcpy(head + n, more, take);
        n += take;
        ms = SILENCE_MS;
    }
    return n;
}

static void lose_answer(struct conn *c, const struct rule *rule)
{
    char head[64];
    (void)swallow(c, head, sizeof head);
    pthread_mutex_lock(&c->p->lock);
    c->p->out_until = clock_mono(&c->p->clock) + rule->ms * CLOCK_NS_PER_MS;
    pthread_mutex_unlock(&c->p->lock);
}

/* The answers of EndTxn and its like: length, number, throttle time, then the error code. */
static void deliver_late(struct conn *c, struct slice frame, const struct rule *rule)
{
    char head[64];
    clock_sleep_ns(rule->ms * CLOCK_NS_PER_MS);
    size_t n = send_all(c->broker, frame.ptr, frame.len) ? swallow(c, head, sizeof head) : 0;
    pthread_mutex_lock(&c->p->lock);
    if (n >= 14) {
        c->p->late++;
        c->p->late_code = (uint8_t)head[12] << 8 | (uint8_t)head[13];
    }
    pthread_mutex_unlock(&c->p->lock);
}

/* False = the connection ends. */
static bool pass_on(struct conn *c, struct slice frame)
{
    unsigned api = (unsigned)(uint8_t)frame.ptr[4] << 8 | (uint8_t)frame.ptr[5];
    struct rule rule = take_rule(c->p, api);
    switch (rule.act) {
    case PROXY_LOSE_REQUEST: return false;
    case PROXY_LOSE_ANSWER:
        if (send_all(c->broker, frame.ptr, frame.len)) {
            lose_answer(c, &rule);
        }
        return false;
    case PROXY_HOLD: deliver_late(c, frame, &rule); return false;
    default: return send_all(c->broker, frame.ptr, frame.len);
    }
}

static bool from_client(struct conn *c)
{
    char bytes[65536];
    ssize_t got = recv(c->client, bytes, sizeof bytes, 0);
    if (got <= 0) {
        return false;
    }
    buf_add(&c->request, bytes, (size_t)got);
    size_t at = 0;
    bool go_on = !buf_failed(&c->request);
    while (go_on && c->request.len - at >= 12) {
        const unsigned char *head = (const unsigned char *)c->request.ptr + at;
        size_t len = 4 + ((size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
                          (size_t)head[3]);
        if (c->request.len - at < len) {
            break;
        }
        go_on = pass_on(c, slice_of(c->request.ptr + at, len));
        at += len;
    }
    buf_drop(&c->request, at);
    return go_on;
}

static bool from_broker(struct conn *c)
{
    char bytes[65536];
    ssize_t got = recv(c->broker, bytes, sizeof bytes, 0);
    return got > 0 && send_all(c->client, bytes, (size_t)got);
}

static void *serve(void *arg)
{
    struct conn *c = arg;
    struct proxy *p = c->p;
    bool go_on = true;
    while (go_on && !out(p)) {
        struct pollfd fds[2] = {{.fd = c->client, .events = POLLIN},
                                {.fd = c->broker, .events = POLLIN}};
        if (poll(fds, 2, STEP_MS) > 0) {
            go_on =
                (fds[1].revents == 0 || from_broker(c)) && (fds[0].revents == 0 || from_client(c));
        }
    }
    close(c->client);
    close(c->broker);
    buf_done(&c->request);
    mem_free(c);
    pthread_mutex_lock(&p->lock);
    p->connections--;
    pthread_cond_broadcast(&p->idle);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void connected(struct proxy *p, int client)
{
    static const int one = 1;
    int broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (out(p) || connect(broker, (struct sockaddr *)&p->to, sizeof p->to) != 0) {
        close(client);
        close(broker);
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = MEM_NEW(struct conn);
    *c = (struct conn){.p = p, .client = client, .broker = broker};
    buf_init(&c->request, FRAME_MAX);
    pthread_mutex_lock(&p->lock);
    p->connections++;
    pthread_mutex_unlock(&p->lock);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, c) != 0) {
        abort();
    }
    pthread_detach(thread);
}

static void *listen_on(void *arg)
{
    struct proxy *p = arg;
    for (;;) {
        pthread_mutex_lock(&p->lock);
        bool stopping = p->stopping;
        pthread_mutex_unlock(&p->lock);
        if (stopping) {
            return NULL;
        }
        int client = ready(p->listener, STEP_MS) ? accept(p->listener, NULL, NULL) : -1;
        if (client >= 0) {
            connected(p, client);
        }
    }
}

struct proxy *proxy_new(const char *listen_at, const char *to)
{
    struct proxy *p = MEM_NEW(struct proxy);
    static const int one = 1;
    struct sockaddr_in at = address(listen_at);
    p->to = address(to);
    p->clock = clock_system();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->idle, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(p->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(p->listener, 64) != 0 ||
        pthread_create(&p->thread, NULL, listen_on, p) != 0) {
        perror("proxy");
        abort();
    }
    return p;
}

void proxy_free(struct proxy *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_mutex_lock(&p->lock);
    while (p->connections > 0) {
        pthread_cond_wait(&p->idle, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    close(p->listener);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->idle);
    mem_free(p);
}

void proxy_rule(struct proxy *p, enum proxy_api api, enum proxy_act act, int64_t ms)
{
    pthread_mutex_lock(&p->lock);
    assert(p->rule_count < RULES_MAX);
    p->rules[p->rule_count++] = (struct rule){api, act, ms};
    pthread_mutex_unlock(&p->lock);
}

void proxy_reset(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->rule_count = 0;
    p->out_until = 0;
    p->late = 0;
    p->late_code = 0;
    memset(p->sent, 0, sizeof p->sent);
    pthread_mutex_unlock(&p->lock);
}

uint32_t proxy_sent(struct proxy *p, enum proxy_api api)
{
    pthread_mutex_lock(&p->lock);
    uint32_t n = p->sent[api];
    pthread_mutex_unlock(&p->lock);
    return n;
}

uint32_t proxy_late(struct proxy *p, int *ret_code)
{
    pthread_mutex_lock(&p->lock);
    uint32_t n = p->late;
    *ret_code = p->late_code;
    pthread_mutex_unlock(&p->lock);
    return n;
}
