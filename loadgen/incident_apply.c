/* SPDX-License-Identifier: Apache-2.0
 *
 * What an incident does to the fleet when it begins and ends. What it does to single requests is in
 * trace_gen.c, beside what it changes.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>
#include <stdio.h>

static void tell(struct world *w, const struct pod *p, const char *reason, const char *type,
                 const char *note)
{
    struct kube_out event = {
        .reason = reason, .type = type, .kind = "Pod", .object = p->name, .note = note};
    kube_gen_event(w, p, &event);
}

static void tell_start(struct world *w, const struct pod *p)
{
    char note[200];
    const char *name = shop_services[p->service].name;
    snprintf(note, sizeof note, "Successfully pulled image \"shop/%s:%s\" in 1.2s", name,
             p->version);
    tell(w, p, "Pulled", "Normal", note);
    snprintf(note, sizeof note, "Created container %s", name);
    tell(w, p, "Created", "Normal", note);
    snprintf(note, sizeof note, "Started container %s", name);
    tell(w, p, "Started", "Normal", note);
}

static void roll_out(struct world *w, enum service_id service, const char *version)
{
    for (int i = 0; i < w->shop.pod_count; i++) {
        struct pod *p = &w->shop.pods[i];
        if (p->service == service) {
            tell(w, p, "Killing", "Normal", "Stopping container");
            shop_replace(&w->shop, p, p->node, version, w->now_ns);
            tell_start(w, p);
        }
    }
}

/* A bad version crashes now and then: restarts, BackOff. */
static void crash_some(struct world *w)
{
    for (int i = 0; i < w->shop.pod_count; i++) {
        struct pod *p = &w->shop.pods[i];
        double chance = 0.05 * (double)w->options.tick_ns / (double)CLOCK_NS_PER_S;
        if (p->service == SERVICE_RECOMMEND && rng_chance(&w->chatter, chance)) {
            p->restarts++;
            p->cpu_seconds = 0;
            memset(p->red, 0, sizeof p->red);
            p->start_ns = w->now_ns;
            tell(w, p, "BackOff", "Warning", "Back-off restarting failed container recommendation");
        }
    }
}

static void saturate(struct world *w, struct incident *in)
{
    struct pod *p = shop_pick(&w->shop, SERVICE_CATALOG, &w->visits);
    if (p != NULL) {
        snprintf(in->pod, sizeof in->pod, "%s", p->name);
        p->cpu_extra = 10;
    }
}

static void relax(struct world *w, const struct incident *in)
{
    for (int i = 0; i < w->shop.pod_count; i++) {
        if (strcmp(w->shop.pods[i].name, in->pod) == 0) {
            w->shop.pods[i].cpu_extra = 0;
        }
    }
}

static const struct pod *any_running(const struct shop *s)
{
    for (int i = 0; i < s->pod_count; i++) {
        if (s->pods[i].running) {
            return &s->pods[i];
        }
    }
    return &s->pods[0];
}

static void lose_node(struct world *w, const struct incident *in)
{
    char node[32];
    shop_node_name(in->node, node);
    w->shop.node_up[in->node] = false;
    for (int i = 0; i < w->shop.pod_count; i++) {
        if (w->shop.pods[i].node == in->node) {
            w->shop.pods[i].running = false;
        }
    }
    struct kube_out event = {.reason = "NodeNotReady",
                             .type = "Warning",
                             .kind = "Node",
                             .object = node,
                             .note = "Node status is now: NodeNotReady"};
    kube_gen_event(w, any_running(&w->shop), &event);
}

/* A minute later the pods are scheduled elsewhere. */
static void reschedule(struct world *w, const struct incident *in)
{
    for (int i = 0; i < w->shop.pod_count; i++) {
        struct pod *p = &w->shop.pods[i];
        if (!p->running && p->node == in->node && w->now_ns >= in->from_ns + 60 * CLOCK_NS_PER_S) {
            int node = (in->node + 1 + i) % w->shop.node_count;
            node = node == in->node ? (node + 1) % w->shop.node_count : node;
            shop_replace(&w->shop, p, node, shop_services[p->service].version, w->now_ns);
            tell_start(w, p);
        }
    }
}

static void begin(struct world *w, struct incident *in)
{
    switch (in->kind) {
    case INCIDENT_BAD_ROLLOUT: roll_out(w, SERVICE_RECOMMEND, "1.0.0"); break;
    case INCIDENT_CPU_SATURATION: saturate(w, in); break;
    case INCIDENT_NODE_LOSS:
        in->node %= w->shop.node_count;
        lose_node(w, in);
        break;
    case INCIDENT_SLOW_DEPENDENCY:
    case INCIDENT_FAILING_PRODUCT:
    case INCIDENT_ORDERS_LOST:
    case INCIDENT_COUNT: break;
    }
}

static void end(struct world *w, const struct incident *in)
{
    switch (in->kind) {
    case INCIDENT_BAD_ROLLOUT:
        roll_out(w, SERVICE_RECOMMEND, shop_services[SERVICE_RECOMMEND].version);
        break;
    case INCIDENT_CPU_SATURATION: relax(w, in); break;
    case INCIDENT_NODE_LOSS: w->shop.node_up[in->node] = true; break;
    case INCIDENT_SLOW_DEPENDENCY:
    case INCIDENT_FAILING_PRODUCT:
    case INCIDENT_ORDERS_LOST:
    case INCIDENT_COUNT: break;
    }
}

void incident_apply(struct world *w)
{
    assert(w->incidents.count <= INCIDENTS_MAX);
    for (size_t i = 0; i < w->incidents.count; i++) {
        struct incident *in = &w->incidents.list[i];
        if (!in->begun && w->now_ns >= in->from_ns) {
            in->begun = true;
            begin(w, in);
        }
        bool during = in->begun && !in->ended && w->now_ns < in->to_ns;
        if (during && in->kind == INCIDENT_BAD_ROLLOUT) {
            crash_some(w);
        }
        if (during && in->kind == INCIDENT_NODE_LOSS) {
            reschedule(w, in);
        }
        if (in->begun && !in->ended && w->now_ns >= in->to_ns) {
            in->ended = true;
            end(w, in);
        }
    }
}
