/* SPDX-License-Identifier: Apache-2.0
 *
 * A note in `state`, which nothing removes: the task's journal has news behind its snapshot (or
 * there is a journal, and no snapshot yet). It goes with the first such record, so it costs one
 * small record for each snapshot. Who begins, finds the note of the snapshot that is there, and no
 * record behind that in the journal, knows that the journal is lost: without it a journal that is
 * gone as a whole looks like one to which nothing was ever added.
 *
 * The key is the lineage and `mark`, as long as no key of a snapshot is. Beside it may lie the mark
 * of the coordinator's sweep: nobody carried this lineage on when its state was removed.
 */
#include "core/codec/endian.h"
#include "core/codec/varint.h"
#include "core/event/swept.h"
#include "operators/shard/slot_impl.h"

enum { FORMAT = 1, KEY_BYTES = 12, VALUE_BYTES = 2 * VARINT_MAX };
static const char mark[] = "news";

static uint64_t seq_of_root(const struct slot_one *o)
{
    const struct snap_root *root = o->snap.set != NULL ? snap_set_root(o->snap.set) : NULL;
    return root != NULL ? root->seq : 0;
}

void slot_note_record(struct slot *s, uint32_t load, const struct bus_record *r)
{
    bool sweep = swept_is_mark(r->key);
    if (!sweep && (r->key.len != KEY_BYTES || memcmp(r->key.ptr + 8, mark, KEY_BYTES - 8) != 0)) {
        return;
    }
    struct slot_one *o = slot_one_of(s, endian_be64(r->key.ptr));
    if (o == NULL || o->state != SLOT_JOURNAL || o->load != load) {
        return;
    }
    if (sweep) {
        o->note.swept = swept_read(r->value);
        return;
    }
    const char *p = r->value.ptr, *end = r->value.ptr + r->value.len;
    uint64_t v[2] = {0};
    for (size_t i = 0; i < ARRAY_LEN(v) && p != NULL; i++) {
        p = varint_read(p, end, &v[i]);
    }
    o->note.there = r->value.len > 0 && p == end && v[0] == FORMAT;
    o->note.seq = v[1];
}

bool slot_note_says_lost(const struct slot_one *o)
{
    const struct snap_root *root = o->snap.set != NULL ? snap_set_root(o->snap.set) : NULL;
    bool others = root != NULL && !o->snap.found && o->conf.plan->life == 0;
    return o->journal.len == 0 && (others || (o->note.there && o->note.seq == seq_of_root(o)));
}

bool slot_note_is_swept(const struct slot_one *o)
{
    return o->journal.len > 0 && VEC_LAST(&o->journal)->offset < o->note.swept;
}

void slot_note_cut(const struct slot *s, struct slot_one *o)
{
    struct slot_note *n = &o->note;
    bool rooted =
        o->snap.set != NULL && o->snap.state == SNAP_SENDING && snap_set_takes_root(o->snap.set);
    bool news = rooted ? o->snap.behind > 0 : task_has_news(o->task);
    uint64_t seq = rooted ? o->snap.root.seq : seq_of_root(o);
    n->removes = o->leaving && o->how == SLOT_LEAVE_DELETED && o->said && n->there;
    n->puts =
        s->conf.range == NULL && (n->removes || (news && !o->said && (!n->there || n->seq != seq)));
    n->next = seq;
}

uint32_t slot_note_puts(const struct slot_one *o)
{
    return o->note.puts;
}

int slot_note_put(struct slot *s, const struct slot_one *o, struct err *reterr)
{
    char key[KEY_BYTES], value[VALUE_BYTES], *p = varint_write(value, FORMAT);
    const uint64_t lineage = o->conf.plan->lineage;
    endian_put_be64(key, lineage);
    memcpy(key + 8, mark, KEY_BYTES - 8);
    p = varint_write(p, o->note.next);
    const struct bus_put put = {.to = slot_state_of(s, lineage),
                                .key = slice_of(key, sizeof key),
                                .value = o->note.removes ? SLICE_NONE
                                                         : slice_of(value, (size_t)(p - value)),
                                .token = slot_tag(SLOT_TAG_PUT, 0, 0)};
    return bus_put(s->writer, &put, reterr);
}

void slot_note_committed(struct slot_one *o)
{
    struct slot_note *n = &o->note;
    if (n->puts) {
        n->there = !n->removes;
        n->seq = n->next;
        n->puts = false;
    }
}
