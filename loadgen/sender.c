/* SPDX-License-Identifier: Apache-2.0
 *
 * See sender.h: which sender a URL asks for, the one to nowhere, and reading of answers.
 */
#include "loadgen/sender.h"

#include "core/base/mem.h"
#include "core/codec/pbwire.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>

extern const struct sender_ops sender_http, sender_https, sender_grpc, sender_grpcs;

/* To nowhere: what the generator alone can do. */
struct discard {
    struct sender base;
    struct loop *loop;
};

static int discard_open(struct loop *l, const struct sender_conf *conf, struct sender **ret_sender,
                        struct err *reterr)
{
    struct discard *d = MEM_NEW(struct discard);
    (void)conf;
    (void)reterr;
    d->loop = l;
    *ret_sender = &d->base;
    return 0;
}

static void discard_close(struct sender *s)
{
    mem_free(s);
}

static void discard_done(void *arg)
{
    struct sender_job *job = arg;
    job->done(job, &(struct sender_result){.answered = true, .retry_ns = -1});
}

static void discard_send(struct sender *s, struct sender_job *job)
{
    struct discard *d = (struct discard *)s;
    loop_post(d->loop, discard_done, job);
}

static const struct sender_ops sender_discard = {
    "discard",   "nowhere: measures the generator alone", false, discard_open, discard_close,
    discard_send};

static const struct sender_ops *const senders[] = {&sender_http, &sender_https, &sender_grpc,
                                                   &sender_grpcs, &sender_discard};

static const struct sender_ops *find(struct slice scheme)
{
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        if (slice_eq(scheme, slice_str(senders[i]->scheme))) {
            return senders[i];
        }
    }
    return NULL;
}

int sender_new(struct loop *l, const char *to, const struct tls_conf *tls, struct sender_conf *conf,
               struct sender **ret_sender, struct err *reterr)
{
    struct slice text = slice_str(to);
    size_t colon = slice_find(text, ':');
    const struct sender_ops *ops = find(slice_sub(text, 0, colon));
    bool nowhere = ops == &sender_discard;
    assert(conf->connections > 0);
    if (ops == NULL ||
        (!nowhere && !slice_starts(slice_sub(text, colon, text.len), SLICE("://")))) {
        return err_set(reterr, ERR_USAGE,
                       "--to %s: expected grpc://host:4317, http://host:4318, grpcs://, https:// "
                       "or discard:",
                       to);
    }
    conf->scheme = ops->scheme;
    conf->url = to;
    conf->host = nowhere ? "" : to + colon + 3;
    if (!nowhere && (conf->host[0] == '\0' || conf->host[0] == '/')) {
        return err_set(reterr, ERR_USAGE, "--to %s: there is no host in it", to);
    }
    struct tls_ctx *ctx = NULL;
    if (ops->tls) {
        struct tls_conf t = tls != NULL ? *tls : (struct tls_conf){.ca_file = NULL};
        t.alpn_h2 = ops == &sender_grpcs;
        int rc = tls_client_new(&t, &ctx, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    conf->tls = ctx;
    int rc = ops->open(l, conf, ret_sender, reterr);
    tls_unref(ctx);
    if (rc == 0) {
        (*ret_sender)->ops = ops;
    }
    return rc;
}

void sender_free(struct sender *s)
{
    if (s != NULL) {
        s->ops->close(s);
    }
}

void sender_send(struct sender *s, struct sender_job *job)
{
    assert(job->done != NULL);
    s->ops->send(s, job);
}

bool sender_discards(const struct sender *s)
{
    return s->ops == &sender_discard;
}

/* {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}}: only these two, so without a
 * parser: the number behind the first key that begins with "rejected". */
static void read_partial_json(struct slice body, uint64_t *ret_rejected, struct slice *ret_why)
{
    size_t at = slice_find_slice(body, SLICE("\"rejected"));
    struct slice rest = slice_sub(body, at, body.len);
    size_t colon = slice_find(rest, ':');
    uint64_t n = 0;
    for (size_t i = colon; i < rest.len && rest.ptr[i] != ',' && rest.ptr[i] != '}'; i++) {
        if (rest.ptr[i] >= '0' && rest.ptr[i] <= '9' && n < UINT64_MAX / 100) {
            n = n * 10 + (uint64_t)(rest.ptr[i] - '0');
        }
    }
    *ret_rejected = n;
    *ret_why = slice_find_slice(body, SLICE("\"errorMessage\"")) < body.len ? body : SLICE_NONE;
}

void sender_read_partial(struct slice body, bool json, uint64_t *ret_rejected,
                         struct slice *ret_why)
{
    struct pbwire r = pbwire_of(body);
    struct pbwire_field f, g;
    *ret_rejected = 0;
    *ret_why = SLICE_NONE;
    if (json) {
        read_partial_json(body, ret_rejected, ret_why);
        return;
    }
    while (pbwire_next(&r, &f)) {
        if (f.tag != PBWIRE_TAG(1, PBWIRE_LEN)) {
            continue;
        }
        struct pbwire partial = pbwire_of(f.bytes);
        while (pbwire_next(&partial, &g)) {
            if (g.tag == PBWIRE_TAG(1, PBWIRE_VARINT)) {
                *ret_rejected = g.value;
            } else if (g.tag == PBWIRE_TAG(2, PBWIRE_LEN)) {
                *ret_why = g.bytes;
            }
        }
    }
}
