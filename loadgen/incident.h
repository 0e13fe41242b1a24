/* SPDX-License-Identifier: Apache-2.0
 *
 * Incidents: what goes wrong, when, and where. They are asked for by name and time, bend the world,
 * and are written down as the ground truth that detection is measured against. incident.c knows the
 * table, the asking and the truth; incident_apply.c what happens to the fleet.
 */
#ifndef LOADGEN_INCIDENT_H
#define LOADGEN_INCIDENT_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "loadgen/shop.h"

#include <stdio.h>

enum incident_kind {
#define INCIDENT(id, name, seconds, service, signals, what, seen) INCIDENT_##id,
#include "loadgen/incident.def"
#undef INCIDENT
    INCIDENT_COUNT
};

enum { INCIDENTS_MAX = 32 };

struct incident {
    enum incident_kind kind;
    int64_t from_ns, to_ns;
    int node;            /* NODE_LOSS */
    int pod;             /* CPU_SATURATION: index; -1 before it begins */
    char pod_name[64];   /* likewise, as it was called then */
    const char *product; /* FAILING_PRODUCT */
    int moved;           /* BAD_ROLLOUT: pods that have the new version; at the end: the old one */
    bool begun, ended;
};

struct incidents {
    struct incident list[INCIDENTS_MAX];
    size_t count;
};

/* "slow-dependency@60s" or "slow-dependency@60s:120s", relative to the start of the run. */
int incident_add(struct incidents *all, struct slice text, int64_t start_ns,
                 struct err *reterr) NODISCARD;
void incident_list(FILE *to);
const struct incident *incident_active(const struct incidents *all, enum incident_kind kind,
                                       int64_t now_ns);
/* One JSON object a line: incident, what, where, signals, from, to, and how far it is at now_ns. */
void incident_truth(struct buf *out, const struct incidents *all, const struct shop *shop,
                    int64_t now_ns);

#endif
