/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over HTTP/1.1: POST /v1/traces, /v1/metrics, /v1/logs; protobuf or JSON, packed or not. The
 * body is taken into memory that the budget has granted, and nothing of it is read before.
 */
#ifndef INGEST_OTLP_HTTP_H
#define INGEST_OTLP_HTTP_H

#include "ingest/otlp_take.h"

struct http_server;
struct otlp_http;

struct otlp_http_conf {
    struct otlp_taker *taker;
    struct budget *budget;
    size_t body_max, unpacked_max;
};

/* Adds its routes to the server, which must be freed first. */
struct otlp_http *otlp_http_new(struct http_server *server, const struct otlp_http_conf *conf);
void otlp_http_free(struct otlp_http *h);

#endif
