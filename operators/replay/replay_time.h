/* SPDX-License-Identifier: Apache-2.0
 *
 * A moment as people write it: 2026-01-31T12:00:00Z, 2026-01-31T13:00:00.250+01:00,
 * milliseconds since 1970, or a span back from now, such as -1h (ms, s, m, h, d); `now`.
 */
#ifndef OPERATORS_REPLAY_REPLAY_TIME_H
#define OPERATORS_REPLAY_REPLAY_TIME_H

#include "core/base/err.h"
#include "core/base/slice.h"

/* ERR_USAGE; name: of the option, for the message. */
int replay_time_parse(const char *name, struct slice text, int64_t now_ms, int64_t *ret_ms,
                      struct err *reterr) NODISCARD;

#endif
