/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that were read, by their serials, so that each stays one object in all chunks. Open
 * addressing; serials that follow each other lie in one or two lines, and it grows in the order of
 * its places, so neither reading in order nor growing jumps about in memory.
 */
#ifndef OPERATORS_SIG_EVT_SERIALS_H
#define OPERATORS_SIG_EVT_SERIALS_H

#include "core/base/mem.h"
#include "operators/sig/dat_type.h"

struct evt_known {
    uint64_t serial;
    struct evt *e; /* NULL: free */
};

struct evt_serials { /* all zero: none */
    struct evt_known *at;
    size_t n, size; /* a power of two */
    unsigned shift;
};

static inline struct evt_known *evt_serials_home(const struct evt_serials *s, uint64_t serial)
{
    enum { NEAR = 8 }; /* as many as follow each other in a place */
    uint64_t near = serial / NEAR * 0x9e3779b97f4a7c15ULL >> s->shift;
    return &s->at[near * NEAR + serial % NEAR];
}

/* It will be asked for. */
static inline void evt_serials_soon(const struct evt_serials *s, uint64_t serial)
{
    if (s->size > 0) {
        __builtin_prefetch(evt_serials_home(s, serial), 1);
    }
}

static inline struct evt_known *evt_serials_place(const struct evt_serials *s, uint64_t serial)
{
    struct evt_known *k = evt_serials_home(s, serial), *end = s->at + s->size;
    while (k->e != NULL && k->serial != serial) {
        k = k + 1 < end ? k + 1 : s->at;
    }
    return k;
}

static COLD void evt_serials_grow(struct evt_serials *s)
{
    enum { FIRST = 64, FIRST_SHIFT = 61 };
    struct evt_serials was = *s;
    s->size = MAX(2 * was.size, (size_t)FIRST);
    s->shift = was.size > 0 ? was.shift - 1 : FIRST_SHIFT;
    s->at = mem_calloc(s->size, sizeof *s->at);
    for (size_t i = 0; i < was.size; i++) {
        if (was.at[i].e != NULL) {
            *evt_serials_place(s, was.at[i].serial) = was.at[i];
        }
    }
    mem_free(was.at);
}

/* Who is known by this serial already, or this one from now on. */
static inline struct evt *evt_serials_one(struct evt_serials *s, uint64_t serial, struct evt *e)
{
    if (UNLIKELY(2 * (s->n + 1) > s->size)) {
        evt_serials_grow(s);
    }
    struct evt_known *k = evt_serials_place(s, serial);
    if (k->e == NULL) {
        *k = (struct evt_known){serial, e};
        s->n++;
    }
    return k->e;
}

static inline void evt_serials_done(struct evt_serials *s)
{
    mem_free(s->at);
    *s = (struct evt_serials){0};
}

#endif
