/* SPDX-License-Identifier: Apache-2.0
 *
 * A played engine is saved, thrown away, loaded into a new one. A twin that lives on is saved at
 * the same moments: its bytes must stay equal to those of the one that was loaded, so that also
 * state is seen which no row shows yet.
 */
#ifndef OPERATORS_CMD_CMD_RELOAD_H
#define OPERATORS_CMD_CMD_RELOAD_H

#include "core/base/buf.h"
#include "core/base/vec.h"
#include "operators/cmd/cmd_play.h"
#include "operators/sig/save.h"

struct eng_cut;

struct cmd_chunks {
    VEC(struct save_chunk) v; /* bytes are copies */
};

void cmd_chunks_save(struct cmd_chunks *c, struct eng *e);
void cmd_chunks_done(struct cmd_chunks *c);
/* NULL, or the first chunk that differs or that only one of them has. */
const struct save_chunk *cmd_chunks_differ(const struct cmd_chunks *a, const struct cmd_chunks *b);
/* Saving in slices: begun at one moment and ended at the next, or one after it, with all that is
 * done meanwhile in between, it must give what saving at once would have given at the first. */
struct cmd_slices {
    struct eng_cut *cut;
    struct cmd_chunks want, got;
    struct buf bytes;
    struct save_chunk chunk; /* in pieces */
    uint64_t moments;
};
int cmd_slices_check(struct cmd_slices *s, struct eng *e, struct err *reterr) NODISCARD;
void cmd_slices_done(struct cmd_slices *s); /* before the engine */
/* twin: NULL, or where everything has been done as in p. */
int cmd_reload(struct cmd_play *p, struct cmd_play *twin, struct err *reterr) NODISCARD;

#endif
