/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/2 connection's bytes: a bufferevent on one side, an nghttp2 session on the other. Used
 * by the gRPC server and client, which own the session's callbacks. Nothing is read while enough
 * waits unsent; what a round produced leaves in one system call, directly if the socket has nothing
 * queued (as core/net/http_conn.c does it), else through the bufferevent. Loop thread.
 *
 * Errors are noted in `broken` and met again as an event of the bufferevent in the next round, so
 * that no call here frees anything under its caller.
 */
#ifndef CORE_NET_H2_IO_H
#define CORE_NET_H2_IO_H

#include "core/base/attr.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

struct ssl_st;

struct h2_io {
    struct bufferevent *bev; /* its owner frees it */
    struct ssl_st *ssl;      /* NULL without TLS */
    struct evbuffer *out;
    nghttp2_session *session; /* freed by h2_io_done */
    uint64_t in_bytes, out_bytes;
    size_t high_water;
    size_t unsent_seen; /* for h2_io_stuck */
    int64_t unsent_since_ns;
    bool reading, broken;
};

/* The session comes later, by nghttp2_session_*_new2 with what the owner wants. */
void h2_io_init(struct h2_io *io, struct bufferevent *bev, size_t read_bytes, size_t high_water);
void h2_io_done(struct h2_io *io);
/* Everything that has come goes to the session: 0, or nghttp2's fatal error. */
int h2_io_feed(struct h2_io *io) NODISCARD;
/* What the session has to say, up to the high-water mark; h2_io_write sends it: 0, or nghttp2's
 * fatal error. */
int h2_io_flush(struct h2_io *io) NODISCARD;
/* Bytes beside the session, and those that wait, to the socket. */
void h2_io_put(struct h2_io *io, const void *bytes, size_t n);
void h2_io_write(struct h2_io *io);
void h2_io_steer(struct h2_io *io, bool want); /* reads on if wanted and not too much is unsent */
size_t h2_io_unsent(const struct h2_io *io);
size_t h2_io_unread(const struct h2_io *io);
/* The same number of bytes unsent for so long. */
bool h2_io_stuck(struct h2_io *io, int64_t now_ns, int64_t max_ns);
/* What was said is all: the other side sees the end; it may still be sending. */
void h2_io_shut(struct h2_io *io);

/* A bucket of tokens: `burst` of them, refilled by `per_s`. */
struct h2_bucket {
    double tokens;
    int64_t at_ns;
};
/* Takes one; false when there is none. */
bool h2_bucket_take(struct h2_bucket *b, uint32_t burst, uint32_t per_s, int64_t now_ns);

#endif
