/* SPDX-License-Identifier: Apache-2.0
 *
 * From the number in a frame to the schema that wrote the body. Knows the schemas compiled into
 * the program (current and released) from the start; whoever has the text of another adds it
 * (schema_reg_bind). A number that nobody has added is ERR_NOT_FOUND: no registry of others is
 * asked.
 *
 * One registry per thread that decodes; entries live as long as it.
 */
#ifndef CORE_EVENT_SCHEMA_REG_H
#define CORE_EVENT_SCHEMA_REG_H

#include "core/event/frame.h"
#include "core/event/schema.h"

enum { SCHEMA_REG_MAX = 1024 }; /* schemas, and numbers that were added */

struct schema_reg;

struct schema_entry {
    const struct schema *schema;
    /* What it is of ours: "event_batch", "alert", "dlq"; NULL for the schema of something else. */
    const char *subject;
    bool current; /* exactly the schema this program writes for the subject */
};

struct schema_reg *schema_reg_new(void);
void schema_reg_free(struct schema_reg *reg);

/* The schema that this program writes for a subject: its entry, fingerprint and text. NULL for an
 * unknown subject. */
const struct schema_entry *schema_reg_current(const struct schema_reg *reg, const char *subject);

/* ERR_NOT_FOUND: nobody knows it. */
int schema_reg_find(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    const struct schema_entry **ret_entry, struct err *reterr) NODISCARD;
/* This text has this number. The schema is vetted, and if its record has the name of one of ours it
 * must be readable by ours: ERR_MISMATCH. */
int schema_reg_bind(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    struct slice text, struct err *reterr) NODISCARD;

#endif
