/* SPDX-License-Identifier: Apache-2.0
 *
 * The event types that every level has (builtin.def): as EPL, so that an engine declares them like
 * any others, and as rows that say how each column is filled out of a decoded record
 * (dat_intake.h). There are two worlds: what Kaiju makes of signals, and the shapes of the original
 * one.
 */
#ifndef OPERATORS_SIG_BUILTIN_H
#define OPERATORS_SIG_BUILTIN_H

#include "core/base/buf.h"

enum builtin_world { BUILTIN_KAIJU, BUILTIN_ORIGINAL };

enum builtin_fill {
    BUILTIN_TIME_MS,      /* of the record, in ms since 1970 */
    BUILTIN_TIME_US,      /* ... in us */
    BUILTIN_TIME_NS,      /* ... in ns */
    BUILTIN_INGEST_MS,    /* when it came in */
    BUILTIN_TRACE_ID,     /* of the record, hexadecimal; null if it has none */
    BUILTIN_SPAN_ID,      /* likewise */
    BUILTIN_TRACE_LOW,    /* half of it as a number */
    BUILTIN_TRACE_HIGH,   /* the other half */
    BUILTIN_SPAN_LONG,    /* the span id as a number */
    BUILTIN_PARENT_LONG,  /* a hexadecimal text of the payload as a number; 0 if absent */
    BUILTIN_CONTEXT,      /* the context's value of `key` */
    BUILTIN_CONTEXTS,     /* a map: the context */
    BUILTIN_ATTRIBUTES,   /* a map: what the payload has beside own keys (core/event/prop.h) */
    BUILTIN_PAYLOAD,      /* the payload's value of `key` */
    BUILTIN_PAYLOAD_MS,   /* ... which is in ns, in ms */
    BUILTIN_PAYLOAD_US,   /* ... in us */
    BUILTIN_PAYLOAD_TEXT, /* ... as text: JSON if it is none */
    BUILTIN_FIELDS,       /* the rest are shapes of the original: dat_orig.c */
    BUILTIN_TAG_MAP,
    BUILTIN_LOG_MAP,
    BUILTIN_CONTEXT_TAGS,
    BUILTIN_REFERENCES,
    BUILTIN_SPAN_TAGS,
    BUILTIN_SPAN_LOGS,
    BUILTIN_PART, /* by whoever fills what it is a part of */
};

struct builtin_col {
    const char *name, *type, *key, *doc;
    enum builtin_fill fill;
    uint8_t of; /* the id of its type */
};

struct builtin_type {
    enum builtin_world world;
    uint8_t id;
    const char *name, *super, *records, *doc;
};

extern const struct builtin_type builtin_types[];
extern const size_t builtin_n_types;

/* NULL if there is none. */
const struct builtin_type *builtin_find(enum builtin_world world, struct slice name);
/* Its own columns in order; after NULL comes the first, after the last NULL. */
const struct builtin_col *builtin_next(const struct builtin_type *t,
                                       const struct builtin_col *after);
/* Its own, or of a supertype; NULL if there is none. */
const struct builtin_col *builtin_column(const struct builtin_type *t, struct slice name);
/* The type that records of that name become events of; NULL: there is none. */
const struct builtin_type *builtin_of_record(enum builtin_world world, struct slice record);
/* `create schema` for each type of a world, to be deployed before anything else. */
void builtin_epl(enum builtin_world world, struct buf *out);
#define BUILTIN_DEPLOYMENT "kaiju.types"

#endif
