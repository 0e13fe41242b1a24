/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing state. The engine asks node after node (save_begin, the node's save function, save_end);
 * a node writes plain numbers, values and events one behind the other and reads them back in that
 * order (load.h). What it writes becomes chunks, one per key group: a node with keys says by
 * save_group whose state follows and is loaded chunk by chunk; one without has a single chunk.
 *
 * Bytes do not depend on the machine: integers are varints, doubles their bits in little-endian
 * order. An event that several places hold is written once per chunk and stays one object when it
 * is loaded, also between chunks and nodes: it has a number of its own (evt.serial, given at
 * the end of the step that it outlives). Lists, maps and strings are written wherever they
 * stand. What a row of a table has in its nameless column is the table's own business and not
 * written.
 *
 * To add a node: two functions, save and load, beside each other in its file, that name the same
 * fields in the same order; whatever has changed meaning raises SAVE_FORMAT.
 */
#ifndef OPERATORS_SIG_SAVE_H
#define OPERATORS_SIG_SAVE_H

#include "core/base/buf.h"
#include "operators/sig/dat.h"

enum {
    SAVE_FORMAT = 10,
    SAVE_GROUPS = 1024,        /* key groups */
    SAVE_NO_GROUP = 1024,      /* of nodes without a key */
    SAVE_CHUNK_MAX = 1U << 30, /* bytes; cutting chunks into records is the business of others */
};

struct save_types {                                          /* how types are named; the engine's */
    uint64_t (*number)(void *arg, const struct etype *t);    /* UINT64_MAX: it has none, a bug */
    const struct etype *(*type)(void *arg, uint64_t number); /* NULL if there is none */
    void *arg;
};

/* Of a chunk that was read: it goes on behind its first piece. */
struct save_more {
    size_t left;                               /* bytes in the pieces to come */
    struct slice (*next)(struct save_more *m); /* what came before is not looked at again */
};

struct save_chunk {
    uint64_t node;
    uint16_t group;
    struct slice bytes;
    struct save_more *more; /* NULL: bytes are all */
};

struct save;
struct save_late; /* save_late.h */

/* on_chunk is called by save_end, in ascending order of groups. `serial` counts the events that
 * ever got a number; it is part of the engine's state. */
struct save *save_new(const struct save_types *types, uint64_t *serial,
                      void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg);
void save_free(struct save *s);
void save_begin(struct save *s, uint64_t node);
/* What follows belongs to that group (from save_begin on: SAVE_NO_GROUP). */
void save_group(struct save *s, uint16_t group);
void save_end(struct save *s);
uint16_t save_group_of(const struct dat *key, size_t n); /* the key group of a key */

void save_u(struct save *s, uint64_t v);
void save_i(struct save *s, int64_t v);
void save_f(struct save *s, double v);
static inline void save_bool(struct save *s, bool v)
{
    save_u(s, v);
}
void save_bytes(struct save *s, struct slice bytes);
void save_val(struct save *s, struct dat v);
void save_vals(struct save *s, const struct dat *v, size_t n);  /* n is not written */
void save_evt(struct save *s, struct evt *e);                   /* NULL is fine */
void save_evts(struct save *s, struct evt *const *e, size_t n); /* n is written */
/* Not NULL; written out wherever it stands, with all that is in it: so its bytes are the same
 * whatever was written before, and when it is written does not matter. Read by load_evt_apart. */
void save_evt_apart(struct save *s, struct evt *e);
/* Between the two events are known only to each other, so the bytes are the same whatever was
 * written before. Read by load_space. */
void save_space(struct save *s);
void save_space_end(struct save *s);

#endif
