/* SPDX-License-Identifier: Apache-2.0
 *
 * The claims over the embedded bus.
 */
#include "tests/claims/claims.h"
#include "tests/test.h"

#include <stdio.h>

uint64_t claims_seed(void)
{
    return 11;
}

void claims_bus(struct bus_conf *ret)
{
    static char dir[256];
    (void)snprintf(dir, sizeof dir, "%s/bus", test_tmpdir());
    ret->kind = BUS_LOCAL;
    ret->local = (struct bus_local_conf){.dir = dir, .map_bytes = 1 << 30};
}
