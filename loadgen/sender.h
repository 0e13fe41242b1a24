/* SPDX-License-Identifier: Apache-2.0
 *
 * Who carries a request to the receiver and says what became of it: OTLP over HTTP/1.1, over gRPC,
 * or to nowhere. A sender carries at most `connections` jobs at a time, one on each connection, and
 * tries each once; coming again is the courier's business (courier.h). Everything on the loop's
 * thread. To add one: a struct sender_ops, and its row in sender.c.
 */
#ifndef LOADGEN_SENDER_H
#define LOADGEN_SENDER_H

#include "core/base/err.h"
#include "core/base/slice.h"
#include "core/codec/inflate.h"
#include "loadgen/otlp_out.h"

struct loop;
struct sender;
struct tls_conf;
struct tls_ctx;

enum sender_outcome {
    SENDER_TAKEN = 0,   /* acknowledged */
    SENDER_AGAIN = 1,   /* not now, or nobody knows */
    SENDER_REFUSED = 2, /* never */
};

struct sender_result {
    enum sender_outcome outcome;
    bool answered;     /* by the receiver, whatever it said */
    uint64_t rejected; /* items of a request that was taken but for these */
    int64_t retry_ns;  /* when the receiver wants it again; -1: it did not say */
    struct slice why;  /* not TAKEN, or rejected > 0; valid during the call */
};

struct sender_job {
    enum signal signal;
    struct slice body; /* packed already */
    void (*done)(struct sender_job *job, const struct sender_result *result);
};

struct sender_conf {
    const char *scheme; /* as the rows of sender.c have them */
    const char *host;   /* host:port */
    const char *url;    /* all of it, without a slash at the end */
    int connections;
    int64_t timeout_ns; /* of one try */
    bool json;
    enum inflate_coding coding; /* of the bodies */
    struct tls_ctx *tls;        /* NULL: the scheme has none */
};

struct sender_ops {
    const char *scheme, *doc;
    bool tls;
    int (*open)(struct loop *l, const struct sender_conf *conf, struct sender **ret_sender,
                struct err *reterr);
    void (*close)(struct sender *s); /* jobs under way are not done any more */
    /* done comes later, never from within. */
    void (*send)(struct sender *s, struct sender_job *job);
};

/* The first member of every sender. */
struct sender {
    const struct sender_ops *ops;
};

/* `to` is a URL: http://host:4318, grpc://host:4317, their s forms, or discard:. tls: files,
 * for the s forms. */
int sender_new(struct loop *l, const char *to, const struct tls_conf *tls, struct sender_conf *conf,
               struct sender **ret_sender, struct err *reterr) NODISCARD;
void sender_free(struct sender *s);
void sender_send(struct sender *s, struct sender_job *job);
bool sender_discards(const struct sender *s);

/* Shared by the senders: what an Export*ServiceResponse says of a part that was not taken, and
 * google.rpc.Status of its reason. The slice points into the body. */
void sender_read_partial(struct slice body, bool json, uint64_t *ret_rejected,
                         struct slice *ret_why);

#endif
