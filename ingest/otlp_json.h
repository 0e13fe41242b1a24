/* SPDX-License-Identifier: Apache-2.0
 *
 * An OTLP request in JSON, written as the protobuf it stands for, so that everything behind has one
 * form to read. The rules are those of OTLP, which are protobuf's JSON mapping with exceptions:
 *   - keys in lowerCamelCase only; unknown keys are skipped, null is an absent field
 *   - trace and span ids hexadecimal in any case; other bytes base64, ordinary or for URLs
 *   - enums as integers only; 64-bit integers as number or string
 *   - doubles as number or as string: "NaN", "Infinity", "-Infinity", digits
 * An id that is no hexadecimal number becomes one byte, so that its item is rejected and not the
 * request. Order and repetition of keys pass through: protobuf allows any, and the last counts.
 */
#ifndef INGEST_OTLP_JSON_H
#define INGEST_OTLP_JSON_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "ingest/otlp_schema.h"

/* Appends to out. The arena holds strings with escapes while this runs. ERR_SYNTAX, ERR_TRUNCATED,
 * ERR_TYPE, ERR_RANGE with line and column; ERR_CORRUPT nested too deeply; ERR_TOO_BIG out is full.
 */
int otlp_json(enum otlp_msg message, struct slice text, struct arena *a, struct buf *out,
              struct err *reterr) NODISCARD;

#endif
