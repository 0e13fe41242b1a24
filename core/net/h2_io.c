/* SPDX-License-Identifier: Apache-2.0
 *
 * See h2_io.h.
 */
#include "core/net/h2_io.h"

#include "core/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

void h2_io_init(struct h2_io *io, struct bufferevent *bev, size_t read_bytes, size_t high_water)
{
    assert(bev != NULL && high_water > 0);
    *io = (struct h2_io){.bev = bev, .high_water = high_water, .reading = true};
    io->ssl = bufferevent_openssl_get_ssl(bev);
    io->out = evbuffer_new();
    if (io->out == NULL) {
        abort(); /* as malloc failing */
    }
    bufferevent_set_max_single_read(bev, read_bytes);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

void h2_io_done(struct h2_io *io)
{
    nghttp2_session_del(io->session);
    evbuffer_free(io->out);
    io->session = NULL;
    io->out = NULL;
}

size_t h2_io_unsent(const struct h2_io *io)
{
    return evbuffer_get_length(io->out) + evbuffer_get_length(bufferevent_get_output(io->bev));
}

size_t h2_io_unread(const struct h2_io *io)
{
    return evbuffer_get_length(bufferevent_get_input(io->bev));
}

int h2_io_feed(struct h2_io *io)
{
    struct evbuffer *in = bufferevent_get_input(io->bev);
    struct evbuffer_iovec v;
    while (evbuffer_peek(in, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
        ssize_t used = nghttp2_session_mem_recv(io->session, v.iov_base, v.iov_len);
        if (used < 0) {
            return (int)used;
        }
        io->in_bytes += (uint64_t)used;
        evbuffer_drain(in, (size_t)used);
        if (used == 0) {
            break; /* the session is closing: nothing more is wanted */
        }
    }
    return 0;
}

void h2_io_put(struct h2_io *io, const void *bytes, size_t n)
{
    evbuffer_add(io->out, bytes, n);
}

void h2_io_write(struct h2_io *io)
{
    size_t n = evbuffer_get_length(io->out);
    if (n == 0) {
        return;
    }
    if (io->broken) {
        evbuffer_drain(io->out, n);
        return;
    }
    io->out_bytes += n;
    if (io->ssl == NULL && evbuffer_get_length(bufferevent_get_output(io->bev)) == 0) {
        int put = evbuffer_write(io->out, bufferevent_getfd(io->bev));
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            io->broken = true;
            evbuffer_drain(io->out, evbuffer_get_length(io->out));
            bufferevent_trigger_event(io->bev, BEV_EVENT_ERROR | BEV_EVENT_WRITING,
                                      BEV_TRIG_DEFER_CALLBACKS);
            return;
        }
    }
    if (evbuffer_get_length(io->out) > 0) {
        bufferevent_write_buffer(io->bev, io->out);
    }
}

int h2_io_flush(struct h2_io *io)
{
    for (;;) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(io->session, &bytes);
        if (n <= 0) {
            return (int)n;
        }
        evbuffer_add(io->out, bytes, (size_t)n);
        if (h2_io_unsent(io) >= io->high_water) {
            h2_io_write(io); /* what the socket takes at once makes room for more */
            if (h2_io_unsent(io) >= io->high_water / 2) {
                return 0; /* goes on when it is sent */
            }
        }
    }
}

void h2_io_steer(struct h2_io *io, bool want)
{
    want = want && h2_io_unsent(io) < io->high_water;
    if (want != io->reading) {
        io->reading = want;
        if (want) {
            bufferevent_enable(io->bev, EV_READ);
        } else {
            bufferevent_disable(io->bev, EV_READ);
        }
    }
}

bool h2_io_stuck(struct h2_io *io, int64_t now_ns, int64_t max_ns)
{
    size_t unsent = h2_io_unsent(io);
    if (unsent == 0 || unsent != io->unsent_seen) {
        io->unsent_seen = unsent;
        io->unsent_since_ns = now_ns;
        return false;
    }
    return now_ns - io->unsent_since_ns >= max_ns;
}

void h2_io_shut(struct h2_io *io)
{
    if (io->ssl != NULL) {
        tls_goodbye(io->ssl);
    }
    shutdown(bufferevent_getfd(io->bev), SHUT_WR);
}

bool h2_bucket_take(struct h2_bucket *b, uint32_t burst, uint32_t per_s, int64_t now_ns)
{
    assert(now_ns >= b->at_ns);
    b->tokens += (double)(now_ns - b->at_ns) * per_s / 1e9;
    b->tokens = b->tokens > burst ? burst : b->tokens;
    b->at_ns = now_ns;
    if (b->tokens < 1) {
        return false;
    }
    b->tokens -= 1;
    return true;
}
