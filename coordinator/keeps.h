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

struct keeps_conf {
    int64_t horizon_ns, archive_ns; /* horizon 0: nobody wants to know */
};

struct keeps *keeps_new(const struct role_env *env, const struct keeps_conf *conf);
void keeps_free(struct keeps *k);
void keeps_start(struct keeps *k); /* the topics are there */
/* Appends a warning for each topic that keeps too little. */
void keeps_warn(const struct keeps *k, json_t *warnings);

#endif
