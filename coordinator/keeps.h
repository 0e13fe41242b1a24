/* SPDX-License-Identifier: Apache-2.0
 *
 * How long topics keep what is in them, held against how far back one wants to replay: exact replay
 * begins at an archived state, so journal, archive and inputs must be kept for the horizon and one
 * period of archives more. The bus is asked for the real retention of the topics once a minute, so
 * a change made by other hands is seen. Loop thread.
 */
#ifndef COORDINATOR_KEEPS_H
#define COORDINATOR_KEEPS_H

#include "core/role/role.h"

#include <jansson.h>

struct keeps;

struct keeps *keeps_new(const struct role_env *env);
void keeps_free(struct keeps *k);
void keeps_start(struct keeps *k); /* the topics are there */
/* Appends a warning for each topic that keeps too little for a graph with that `replay_horizon` (0:
 * it does not want to be replayed) and `archive_every`. */
void keeps_warn(const struct keeps *k, int64_t horizon_ns, int64_t archive_ns, json_t *warnings);

#endif
