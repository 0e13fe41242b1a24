/* SPDX-License-Identifier: Apache-2.0
 *
 * From the number in a frame to the schema that wrote the body. Knows the schemas compiled into
 * the program (current and released) from the start; others are added as a schema registry, or
 * whoever has their text, tells them.
 *
 * Nothing here waits. A number that is not known is asked for once (schema_source.want) and the
 * caller gets ERR_AGAIN until schema_reg_bind or schema_reg_refuse has answered; without a source
 * it is ERR_NOT_FOUND at once. So an HTTP client of a registry is something that listens to `want`.
 *
 * One registry per thread that decodes; entries live as long as it.
 */
#ifndef CORE_EVENT_SCHEMA_REG_H
#define CORE_EVENT_SCHEMA_REG_H

#include "core/event/frame.h"
#include "core/event/schema.h"

enum { SCHEMA_REG_MAX = 1024 }; /* schemas, and numbers asked for */

struct schema_reg;

struct schema_entry {
    const struct schema *schema;
    /* What it is of ours: "event_batch", "alert", "dlq"; NULL for the schema of something else. */
    const char *subject;
    bool current; /* exactly the schema this program writes for the subject */
};

struct schema_source {
    void (*want)(void *arg, enum frame_kind kind, uint64_t number);
    void *arg;
};

/* source may be {NULL}: nobody to ask. */
struct schema_reg *schema_reg_new(struct schema_source source);
void schema_reg_free(struct schema_reg *reg);

/* The schema that this program writes for a subject: its entry, fingerprint and text. NULL for an
 * unknown subject. */
const struct schema_entry *schema_reg_current(const struct schema_reg *reg, const char *subject);

/* ERR_AGAIN: asked for, come back; ERR_NOT_FOUND: nobody knows it. */
int schema_reg_find(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    const struct schema_entry **ret_entry, struct err *reterr) NODISCARD;
/* The answer of the source: this text has this number. The schema is vetted, and if its record has
 * the name of one of ours it must be readable by ours: ERR_MISMATCH. After an error the number
 * counts as refused. */
int schema_reg_bind(struct schema_reg *reg, enum frame_kind kind, uint64_t number,
                    struct slice text, struct err *reterr) NODISCARD;
/* The source knows no such number; it is asked again after schema_reg_forget. */
void schema_reg_refuse(struct schema_reg *reg, enum frame_kind kind, uint64_t number);
/* Forgets refusals and open questions, so that they are asked again. */
void schema_reg_forget(struct schema_reg *reg);

#endif
