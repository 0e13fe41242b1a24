/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over gRPC: the three Export calls. Limits, unpacking and refusals before a message is there
 * are the gRPC server's; memory comes from the same budget as everywhere.
 */
#ifndef INGEST_OTLP_GRPC_H
#define INGEST_OTLP_GRPC_H

#include "ingest/otlp_take.h"

struct grpc_server;
struct http_server;
struct otlp_grpc;

struct otlp_grpc_conf {
    struct otlp_taker *taker;
    struct budget *budget;
    size_t body_max, unpacked_max;
};

struct otlp_grpc *otlp_grpc_new(struct http_server *server, const struct otlp_grpc_conf *conf);
struct grpc_server *otlp_grpc_server(struct otlp_grpc *g);
void otlp_grpc_free(struct otlp_grpc *g); /* after the HTTP server */

#endif
