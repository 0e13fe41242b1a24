/* SPDX-License-Identifier: Apache-2.0
 *
 * What an incident does to the fleet when it begins, while it lasts, and when it ends. What it does
 * to single requests is in trace_gen.c, beside what it changes.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>
#include <stdio.h>

#define ROLLOUT_NS    (15 * CLOCK_NS_PER_S) /* from the first pod to the last */
#define RESCHEDULE_NS (60 * CLOCK_NS_PER_S)
#define BACKOFF_NS    (10 * CLOCK_NS_PER_S)
#define BAD_VERSION   "1.0.0"
#define CRASHES_PER_S 0.05

static void tell(struct world *w, const struct pod *p, const char *reason, const char *note)
{
    kube_gen_event(w, p->object,
                   &(struct kube_event){.reason = reason, .name = p->name, .note = note});
}

static void warn(struct world *w, const struct pod *p, const char *reason, int times,
                 const char *note)
{
    kube_gen_event(
        w, p->object,
        &(struct kube_event){
            .reason = reason, .name = p->name, .note = note, .warning = true, .count = times});
}

static void tell_node(struct world *w, int node, const char *reason, const char *note, bool warning)
{
    const struct node *n = &w->shop.nodes[node];
    kube_gen_event(w, n->object,
                   &(struct kube_event){.reason = reason,
                                        .name = n->name,
                                        .note = note,
                                        .warning = warning,
                                        .cluster_wide = true});
}

static void tell_start(struct world *w, const struct pod *p)
{
    char note[240];
    const char *name = shop_services[p->service].name;
    snprintf(note, sizeof note, "Successfully assigned shop/%s to %s", p->name,
             w->shop.nodes[p->node].name);
    tell(w, p, "Scheduled", note);
    snprintf(note, sizeof note, "Pulling image \"registry.example/shop/%s:%s\"", name, p->version);
    tell(w, p, "Pulling", note);
    snprintf(note, sizeof note,
             "Successfully pulled image \"registry.example/shop/%s:%s\" in 1.204s", name,
             p->version);
    tell(w, p, "Pulled", note);
    snprintf(note, sizeof note, "Created container %s", name);
    tell(w, p, "Created", note);
    snprintf(note, sizeof note, "Started container %s", name);
    tell(w, p, "Started", note);
}

static void tell_scaling(struct world *w, enum service_id service, const char *version)
{
    char note[160];
    const char *name = shop_services[service].name;
    snprintf(note, sizeof note, "Scaled up replica set of %s:%s to %d", name, version,
             w->shop.replicas[service]);
    kube_gen_event(w, w->shop.deployments[service],
                   &(struct kube_event){.reason = "ScalingReplicaSet", .name = name, .note = note});
}

/* Replaces the pods of recommendation one after another, from `since` on. */
static void roll_out(struct world *w, struct incident *in, int64_t since, const char *version,
                     bool bad)
{
    struct shop *s = &w->shop;
    int n = s->replicas[SERVICE_RECOMMEND];
    char note[120];
    if (in->moved == 0) {
        tell_scaling(w, SERVICE_RECOMMEND, version);
    }
    while (in->moved < n && w->now_ns >= since + ROLLOUT_NS / n * in->moved) {
        struct pod *p = &s->pods[s->first[SERVICE_RECOMMEND] + in->moved++];
        int node = s->nodes[p->node].up ? p->node : (p->node + 1) % s->node_count;
        snprintf(note, sizeof note, "Stopping container %s", shop_services[p->service].name);
        tell(w, p, "Killing", note);
        shop_replace(s, p, node, version, w->now_ns);
        p->bad = bad;
        tell_start(w, p);
    }
}

/* A bad version crashes now and then, waits, and starts again: restarts, BackOff. */
static void crash_some(struct world *w)
{
    struct shop *s = &w->shop;
    double chance = CRASHES_PER_S * (double)w->options.tick_ns / (double)CLOCK_NS_PER_S;
    for (int i = 0; i < s->replicas[SERVICE_RECOMMEND]; i++) {
        struct pod *p = &s->pods[s->first[SERVICE_RECOMMEND] + i];
        if (p->crashing && w->now_ns >= p->restart_ns) {
            p->crashing = false;
            p->running = true;
            shop_restart(p, w->now_ns);
            tell(w, p, "Started", "Started container recommendation");
        } else if (p->bad && p->running && rng_chance(&w->chatter, chance)) {
            p->restarts++;
            p->crashing = true;
            p->running = false;
            p->restart_ns = w->now_ns + BACKOFF_NS;
            warn(w, p, "Unhealthy", 1, "Readiness probe failed: connection refused");
            warn(w, p, "BackOff", p->restarts,
                 "Back-off restarting failed container recommendation");
        }
    }
}

static void saturate(struct world *w, struct incident *in)
{
    struct shop *s = &w->shop;
    struct pod *p = shop_pick(s, SERVICE_CATALOG, &w->visits, w->now_ns);
    if (p != NULL) {
        in->pod = (int)(p - s->pods);
        snprintf(in->pod_name, sizeof in->pod_name, "%s", p->name);
        p->cpu_extra = 10;
    }
}

static void relax(struct world *w, const struct incident *in)
{
    if (in->pod >= 0) {
        w->shop.pods[in->pod].cpu_extra = 0;
    }
}

static void lose_node(struct world *w, const struct incident *in)
{
    struct shop *s = &w->shop;
    s->nodes[in->node].up = false;
    s->nodes[in->node].kubelet->gone = true;
    outbox_lose(&w->outbox, in->node);
    for (int i = 0; i < s->pod_count; i++) {
        struct pod *p = &s->pods[i];
        if (p->node == in->node) {
            p->running = false;
            p->lost_ns = w->now_ns;
            p->resource->gone = true;
        }
    }
    tell_node(w, in->node, "NodeNotReady", "Node status is now: NodeNotReady", true);
}

/* A minute later the pods that are still away are scheduled elsewhere. */
static void reschedule(struct world *w, const struct incident *in)
{
    struct shop *s = &w->shop;
    if (w->now_ns < in->from_ns + RESCHEDULE_NS) {
        return;
    }
    for (int i = 0; i < s->pod_count; i++) {
        struct pod *p = &s->pods[i];
        if (p->lost_ns != 0 && p->node == in->node) {
            int node = (in->node + 1 + i % (s->node_count - 1)) % s->node_count;
            warn(w, p, "TaintManagerEviction", 1, "Marking for deletion of the pod");
            shop_replace(s, p, node, shop_services[p->service].version, w->now_ns);
            tell_start(w, p);
        }
    }
}

static void node_returns(struct world *w, const struct incident *in)
{
    struct shop *s = &w->shop;
    for (int i = 0; i < s->pod_count; i++) {
        struct pod *p = &s->pods[i];
        if (p->lost_ns != 0 && p->node == in->node) {
            shop_replace(s, p, in->node, shop_services[p->service].version, w->now_ns);
            tell_start(w, p);
        }
    }
    s->nodes[in->node].up = true;
    s->nodes[in->node].kubelet->gone = false;
    tell_node(w, in->node, "NodeReady", "Node status is now: NodeReady", false);
}

static void begin(struct world *w, struct incident *in)
{
    if (in->kind == INCIDENT_CPU_SATURATION) {
        saturate(w, in);
    } else if (in->kind == INCIDENT_NODE_LOSS) {
        in->node %= w->shop.node_count;
        lose_node(w, in);
    }
}

static void go_on(struct world *w, struct incident *in)
{
    if (in->kind == INCIDENT_BAD_ROLLOUT) {
        roll_out(w, in, in->from_ns, BAD_VERSION, true);
        crash_some(w);
    } else if (in->kind == INCIDENT_NODE_LOSS) {
        reschedule(w, in);
    }
}

static void end(struct world *w, struct incident *in)
{
    if (in->kind == INCIDENT_CPU_SATURATION) {
        relax(w, in);
    } else if (in->kind == INCIDENT_NODE_LOSS) {
        node_returns(w, in);
    } else if (in->kind == INCIDENT_ORDERS_LOST) {
        w->orders_behind = 0;
    } else if (in->kind == INCIDENT_BAD_ROLLOUT) {
        in->moved = 0;
    }
}

/* What takes longer than the incident itself. */
static void recover(struct world *w, struct incident *in)
{
    if (in->kind == INCIDENT_BAD_ROLLOUT && in->moved < w->shop.replicas[SERVICE_RECOMMEND]) {
        roll_out(w, in, in->to_ns, shop_services[SERVICE_RECOMMEND].version, false);
        crash_some(w);
    }
}

void incident_apply(struct world *w)
{
    assert(w->incidents.count <= INCIDENTS_MAX);
    for (size_t i = 0; i < w->incidents.count; i++) {
        struct incident *in = &w->incidents.list[i];
        if (!in->begun && w->now_ns >= in->from_ns) {
            in->begun = w->changed = true;
            begin(w, in);
        }
        if (in->begun && !in->ended && w->now_ns >= in->to_ns) {
            in->ended = w->changed = true;
            end(w, in);
        }
        if (in->begun && !in->ended) {
            go_on(w, in);
        } else if (in->ended) {
            recover(w, in);
        }
    }
}
