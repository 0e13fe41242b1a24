/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the trace generator: the request being made, how its steps end, and what is said of them.
 * trace_gen.c decides what happens and when, trace_say.c writes the span and the log lines.
 */
#ifndef LOADGEN_TRACE_GEN_H
#define LOADGEN_TRACE_GEN_H

#include "loadgen/world.h"

enum span_kind {
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    KIND_CLIENT = 3,
    KIND_PRODUCER = 4,
    KIND_CONSUMER = 5
};

struct failure {
    const char *type, *text;
    const char *code; /* of gRPC */
    int http;
    const char *stack;
};

struct visit {
    struct world *w;
    const struct flow *flow;
    uint8_t trace[16];
    char user[16], product[16], order[24];
    struct pod *pods[SERVICE_COUNT]; /* who serves this request */
};

struct outcome {
    int64_t end_ns;
    const struct failure *failure; /* NULL = fine */
};

/* Ends the span of the step and emits it with its log lines. `here`: the failure happened in this
 * span, so it carries the exception. */
void trace_say(struct visit *v, const struct pod *p, const struct step *s, struct span_out *span,
               const struct outcome *out, bool here);
/* A log line outside of any span. */
void trace_say_warning(struct visit *v, const struct pod *p, int64_t time_ns, const char *body);

#endif
