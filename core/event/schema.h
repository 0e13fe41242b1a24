/* SPDX-License-Identifier: Apache-2.0
 *
 * Avro schemas: parsed by avro-c, then vetted for what it lets pass (fields or symbols given twice,
 * unions in unions, negative sizes, names that are none), with what it forgets kept beside it: the
 * defaults and aliases of fields, which decide whether two versions understand each other.
 *
 * A schema is known by its fingerprint: CRC-64-AVRO of its parsing canonical form, the text that
 * the Avro specification defines so that layout, documentation and defaults do not count.
 *
 * The schemas of this version and of every released one are compiled into the program
 * (schema_file). Schemas are immutable and may be read by any thread.
 */
#ifndef CORE_EVENT_SCHEMA_H
#define CORE_EVENT_SCHEMA_H

#include "core/base/err.h"
#include "core/base/slice.h"

struct schema;
struct avro_obj_t; /* avro-c's schema */
struct json_t;     /* jansson's value */

enum { SCHEMA_TEXT_MAX = 1024 * 1024, SCHEMA_DEPTH_MAX = 64, SCHEMA_NAME_MAX = 255 };

/* ERR_SYNTAX: no schema; ERR_LIMIT: larger or deeper than is sensible. */
int schema_parse(struct slice text, struct schema **ret_schema, struct err *reterr) NODISCARD;
void schema_free(struct schema *s);

uint64_t schema_fingerprint(const struct schema *s);
struct slice schema_canonical(const struct schema *s);
struct slice schema_text(const struct schema *s); /* as it was given */
struct avro_obj_t *schema_avro(const struct schema *s);
/* The JSON of a record in the schema: for defaults and aliases. */
const struct json_t *schema_record_json(const struct schema *s, struct avro_obj_t *record);
/* "namespace.name" of a record, enum or fixed into out[SCHEMA_NAME_MAX + 1]. */
struct slice schema_full_name(struct avro_obj_t *named, char *out);

/* Can what was written with `writer` be read with `reader`? 0, or -ERR_MISMATCH and the first place
 * where it cannot, as a path. */
int schema_can_read(const struct schema *reader, const struct schema *writer,
                    struct err *reterr) NODISCARD;
/* Both ways: FULL compatibility. */
int schema_compatible(const struct schema *a, const struct schema *b, struct err *reterr) NODISCARD;

/* The files compiled in: "event_batch.avsc", "released/v1/event_batch.avsc"; sorted by name. */
struct schema_file {
    const char *name;
    struct slice text;
};
extern const struct schema_file schema_files[];
extern const size_t schema_files_len;
/* By name; NULL if there is none. */
const struct schema_file *schema_file_get(struct slice name);
uint64_t schema_file_print(struct slice name); /* the fingerprint of one that is there */

#endif
