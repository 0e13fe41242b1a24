/* SPDX-License-Identifier: Apache-2.0
 *
 * The right of a worker to its name. Two processes of one name would take each other's slots, over
 * and over. So who begins first reads what is said under his name in ctl.members: while another
 * says there that he is there, he says nothing under it himself, and has it when the other has left
 * or is silent. If both have it all the same (one stood still for long), the one that began later
 * steps aside. Pure: records and times in, whether the name is his out.
 */
#ifndef OPERATORS_OPERATOR_CLAIM_H
#define OPERATORS_OPERATOR_CLAIM_H

#include "core/base/slice.h"

#define OPERATOR_CLAIM_SILENT_NS 3000000000

struct operator_claim {
    const char *name, *boot; /* borrowed; boot: hex time at which it began, '-', process */
    bool alone;              /* nobody else writes that bus: the name is its own at once */
    bool read;               /* all that was there when it began was taken */
    bool mine, refused;      /* refused: another has it, who lives */
    char other[32];          /* the boot of another that has it; empty */
    int64_t beat, heard;     /* its last, and when (mono) */
    uint64_t beats;          /* heard of others since all was read */
};

/* A record of ctl.members. */
void operator_claim_take(struct operator_claim *c, struct slice key, struct slice value,
                         int64_t now);
/* Whether the name is its own now; may change with each call. */
bool operator_claim_is_mine(struct operator_claim *c, int64_t now);

#endif
