/* SPDX-License-Identifier: Apache-2.0
 *
 * See save.h. A value is a byte for its kind and what follows from it. An event is 0 for none, the
 * number it got in this chunk (from 1, given when all of it has been written), or 2^32 - 1
 * and then the event: serial, type, reference, causes, undeclared properties, columns.
 */
#include "operators/sig/save_impl.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/event/key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MIN = 64, SEEN_KEPT = 4096 };

struct save *save_new(const struct save_types *types, uint64_t *serial,
                      void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg)
{
    assert(types != NULL && serial != NULL);
    struct save *s = MEM_NEW(struct save);
    s->types = types;
    s->serial = serial;
    s->on_chunk = on_chunk;
    s->arg = arg;
    s->seen.size = SEEN_MIN;
    s->seen.v = mem_calloc(SEEN_MIN, sizeof *s->seen.v);
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
    VEC_DONE(&s->tails);
    mem_free(s->seen.old);
    mem_free(s->seen.v);
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
    save_tail_end(s);
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
void save_forget_seen(struct save *s)
{
    struct seen_table *t = &s->seen;
    mem_free(t->old);
    t->old = NULL;
    if (t->size > SEEN_KEPT) {
        mem_free(t->v);
        t->size = SEEN_MIN;
        t->v = mem_calloc(SEEN_MIN, sizeof *t->v);
    } else if (t->n > 0) {
        memset(t->v, 0, t->size * sizeof *t->v);
    }
    t->n = 0;
}

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
        save_event_apart(s, h->e);
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
    save_forget_seen(s);
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

void save_u(struct save *s, uint64_t v)
{
    char *to = buf_room(&save_part(s)->out, 10);
    assert(to != NULL);
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        to[n++] = (char)(v | 0x80);
    }
    to[n++] = (char)v;
    buf_commit(&save_part(s)->out, n);
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
    buf_add(&save_part(s)->out, bytes, sizeof bytes);
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
    buf_add_slice(&save_part(s)->out, bytes);
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

static void save_list(struct save *s, struct vlist *l)
{
    enum { LONG = 256 };
    save_u(s, l->len);
    if (UNLIKELY(s->by_item) && save_tail_begun(s, l->len > LONG)) {
        save_tail_list(s, l);
    } else {
        save_vals(s, l->v, l->len);
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
    case DAT_LIST: save_list(s, v.l); break;
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

/* Its place, or the free one where it belongs. */
static struct seen *place_of(struct seen *v, size_t size, uint64_t serial, uint32_t chunk)
{
    uint64_t key[2] = {serial, chunk};
    size_t i = hash_fast((struct slice){(const char *)key, sizeof key}) & (size - 1);
    while (v[i].number != 0 && (v[i].serial != serial || v[i].chunk != chunk)) {
        i = (i + 1) & (size - 1);
    }
    return &v[i];
}

static uint32_t find_seen(const struct save *s, uint64_t serial, uint32_t chunk)
{
    const struct seen_table *t = &s->seen;
    uint32_t n = place_of(t->v, t->size, serial, chunk)->number;
    return n != 0 || LIKELY(t->old == NULL) ? n
                                            : place_of(t->old, t->old_size, serial, chunk)->number;
}

/* It is never moved at once: of many events that takes long. When half of the new one is full, the
 * old one is empty for long. */
static void move_seen(struct seen_table *t)
{
    enum { AT_ONCE = 8 };
    size_t end = MIN(t->moved + AT_ONCE, t->old_size);
    for (; t->moved < end; t->moved++) {
        const struct seen *x = &t->old[t->moved];
        if (x->number != 0) {
            *place_of(t->v, t->size, x->serial, x->chunk) = *x;
        }
    }
    if (t->moved == t->old_size) {
        mem_free(t->old);
        t->old = NULL;
    }
}

static void add_seen(struct save *s, uint64_t serial, uint32_t chunk, uint32_t number)
{
    struct seen_table *t = &s->seen;
    if (2 * (t->n + 1) > t->size) {
        assert(t->old == NULL);
        t->old = t->v;
        t->old_size = t->size;
        t->moved = 0;
        t->size *= 2;
        t->v = mem_calloc(t->size, sizeof *t->v);
    }
    if (UNLIKELY(t->old != NULL)) {
        move_seen(t);
    }
    *place_of(t->v, t->size, serial, chunk) = (struct seen){serial, chunk, number};
    t->n++;
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
    if (save_in_tail(s)) {
        save_tail_evt(s, e, false);
        return;
    }
    number(s, e);
    uint32_t space = s->space.number > 0 ? s->space.number : (uint32_t)s->at;
    uint32_t was = find_seen(s, e->serial, space);
    if (was != 0) {
        save_u(s, was);
        return;
    }
    save_u(s, UINT32_MAX); /* written out here */
    event_itself(s, e);
    add_seen(s, e->serial, space, s->space.number > 0 ? ++s->space.events : ++save_part(s)->events);
}

void save_space(struct save *s)
{
    assert(s->n_around < SAVE_SPACES_MAX);
    save_tail_space(s, true);
    s->around[s->n_around++] = s->space;
    s->space = (struct space){SAVE_NO_GROUP + 1 + ++s->spaces, 0};
}

void save_space_end(struct save *s)
{
    save_tail_space(s, false);
    s->space = s->around[--s->n_around];
    if (s->late && s->n_around == 0) {
        save_forget_seen(s); /* it may be long before the end */
    }
}

void save_event_apart(struct save *s, struct evt *e)
{
    save_space(s);
    number(s, e);
    event_itself(s, e);
    save_space_end(s);
}

void save_evt_apart(struct save *s, struct evt *e)
{
    if (s->heap != NULL && save_part(s)->group == SAVE_NO_GROUP) {
        *VEC_PUSH(&s->holes) = (struct save_hole){.at = save_part(s)->out.len, .e = e};
    } else if (save_in_tail(s)) {
        save_tail_evt(s, e, true);
    } else {
        save_event_apart(s, e);
    }
}

void save_evts(struct save *s, struct evt *const *e, size_t n)
{
    save_u(s, n);
    for (size_t i = 0; i < n; i++) {
        save_evt(s, e[i]);
    }
}
