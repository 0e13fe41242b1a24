/* SPDX-License-Identifier: Apache-2.0
 *
 * Kubernetes events about pods, nodes and deployments, in the form in which the OpenTelemetry
 * collector's receiver for them makes log records: the object in the resource, k8s.event.*
 * attributes, the type as severity, the message as body.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>
#include <stdio.h>

void kube_gen_event(struct world *w, struct shop_resource *object, const struct kube_event *event)
{
    assert(event->reason != NULL && event->note != NULL && event->name != NULL);
    char name[96], uid[40], when[CLOCK_TEXT_BYTES];
    uint64_t a = rng_next(&w->ids), b = rng_next(&w->ids);
    if (!world_wants(w, SIGNAL_LOGS)) {
        return;
    }
    snprintf(name, sizeof name, "%s.%016llx", event->name, (unsigned long long)a);
    snprintf(uid, sizeof uid, "%08x-%04x-4%03x-b%03x-%012llx", (unsigned)(a & 0xffffffff),
             (unsigned)(a >> 48), (unsigned)(a >> 36 & 0xfff), (unsigned)(b >> 52),
             (unsigned long long)(b & 0xffffffffffff));
    struct log_out log = {
        .time_ns = w->now_ns,
        .severity = event->warning ? 13 : 9,
        .severity_text = event->warning ? "Warning" : "Normal",
        .body = event->note,
        .attrs = {ATTR_S("k8s.event.reason", event->reason), ATTR_S("k8s.event.action", ""),
                  ATTR_S("k8s.event.start_time", clock_text(w->now_ns, when)),
                  ATTR_S("k8s.event.name", name), ATTR_S("k8s.event.uid", uid),
                  ATTR_I("k8s.event.count", event->count > 0 ? event->count : 1),
                  ATTR_S("k8s.namespace.name", event->cluster_wide ? "" : "shop")},
        .attr_count = 7,
    };
    otlp_out_log(&w->scratch, &log);
    world_emit(w, w->shop.node_count, object, SIGNAL_LOGS, w->now_ns, 1);
}
