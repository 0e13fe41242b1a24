/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading state back: the counterpart of save.h. The first thing that is wrong (too short, a value
 * that cannot be, a type that does not exist) is remembered, everything read after it is zero, null
 * or empty, and load_ok tells in the end: a node reads all its fields and asks once. Sizes are
 * believed only as far as there are bytes for them (load_count), so wrong bytes cannot make a node
 * allocate much, nor loop long.
 *
 * Objects that are read belong to the heap's pool: who stores one keeps it (dat.h).
 */
#ifndef OPERATORS_SIG_LOAD_H
#define OPERATORS_SIG_LOAD_H

#include "core/base/err.h"
#include "operators/sig/save.h"

struct load;

struct load *load_new(const struct save_types *types, struct vheap *heap);
void load_free(struct load *l);
/* The next chunk; the node's load function follows. */
void load_begin(struct load *l, const struct save_chunk *c);
struct vheap *load_heap(const struct load *l);
/* 0 if everything read since load_begin was right and nothing is left over. */
int load_end(struct load *l, struct err *reterr) NODISCARD;
bool load_ok(const struct load *l);
/* For what only the node can tell: remembered as the others are. */
void load_fail(struct load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

uint64_t load_u(struct load *l);
int64_t load_i(struct load *l);
double load_f(struct load *l);
bool load_bool(struct load *l);
/* A number of items of at least `least` bytes each (at least 1) that follow. */
size_t load_count(struct load *l, size_t least);
/* Valid until the next thing is read; where a chunk is in one piece, as long as that. */
struct slice load_bytes(struct load *l);
bool load_more(const struct load *l); /* something is left in the chunk */
struct dat load_val(struct load *l);
/* ... that an expression of that type may give, or null; anything else is a failure. */
struct dat load_val_of(struct load *l, struct ty ty);
void load_vals(struct load *l, struct dat *to, size_t n);
struct evt *load_evt(struct load *l); /* NULL where NULL was saved, and after a failure */
/* What save_evt_apart wrote, of that type or one below it; NULL after a failure. */
struct evt *load_evt_apart(struct load *l, const struct etype *type);
/* What save_space began, and its end. */
size_t load_space(struct load *l);
void load_space_end(struct load *l, size_t space);
/* ... of that type, or one below it; anything else is a failure. */
struct evt *load_evt_of(struct load *l, const struct etype *type);

#endif
