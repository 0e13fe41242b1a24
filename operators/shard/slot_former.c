/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that come after others which left no last record, and whose state nobody can take over: it
 * was saved by a program whose state this one does not read, or those rules are not known any more.
 * What they held is lost, and that is said. Their input is not, as far as it is known where they
 * were: their snapshot says so, in a chunk that does not depend on the format of the state, and the
 * journal behind it. The new rules take what the old ones have not taken.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"
#include "operators/shard/task_gap.h"

enum { FORMER_ARENA = 64 << 20 };

/* Sub-streams are numbered by the old rules. False: records are missing. */
static bool read_on(const struct slot_one *o, struct task_sub *subs, size_t n)
{
    struct arena *a = arena_new(NULL, "journal record", FORMER_ARENA);
    uint64_t seq = o->snap.root.seq;
    bool whole = true;
    for (size_t i = 0; i < o->journal.len && whole; i++) {
        const struct slot_record *at = &o->journal.ptr[i];
        struct journal_record r;
        struct err err;
        uint64_t sum;
        arena_reset(a);
        whole = journal_read(slice_of(at->bytes, at->len), a, &r, &sum, &err) == 0;
        whole = whole && r.seq == ++seq;
        for (uint32_t k = 0; whole && k < r.n_reads; k++) {
            whole = r.reads[k].sub < n;
            if (whole) {
                subs[r.reads[k].sub].pos = r.reads[k].to;
            }
        }
    }
    arena_free(a);
    return whole;
}

bool slot_former_seek(struct slot_one *o)
{
    size_t n = 0, n_subs = 0;
    struct task_sub *subs = NULL;
    if (!o->snap.there || o->snap.root.plan != o->last_plan) {
        return false;
    }
    const struct save_chunk *chunks = snap_set_chunks(o->snap.set, &n);
    bool known = task_was(chunks, n, &subs, &n_subs) && read_on(o, subs, n_subs);
    for (uint32_t i = 0; known && i < o->conf.plan->n_subs; i++) {
        for (size_t k = 0; k < n_subs; k++) {
            if (task_is_sub(o->task, i, &subs[k])) {
                task_seek(o->task, i, subs[k].pos);
            }
        }
    }
    mem_free(subs);
    return known;
}

void slot_former_lost(const struct slot_one *o)
{
    bool same_life =
        o->conf.plan->life == 0 || o->conf.tried; /* else they may be another graph's */
    if (!o->ended && !o->conf.ends && !o->start.lost && same_life) {
        task_lose(o->task, o->start.known);
    }
}
