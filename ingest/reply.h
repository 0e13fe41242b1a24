/* SPDX-License-Identifier: Apache-2.0
 *
 * How a request may end: one table for all protocols (reply.def), so that the same trouble is told
 * alike everywhere and counted under the same name.
 */
#ifndef INGEST_REPLY_H
#define INGEST_REPLY_H

#include "core/base/err.h"
#include "core/net/grpc.h"

enum reply {
#define REPLY(name, grpc, http, again, doc) REPLY_##name,
#include "ingest/reply.def"
#undef REPLY
    REPLY_COUNT
};

struct reply_row {
    const char *name; /* "overload": the label of the metric */
    enum grpc_status grpc;
    unsigned http;
    bool again;
    const char *doc;
};

extern const struct reply_row reply_rows[REPLY_COUNT];

/* The end that an error of the bus means; NULL: OK. */
enum reply reply_of_err(const struct err *err);

#endif
