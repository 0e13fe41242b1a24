/* SPDX-License-Identifier: Apache-2.0
 *
 * A server on a loopback port and raw sockets against it, all in the test's own thread: the rig
 * steps the loop whenever the test waits for bytes. So a test is deterministic, and needs no locks.
 *
 * Routes: GET /hello; POST /whole (collects <= 64 KiB, answers its length and a checksum);
 * POST /echo (streams the body back); GET /chunks?n=.. (n parts of 1000 bytes, of unknown length);
 * GET /later (answered by rig_answer_later); GET /never (leaves without an answer); PUT /sized
 * (411 without a body); GET /p/... (a prefix: answers what followed).
 */
#ifndef TESTS_UNIT_CORE_NET_RIG_H
#define TESTS_UNIT_CORE_NET_RIG_H

#include "core/base/buf.h"
#include "core/net/http_req.h"
#include "core/net/http_route.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"

struct rig {
    struct loop *loop;
    struct http_server *server;
    struct http_req *later; /* the last request of /later, referenced */
    int later_gone, freed;
    bool pause_echo; /* /echo pauses after each piece until rig_resume */
    struct http_req *paused;
    size_t echoed;
    struct buf got; /* what rig_read read */
    bool closed;    /* rig_read saw the end */
};

/* Short timeouts; tls may be NULL. */
struct http_server_conf rig_conf(void);
void rig_start(struct rig *g, const struct http_server_conf *conf, struct tls_ctx *tls);
void rig_stop(struct rig *g);
int rig_connect(struct rig *g);
void rig_send(struct rig *g, int fd, const void *bytes, size_t n);
void rig_send_str(struct rig *g, int fd, const char *text);
/* Reads into g->got (cleared first) until the text is in it, the end, or the time is over. */
bool rig_read_until(struct rig *g, int fd, const char *text, int64_t ms);
void rig_read_end(struct rig *g, int fd, int64_t ms);
void rig_step(struct rig *g, int64_t ms); /* lets the loop go round for so long */
/* The status of the first answer in g->got; 0 if there is none. */
unsigned rig_status(struct rig *g);
/* Connects, sends, reads to the end of the stream or `ms`, closes. */
unsigned rig_ask(struct rig *g, const char *text, int64_t ms);
void rig_answer_later(struct rig *g);
uint64_t rig_refused(const struct rig *g, enum http_reason why);

#endif
