/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ingest`: receives telemetry and puts it on the bus.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "core/role/role.h"

extern const struct role role_ingest;

#endif
