/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC server on a loopback port, clients of ours, and raw sockets that speak HTTP/2 byte by
 * byte, all in the test's own thread (see rig.h).
 *
 * Methods of /t.T/: Echo (answers the message); Later (answered by grpc_rig_answer); Never (leaves
 * without an answer); Fail (status 8 with RetryInfo of 2.5 s); Raw (answers "CODING BYTES"); Small
 * (messages of at most 10 bytes, 20 unpacked); Guarded (admits only authorization: secret); Meta
 * (answers the value of x-test); Hold (takes and keeps a reference until grpc_rig_let_go).
 */
#ifndef TESTS_UNIT_CORE_NET_GRPC_RIG_H
#define TESTS_UNIT_CORE_NET_GRPC_RIG_H

#include "rig.h"

#include "core/net/grpc_client.h"
#include "core/net/grpc_server.h"

struct grpc_rig {
    struct loop *loop;
    struct http_server *http;
    struct grpc_server *server;
    struct grpc_call *later[200]; /* waiting, not referenced; NULL = gone */
    size_t later_count;
    struct grpc_call *held;
    int gone, freed, handled, spoilt;
    enum grpc_reason spoilt_why;
    char spoilt_bytes[64];
    size_t budget, used, used_max; /* budget 0: no limit */
    int64_t retry_ns;
    size_t asked_held; /* the last reservation's */
    struct buf got;    /* what grpc_rig_read read: frames */
    bool closed;
};

/* One call's end. */
struct grpc_end {
    bool done;
    enum grpc_status status;
    char text[600], message[256];
    size_t len;
    unsigned http;
    int64_t retry_ns;
    bool local;
    struct slice want; /* the answer must equal it, if given */
    bool equal;
};

struct grpc_server_conf grpc_rig_conf(void);
void grpc_rig_start(struct grpc_rig *g, const struct grpc_server_conf *conf, struct tls_ctx *tls);
void grpc_rig_stop(struct grpc_rig *g);
void grpc_rig_step(struct grpc_rig *g, int64_t ms);
/* Goes round until *flag or the time is over. */
bool grpc_rig_wait(struct grpc_rig *g, const bool *flag, int64_t ms);
/* Answers all that wait with their own messages. */
void grpc_rig_answer(struct grpc_rig *g);
void grpc_rig_let_go(struct grpc_rig *g);
uint64_t grpc_rig_refused(const struct grpc_rig *g, enum grpc_reason why);

struct grpc_client *grpc_rig_client(struct grpc_rig *g, struct tls_ctx *tls);
/* For grpc_ask.done, with a struct grpc_end as arg. */
void grpc_rig_done(void *arg, const struct grpc_result *r);
/* One call to its end. */
struct grpc_end grpc_rig_call(struct grpc_rig *g, struct grpc_client *c, const char *method,
                              struct slice message);
struct grpc_end grpc_rig_ask(struct grpc_rig *g, struct grpc_client *c, struct grpc_ask ask);

/* Raw HTTP/2: bytes gather in a buffer and are sent. */
struct h2_out {
    uint8_t bytes[1 << 20];
    size_t n;
};
void h2_out_preface(struct h2_out *o); /* with an empty SETTINGS */
void h2_out_frame(struct h2_out *o, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t n);
/* HPACK, literals without indexing; NULL value: the field is left out. */
size_t h2_out_field(uint8_t *to, const char *name, const char *value);
/* HEADERS of a call; flags 4 = END_HEADERS, 1 = END_STREAM. */
void h2_out_head(struct h2_out *o, uint32_t stream, uint8_t flags, const char *method,
                 const char *path, const char *type, const char *name, const char *value);
/* DATA with the 5 bytes and the message. */
void h2_out_message(struct h2_out *o, uint32_t stream, uint8_t flags, uint8_t packed,
                    struct slice message);
int grpc_rig_connect(struct grpc_rig *g);
void grpc_rig_send(struct grpc_rig *g, int fd, struct h2_out *o); /* and empties it */
/* Reads what comes within ms, or to the end of the connection. */
void grpc_rig_read(struct grpc_rig *g, int fd, int64_t ms);
/* Reads until a frame of that type has come (stream 0: any stream); its payload, or the absent
 * slice after ms. */
struct slice grpc_rig_frame(struct grpc_rig *g, int fd, uint8_t type, uint32_t stream, int64_t ms);
/* In what was read: does a GOAWAY with that code and text come? */
bool grpc_rig_goaway(struct grpc_rig *g, int fd, uint32_t code, const char *text, int64_t ms);

#endif
