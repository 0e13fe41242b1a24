/* SPDX-License-Identifier: Apache-2.0
 *
 * The tail of a large thing. A thing of a node that is written later is written whole, before it
 * changes; so if it is large that takes long. When there is much of it, or a long list in it, what
 * follows is not written: plain bytes are put aside with holes in them, and what belongs there is
 * kept, which does not change: events, lists, parts that are written later themselves. They are
 * written in their order, slice by slice, as pieces of the thing at its place in the group. Which
 * events are known by then goes over to the tail, so the bytes are the same.
 */
#include "core/base/mem.h"
#include "operators/sig/save_impl.h"

enum kind { EVENT, APART, LIST, SPACE, SPACE_END, LATE, STEPS };

struct hole {
    size_t at; /* in the bytes put aside */
    enum kind kind;
    union {
        struct evt *e;
        struct vlist *list;
        struct save_late *late;
        struct {
            const struct save_tail_ops *ops;
            void *arg;
        } steps;
    };
};

struct save_tail {
    uint64_t place; /* of the thing, in its group */
    uint16_t group;
    size_t from;     /* in the part: where the tail begins */
    struct save *to; /* knows which events were written before */
    struct buf bytes;
    VEC(struct hole) holes;
    size_t at, hole;  /* written: bytes, holes */
    uint32_t element; /* of the list in the hole */
};

/* ---- noting ---- */

static void begin_tail(struct save *s)
{
    struct part *p = save_part(s);
    struct save_tail *t = MEM_NEW(struct save_tail);
    t->place = VEC_LAST(&p->items)->place;
    t->group = p->group;
    t->from = p->out.len;
    buf_init(&t->bytes, SAVE_CHUNK_MAX);
    t->to = save_new(s->types, s->serial, NULL, NULL);
    t->to->late = true;
    save_begin(t->to, s->node);
    t->to->space = s->space;
    t->to->spaces = s->spaces;
    t->to->n_around = s->n_around;
    memcpy(t->to->around, s->around, sizeof s->around);
    struct seen_table seen = t->to->seen;
    t->to->seen = s->seen;
    s->seen = seen;
    s->tail = t;
}

bool save_tail_begun(struct save *s, bool is_long)
{
    enum { MUCH = 64 << 10 };
    const struct part *p = save_part(s);
    if (s->tail != NULL) {
        return true;
    }
    if (s->keeper == NULL || s->n_around == 0 || p->items.len == 0 ||
        (!is_long && p->out.len - VEC_LAST(&p->items)->at < MUCH)) {
        return false;
    }
    begin_tail(s);
    return true;
}

static struct hole *add_hole(struct save *s, enum kind kind)
{
    struct hole *h = VEC_PUSH(&s->tail->holes);
    h->at = save_part(s)->out.len - s->tail->from;
    h->kind = kind;
    return h;
}

void save_tail_evt(struct save *s, struct evt *e, bool apart)
{
    assert(e->serial != 0 && "it outlived its step");
    add_hole(s, apart ? APART : EVENT)->e = evt_keep(e);
}

void save_tail_list(struct save *s, struct vlist *l)
{
    obj_keep(&l->o);
    add_hole(s, LIST)->list = l;
}

void save_tail_late(struct save *s, struct save_late *x)
{
    add_hole(s, LATE)->late = x;
}

bool save_tail_takes(struct save *s)
{
    return s->by_item && save_tail_begun(s, true);
}

void save_tail_add(struct save *s, const struct save_tail_ops *ops, void *arg)
{
    struct hole *h = add_hole(s, STEPS);
    h->steps.ops = ops;
    h->steps.arg = arg;
}

void save_tail_space(struct save *s, bool begins)
{
    if (UNLIKELY(s->tail != NULL)) {
        (void)add_hole(s, begins ? SPACE : SPACE_END);
    }
}

void save_tail_end(struct save *s)
{
    struct save_tail *t = s->tail;
    if (LIKELY(t == NULL)) {
        return;
    }
    struct part *p = &s->parts.ptr[s->part_of[t->group] - 1U];
    buf_add(&t->bytes, p->out.ptr + t->from, p->out.len - t->from);
    p->out.len = t->from;
    s->tail = NULL;
    *VEC_PUSH(&s->tails) = t;
}

/* ---- writing ---- */

/* True: all of it. */
static bool write_list(struct save_tail *t, const struct vlist *l, size_t bytes)
{
    const struct buf *out = &save_part(t->to)->out;
    while (t->element < l->len && out->len < bytes) {
        save_val(t->to, l->v[t->element++]);
    }
    return t->element == l->len;
}

static bool write_late(struct save_tail *t, struct save_late *x, size_t bytes)
{
    struct buf *out = &save_part(t->to)->out;
    struct slice got = save_late_take(x, bytes);
    bool all = got.len == 0 && save_late_step(x, bytes);
    got = got.len == 0 ? save_late_take(x, bytes) : got;
    buf_add_slice(out, got);
    return all && got.len == 0;
}

/* A step may write nothing, and takes its time nevertheless. */
static bool write_steps(const struct save_tail *t, const struct hole *h, size_t bytes)
{
    enum { STEP = 32 };
    const struct buf *out = &save_part(t->to)->out;
    for (size_t n = 0; out->len + n < bytes; n += STEP) {
        if (h->steps.ops->step(h->steps.arg, t->to)) {
            return true;
        }
    }
    return false;
}

static void drop_hole(struct vheap *heap, const struct hole *h)
{
    switch (h->kind) {
    case EVENT:
    case APART: evt_drop(heap, h->e); break;
    case LIST: obj_drop(heap, &h->list->o); break;
    case LATE: save_late_free(h->late); break;
    case STEPS: h->steps.ops->free(h->steps.arg); break;
    default: break;
    }
}

/* Of what belongs in the hole. True: all of it. */
static bool fill_hole(struct save_tail *t, const struct hole *h, size_t bytes)
{
    switch (h->kind) {
    case EVENT: save_evt(t->to, h->e); return true;
    case APART: save_evt_apart(t->to, h->e); return true;
    case SPACE: save_space(t->to); return true;
    case SPACE_END: save_space_end(t->to); return true;
    case LIST: return write_list(t, h->list, bytes);
    case LATE: return write_late(t, h->late, bytes);
    case STEPS: return write_steps(t, h, bytes);
    }
    return true;
}

/* True: it is written. */
static bool write_tail(struct vheap *heap, struct save_tail *t, size_t bytes)
{
    struct buf *out = &save_part(t->to)->out;
    while (out->len < bytes && (t->hole < t->holes.len || t->at < t->bytes.len)) {
        const struct hole *h = t->hole < t->holes.len ? &t->holes.ptr[t->hole] : NULL;
        if (h == NULL || t->at < h->at) {
            size_t n = MIN((h != NULL ? h->at : t->bytes.len) - t->at, bytes - out->len);
            buf_add(out, t->bytes.ptr + t->at, n);
            t->at += n;
        } else if (fill_hole(t, h, bytes)) {
            drop_hole(heap, h);
            t->hole++;
            t->element = 0;
        } else if (h->kind == STEPS) {
            break;
        }
    }
    return t->hole == t->holes.len && t->at == t->bytes.len;
}

static void tail_free(struct vheap *heap, struct save_tail *t)
{
    for (; t->hole < t->holes.len; t->hole++) {
        drop_hole(heap, &t->holes.ptr[t->hole]);
    }
    VEC_DONE(&t->holes);
    buf_done(&t->bytes);
    save_free(t->to);
    mem_free(t);
}

/* A slice of the first: one more piece of its thing. What it cost. */
static size_t step_first(struct save *s, size_t bytes)
{
    struct save_tail *t = s->tails.ptr[s->next_tail];
    struct buf *out = &save_part(t->to)->out;
    bool all = write_tail(s->keeper, t, bytes);
    size_t n = all ? out->len : bytes;
    save_group(s, t->group);
    save_item(s, t->place);
    buf_add_slice(&save_part(s)->out, buf_slice(out));
    buf_clear(out);
    if (all) {
        tail_free(s->keeper, t);
        s->next_tail++;
    }
    return n;
}

bool save_tails_step(struct save *s, size_t bytes)
{
    for (size_t n = 0; s->next_tail < s->tails.len && n < bytes;) {
        n += step_first(s, bytes - n);
    }
    if (s->next_tail < s->tails.len) {
        return false;
    }
    VEC_CLEAR(&s->tails);
    s->next_tail = 0;
    return true;
}

void save_tails_forget(struct save *s)
{
    save_tail_end(s);
    for (; s->next_tail < s->tails.len; s->next_tail++) {
        tail_free(s->keeper, s->tails.ptr[s->next_tail]);
    }
}
