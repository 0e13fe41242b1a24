/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_target.h.
 */
#include "ingest/otlp_target.h"

#include "core/base/buf.h"
#include "core/event/key.h"

#include <assert.h>

enum { SCRATCH_MAX = 64 << 20 };

#define LEN(number) PBWIRE_TAG(number, PBWIRE_LEN)

void otlp_targets_init(struct otlp_targets *t)
{
    memset(t, 0, sizeof *t);
    buf_init(&t->scratch, SCRATCH_MAX);
}

void otlp_targets_done(struct otlp_targets *t)
{
    buf_done(&t->scratch);
}

void otlp_targets_begin(struct otlp_targets *t, struct arena *a, struct slice tenant)
{
    assert(t != NULL && a != NULL);
    t->arena = a;
    t->tenant = arena_copy(a, tenant);
    t->base = NULL;
    t->resource = NULL;
    t->resource_len = t->duplicates = 0;
    t->scope = 0;
    memset(t->slots, 0, sizeof t->slots);
}

static bool is_text(const struct val *v)
{
    return v != NULL && v->tag == VAL_STRING && v->len > 0;
}

/* --- resource --- */

/* Gives values under aliases their canonical key, unless the sender set that himself. An empty
 * value counts as not set. */
static void fold_aliases(struct otlp_item *it)
{
    for (unsigned role = 0; role < OTLP_ROLES_OF_TARGET; role++) {
        if ((it->roles >> role & 1) != 0 && it->role_rank[role] > 0) {
            struct slice key = otlp_role_key((enum otlp_role)role);
            struct val_pair *p = &it->pairs[it->role_at[role]];
            p->key = key.ptr;
            p->key_len = (uint32_t)key.len;
        }
    }
}

/* role_at points to the best name only; a value that says nothing must not be the best. */
static void forget_empty(struct otlp_item *it)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < it->attrs; i++) {
        const struct val_pair *p = &it->pairs[OTLP_OWN_MAX + i];
        const struct otlp_key *known = otlp_key_find(it->keys, val_key(p));
        bool target = known != NULL && known->role < OTLP_ROLES_OF_TARGET;
        bool tenant = slice_eq(val_key(p), rec_name_text(REC_NAME_TENANT));
        bool empty = p->value.tag == VAL_NULL || (p->value.tag == VAL_STRING && p->value.len == 0);
        if (!tenant && !(target && empty)) {
            it->pairs[OTLP_OWN_MAX + kept++] = *p;
        }
    }
    it->attrs = kept;
}

static void find_roles(struct otlp_item *it)
{
    it->roles = 0;
    for (uint32_t i = 0; i < it->attrs; i++) {
        const struct val_pair *p = &it->pairs[OTLP_OWN_MAX + i];
        const struct otlp_key *known = otlp_key_find(it->keys, val_key(p));
        if (known == NULL || known->role >= OTLP_ROLES_OF_TARGET ||
            (known->where & OTLP_RESOURCE) == 0) {
            continue;
        }
        uint64_t bit = UINT64_C(1) << known->role;
        if ((it->roles & bit) == 0 || known->rank <= it->role_rank[known->role]) {
            it->roles |= bit;
            it->role_at[known->role] = OTLP_OWN_MAX + i;
            it->role_rank[known->role] = known->rank;
        }
    }
}

static bool add_pair(struct otlp_item *it, struct slice key, struct val v)
{
    if (it->attrs == OTLP_ATTRS_MAX) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
        return false;
    }
    it->pairs[OTLP_OWN_MAX + it->attrs++] = val_pair(key, v);
    return true;
}

/* A resource that names no service gets the name of its workload. */
static void add_service(struct otlp_item *it)
{
    struct val_pair *pairs = it->pairs + OTLP_OWN_MAX;
    if ((it->roles >> OTLP_ROLE_SERVICE & 1) != 0) {
        return;
    }
    struct slice key;
    for (size_t i = 0; (key = otlp_service_fallback(i)).ptr != NULL; i++) {
        const struct val *v = rec_find_text(pairs, it->attrs, key);
        if (is_text(v)) {
            add_pair(it, otlp_role_key(OTLP_ROLE_SERVICE), *v);
            return;
        }
    }
}

/* Copies the item's attributes, sorted, the last of equal keys only, with room for more. */
static struct val_pair *copy_pairs(struct otlp_targets *t, struct otlp_item *it, uint32_t extra,
                                   uint32_t *ret_len)
{
    struct val_pair *from = it->pairs + OTLP_OWN_MAX;
    uint32_t n = val_map_sort(from, it->attrs);
    t->duplicates += it->attrs - n;
    struct val_pair *pairs = arena_alloc(t->arena, (n + extra) * sizeof *pairs);
    bool ok = pairs != NULL;
    for (uint32_t i = 0; ok && i < n; i++) {
        struct slice key = arena_copy(t->arena, val_key(&from[i]));
        pairs[i] = val_pair(key, val_null());
        ok = key.ptr != NULL && val_copy(t->arena, from[i].value, &pairs[i].value);
    }
    if (!ok) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
        return NULL;
    }
    *ret_len = n;
    return pairs;
}

static void resource_attrs(struct otlp_item *it, struct slice resource)
{
    struct pbwire r = pbwire_of(resource);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            otlp_item_attr(it, f.bytes);
        } else if (f.tag == PBWIRE_TAG(2, PBWIRE_VARINT) && f.value > 0) {
            add_pair(it, SLICE("otel.resource.dropped_attributes_count"),
                     val_int((int64_t)(uint32_t)f.value));
        }
    }
}

bool otlp_targets_resource(struct otlp_targets *t, struct otlp_item *it, struct slice holder)
{
    struct pbwire r = pbwire_of(holder);
    struct pbwire_field f;
    otlp_item_begin(it, OTLP_RESOURCE);
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            resource_attrs(it, f.bytes);
        } else if (f.tag == LEN(3) && f.bytes.len > 0) {
            add_pair(it, SLICE("otel.resource.schema_url"), val_string(f.bytes));
        }
    }
    forget_empty(it);
    find_roles(it);
    fold_aliases(it);
    add_service(it);
    t->resource = it->bad ? NULL : copy_pairs(t, it, 0, &t->resource_len);
    return t->resource != NULL;
}

/* --- targets --- */

/* Fills key and digest from the context. */
static bool finish(struct otlp_targets *t, struct otlp_target *target)
{
    struct buf *b = &t->scratch;
    buf_clear(b);
    bool ok = key_add_target(b, &target->context, NULL);
    size_t key = b->len;
    for (uint32_t i = 0; ok && i < target->context.len; i++) {
        const struct val_pair *p = &target->context.pairs[i];
        ok = key_add(b, val_string(val_key(p))) && key_add(b, p->value);
    }
    target->digest = hash_xxh128(buf_slice(b));
    target->key = arena_copy(t->arena, slice_of(b->ptr, key));
    return ok && target->key.ptr != NULL;
}

/* Name, version and attributes of the scope, as other formats of OpenTelemetry call them. */
static void scope_attrs(struct otlp_item *it, struct slice scope)
{
    struct pbwire r = pbwire_of(scope);
    struct pbwire_field f;
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1) && f.bytes.len > 0) {
            add_pair(it, SLICE("otel.scope.name"), val_string(f.bytes));
        } else if (f.tag == LEN(2) && f.bytes.len > 0) {
            add_pair(it, SLICE("otel.scope.version"), val_string(f.bytes));
        } else if (f.tag == LEN(3)) {
            uint32_t at = OTLP_OWN_MAX + it->attrs;
            otlp_item_attr(it, f.bytes);
            struct val_pair *p = &it->pairs[at];
            struct slice prefix = SLICE("otel.scope.");
            char *key = it->bad ? NULL : otlp_item_array(it, prefix.len + p->key_len, 1);
            if (key != NULL) {
                memcpy(key, prefix.ptr, prefix.len);
                memcpy(key + prefix.len, p->key, p->key_len);
                p->key = key;
                p->key_len += (uint32_t)prefix.len;
            }
        } else if (f.tag == PBWIRE_TAG(4, PBWIRE_VARINT) && f.value > 0) {
            add_pair(it, SLICE("otel.scope.dropped_attributes_count"),
                     val_int((int64_t)(uint32_t)f.value));
        }
    }
}

bool otlp_targets_scope(struct otlp_targets *t, struct otlp_item *it, struct slice holder)
{
    struct pbwire r = pbwire_of(holder);
    struct pbwire_field f;
    assert(t->resource != NULL);
    otlp_item_begin(it, OTLP_RESOURCE);
    while (pbwire_next(&r, &f)) {
        if (f.tag == LEN(1)) {
            scope_attrs(it, f.bytes);
        } else if (f.tag == LEN(3) && f.bytes.len > 0) {
            add_pair(it, SLICE("otel.scope.schema_url"), val_string(f.bytes));
        }
    }
    t->scope++;
    uint32_t n = 0;
    struct val_pair *pairs = it->bad ? NULL : copy_pairs(t, it, t->resource_len + 1, &n);
    /* One of its own for each scope: encoders know contexts by their address. */
    struct otlp_target *target = arena_zalloc(t->arena, sizeof *target);
    if (pairs == NULL || target == NULL) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
        return false;
    }
    memcpy(pairs + n, t->resource, t->resource_len * sizeof *pairs);
    pairs[n + t->resource_len] = val_pair(rec_name_text(REC_NAME_TENANT), val_string(t->tenant));
    target->context.pairs = pairs;
    target->context.len = val_map_sort(pairs, n + t->resource_len + 1);
    if (!finish(t, target)) {
        otlp_item_refuse(it, OTLP_REASON_TOO_BIG);
        return false;
    }
    t->base = target;
    return true;
}

struct slice otlp_targets_text(const struct otlp_targets *t, struct slice key)
{
    const struct val *v = rec_find_text(t->base->context.pairs, t->base->context.len, key);
    return is_text(v) ? val_slice(*v) : SLICE_NONE;
}

/* --- overlays --- */

/* Does the key describe the base's own pod, workload or container? */
static bool of_own_pod(struct slice key)
{
    return (slice_starts(key, SLICE("k8s.")) && !slice_starts(key, SLICE("k8s.cluster.")) &&
            !slice_starts(key, SLICE("k8s.object."))) ||
           slice_starts(key, SLICE("container."));
}

static uint64_t overlay_hash(struct otlp_targets *t, const struct otlp_overlay *over)
{
    buf_clear(&t->scratch);
    for (uint32_t i = 0; i < over->len; i++) {
        key_add(&t->scratch, val_string(val_key(&over->pairs[i])));
        key_add(&t->scratch, over->pairs[i].value);
    }
    return hash_fast(buf_slice(&t->scratch));
}

/* Is this target the base with exactly that overlay? Hashes may meet. */
static bool has_overlay(const struct otlp_target *target, const struct otlp_overlay *over)
{
    for (uint32_t i = 0; i < over->len; i++) {
        const struct val *v =
            rec_find_text(target->context.pairs, target->context.len, val_key(&over->pairs[i]));
        if (v == NULL || !val_same(*v, over->pairs[i].value)) {
            return false;
        }
    }
    return true;
}

static struct otlp_target *make_overlay(struct otlp_targets *t, const struct otlp_overlay *over)
{
    const struct rec_context *base = &t->base->context;
    struct otlp_target *target = arena_zalloc(t->arena, sizeof *target);
    struct val_pair *pairs = arena_alloc(t->arena, (base->len + over->len) * sizeof *pairs);
    uint32_t n = 0;
    if (target == NULL || pairs == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < base->len; i++) {
        if (!of_own_pod(val_key(&base->pairs[i]))) {
            pairs[n++] = base->pairs[i];
        }
    }
    for (uint32_t i = 0; i < over->len; i++) {
        pairs[n] = over->pairs[i]; /* keys are constants */
        if (!val_copy(t->arena, over->pairs[i].value, &pairs[n++].value)) {
            return NULL;
        }
    }
    target->context.pairs = pairs;
    target->context.len = val_map_sort(pairs, n);
    return finish(t, target) ? target : NULL;
}

const struct otlp_target *otlp_targets_overlay(struct otlp_targets *t,
                                               const struct otlp_overlay *over)
{
    assert(over->len > 0 && over->len <= OTLP_OVERLAY_MAX);
    uint64_t hash = overlay_hash(t, over);
    struct otlp_target_slot *slot = &t->slots[hash % OTLP_TARGET_SLOTS];
    if (slot->scope == t->scope && slot->hash == hash && has_overlay(slot->target, over)) {
        return slot->target;
    }
    const struct otlp_target *target = make_overlay(t, over);
    if (target != NULL) {
        *slot = (struct otlp_target_slot){t->scope, hash, target};
    }
    return target;
}

const struct otlp_target *otlp_targets_item(struct otlp_targets *t, const struct otlp_item *it)
{
    static const enum otlp_role roles[] = {OTLP_ROLE_NAMESPACE, OTLP_ROLE_POD, OTLP_ROLE_POD_UID,
                                           OTLP_ROLE_CONTAINER, OTLP_ROLE_NODE};
    const struct val *pod = otlp_item_role(it, OTLP_ROLE_POD);
    if (LIKELY(!is_text(pod)) || !is_text(otlp_item_role(it, OTLP_ROLE_NAMESPACE))) {
        return t->base;
    }
    struct otlp_overlay over = {.len = 0};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        const struct val *v = otlp_item_role(it, roles[i]);
        if (is_text(v)) {
            over.pairs[over.len++] = val_pair(otlp_role_key(roles[i]), *v);
        }
    }
    return has_overlay(t->base, &over) ? t->base : otlp_targets_overlay(t, &over);
}
