/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of decoded batches (core/event/rec.h) as events of the types that rules declare: the type
 * of the name the record has, each column out of the payload by its name, else out of the context,
 * else null. Numbers become what the column declares; text is copied, because a window may outlive
 * the batch. One per engine and thread; `keys` is the intern table of the decoder.
 *
 * In a steady state nothing is allocated: types and columns are found by the numbers of their
 * names, values where they were found the last time.
 */
#ifndef OPERATORS_SIG_DAT_INTAKE_H
#define OPERATORS_SIG_DAT_INTAKE_H

#include "core/event/rec.h"
#include "operators/sig/dat.h"

struct dat_intake;

struct dat_intake *dat_intake_new(struct vheap *heap, struct intern *keys);
void dat_intake_free(struct dat_intake *in);
/* Records of that name are events of this type from here on; the type must outlive it. */
void dat_intake_type(struct dat_intake *in, const struct etype *type);
/* In the heap's pool, its reference 0; NULL if no type has the record's name. */
struct evt *dat_intake_event(struct dat_intake *in, const struct rec *r);

#endif
