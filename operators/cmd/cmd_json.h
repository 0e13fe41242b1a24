/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON and the engine's values. Inwards, a value becomes what its column declares: 1 in a double
 * column is 1.0, "NaN" too, an object in a column of a schema is an event of it, a list one of the
 * element type. Without a declared type (`object`, `Map`, properties nobody declared) whole numbers
 * are int if 32 bits hold them, else long; numbers with a point or an exponent are double.
 * Undeclared properties are kept aside in evt->extra, where `name?` finds them.
 *
 * Outwards, floats are widened, NaN and the infinities are strings, and a row has all columns of
 * its type. Objects made here belong to the pool of the heap (sig/dat.h).
 */
#ifndef OPERATORS_CMD_CMD_JSON_H
#define OPERATORS_CMD_CMD_JSON_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "operators/sig/dat.h"

#include <jansson.h>

/* NULL and an error with line and column if the text is no JSON. Free it with json_decref. */
json_t *cmd_json_parse(struct slice text, struct err *reterr);
/* NULL for `object` gives an event without values. */
int cmd_json_event(struct vheap *h, const struct etype *type, const json_t *object,
                   struct evt **ret, struct err *reterr) NODISCARD;
int cmd_json_typed(struct vheap *h, struct ty type, const json_t *j, struct dat *ret,
                   struct err *reterr) NODISCARD;
struct dat cmd_json_untyped(struct vheap *h, const json_t *j);

void cmd_json_string(struct slice s, struct buf *out);
void cmd_json_value(struct dat v, struct buf *out);
void cmd_json_row(const struct evt *e, struct buf *out);
/* [row, row]; a missing event is null. */
void cmd_json_rows(struct evt *const *rows, size_t n, struct buf *out);

#endif
