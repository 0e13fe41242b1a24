/* SPDX-License-Identifier: Apache-2.0
 *
 * What the claims need to know of the bus they are held on: one run_<kind>.c each.
 */
#ifndef TESTS_CLAIMS_CLAIMS_H
#define TESTS_CLAIMS_CLAIMS_H

#include "core/bus/bus_conf.h"

void claims_bus(struct bus_conf *ret);
uint64_t claims_seed(void);

#endif
