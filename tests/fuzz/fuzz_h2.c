/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes after the preface, in any pieces, into the gRPC server over a real socket pair: it must
 * not crash, must give back all memory it reserved, and must tell every handler that took a call
 * how it ended. The first byte chooses how large the pieces are and how small the limits.
 *
 * nghttp2 itself is the same for all inputs; what is fuzzed is what we do in its callbacks.
 */
#include "core/base/mem.h"
#include "core/net/grpc_server.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAKEN_MAX = 64 };

struct fuzz {
    struct loop *loop;
    struct http_server *http;
    struct grpc_server *grpc;
    size_t used, budget;
    int taken, freed;
    struct grpc_call *waiting[TAKEN_MAX];
    size_t waiting_count;
};

static bool reserve(void *arg, size_t bytes, size_t held, int64_t *ret_retry_ns)
{
    struct fuzz *f = arg;
    (void)held;
    (void)ret_retry_ns;
    if (f->used + bytes > f->budget) {
        return false;
    }
    f->used += bytes;
    return true;
}

static void release(void *arg, size_t bytes)
{
    struct fuzz *f = arg;
    if (bytes > f->used) {
        abort();
    }
    f->used -= bytes;
}

static void on_freed(void *arg)
{
    ((struct fuzz *)arg)->freed++;
}

static void on_gone(struct grpc_call *c, void *arg)
{
    struct fuzz *f = arg;
    for (size_t i = 0; i < f->waiting_count; i++) {
        if (f->waiting[i] == c) {
            f->waiting[i] = NULL;
        }
    }
}

static const struct grpc_call_ops ops = {.gone = on_gone, .freed = on_freed};

static void on_echo(struct grpc_call *c, void *arg)
{
    (void)arg;
    grpc_reply(c, grpc_call_message(c));
}

static void on_later(struct grpc_call *c, void *arg)
{
    struct fuzz *f = arg;
    if (f->waiting_count < TAKEN_MAX) {
        grpc_call_take(c, &ops, f);
        f->taken++;
        f->waiting[f->waiting_count++] = c;
    }
}

static const struct grpc_route routes[] = {
    {.path = "/E", .fn = on_echo, .doc = "echoes"},
    {.path = "/L", .fn = on_later, .doc = "answers later"},
};

static void answer(struct fuzz *f)
{
    for (size_t i = 0; i < f->waiting_count; i++) {
        if (f->waiting[i] != NULL) {
            grpc_reply(f->waiting[i], SLICE("late"));
        }
    }
    f->waiting_count = 0;
}

static void start(struct fuzz *f, uint8_t how)
{
    struct grpc_server_conf conf = grpc_server_conf_default();
    struct err err;
    f->budget = (how & 1) != 0 ? 20000 : 1 << 20;
    conf.budget = (struct grpc_budget){reserve, release, f};
    conf.message_max = 65536;
    conf.unpacked_max = 1 << 18;
    conf.streams_max = (how & 2) != 0 ? 2 : 100;
    conf.stream_window = (how & 4) != 0 ? 64 : 65535;
    conf.resets_burst = conf.frames_burst = (how & 8) != 0 ? 3 : 100;
    f->http = http_server_new(f->loop, NULL);
    f->grpc = grpc_server_new(f->http, &conf);
    grpc_server_routes(f->grpc, routes, ARRAY_LEN(routes), f);
    /* An abstract name would do, but addr.h has none: the socket lives in the temporary folder. */
    char where[64];
    snprintf(where, sizeof where, "unix:/tmp/fuzz_h2.%d", (int)getpid());
    if (http_server_listen(f->http, &(struct http_listen){.addr = where}, &err) != 0) {
        abort();
    }
}

static int dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "/tmp/fuzz_h2.%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof un) != 0) {
        abort();
    }
    return fd;
}

static void drop_answers(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct fuzz f = {.loop = NULL};
    if (size < 2) {
        return 0;
    }
    size_t piece = (size_t)(data[0] >> 4) * 37 + 1;
    f.loop = loop_new();
    start(&f, data[0]);
    int fd = dial();
    (void)!send(fd, preface, sizeof preface, MSG_NOSIGNAL); /* its NUL ends the SETTINGS frame */
    for (size_t at = 1; at < size; at += piece) {
        (void)!send(fd, data + at, MIN(piece, size - at), MSG_NOSIGNAL | MSG_DONTWAIT);
        loop_step(f.loop, 0);
        drop_answers(fd);
    }
    loop_step(f.loop, 0);
    answer(&f);
    loop_step(f.loop, 0);
    close(fd);
    loop_step(f.loop, 0);
    http_server_free(f.http);
    grpc_server_free(f.grpc);
    loop_free(f.loop);
    if (f.used != 0 || f.freed != f.taken) {
        abort();
    }
    return 0;
}
