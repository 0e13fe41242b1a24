/* SPDX-License-Identifier: Apache-2.0
 *
 * What the gRPC server and client share: status codes, reasons of refusal, and the small codings of
 * the protocol: grpc-timeout, percent-encoded messages, and google.rpc.Status, which travels in
 * grpc-status-details-bin and carries RetryInfo and BadRequest. No I/O here.
 *
 * To add a reason: a row in grpc_reason.def and a case in tests/unit/core/net/test_grpc_refuse.c.
 */
#ifndef CORE_NET_GRPC_H
#define CORE_NET_GRPC_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum grpc_status {
#define GRPC_STATUS(name, number, doc) GRPC_##name = (number),
#include "core/net/grpc_status.def"
#undef GRPC_STATUS
    GRPC_STATUS_COUNT
};

enum grpc_reason {
#define GRPC_REASON(name, status, http, doc) GRPC_REASON_##name,
#include "core/net/grpc_reason.def"
#undef GRPC_REASON
    GRPC_REASON_COUNT
};

enum {
    GRPC_PREFIX_BYTES = 5,    /* flag, length */
    GRPC_REASON_BYTES = 32,   /* a reason's name with its NUL */
    GRPC_TEXT_BYTES = 512,    /* a status message is cut here */
    GRPC_DETAILS_BYTES = 4096 /* google.rpc.Status, before base64 */
};

/* "UNAVAILABLE"; "?" for numbers that are none. */
const char *grpc_status_name(int status);
/* "method_unknown": the label of the metric. */
const char *grpc_reason_name(enum grpc_reason r, char out[GRPC_REASON_BYTES]);
const char *grpc_reason_doc(enum grpc_reason r);
enum grpc_status grpc_reason_status(enum grpc_reason r);
unsigned grpc_reason_http(enum grpc_reason r); /* 0: the stream or connection just ends */

/* "500m" and the like to ns; false if it is malformed. At most 8 digits, as the protocol says. */
bool grpc_timeout_parse(struct slice text, int64_t *ret_ns);
const char *grpc_timeout_text(int64_t ns, char out[16]); /* rounds up */
/* A status message as it travels: printable ASCII, the rest as %XX. Both append. */
void grpc_percent_put(struct buf *out, struct slice text);
void grpc_percent_get(struct buf *out, struct slice text); /* broken escapes stay as they are */

/* What a google.rpc.Status says beyond the code. Slices are borrowed. */
struct grpc_details {
    enum grpc_status status;
    struct slice message;
    int64_t retry_ns;        /* RetryInfo.retry_delay; < 0: there is none */
    struct slice bad_field;  /* BadRequest's one violation: which field ... */
    struct slice bad_reason; /* ... and why; absent: no BadRequest */
};

/* Also the body of OTLP/HTTP errors. Appends protobuf. */
void grpc_details_put(struct buf *out, const struct grpc_details *d);
int grpc_details_get(struct slice bytes, struct grpc_details *ret_d, struct err *reterr) NODISCARD;

#endif
