/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of decoded batches (core/event/rec.h) as events of the types that rules declare: the type
 * of the name the record has, each column out of the payload by its name, else out of the context,
 * else null; columns of built-in types as their rows say (builtin.def). Numbers become what the
 * column declares; text is copied, because a window may outlive the batch. One per engine and
 * thread; `keys` is the intern table of the decoder.
 *
 *     dat_intake_begin(in);                                   for each batch
 *     for (i ...) {
 *         if ((e = dat_intake_before(in, &batch, i)) != NULL) { send(e); }   types: original
 *         if ((e = dat_intake_event(in, &batch.events[i])) != NULL) { send(e); }
 *     }
 *
 * In a steady state nothing is allocated: types and columns are found by the numbers of their
 * names, values where they were found the last time. What comes out of a context is made once for
 * each context of a batch and shared by its events.
 */
#ifndef OPERATORS_SIG_DAT_INTAKE_H
#define OPERATORS_SIG_DAT_INTAKE_H

#include "core/event/rec.h"
#include "operators/sig/builtin.h"
#include "operators/sig/dat.h"

struct dat_intake;

struct dat_intake *dat_intake_new(struct vheap *heap, struct intern *keys);
void dat_intake_free(struct dat_intake *in);
/* Records of that name are events of this type from here on; the type must outlive it. */
void dat_intake_type(struct dat_intake *in, const struct etype *type);
/* The same of a built-in type: for all records that become events of it. False if the world has
 * none of that name. */
bool dat_intake_builtin(struct dat_intake *in, const struct etype *type, enum builtin_world world);
/* A column that nothing reads stays null from here on. */
void dat_intake_skip(struct dat_intake *in, const struct etype *type, uint32_t col);
/* Contexts are those of another batch now: their addresses may be the old ones. */
void dat_intake_begin(struct dat_intake *in);
/* Its reference 0; NULL if no type has the record's name. Good until the next of its type, or as
 * long as somebody keeps it: one that nobody has kept beyond its step is filled again. */
struct evt *dat_intake_event(struct dat_intake *in, const struct rec *r);
/* ... the same one for all records of a type, and good until the next of it: for who only looks. */
struct evt *dat_intake_again(struct dat_intake *in, const struct rec *r);
/* What is to be sent before record i of the batch: a Batch if it is the first span of its context;
 * else NULL. */
struct evt *dat_intake_before(struct dat_intake *in, const struct rec_batch *b, uint32_t i);

#endif
