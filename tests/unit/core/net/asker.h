/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of the tests: a call whose callbacks write down what happened. One struct asked
 * per call; asker_start sets it up (keeping the wishes at its end), asker_wait steps the rig's loop
 * until done was called, asker_done frees the body. Also a liar: a listener whose connections the
 * test answers by hand, byte by byte, to see the client through what a good server never does.
 */
#ifndef TESTS_UNIT_CORE_NET_ASKER_H
#define TESTS_UNIT_CORE_NET_ASKER_H

#include "rig.h"

#include "core/net/http_client.h"

struct asked {
    int done, heads, writable;
    unsigned status;
    struct buf body;
    struct err err;
    struct http_call *call; /* NULL once it has ended */
    /* wishes */
    size_t to_send; /* of a streamed request: bytes to go; SIZE_MAX once all are sent */
    bool cancel_in_data, pause_in_data;
    void (*on_done)(struct asked *a, void *arg); /* within done */
    void *on_done_arg;
};

void asker_start(struct http_client *c, const struct http_call_spec *spec, struct asked *a);
void asker_feed(struct asked *a); /* sends of to_send what goes; the rest follows by itself */
void asker_wait(struct rig *g, struct asked *a, int64_t ms);
/* Start and wait. */
void asker_ask(struct rig *g, struct http_client *c, const struct http_call_spec *spec,
               struct asked *a);
/* What http_call_start says to a spec that it must refuse. */
int asker_refusal(struct http_client *c, const struct http_call_spec *spec);
void asker_done(struct asked *a);
/* http://HOST:PORT/path of the rig's server; valid until the next call. */
const char *asker_url(struct rig *g, const char *path);

struct liar {
    int fd;
    char url[100];
};

struct liar liar_start(void);
int liar_take(struct rig *g, const struct liar *l); /* the next connection */

#endif
