/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a pattern may run in parts, one per key: what each of its atoms begins with, and why not.
 * An instance that holds no event stands for all keys at once; so the pattern must begin with
 * `every T(...)`, which begins anew with each event by itself, and all that follows must be tied to
 * what it holds. The caller looks for those ties; here is told which atoms there are.
 */
#ifndef OPERATORS_PATTERN_PAT_LOCAL_H
#define OPERATORS_PATTERN_PAT_LOCAL_H

#include "operators/pattern/pattern.h"

enum { PAT_ATOMS_MAX = 256 };

struct pat_told { /* of a node, by its kind */
    const struct route_filter *filter;
    int tag; /* column of the match; -1: none */
    struct ex *const *keys;
    uint32_t n_keys;
    bool bounded; /* -[n]> */
};

struct pat_atom {
    const struct route_filter *filter; /* stream 0: the event, 1: the match so far */
    int tag;
    bool begins; /* nothing is held before it */
    bool sure;   /* each match has its tag, as one event */
};

struct pat_local {
    struct pat_atom atoms[PAT_ATOMS_MAX];
    uint32_t n_atoms;
    struct ex *const
        *distinct; /* keys of an every-distinct it begins with; the match is stream 1 */
    uint32_t n_distinct;
    bool timed;      /* it has timers */
    const char *why; /* it can never run in parts; NULL: it depends on ties */
};

/* held: it goes on from events that are there before (the end of a context's partition). */
void pat_local(const struct pat_plan *p, bool held, struct pat_local *ret);

#endif
