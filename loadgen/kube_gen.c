/* SPDX-License-Identifier: Apache-2.0
 *
 * Kubernetes events about pods and nodes, in the form in which the OpenTelemetry collector's
 * Kubernetes receivers put them into log records: k8s.event.* and k8s.object.* attributes, the note
 * as the body.
 */
#include "loadgen/world.h"

#include <assert.h>
#include <stdio.h>

void kube_gen_event(struct world *w, const struct pod *about, const struct kube_out *event)
{
    assert(event->reason != NULL && event->note != NULL);
    char uid[64];
    snprintf(uid, sizeof uid, "%s.%012llx", event->object,
             (unsigned long long)(rng_next(&w->ids) & 0xffffffffffff));
    bool warning = strcmp(event->type, "Warning") == 0;
    struct log_out log = {
        .time_ns = w->now_ns,
        .severity = warning ? 13 : 9,
        .severity_text = event->type,
        .body = event->note,
        .attrs = {ATTR_S("k8s.event.reason", event->reason), ATTR_S("k8s.event.action", ""),
                  ATTR_S("k8s.event.name", uid), ATTR_S("k8s.event.uid", uid),
                  ATTR_I("k8s.event.count", 1), ATTR_S("k8s.object.kind", event->kind),
                  ATTR_S("k8s.object.name", event->object), ATTR_S("k8s.namespace.name", "shop")},
        .attr_count = 8,
    };
    otlp_out_log(&w->scratch, &log);
    world_emit(w, about, SIGNAL_LOGS, w->now_ns);
}
