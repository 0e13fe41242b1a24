/* SPDX-License-Identifier: Apache-2.0
 *
 * What every role shows at /metrics: the process, the bus, the HTTP server.
 */
#ifndef CORE_ROLE_ROLE_STATS_H
#define CORE_ROLE_ROLE_STATS_H

#include "core/role/role.h"

struct role_stats;

/* env must outlive it. */
struct role_stats *role_stats_new(const struct role_env *env);
void role_stats_free(struct role_stats *s);

#endif
