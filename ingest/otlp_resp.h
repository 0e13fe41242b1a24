/* SPDX-License-Identifier: Apache-2.0
 *
 * What OTLP answers, as bytes: ExportXServiceResponse with its partial success, and
 * google.rpc.Status with RetryInfo for errors; in protobuf and in JSON, to mirror the request. gRPC
 * puts the protobuf Status into the trailer grpc-status-details-bin, HTTP makes it the body.
 */
#ifndef INGEST_OTLP_RESP_H
#define INGEST_OTLP_RESP_H

#include "ingest/otlp.h"

/* "" in protobuf, "{}" in JSON when nothing was rejected: a full success has no partial_success.
 * False at the buffer's limit. */
bool otlp_resp_success(struct buf *b, enum otlp_signal signal, enum otlp_form form,
                       const struct otlp_result *result);
/* code: of google.rpc.Code, which are the status codes of gRPC. retry_ns > 0: with RetryInfo. */
bool otlp_resp_status(struct buf *b, enum otlp_form form, int code, struct slice message,
                      int64_t retry_ns);
/* The sentence for the sender: how many items were rejected for what. */
bool otlp_resp_message(struct buf *b, enum otlp_signal signal, const struct otlp_result *result);

#endif
