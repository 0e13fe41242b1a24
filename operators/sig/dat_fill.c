/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns of built-in types by their rows (builtin.def). See dat_intake.h.
 */
#include "core/codec/text.h"
#include "core/event/prop.h"
#include "core/event/rec_json.h"
#include "operators/sig/dat_intake_impl.h"

#include <assert.h>

enum { JSON_MAX = 1 << 20, NS_PER_MS = 1000000, NS_PER_US = 1000 };

bool dat_fill_of_context(enum builtin_fill f)
{
    return f == BUILTIN_CONTEXT || f == BUILTIN_CONTEXTS || f == BUILTIN_CONTEXT_TAGS;
}

struct dat dat_hex(struct vheap *h, const uint8_t *id, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    struct vstr *s = vstr_room(h, len * 2);
    for (size_t i = 0; i < len; i++) {
        s->s[2 * i] = digits[id[i] >> 4];
        s->s[2 * i + 1] = digits[id[i] & 15];
    }
    return dat_str(s);
}

/* ---- maps and lists ---- */

void dat_put(struct dat_intake *in, const char *key, struct dat v)
{
    if (!dat_is_null(v)) {
        struct dat name = dat_str(vstr_new(in->heap, slice_str(key)));
        *VEC_PUSH(&in->pairs) = (struct vpair){name, v};
    }
}

struct dat dat_put_done(struct dat_intake *in)
{
    struct vmap *m = vmap_new(in->heap, in->pairs.len);
    for (size_t i = 0; i < in->pairs.len; i++) {
        vmap_set(m, i, in->pairs.ptr[i].key, in->pairs.ptr[i].value);
    }
    VEC_CLEAR(&in->pairs);
    return dat_map(m);
}

struct dat dat_items_done(struct dat_intake *in)
{
    struct vlist *l = vlist_new(in->heap, in->items.len);
    for (size_t i = 0; i < in->items.len; i++) {
        vlist_set(l, i, in->items.ptr[i]);
    }
    VEC_CLEAR(&in->items);
    return dat_list(l);
}

static struct vstr *name_of(struct dat_intake *in, struct slice key)
{
    return vstr_new(in->heap, key);
}

static enum intake_key what_is(struct slice key, struct slice *ret_name)
{
    *ret_name = key;
    if (slice_starts(key, SLICE(PROP_ESCAPE))) {
        *ret_name = slice_sub(key, sizeof PROP_ESCAPE - 1, key.len);
        return INTAKE_ATTRIBUTE;
    }
    return prop_reserved(key) ? INTAKE_OWN : INTAKE_ATTRIBUTE;
}

struct vstr *dat_attribute(struct dat_intake *in, const struct val_pair *p)
{
    struct slice name = val_key(p);
    if (p->key_id == 0) {
        return what_is(name, &name) == INTAKE_OWN ? NULL : name_of(in, name);
    }
    while (in->names.len <= p->key_id) {
        *VEC_PUSH(&in->names) = (struct intake_name){.what = INTAKE_UNKNOWN};
    }
    struct intake_name *n = &in->names.ptr[p->key_id];
    if (n->what == INTAKE_UNKNOWN) {
        n->what = (uint8_t)what_is(name, &name);
        n->text = n->what == INTAKE_OWN ? NULL : name_of(in, name);
        if (n->text != NULL) {
            obj_keep(&n->text->o);
        }
    }
    return n->text;
}

/* The name of a key of a context: never an own key. */
static struct dat context_name(struct dat_intake *in, const struct val_pair *p)
{
    return dat_str(name_of(in, val_key(p)));
}

static struct dat attributes(struct dat_intake *in, const struct rec *r)
{
    for (uint32_t i = 0; i < r->payload_len; i++) {
        struct vstr *name = dat_attribute(in, &r->payload[i]);
        if (name != NULL) {
            struct dat v = dat_of_val(in, r->payload[i].value, TY(OBJECT));
            *VEC_PUSH(&in->pairs) = (struct vpair){dat_str(name), v};
        }
    }
    return dat_put_done(in);
}

static struct dat contexts(struct dat_intake *in, const struct rec *r)
{
    struct vmap *m = vmap_new(in->heap, r->context->len);
    for (uint32_t i = 0; i < r->context->len; i++) {
        const struct val_pair *p = &r->context->pairs[i];
        vmap_set(m, i, context_name(in, p), dat_of_val(in, p->value, TY(OBJECT)));
    }
    return dat_map(m);
}

/* ---- values ---- */

struct dat dat_words(struct dat_intake *in, struct val v)
{
    if (v.tag == VAL_STRING) {
        return dat_str(vstr_new(in->heap, val_slice(v)));
    }
    if (v.tag == VAL_NULL) {
        return DAT_NONE;
    }
    struct buf b;
    buf_init(&b, JSON_MAX);
    bool ok = rec_json_value(&b, v);
    struct dat d = ok ? dat_str(vstr_new(in->heap, buf_slice(&b))) : DAT_NONE;
    buf_done(&b);
    return d;
}

struct dat dat_context(struct dat_intake *in, const struct rec *r, enum rec_name name)
{
    const struct val *v = r->context != NULL ? rec_context_get(r->context, NULL, name) : NULL;
    return v != NULL ? dat_words(in, *v) : DAT_NONE;
}

static const struct val *payload(const struct rec *r, struct intake_place *p)
{
    return p->key != 0 ? rec_find(r->payload, r->payload_len, p->key, &p->payload)
                       : rec_find_text(r->payload, r->payload_len, slice_str(p->fill->key));
}

/* A number of ns as one of larger units: whole numbers are cut, others keep what is behind. */
static struct dat scaled(struct dat_intake *in, const struct val *v, int64_t by, struct ty to)
{
    if (v == NULL || v->tag != VAL_INT) {
        return DAT_NONE;
    }
    struct val x =
        to.kind == TY_DOUBLE ? val_double((double)v->i / (double)by) : val_int(v->i / by);
    return dat_of_val(in, x, to);
}

static int64_t big_endian(const uint8_t id[8])
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | id[i];
    }
    return (int64_t)n;
}

static struct dat hex_number(const struct val *v)
{
    uint8_t id[8];
    bool ok = v != NULL && v->tag == VAL_STRING && v->len == 16 &&
              text_get_hex(val_slice(*v), id, sizeof id) == (int64_t)sizeof id;
    return dat_long(ok ? big_endian(id) : 0);
}

static struct dat in_context(struct dat_intake *in, const struct rec *r, struct intake_place *p,
                             struct ty to)
{
    if (r->context == NULL || r->context->len == 0) {
        return DAT_NONE;
    }
    const struct val *v =
        p->key != 0 ? rec_find(r->context->pairs, r->context->len, p->key, &p->context)
                    : rec_find_text(r->context->pairs, r->context->len, slice_str(p->fill->key));
    return v != NULL ? dat_of_val(in, *v, to) : DAT_NONE;
}

struct dat dat_fill(struct dat_intake *in, const struct rec *r, struct intake_place *p,
                    struct ty to)
{
    const struct val *v;
    assert(p->fill != NULL);
    switch (p->fill->fill) {
    case BUILTIN_TIME_MS: return dat_long(r->ts / NS_PER_MS);
    case BUILTIN_TIME_US: return dat_long(r->ts / NS_PER_US);
    case BUILTIN_TIME_NS: return dat_long(r->ts);
    case BUILTIN_INGEST_MS: return dat_long(r->ingest_ts / NS_PER_MS);
    case BUILTIN_TRACE_ID: return rec_has_trace(r) ? dat_hex(in->heap, r->trace_id, 16) : DAT_NONE;
    case BUILTIN_SPAN_ID: return rec_has_span(r) ? dat_hex(in->heap, r->span_id, 8) : DAT_NONE;
    case BUILTIN_TRACE_HIGH: return dat_long(big_endian(r->trace_id));
    case BUILTIN_TRACE_LOW: return dat_long(big_endian(r->trace_id + 8));
    case BUILTIN_SPAN_LONG: return dat_long(big_endian(r->span_id));
    case BUILTIN_PARENT_LONG: return hex_number(payload(r, p));
    case BUILTIN_CONTEXT: return in_context(in, r, p, to);
    case BUILTIN_CONTEXTS: return r->context != NULL ? contexts(in, r) : DAT_NONE;
    case BUILTIN_ATTRIBUTES: return attributes(in, r);
    case BUILTIN_PAYLOAD: v = payload(r, p); return v != NULL ? dat_of_val(in, *v, to) : DAT_NONE;
    case BUILTIN_PAYLOAD_MS: return scaled(in, payload(r, p), NS_PER_MS, to);
    case BUILTIN_PAYLOAD_US: return scaled(in, payload(r, p), NS_PER_US, to);
    case BUILTIN_PAYLOAD_TEXT: v = payload(r, p); return v != NULL ? dat_words(in, *v) : DAT_NONE;
    case BUILTIN_PART: return DAT_NONE;
    default: return dat_orig(in, r, p->fill, to);
    }
}
