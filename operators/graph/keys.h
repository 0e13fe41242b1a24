/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: by which columns the work of statements may be cut into parts. A key is a list of columns
 * per event type, tied to each other by equality; a statement may run in parts if each of its nodes
 * may (keys.def). Statements that share a named window, a table, a variable or a context, or feed
 * each other by insert into, are one unit and have one key, or are one task.
 *
 * Each column of a key is found alone: a set of columns does what each of them does. README.md has
 * how. The plan lives in an arena of its own and refers to the engine's statements: it is gone with
 * them.
 */
#ifndef OPERATORS_GRAPH_KEYS_H
#define OPERATORS_GRAPH_KEYS_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "operators/sig/dat.h"

struct eng;
struct ex;

enum key_choice {
    KEY_ONE,  /* one task: `why` says why */
    KEY_BY,   /* partitioned by the columns of `inputs` */
    KEY_ANY,  /* nothing is kept from event to event: any partition will do */
    KEY_USER, /* by @Partition; `why` says what is not local then, or is empty */
};

struct key_input { /* events that the unit reads from outside */
    const struct etype *type;
    const struct ex *const *cols; /* over the event as stream 0; NULL: any partition will do */
    const struct slice *texts;
};

struct key_stmt {
    struct slice name, window; /* of @name; of what is created; may be empty */
    uint32_t order, number;    /* among all; in its deployment, from 1 */
    struct slice deployment;
    enum key_choice choice; /* as if it were alone */
    struct slice why;
    bool may_split;     /* parts of sums may be made apart and added up */
    struct slice whole; /* why not; empty where there is no sum */
};

struct key_unit {
    struct key_stmt *stmts;
    uint32_t n_stmts;
    enum key_choice choice;
    uint32_t n_cols;
    const bool *as_double; /* per column: compared as doubles */
    struct key_input *inputs;
    uint32_t n_inputs;
    const struct etype *const *holds; /* rows of its windows and tables, and derived types */
    uint32_t n_holds;
    struct slice why;
};

struct key_plan {
    struct arena *arena;
    struct key_unit *units;
    uint32_t n_units;
};

/* Units that have statements of the deployment; all if it is empty. ERR_LIMIT if the statements are
 * too large to be looked at. */
int eng_keys(struct eng *e, struct slice deployment, struct key_plan *ret,
             struct err *reterr) NODISCARD;
void keys_done(struct key_plan *p);
/* The input that takes events of a type, or NULL. */
const struct key_input *keys_input(const struct key_unit *u, const struct etype *type);
/* One value, as a column of a key. False if it cannot be part of one, or at the buffer's limit. */
bool keys_add(struct buf *b, struct dat v, bool as_double);
/* Appends the key bytes (core/event/key.h) of an event; without columns, those of all its plain
 * values. False likewise. */
bool keys_bytes(struct eng *e, const struct key_unit *u, const struct key_input *in, struct evt *ev,
                struct buf *b);
const char *keys_choice_name(enum key_choice c);

#endif
