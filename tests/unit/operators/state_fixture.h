/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of saved state: numbers for types, as the engine would give them, and states of one
 * chunk as bytes. And what the tests do not leave to chance: a sequence of numbers.
 */
#ifndef TESTS_UNIT_OPERATORS_STATE_FIXTURE_H
#define TESTS_UNIT_OPERATORS_STATE_FIXTURE_H

#include "core/base/buf.h"
#include "operators/sig/load.h"

enum { STATE_TYPES_MAX = 64 };

struct state_fixture {
    const struct etype *known[STATE_TYPES_MAX];
    uint32_t n_known;
    struct save_types types;
    uint64_t serial;
    struct buf bytes; /* of the last save */
};

void state_fixture_init(struct state_fixture *f);
void state_fixture_done(struct state_fixture *f);
/* What `write` writes, as f->bytes. */
void state_fixture_save(struct state_fixture *f, void (*write)(void *arg, struct save *s),
                        void *arg);
/* Reads them; whether they were right. */
bool state_fixture_load(struct state_fixture *f, struct slice bytes, struct vheap *heap,
                        void (*read)(void *arg, struct load *l), void *arg, struct err *reterr);

/* The next number below n. */
uint32_t state_draw(uint64_t *seed, uint32_t n);

#endif
