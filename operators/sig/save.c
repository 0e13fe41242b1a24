/* SPDX-License-Identifier: Apache-2.0
 *
 * See save.h. A value is a byte for its kind and what follows from it. An event is 0 for none, the
 * number it got in this chunk (from 1, given when all of it has been written), or 2^32 - 1
 * and then the event: serial, type, reference, causes, undeclared properties, columns.
 */
#include "operators/sig/save_late.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MIN = 64, SEEN_KEPT = 4096, SPACES_MAX = 8 };

struct seen { /* an event in a chunk */
    uint64_t serial;
    uint32_t chunk, number; /* number 0: free */
};

struct item { /* a thing of a group, in the bytes of its part */
    uint64_t place;
    size_t at, len; /* len: known at the end */
};

struct part {
    uint16_t group;
    uint32_t events; /* written */
    struct buf out;
    VEC(struct item) items;
    bool mixed; /* they did not come in order */
};

struct save {
    const struct save_types *types;
    uint64_t *serial;
    void (*on_chunk)(void *arg, const struct save_chunk *c);
    void *arg;
    uint64_t node;
    VEC(struct part) parts; /* of the node; those behind n_parts keep their memory */
    size_t n_parts, at;
    uint16_t part_of[SAVE_GROUPS + 1]; /* by group: place + 1 */
    struct seen *seen;
    size_t n_seen, seen_size; /* a power of two */
    uint32_t spaces;          /* of numbers: of events that stand apart; so many were begun */
    struct space {
        uint32_t number, events; /* 0: the chunk's own; written in it */
    } space, around[SPACES_MAX]; /* the one under way, and those that it stands in */
    uint32_t n_around;

    /* in slices: NULL, or where chunks with holes go */
    void (*on_held)(void *arg, const struct save_chunk *c, const struct save_hole *holes, size_t n);
    size_t least;
    struct vheap *heap;          /* of events that are only kept; NULL: they are written */
    VEC(struct save_hole) holes; /* of the node */
    size_t n_lates;              /* of them, the others are events */
    bool late, by_item;          /* it is written later; things have places */
    bool taken;                  /* the pieces there are */
};

struct save_late {
    struct save *to;
    const struct save_late_ops *ops;
    void *arg;
    bool done, node;     /* node: all of it */
    size_t taken;        /* of its bytes; groups up to which its chunks were given */
    struct part *giving; /* of a node: the one that is given in pieces; NULL */
    size_t given;        /* bytes of it */
    struct buf sorted;
};

struct save *save_new(const struct save_types *types, uint64_t *serial,
                      void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg)
{
    assert(types != NULL && serial != NULL);
    struct save *s = MEM_NEW(struct save);
    s->types = types;
    s->serial = serial;
    s->on_chunk = on_chunk;
    s->arg = arg;
    s->seen_size = SEEN_MIN;
    s->seen = mem_calloc(s->seen_size, sizeof *s->seen);
    return s;
}

void save_free(struct save *s)
{
    if (s == NULL) {
        return;
    }
    VEC_EACH (&s->parts, p) {
        buf_done(&p->out);
        VEC_DONE(&p->items);
    }
    VEC_DONE(&s->parts);
    VEC_DONE(&s->holes);
    mem_free(s->seen);
    mem_free(s);
}

void save_begin(struct save *s, uint64_t node)
{
    assert(s->n_parts == 0);
    s->node = node;
    save_group(s, SAVE_NO_GROUP);
}

void save_group(struct save *s, uint16_t group)
{
    assert(group <= SAVE_NO_GROUP);
    if (s->part_of[group] == 0) {
        if (s->n_parts == s->parts.len) {
            buf_init(&VEC_PUSH(&s->parts)->out, SAVE_CHUNK_MAX);
        }
        s->parts.ptr[s->n_parts].group = group;
        s->parts.ptr[s->n_parts].events = 0;
        s->part_of[group] = (uint16_t)++s->n_parts;
    }
    s->at = s->part_of[group] - 1U;
}

/* What one large node has needed is not swept for each small one behind it. */
static void forget_seen(struct save *s)
{
    if (s->seen_size > SEEN_KEPT) {
        mem_free(s->seen);
        s->seen_size = SEEN_MIN;
        s->seen = mem_calloc(s->seen_size, sizeof *s->seen);
    } else if (s->n_seen > 0) {
        memset(s->seen, 0, s->seen_size * sizeof *s->seen);
    }
    s->n_seen = 0;
}

static void event_apart(struct save *s, struct evt *e);

/* So little that the events may be written at once. */
static void fill_holes(struct save *s, struct part *p)
{
    struct buf was = p->out;
    size_t at = 0;
    buf_init(&p->out, SAVE_CHUNK_MAX);
    s->at = (size_t)(p - s->parts.ptr);
    VEC_EACH (&s->holes, h) {
        buf_add(&p->out, was.ptr + at, h->at - at);
        at = h->at;
        event_apart(s, h->e);
    }
    buf_add(&p->out, was.ptr + at, was.len - at);
    buf_done(&was);
    VEC_CLEAR(&s->holes);
}

/* Nothing has let go of them since they were noted; they are all over the memory. */
static void keep_events(struct save *s)
{
    enum { AHEAD = 16 };
    for (size_t i = 0; i < s->holes.len; i++) {
        const struct evt *soon = i + AHEAD < s->holes.len ? s->holes.ptr[i + AHEAD].e : NULL;
        struct evt *e = s->holes.ptr[i].e;
        if (soon != NULL) {
            __builtin_prefetch(soon, 1);
        }
        if (e != NULL) {
            assert(e->serial != 0 && "it outlived its step");
            (void)evt_keep(e);
        }
    }
}

static void settle_holes(struct save *s, struct part *p)
{
    enum { EVENT_BYTES = 64 }; /* from below */
    size_t events = s->holes.len - s->n_lates;
    if (s->n_lates == 0 && p->out.len + events * EVENT_BYTES < s->least) {
        fill_holes(s, p);
    } else {
        keep_events(s);
    }
}

void save_end(struct save *s)
{
    for (size_t group = 0; group <= SAVE_NO_GROUP; group++) {
        if (s->part_of[group] == 0) {
            continue;
        }
        struct part *p = &s->parts.ptr[s->part_of[group] - 1U];
        if (s->holes.len > 0 && group == SAVE_NO_GROUP) {
            settle_holes(s, p);
        }
        assert(!buf_failed(&p->out));
        const struct save_chunk c = {s->node, p->group, buf_slice(&p->out), NULL};
        if (s->holes.len > 0 && p->group == SAVE_NO_GROUP) {
            s->on_held(s->arg, &c, s->holes.ptr, s->holes.len);
        } else if (p->out.len > 0) {
            s->on_chunk(s->arg, &c);
        }
        buf_clear(&p->out);
        s->part_of[group] = 0;
    }
    s->n_parts = s->n_lates = 0;
    VEC_CLEAR(&s->holes);
    forget_seen(s);
}

/* Events have no content to go by: their identity is not that of the next run. */
static bool has_event(struct dat v)
{
    bool found = v.kind == DAT_EVENT;
    for (uint32_t i = 0; v.kind == DAT_LIST && !found && i < v.l->len; i++) {
        found = has_event(v.l->v[i]);
    }
    for (uint32_t i = 0; v.kind == DAT_MAP && !found && i < v.m->len; i++) {
        found = has_event(v.m->v[i].key) || has_event(v.m->v[i].value);
    }
    return found;
}

/* As the log's own keys (core/event/key.h), so that a row's group is that of its state. */
static struct val key_column(struct dat v)
{
    if (has_event(v)) {
        return (struct val){.tag = VAL_NULL};
    }
    switch (v.kind) {
    case DAT_NULL: return (struct val){.tag = VAL_NULL};
    case DAT_BOOL: return val_bool(v.b);
    case DAT_FLOAT:
    case DAT_DOUBLE: return val_double(v.d);
    case DAT_STRING: return val_string(vstr_slice(v.s));
    default: return val_int(dat_is_obj(v) ? (int64_t)dat_hash(v) : v.i);
    }
}

uint16_t save_group_of(const struct dat *key, size_t n)
{
    struct buf bytes;
    buf_init(&bytes, SAVE_CHUNK_MAX);
    for (size_t i = 0; i < n; i++) {
        key_add(&bytes, key_column(key[i]));
    }
    uint32_t group = key_group(buf_slice(&bytes));
    buf_done(&bytes);
    return (uint16_t)group;
}

/* ---- plain ---- */

static struct part *part(struct save *s)
{
    assert(s->n_parts > 0);
    return &s->parts.ptr[s->at];
}

void save_u(struct save *s, uint64_t v)
{
    char *to = buf_room(&part(s)->out, 10);
    assert(to != NULL);
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        to[n++] = (char)(v | 0x80);
    }
    to[n++] = (char)v;
    buf_commit(&part(s)->out, n);
}

void save_i(struct save *s, int64_t v)
{
    save_u(s, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void fixed(struct save *s, uint64_t v)
{
    char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(v >> (8 * i));
    }
    buf_add(&part(s)->out, bytes, sizeof bytes);
}

void save_f(struct save *s, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    fixed(s, bits);
}

void save_bytes(struct save *s, struct slice bytes)
{
    save_u(s, bytes.len);
    buf_add_slice(&part(s)->out, bytes);
}

/* ---- values ---- */

static void save_map(struct save *s, const struct vmap *m)
{
    save_u(s, m->len);
    for (uint32_t i = 0; i < m->len; i++) {
        save_val(s, m->v[i].key);
        save_val(s, m->v[i].value);
    }
}

void save_val(struct save *s, struct dat v)
{
    save_u(s, v.kind);
    switch (v.kind) {
    case DAT_NULL: break;
    case DAT_BOOL: save_u(s, v.b); break;
    case DAT_FLOAT:
    case DAT_DOUBLE: save_f(s, v.d); break;
    case DAT_BIGINT:
    case DAT_BIGDEC:
        save_i(s, v.big->scale);
        fixed(s, (uint64_t)(unsigned __int128)v.big->unscaled);
        fixed(s, (uint64_t)((unsigned __int128)v.big->unscaled >> 64));
        break;
    case DAT_STRING: save_bytes(s, vstr_slice(v.s)); break;
    case DAT_EVENT: save_evt(s, v.ev); break;
    case DAT_MAP: save_map(s, v.m); break;
    case DAT_LIST:
        save_u(s, v.l->len);
        save_vals(s, v.l->v, v.l->len);
        break;
    default: save_i(s, v.i); break;
    }
}

void save_vals(struct save *s, const struct dat *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        save_val(s, v[i]);
    }
}

/* ---- events ---- */

static struct seen *find_seen(struct save *s, uint64_t serial, uint32_t chunk)
{
    uint64_t key[2] = {serial, chunk};
    size_t i = hash_fast((struct slice){(const char *)key, sizeof key}) & (s->seen_size - 1);
    while (s->seen[i].number != 0 && (s->seen[i].serial != serial || s->seen[i].chunk != chunk)) {
        i = (i + 1) & (s->seen_size - 1);
    }
    return &s->seen[i];
}

static void add_seen(struct save *s, uint64_t serial, uint32_t chunk, uint32_t number)
{
    if (2 * (s->n_seen + 1) > s->seen_size) {
        struct seen *old = s->seen;
        size_t n = s->seen_size;
        s->seen_size = 2 * n;
        s->seen = mem_calloc(s->seen_size, sizeof *s->seen);
        for (size_t i = 0; i < n; i++) {
            if (old[i].number != 0) {
                *find_seen(s, old[i].serial, old[i].chunk) = old[i];
            }
        }
        mem_free(old);
    }
    *find_seen(s, serial, chunk) = (struct seen){serial, chunk, number};
    s->n_seen++;
}

static void event_itself(struct save *s, const struct evt *e)
{
    uint64_t type = s->types->number(s->types->arg, e->type);
    assert(type != UINT64_MAX);
    save_u(s, e->serial);
    save_u(s, type);
    fixed(s, e->ref.hi);
    fixed(s, e->ref.lo);
    uint32_t n = e->causes == NULL ? 0 : e->causes->len;
    save_u(s, n);
    for (uint32_t i = 0; i < n; i++) {
        fixed(s, e->causes->r[i].hi);
        fixed(s, e->causes->r[i].lo);
    }
    save_val(s, e->extra == NULL ? DAT_NONE : dat_map(e->extra));
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        save_val(s, ety_is_place(e->type, i) ? DAT_NONE : e->p[i]);
    }
}

static void number(struct save *s, struct evt *e)
{
    assert((!s->late || e->serial != 0) && "its number would depend on when this is");
    if (e->serial == 0) {
        e->serial = ++*s->serial;
    }
}

void save_evt(struct save *s, struct evt *e)
{
    if (e == NULL) {
        save_u(s, 0);
        return;
    }
    number(s, e);
    uint32_t space = s->space.number > 0 ? s->space.number : (uint32_t)s->at;
    const struct seen *was = find_seen(s, e->serial, space);
    if (was->number != 0) {
        save_u(s, was->number);
        return;
    }
    save_u(s, UINT32_MAX); /* written out here */
    event_itself(s, e);
    add_seen(s, e->serial, space, s->space.number > 0 ? ++s->space.events : ++part(s)->events);
}

void save_space(struct save *s)
{
    assert(s->n_around < SPACES_MAX);
    s->around[s->n_around++] = s->space;
    s->space = (struct space){SAVE_NO_GROUP + 1 + ++s->spaces, 0};
}

void save_space_end(struct save *s)
{
    s->space = s->around[--s->n_around];
    if (s->late && s->n_around == 0) {
        forget_seen(s); /* it may be long before the end */
    }
}

static void event_apart(struct save *s, struct evt *e)
{
    save_space(s);
    number(s, e);
    event_itself(s, e);
    save_space_end(s);
}

void save_evt_apart(struct save *s, struct evt *e)
{
    if (s->heap != NULL && part(s)->group == SAVE_NO_GROUP) {
        *VEC_PUSH(&s->holes) = (struct save_hole){.at = part(s)->out.len, .e = e};
    } else {
        event_apart(s, e);
    }
}

void save_evts(struct save *s, struct evt *const *e, size_t n)
{
    save_u(s, n);
    for (size_t i = 0; i < n; i++) {
        save_evt(s, e[i]);
    }
}

/* ---- later ---- */

void save_in_slices(struct save *s, size_t least, struct vheap *heap,
                    void (*on_held)(void *arg, const struct save_chunk *c,
                                    const struct save_hole *holes, size_t n))
{
    assert(s->n_parts == 0);
    s->least = least;
    s->heap = vheap_numbers(heap) ? heap : NULL;
    s->on_held = on_held;
}

static struct save_late *later(struct save *s, const struct save_late_ops *ops, void *arg,
                               size_t size, bool node)
{
    if (s->on_held == NULL || size < s->least || s->parts.ptr[s->at].group != SAVE_NO_GROUP) {
        return NULL;
    }
    struct save_late *x = MEM_NEW(struct save_late);
    *x = (struct save_late){.ops = ops, .arg = arg, .node = node};
    buf_init(&x->sorted, SAVE_CHUNK_MAX);
    x->to = save_new(s->types, s->serial, NULL, NULL);
    x->to->late = true;
    x->to->by_item = node;
    save_begin(x->to, s->node);
    *VEC_PUSH(&s->holes) = (struct save_hole){.at = part(s)->out.len, .late = x};
    s->n_lates++;
    return x;
}

struct save_late *save_later(struct save *s, const struct save_late_ops *ops, void *arg,
                             size_t size)
{
    return later(s, ops, arg, size, false);
}

struct save_late *save_node_later(struct save *s, const struct save_late_ops *ops, void *arg,
                                  size_t size)
{
    return later(s, ops, arg, size, true);
}

struct save *save_late_to(struct save_late *x)
{
    assert(!x->done);
    return x->to;
}

size_t save_late_bytes(const struct save_late *x)
{
    return x->to->parts.ptr[0].out.len - (x->node ? 0 : x->taken);
}

void save_late_end(struct save_late *x)
{
    x->done = true;
}

void save_item(struct save *s, uint64_t place)
{
    if (s->by_item) {
        struct part *p = part(s);
        p->mixed |= p->items.len > 0 && VEC_LAST(&p->items)->place > place;
        *VEC_PUSH(&p->items) = (struct item){place, p->out.len, 0};
    }
}

size_t save_item_bytes(const struct save *s)
{
    const struct part *p = &s->parts.ptr[s->at];
    assert(p->items.len > 0);
    return p->out.len - p->items.ptr[p->items.len - 1].at;
}

struct save *save_pieces_new(const struct save_types *types, uint64_t *serial)
{
    struct save *s = save_new(types, serial, NULL, NULL);
    s->late = true;
    save_begin(s, 0);
    return s;
}

static struct buf *pieces(struct save *s)
{
    struct buf *to = &part(s)->out;
    if (s->taken) {
        buf_clear(to);
        s->taken = false;
    }
    return to;
}

void save_piece_bytes(struct save *s, struct slice bytes)
{
    buf_add_slice(pieces(s), bytes);
}

void save_piece_evt(struct save *s, struct evt *e)
{
    (void)pieces(s);
    event_apart(s, e);
}

size_t save_pieces_len(const struct save *s)
{
    return s->taken ? 0 : s->parts.ptr[s->at].out.len;
}

struct slice save_pieces_take(struct save *s)
{
    struct slice all = buf_slice(pieces(s));
    s->taken = true;
    return all;
}

bool save_late_step(struct save_late *x, size_t bytes)
{
    if (!x->done && x->ops->step(x->arg, bytes)) {
        x->done = true;
    }
    return x->done;
}

bool save_late_is_node(const struct save_late *x)
{
    return x->node;
}

struct slice save_late_take(struct save_late *x, size_t max)
{
    struct buf *b = &x->to->parts.ptr[0].out;
    if (x->taken > 0 && x->taken == b->len) {
        buf_clear(b);
        x->taken = 0;
    }
    struct slice got = slice_sub(buf_slice(b), x->taken, x->taken + max);
    x->taken += got.len;
    return got;
}

/* ---- the things of a group in their order ---- */

static bool before(const struct item *a, const struct item *b)
{
    return a->place != b->place ? a->place < b->place : a->at < b->at;
}

/* A heap: what is at i goes to its place below. */
static void sift(struct part *p, size_t i)
{
    struct item *v = p->items.ptr, x = v[i];
    for (size_t n = p->items.len, kid; (kid = 2 * i + 1) < n; i = kid) {
        kid += kid + 1 < n && before(&v[kid + 1], &v[kid]);
        if (!before(&v[kid], &x)) {
            break;
        }
        v[i] = v[kid];
    }
    v[i] = x;
}

static void begin_giving(struct save_late *x, struct part *p)
{
    size_t n = p->items.len;
    x->giving = p;
    x->given = 0;
    for (size_t i = 0; p->mixed && i < n; i++) {
        p->items.ptr[i].len =
            (i + 1 < n ? p->items.ptr[i + 1].at : p->out.len) - p->items.ptr[i].at;
    }
    for (size_t i = p->mixed ? n / 2 : 0; i-- > 0;) {
        sift(p, i);
    }
}

static struct slice give(struct save_late *x, struct part *p, size_t max)
{
    if (!p->mixed) {
        return slice_sub(buf_slice(&p->out), x->given, x->given + max);
    }
    buf_clear(&x->sorted);
    while (p->items.len > 0 && x->sorted.len < max) {
        struct item first = p->items.ptr[0];
        p->items.ptr[0] = p->items.ptr[--p->items.len];
        if (p->items.len > 0) {
            sift(p, 0);
        }
        buf_add(&x->sorted, p->out.ptr + first.at, first.len);
    }
    return buf_slice(&x->sorted);
}

static struct part *next_part(struct save_late *x)
{
    struct save *s = x->to;
    while (x->taken <= SAVE_NO_GROUP) {
        size_t at = s->part_of[x->taken++];
        if (at > 0 && s->parts.ptr[at - 1].out.len > 0) {
            return &s->parts.ptr[at - 1];
        }
    }
    return NULL;
}

/* What was given is not kept. */
bool save_late_piece(struct save_late *x, size_t max, struct save_piece *ret)
{
    struct part *p = x->giving;
    assert(x->done && x->node);
    if (p != NULL && x->given == p->out.len) {
        buf_done(&p->out);
        buf_init(&p->out, SAVE_CHUNK_MAX);
        VEC_DONE(&p->items);
        p = NULL;
    }
    bool begins = p == NULL;
    p = begins ? next_part(x) : p;
    if (p == NULL) {
        x->giving = NULL;
        return false;
    }
    if (begins) {
        begin_giving(x, p);
    }
    struct slice bytes = give(x, p, max);
    x->given += bytes.len;
    *ret =
        (struct save_piece){{x->to->node, p->group, bytes, NULL}, begins, x->given == p->out.len};
    return true;
}

void save_late_free(struct save_late *x)
{
    if (x == NULL) {
        return;
    }
    if (!x->done) {
        x->ops->forget(x->arg);
    }
    save_free(x->to);
    buf_done(&x->sorted);
    mem_free(x);
}
