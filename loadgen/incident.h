/* SPDX-License-Identifier: Apache-2.0
 *
 * Incidents: what goes wrong, when, and where. They are asked for by name and time, bend the world
 * through the few questions below, and are written down as the ground truth that detection is
 * measured against. To add one: a row in incident.def, its effect in incident.c.
 */
#ifndef LOADGEN_INCIDENT_H
#define LOADGEN_INCIDENT_H

#include "core/base/err.h"
#include "loadgen/shop.h"

#include <stdio.h>

enum incident_kind {
#define INCIDENT(id, name, seconds, what, seen) INCIDENT_##id,
#include "loadgen/incident.def"
#undef INCIDENT
    INCIDENT_COUNT
};

enum { INCIDENTS_MAX = 32 };

struct incident {
    enum incident_kind kind;
    int64_t from_ns, to_ns;
    int node;            /* NODE_LOSS */
    char pod[64];        /* CPU_SATURATION, filled when it begins */
    const char *product; /* FAILING_PRODUCT */
    bool begun, ended;
};

struct incidents {
    struct incident list[INCIDENTS_MAX];
    size_t count;
};

/* "slow-dependency@60s" or "slow-dependency@60s+120s", relative to the start of the run. */
int incident_add(struct incidents *all, struct slice text, int64_t start_ns,
                 struct err *reterr) NODISCARD;
void incident_list(FILE *to);
const struct incident *incident_active(const struct incidents *all, enum incident_kind kind,
                                       int64_t now_ns);
/* One JSON object a line: incident, what, where, from, to. */
void incident_truth(FILE *to, const struct incidents *all, const struct shop *shop);

#endif
