/* SPDX-License-Identifier: Apache-2.0
 *
 * The claims over the simulated bus, in a world in which every end of a commit happens.
 */
#include "core/bus/bus_sim.h"
#include "tests/claims/claims.h"

#include <stdlib.h>

static uint64_t rounds;

uint64_t claims_seed(void)
{
    const char *seed = getenv("KAIJU_SIM_SEED");
    return (seed != NULL ? strtoull(seed, NULL, 10) : 1) + rounds++;
}

void claims_bus(struct bus_conf *ret)
{
    static struct bus_sim_faults faults;
    faults = bus_sim_cruel();
    faults.refused = faults.refused_done = faults.failed = faults.again = 0; /* the sender's */
    faults.quota_bytes = 0;
    ret->kind = BUS_SIM;
    ret->sim = (struct bus_sim_conf){7 + rounds, &faults};
}
