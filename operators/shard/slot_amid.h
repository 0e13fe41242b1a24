/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs of unknown length. A task works on a stack of its own, a few milliseconds at a time; then
 * it rests in the middle of an input, and the slot serves its other tasks before it goes on. Such a
 * task is *amid*: it takes no other input, is not cut, and nobody changes what it has. Since nobody
 * does, nothing that comes out depends on where it rested.
 */
#ifndef OPERATORS_SHARD_SLOT_AMID_H
#define OPERATORS_SHARD_SLOT_AMID_H

#include "core/base/fiber.h"
#include "core/base/vec.h"

#include <stdint.h>

struct slot;
struct slot_one;

enum { SLOT_AMID_MAX = 32 }; /* tasks of a slot; one more goes on to the end of what it does */

struct slot_amid {       /* of a task */
    struct fiber *fiber; /* NULL: it is not amid anything */
    struct slot *slot;
    bool works, ticks; /* its stack is the one in use; what it does is a tick, to this clock */
    int64_t clock;
    uint32_t want, got;   /* inputs */
    int64_t until, since; /* it rests then; since: this input was begun */
};

struct slot_amids { /* of a slot */
    VEC(struct fiber *) spare;
    uint32_t n;                    /* tasks that are amid */
    const struct slot_one *begins; /* whose rules are being deployed; NULL */
    int64_t begun_ns;              /* that beginning took, in this step */
};

/* Rules are deployed with the first input that concerns them. That is long, and many tasks may
 * begin together: one after another, and few in a step. True: it is not this one's turn. */
bool slot_amid_waits(struct slot *s, const struct slot_one *o);

/* Takes so many inputs, or goes on with those it is amid; false: it is (still) amid them. */
bool slot_amid_take(struct slot *s, struct slot_one *o, uint32_t want, uint32_t *ret_got);
/* As task_tick; false: it is amid that. */
bool slot_amid_tick(struct slot *s, struct slot_one *o, int64_t clock);
/* Before the task is freed: what it is amid comes to an end, somehow. */
void slot_amid_end(struct slot *s, struct slot_one *o);
void slot_amids_free(struct slot *s);

#endif
