/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client may not do to the server: floods (every frame passes grpc_guard_frame before its
 * content is read), and taking its time (the sweep). Also pings of our own, and the way to a
 * connection's end: a notice, one round trip later the last GOAWAY, then what is in work is
 * finished. Answered calls give back what their frames took, so an honest client of any speed never
 * meets these limits. Loop thread.
 */
#include "core/net/grpc_conn.h"
#include "core/net/http_server.h"

#include <assert.h>

enum {
    SMALL_DATA_BYTES = 64, /* DATA frames below it count as frames without content */
    PING_STRIKES = 2,
    NOTICE_MS = 500, /* how long the round trip of the notice may take */
    LINGER_MS = 1000,
};

static const uint8_t ping_alive[8] = "k-alive", ping_drain[8] = "k-drain";

static int64_t ms_ns(uint32_t ms)
{
    return (int64_t)ms * CLOCK_NS_PER_MS;
}

/* --- floods --- */

static bool frame_ok(struct grpc_conn *c)
{
    const struct grpc_server_conf *f = &c->server->conf;
    if (!h2_bucket_take(&c->frames, f->frames_burst, f->frames_per_s,
                        loop_now_ns(c->server->loop))) {
        c->fate = GRPC_REASON_CONTROL_FLOOD;
        return false;
    }
    return true;
}

bool grpc_guard_reset(struct grpc_conn *c)
{
    const struct grpc_server_conf *f = &c->server->conf;
    if (!h2_bucket_take(&c->resets, f->resets_burst, f->resets_per_s,
                        loop_now_ns(c->server->loop))) {
        c->fate = GRPC_REASON_RESET_FLOOD;
        return false;
    }
    return true;
}

/* Streams are opened in rising order; nghttp2 takes one that was left out for one that is closed.
 */
static bool stream_ok(struct grpc_conn *c, int32_t stream)
{
    if (stream > c->last_stream) {
        if (stream > c->last_stream + INT64_C(2)) {
            c->gap_from = c->last_stream + 1;
            c->gap_to = stream - 1;
        }
        c->last_stream = stream;
    } else if (stream >= c->gap_from && stream <= c->gap_to) {
        c->fate = GRPC_REASON_PROTOCOL_BAD;
        return false;
    }
    return true;
}

bool grpc_guard_frame(struct grpc_conn *c, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_HEADERS: c->continuations = 0; return stream_ok(c, hd->stream_id);
    case NGHTTP2_CONTINUATION:
        if (++c->continuations > c->server->conf.continuations_max) {
            c->fate = GRPC_REASON_CONTINUATION_FLOOD;
            return false;
        }
        return true;
    case NGHTTP2_DATA:
        return hd->length >= SMALL_DATA_BYTES || (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0 ||
               frame_ok(c);
    case NGHTTP2_RST_STREAM: {
        const struct grpc_call *call =
            hd->stream_id > 0 ? nghttp2_session_get_stream_user_data(c->io.session, hd->stream_id)
                              : NULL;
        bool waits = call != NULL && call->state < GRPC_CALL_ANSWERED;
        return waits ? grpc_guard_reset(c) : frame_ok(c);
    }
    default: return frame_ok(c);
    }
}

/* --- pings --- */

void grpc_guard_ping(struct grpc_conn *c)
{
    int64_t now = loop_now_ns(c->server->loop);
    bool soon = c->pinged_ns != 0 && now - c->pinged_ns < ms_ns(c->server->conf.ping_min_ms);
    if (c->sent_since_ping) {
        c->ping_strikes = 0;
    } else if (soon && ++c->ping_strikes > PING_STRIKES) {
        c->fate = GRPC_REASON_PING_FLOOD;
    }
    c->pinged_ns = now;
    c->sent_since_ping = false;
}

static void say_last(struct grpc_conn *c)
{
    (void)nghttp2_submit_goaway(c->io.session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(c->io.session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    grpc_conn_state(c, GRPC_CONN_LAST);
    grpc_server_dirty(c->server, c);
}

void grpc_guard_ping_ack(struct grpc_conn *c, const uint8_t *opaque)
{
    if (c->state == GRPC_CONN_NOTICED && memcmp(opaque, ping_drain, sizeof ping_drain) == 0) {
        say_last(c);
    }
}

void grpc_guard_drain(struct grpc_conn *c)
{
    if (c->state != GRPC_CONN_OPEN) {
        return;
    }
    (void)nghttp2_submit_shutdown_notice(c->io.session);
    (void)nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, ping_drain);
    grpc_conn_state(c, GRPC_CONN_NOTICED);
    grpc_server_dirty(c->server, c);
}

/* False: nobody is there any more. */
static bool check_alive(struct grpc_conn *c, int64_t now)
{
    const struct grpc_server_conf *f = &c->server->conf;
    if (c->ping_ns != 0 && c->read_ns > c->ping_ns) {
        c->ping_ns = 0; /* any byte is a sign of life */
    }
    if (c->ping_ns != 0) {
        return now - c->ping_ns < ms_ns(f->ping_ack_ms);
    }
    if (f->ping_ms > 0 && now - c->read_ns >= ms_ns(f->ping_ms)) {
        (void)nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, ping_alive);
        c->ping_ns = now;
        grpc_server_dirty(c->server, c);
    }
    return true;
}

/* --- time --- */

static enum grpc_reason call_late(const struct grpc_call *call, int64_t now)
{
    const struct grpc_server_conf *f = &call->server->conf;
    if (call->state == GRPC_CALL_HEAD || call->state >= GRPC_CALL_ANSWERED) {
        return GRPC_REASON_NONE;
    }
    if (now >= call->deadline_ns) {
        return GRPC_REASON_TIMEOUT;
    }
    if (call->state == GRPC_CALL_HANDED) {
        return GRPC_REASON_NONE;
    }
    uint64_t more_ms = f->body_min_rate > 0 ? call->body_have * 1000 / f->body_min_rate : 0;
    return now - call->born_ns >= ms_ns(f->body_ms) + (int64_t)more_ms * CLOCK_NS_PER_MS
               ? GRPC_REASON_BODY_SLOW
               : GRPC_REASON_NONE;
}

static void check_calls(struct grpc_conn *c, int64_t now)
{
    for (struct grpc_call *call = c->calls; call != NULL;) {
        enum grpc_reason why = call_late(call, now);
        if (why == GRPC_REASON_NONE) {
            call = call->next;
            continue;
        }
        grpc_call_expire(call, why);
        call = c->calls; /* handlers were called: the list may be another */
    }
}

static void unsqueeze(struct grpc_conn *c)
{
    const struct grpc_server_conf *f = &c->server->conf;
    int64_t retry_ns = CLOCK_NS_PER_S;
    if (c->squeezed && f->budget.reserve(f->budget.arg, 0, c->held, &retry_ns)) {
        c->squeezed = false;
        (void)nghttp2_session_set_local_window_size(c->io.session, NGHTTP2_FLAG_NONE, 0,
                                                    (int32_t)f->conn_window);
        grpc_server_dirty(c->server, c);
    }
}

static void check_age(struct grpc_conn *c, int64_t now)
{
    const struct grpc_server_conf *f = &c->server->conf;
    enum grpc_reason why = GRPC_REASON_NONE;
    if (c->state != GRPC_CONN_OPEN) {
        return;
    }
    if (now >= c->old_at_ns) {
        why = GRPC_REASON_AGE;
    } else if (f->idle_ms > 0 && c->open_calls == 0 && now - c->busy_ns >= ms_ns(f->idle_ms)) {
        why = GRPC_REASON_IDLE;
    }
    if (why != GRPC_REASON_NONE) {
        grpc_server_count(c->server, why);
        grpc_guard_drain(c);
    } else if (http_server_draining(c->server->http)) {
        grpc_guard_drain(c);
    }
}

void grpc_guard_time(struct grpc_conn *c, int64_t now)
{
    const struct grpc_server_conf *f = &c->server->conf;
    if (c->state == GRPC_CONN_DEAD || c->pumping) {
        return;
    }
    if (c->state == GRPC_CONN_LINGER) {
        if (now - c->since_ns >= ms_ns(LINGER_MS)) {
            grpc_conn_kill(c, GRPC_REASON_NONE);
        }
        return;
    }
    if (h2_io_stuck(&c->io, now, ms_ns(f->write_ms))) {
        grpc_conn_kill(c, GRPC_REASON_REPLY_SLOW);
        return;
    }
    if (c->state == GRPC_CONN_FLUSH) {
        return;
    }
    int64_t head_ns = c->settled ? c->head_ns : c->since_ns;
    if (head_ns != 0 && now - head_ns >= ms_ns(f->head_ms)) {
        grpc_conn_end(c, GRPC_REASON_HEAD_SLOW);
        grpc_conn_pump(c);
        return;
    }
    if (!check_alive(c, now)) {
        grpc_conn_kill(c, GRPC_REASON_PEER_DEAD);
        return;
    }
    check_calls(c, now);
    unsqueeze(c);
    check_age(c, now);
    if (c->state == GRPC_CONN_NOTICED && now - c->since_ns >= ms_ns(NOTICE_MS)) {
        say_last(c);
    }
}
