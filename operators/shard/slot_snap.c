/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots of a slot's tasks. When one is due, the next cut says so; once that cut is committed
 * its image goes out in portions, some pages with each of the task's further transactions, and the
 * root with the last. When the slot begins, roots and pages are read before the journals.
 */
#include "core/base/mem.h"
#include "operators/shard/slot_impl.h"

#include <assert.h>

enum { PORTION = 16 }; /* pages in one transaction */

bool slot_snap_before_cut(struct slot *s, struct slot_one *o)
{
    struct slot_snap *p = &o->snap;
    bool due = s->conf.snapshot_ns > 0 && (o->final || slot_now(s) >= p->due);
    bool last = false;
    if (p->state == SNAP_NONE && due) {
        p->state = task_snapshot(o->task) ? SNAP_CUT : SNAP_NONE;
        last = o->final && p->state == SNAP_CUT;
        o->final = false;
    }
    if (p->state == SNAP_SENDING) {
        p->to = MIN(p->root.pages, p->from + PORTION);
    }
    return p->state == SNAP_SENDING || last;
}

uint32_t slot_snap_puts(const struct slot_one *o)
{
    const struct slot_snap *p = &o->snap;
    return p->state == SNAP_SENDING ? p->to - p->from + (p->to == p->root.pages) : 0;
}

int slot_snap_put(struct slot *s, struct slot_one *o, uint32_t i, struct err *reterr)
{
    struct slot_snap *p = &o->snap;
    char key[SNAP_KEY_BYTES];
    struct snap_key k = {o->conf.plan->lineage, p->root.side, p->from + i};
    struct bus_put put = {.to = slot_state_of(s, o->conf.plan->lineage),
                          .token = slot_tag(SLOT_TAG_PUT, 0, 0)};
    struct buf root;
    buf_init(&root, 256);
    if (k.page < p->root.pages) {
        size_t at = (size_t)k.page * SNAP_PAGE_BYTES;
        put.value = slice_sub(task_image(o->task), at, at + SNAP_PAGE_BYTES);
    } else {
        k = (struct snap_key){k.lineage, SNAP_SIDE_ROOT, 0};
        (void)snap_root_write(&p->root, &root);
        put.value = buf_slice(&root);
    }
    put.key = snap_key_write(&k, key);
    int rc = bus_put(s->writer, &put, reterr);
    buf_done(&root);
    return rc;
}

void slot_snap_committed(struct slot *s, struct slot_one *o, int64_t journal_offset)
{
    struct slot_snap *p = &o->snap;
    if (p->state == SNAP_CUT) {
        struct slice image = task_image(o->task);
        p->root = (struct snap_root){.plan = o->conf.plan->hash,
                                     .seq = o->cut.seq,
                                     .journal_offset = journal_offset,
                                     .engine = JOURNAL_ENGINE_NUMBER,
                                     .side = 1 - p->side,
                                     .pages = snap_pages(image.len),
                                     .bytes = image.len,
                                     .sum = hash_xxh128(image)};
        p->from = p->to = 0;
        p->state = SNAP_SENDING;
    } else if (p->state == SNAP_SENDING && p->to == p->root.pages) {
        p->side = p->root.side;
        p->state = SNAP_NONE;
        p->due = slot_now(s) + s->conf.snapshot_ns;
        s->counts.snapshots++;
        s->counts.snapshot_bytes = p->root.bytes;
        task_image_done(o->task);
    } else if (p->state == SNAP_SENDING) {
        p->from = p->to;
    }
}

/* ---- reading ---- */

static void keep_page(struct slot_snap *p, const struct snap_key *k, struct slice bytes)
{
    while (p->pages[k->side].len <= k->page) {
        (void)VEC_PUSH(&p->pages[k->side]);
    }
    struct slot_page *to = &p->pages[k->side].ptr[k->page];
    mem_free(to->bytes);
    to->bytes = mem_alloc(bytes.len + 1);
    to->len = bytes.len;
    memcpy(to->bytes, bytes.ptr, bytes.len);
}

void slot_snap_record(struct slot *s, uint32_t load, const struct bus_record *r)
{
    struct snap_key k;
    struct err err;
    struct slot_one *o = snap_key_read(r->key, &k) ? slot_one_of(s, k.lineage) : NULL;
    if (o == NULL || r->value.len == 0 || o->state != SLOT_JOURNAL || o->load != load) {
        return;
    }
    struct slot_snap *p = &o->snap;
    if (k.side < SNAP_SIDE_ROOT) {
        keep_page(p, &k, r->value);
    } else if (snap_root_read(r->value, &p->root, &err) == 0) {
        p->found = p->root.plan == o->conf.plan->hash && p->root.engine == JOURNAL_ENGINE_NUMBER;
        p->side = p->root.side;
    } else {
        slot_lose_one(s, o, "%s", err.msg);
    }
}

void slot_snap_forget(struct slot_snap *p)
{
    for (size_t side = 0; side < ARRAY_LEN(p->pages); side++) {
        VEC_EACH (&p->pages[side], page) {
            mem_free(page->bytes);
        }
        VEC_DONE(&p->pages[side]);
    }
}

/* The task as it was at its root's cut. */
void slot_snap_restore(struct slot *s, struct slot_one *o)
{
    struct slot_snap *p = &o->snap;
    struct err err;
    struct buf image;
    buf_init(&image, p->root.bytes + 1);
    for (uint32_t i = 0; i < p->root.pages && i < p->pages[p->root.side].len; i++) {
        const struct slot_page *page = &p->pages[p->root.side].ptr[i];
        buf_add(&image, page->bytes, page->len);
    }
    struct hash128 sum = hash_xxh128(buf_slice(&image));
    if (image.len != p->root.bytes || memcmp(&sum, &p->root.sum, sizeof sum) != 0) {
        slot_lose_one(s, o, "the snapshot of '" SLICE_FMT "' is torn",
                      SLICE_ARG(o->conf.plan->name));
    } else if (task_restore(o->task, buf_slice(&image), &err) != 0) {
        slot_lose_one(s, o, "the snapshot of '" SLICE_FMT "': %s", SLICE_ARG(o->conf.plan->name),
                      err.msg);
    } else {
        s->counts.restored_bytes += image.len;
    }
    buf_done(&image);
    slot_snap_forget(p);
}
