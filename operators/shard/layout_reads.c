/* SPDX-License-Identifier: Apache-2.0
 *
 * What a group reads, by which key, and how it comes there.
 *
 * Streams that share events (one is the other's supertype, or something inherits from both) are a
 * *cluster*: an event must come once, so they go one way, through one topic, by one key. Each
 * column of a key is a key by itself, so units agree by keeping the columns that they have in
 * common; if none is left, the group is one task.
 *
 * Units are compared with each other, so of those that are alike (they read the same in the same
 * places by the same columns) only the first takes part: thousands of rules are few kinds.
 *
 * Signals lie by the key of their subject. A unit may read them as they lie if its own key contains
 * that one, if no event without subject gets in, and if it reads nothing else: elsewhere the same
 * key has other bytes and lies in another partition.
 */
#include "core/base/map.h"
#include "core/base/mem.h"
#include "operators/shard/layout_impl.h"
#include "operators/sig/builtin.h"

#include <assert.h>

enum { COLS_MAX = 16, KINDS_MAX = 1 << 20, KIND_BYTES_MAX = 64 << 10 };

struct unit {
    const struct key_unit *u;
    uint32_t cols; /* a bit for each column that is left */
    uint32_t n;
    bool as_double[COLS_MAX];
    bool keyed, as_it_lies;
};

struct need { /* an input of a unit that comes from outside */
    uint32_t unit;
    const struct key_input *in;
    struct slice type;
    uint64_t from;
    uint32_t part, cluster;
    bool keyed, batch;
};

struct reading {
    struct layout_making *m;
    struct layout_group *g;
    const struct layout_engine *e;
    struct unit *units;
    uint32_t n_units;
    VEC(struct need) needs;
    struct slice why;
};

bool layout_gives(const struct doc_type *t, struct slice type)
{
    bool is = slice_eq(t->name, type);
    for (uint32_t i = 0; !is && i < t->n_supers; i++) {
        is = slice_eq(t->supers[i], type);
    }
    return is;
}

static const struct {
    const char *type;
    enum bus_topic_id topics[5];
    uint32_t n;
    bool of_subject;
} raw_of[] = {
    {"Telemetry", {BUS_TOPIC_METRICS, BUS_TOPIC_LOGS, BUS_TOPIC_SPANS, BUS_TOPIC_K8S}, 4, false},
    {"Metric", {BUS_TOPIC_METRICS}, 1, true},
    {"LogRecord", {BUS_TOPIC_LOGS}, 1, true},
    {"ExceptionEvent", {BUS_TOPIC_LOGS}, 1, true},
    {"Span", {BUS_TOPIC_SPANS}, 1, false},
    {"Batch", {BUS_TOPIC_SPANS}, 1, false},
    {"KubeEvent", {BUS_TOPIC_K8S}, 1, true},
    {"FLog", {BUS_TOPIC_LOGS, BUS_TOPIC_K8S}, 2, false},
    {"Alert", {BUS_TOPIC_ALERTS_HISTORY}, 1, false},
};

uint32_t layout_raw_of(struct slice type, enum bus_topic_id ret[8])
{
    for (size_t i = 0; i < ARRAY_LEN(raw_of); i++) {
        if (slice_eq(type, slice_str(raw_of[i].type))) {
            memcpy(ret, raw_of[i].topics, raw_of[i].n * sizeof *ret);
            return raw_of[i].n;
        }
    }
    return 0;
}

static bool by_subject(struct slice type)
{
    for (size_t i = 0; i < ARRAY_LEN(raw_of); i++) {
        if (slice_eq(type, slice_str(raw_of[i].type))) {
            return raw_of[i].of_subject;
        }
    }
    return false;
}

bool layout_is_signal(const struct doc_level *d, struct slice type)
{
    enum builtin_world w = d->types == DOC_TYPES_ORIGINAL ? BUILTIN_ORIGINAL : BUILTIN_KAIJU;
    const struct builtin_type *row = builtin_find(w, type);
    enum bus_topic_id topics[8];
    return row != NULL && layout_raw_of(type, topics) > 0;
}

/* ---- what comes from outside ---- */

static bool is_keyed(const struct key_unit *u)
{
    return u->choice == KEY_BY || u->choice == KEY_USER;
}

static uint32_t first_reader(const struct reading *r, const struct key_unit *u, struct slice type)
{
    for (uint32_t i = 0; i < r->m->looks->n_parts; i++) {
        if ((r->g->members >> i & 1) != 0 && layout_part_reads(r->m, i, r->e, u, type)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static uint64_t inserted_by(const struct layout_making *m, struct slice type)
{
    uint64_t by = 0;
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        by |= layout_gives(&m->doc->made[i], type) ? m->inserted_by[i] : 0;
    }
    return by;
}

static void add_need(struct reading *r, uint32_t unit, const struct key_input *in)
{
    struct slice type = in->type->name;
    uint32_t part = first_reader(r, r->units[unit].u, type);
    if (part == UINT32_MAX) {
        return; /* inputs of a unit are also what it inserts */
    }
    const struct layout_part *p = &r->m->looks->parts[part];
    uint64_t from = inserted_by(r->m, type) & ((1ULL << part) - 1) & ~r->g->members;
    struct need n = {.unit = unit,
                     .in = in,
                     .type = arena_copy(r->m->a, type),
                     .from = from,
                     .part = part,
                     .keyed = is_keyed(r->units[unit].u) && in->cols != NULL,
                     .batch = slice_eq(type, SLICE("Batch"))};
    if (from != 0) {
        *VEC_PUSH(&r->needs) = n;
    }
    if (layout_is_signal(p->doc, type)) {
        n.from = 0;
        *VEC_PUSH(&r->needs) = n;
    }
}

/* All that `gather` takes of a unit, as bytes; empty: it reads nothing from outside. */
static void likeness(const struct reading *r, const struct key_unit *u, struct buf *to)
{
    buf_clear(to);
    for (uint32_t i = 0; i < u->n_inputs; i++) {
        const struct key_input *in = &u->inputs[i];
        uint32_t part = first_reader(r, u, in->type->name);
        if (part == UINT32_MAX) {
            continue;
        }
        bool plain = in->cols == NULL;
        (void)buf_add(to, &in->type, sizeof in->type);
        (void)buf_add(to, &part, sizeof part);
        (void)buf_add(to, &plain, sizeof plain);
        for (uint32_t c = 0; c < u->n_cols; c++) {
            size_t len = plain ? 0 : in->texts[c].len;
            (void)buf_add(to, &len, sizeof len);
            (void)buf_add(to, in->texts[c].ptr, len);
        }
    }
    if (to->len > 0) {
        bool keyed = is_keyed(u);
        (void)buf_add(to, &keyed, sizeof keyed);
        (void)buf_add(to, &u->n_cols, sizeof u->n_cols);
        (void)buf_add(to, u->as_double, u->n_cols * sizeof *u->as_double);
    }
}

static bool is_first(const struct reading *r, const struct key_unit *u, struct map *kinds,
                     struct buf *text)
{
    likeness(r, u, text);
    void **at = text->len > 0 && !buf_failed(text) ? map_put(kinds, buf_slice(text)) : NULL;
    bool first = at == NULL || *at == NULL;
    if (at != NULL) {
        *at = kinds;
    }
    return first;
}

static void gather(struct reading *r)
{
    struct map kinds;
    struct buf text;
    map_init(&kinds, KINDS_MAX);
    buf_init(&text, KIND_BYTES_MAX);
    r->n_units = r->e->keys.n_units;
    r->units = arena_array(r->m->a, r->n_units + 1, sizeof *r->units);
    for (uint32_t i = 0; i < r->n_units; i++) {
        const struct key_unit *u = &r->e->keys.units[i];
        struct unit *to = &r->units[i];
        *to = (struct unit){.u = u, .n = MIN(u->n_cols, COLS_MAX), .keyed = is_keyed(u)};
        if (u->choice == KEY_ONE && r->why.len == 0) {
            r->why = arena_copy(r->m->a, u->why);
        }
        to->cols = (1U << to->n) - 1;
        for (uint32_t c = 0; c < to->n; c++) {
            to->as_double[c] = u->as_double[c];
        }
        bool first = is_first(r, u, &kinds, &text);
        for (uint32_t k = 0; first && k < u->n_inputs; k++) {
            add_need(r, i, &u->inputs[k]);
        }
    }
    map_done(&kinds);
    buf_done(&text);
    VEC_EACH (&r->needs, n) {
        for (uint32_t c = 0; n->keyed && c < r->units[n->unit].n; c++) {
            if (ety_col(n->in->type, n->in->texts[c]) < 0) {
                r->units[n->unit].cols &= ~(1U << c);
            }
        }
    }
}

/* ---- clusters ---- */

static bool of_telemetry(const struct reading *r, const struct need *n)
{
    const struct doc_level *d = r->m->looks->parts[n->part].doc;
    const struct builtin_type *row =
        d->types == DOC_TYPES_KAIJU ? builtin_find(BUILTIN_KAIJU, n->type) : NULL;
    return row != NULL && row->super != NULL;
}

static bool share(const struct reading *r, const struct need *a, const struct need *b)
{
    const struct slice telemetry = SLICE("Telemetry");
    bool one = slice_eq(a->type, b->type) || ety_is(a->in->type, b->in->type) ||
               ety_is(b->in->type, a->in->type) ||
               (slice_eq(a->type, telemetry) && of_telemetry(r, b)) ||
               (slice_eq(b->type, telemetry) && of_telemetry(r, a)) ||
               (a->batch && slice_eq(b->type, SLICE("Span"))) ||
               (b->batch && slice_eq(a->type, SLICE("Span")));
    for (uint32_t i = 0; !one && i < r->m->doc->n_made; i++) {
        const struct doc_type *t = &r->m->doc->made[i];
        one = layout_gives(t, a->type) && layout_gives(t, b->type);
    }
    return one;
}

static void make_clusters(struct reading *r)
{
    for (uint32_t i = 0; i < r->needs.len; i++) {
        struct need *a = &r->needs.ptr[i];
        a->cluster = i;
        for (uint32_t k = 0; k < i; k++) {
            uint32_t old = a->cluster, new = r->needs.ptr[k].cluster;
            if (old == new || !share(r, a, &r->needs.ptr[k])) {
                continue;
            }
            uint32_t low = MIN(old, new), high = MAX(old, new);
            for (uint32_t j = 0; j <= i; j++) {
                struct need *x = &r->needs.ptr[j];
                x->cluster = x->cluster == high ? low : x->cluster;
            }
        }
    }
}

/* ---- one key for each cluster ---- */

static uint32_t col_of(const struct unit *u, const struct need *n, struct slice text)
{
    for (uint32_t c = 0; c < u->n; c++) {
        if ((u->cols >> c & 1) != 0 && slice_eq(n->in->texts[c], text)) {
            return c;
        }
    }
    return UINT32_MAX;
}

/* Of a's columns those stay that b has; what one compares as doubles, both do. */
static bool keep_common(struct reading *r, const struct need *a, const struct need *b)
{
    struct unit *x = &r->units[a->unit], *y = &r->units[b->unit];
    bool changed = false;
    for (uint32_t c = 0; c < x->n; c++) {
        if ((x->cols >> c & 1) == 0) {
            continue;
        }
        uint32_t e = col_of(y, b, a->in->texts[c]);
        if (e == UINT32_MAX) {
            x->cols &= ~(1U << c);
            changed = true;
        } else if (x->as_double[c] != y->as_double[e]) {
            x->as_double[c] = y->as_double[e] = true;
            changed = true;
        }
    }
    return changed;
}

/* The same columns in another order: then the first alone. */
static bool keep_order(struct reading *r, const struct need *a, const struct need *b)
{
    struct unit *x = &r->units[a->unit], *y = &r->units[b->unit];
    uint32_t e = 0;
    for (uint32_t c = 0; c < x->n; c++) {
        if ((x->cols >> c & 1) == 0) {
            continue;
        }
        while (e < y->n && (y->cols >> e & 1) == 0) {
            e++;
        }
        if (e == y->n || !slice_eq(a->in->texts[c], b->in->texts[e])) {
            x->cols = x->cols & (~x->cols + 1);
            return true;
        }
        e++;
    }
    return false;
}

static void agree(struct reading *r)
{
    for (bool changed = true; changed;) {
        changed = false;
        VEC_EACH (&r->needs, a) {
            VEC_EACH (&r->needs, b) {
                if (a != b && a->keyed && b->keyed && a->cluster == b->cluster) {
                    changed |= keep_common(r, a, b) || keep_order(r, a, b);
                }
            }
        }
    }
    VEC_EACH (&r->needs, n) {
        if (n->keyed && r->units[n->unit].cols == 0 && r->why.len == 0) {
            r->why = SLICE("its statements have keys with no plain column in common");
        }
    }
}

/* ---- ways ---- */

static bool has_column(const struct reading *r, const struct need *n, const char *name)
{
    return col_of(&r->units[n->unit], n, slice_str(name)) != UINT32_MAX;
}

/* Its key contains that of the raw topic, and every event of it has that. */
static bool lies_well(const struct reading *r, const struct need *n)
{
    struct slice kaiju = SLICE("Telemetry");
    if (n->from != 0 || !of_telemetry(r, n) || slice_eq(n->type, kaiju)) {
        return false;
    }
    if (slice_eq(n->type, SLICE("Span"))) {
        return has_column(r, n, "tenant") && has_column(r, n, "trace_id") &&
               layout_never_null(r->m, r->g, n->type, SLICE("trace_id"));
    }
    return by_subject(n->type) && has_column(r, n, "tenant") && has_column(r, n, "cluster") &&
           has_column(r, n, "namespace") && has_column(r, n, "pod") &&
           layout_never_null(r->m, r->g, n->type, SLICE("pod"));
}

static void judge_ways(struct reading *r, uint32_t parts)
{
    for (uint32_t i = 0; i < r->n_units; i++) {
        r->units[i].as_it_lies = r->units[i].keyed && parts <= r->m->conf.raw_parts;
    }
    VEC_EACH (&r->needs, n) {
        r->units[n->unit].as_it_lies &= !n->keyed || lies_well(r, n);
    }
    for (bool changed = true; changed;) { /* what shares events goes the same way */
        changed = false;
        VEC_EACH (&r->needs, a) {
            VEC_EACH (&r->needs, b) {
                struct unit *x = &r->units[a->unit], *y = &r->units[b->unit];
                if (a->keyed && b->keyed && a->cluster == b->cluster && x->as_it_lies &&
                    !y->as_it_lies) {
                    x->as_it_lies = false;
                    changed = true;
                }
            }
        }
    }
}

/* Of the cluster's needs one that has a key; NULL. */
static const struct need *keyed_of(const struct reading *r, uint32_t cluster)
{
    VEC_EACH (&r->needs, n) {
        if (n->cluster == cluster && n->keyed) {
            return n;
        }
    }
    return NULL;
}

static void key_of(const struct reading *r, const struct need *n, struct layout_read *to)
{
    const struct unit *u = &r->units[n->unit];
    struct slice *key = arena_array(r->m->a, u->n + 1, sizeof *key);
    bool *as_double = arena_array(r->m->a, u->n + 1, sizeof *as_double);
    for (uint32_t c = 0; c < u->n; c++) {
        if ((u->cols >> c & 1) != 0) {
            key[to->n_key] = arena_copy(r->m->a, n->in->texts[c]);
            as_double[to->n_key++] = u->as_double[c];
        }
    }
    to->key = key;
    to->as_double = as_double;
}

static void way_of(struct reading *r, const struct need *n, struct layout_read *to)
{
    const struct need *keyed = r->g->parts > 1 ? keyed_of(r, n->cluster) : NULL;
    bool one = r->g->why.len > 0;
    if (!one && keyed != NULL) {
        key_of(r, keyed, to);
    }
    if (n->from != 0) {
        to->way = LAYOUT_TOPIC;
        to->why = one             ? SLICE("one task reads all")
                  : keyed != NULL ? SLICE("by the key of its statements")
                                  : SLICE("each event goes by itself");
    } else if (one) {
        to->why = SLICE("one task reads all partitions");
    } else if (keyed == NULL && r->g->parts <= r->m->conf.raw_parts) {
        to->why = SLICE("each event goes by itself: in the partitions of the topic");
    } else if (keyed != NULL && r->units[keyed->unit].as_it_lies) {
        to->n_key = 0;
        to->why = SLICE("the topic has that key already");
    } else {
        to->way = LAYOUT_SHUFFLED;
        to->why = keyed != NULL
                      ? SLICE("the topic has another key: filtered at the source, then moved")
                      : SLICE("there are more tasks than partitions of the topic");
    }
}

/* ---- all of it ---- */

static void add_read(struct reading *r, const struct need *n)
{
    struct layout_group *g = r->g;
    for (uint32_t i = 0; i < g->n_reads; i++) {
        struct layout_read *have = &g->reads[i];
        if (slice_eq(have->stream, n->type) && (have->from == 0) == (n->from == 0)) {
            have->from |= n->from;
            have->part = MIN(have->part, n->part);
            return;
        }
    }
    struct layout_read *to = &g->reads[g->n_reads++];
    *to = (struct layout_read){.stream = n->type,
                               .from = n->from,
                               .part = n->part,
                               .way = LAYOUT_AS_IT_LIES,
                               .cluster = n->cluster};
    way_of(r, n, to);
}

/* A Batch is what lies together in a record of the raw topic. */
static bool batches_move(const struct layout_group *g)
{
    for (uint32_t i = 0; i < g->n_reads; i++) {
        if (g->reads[i].way == LAYOUT_SHUFFLED && slice_eq(g->reads[i].stream, SLICE("Batch"))) {
            return true;
        }
    }
    return false;
}

static void settle(struct reading *r)
{
    struct layout_group *g = r->g;
    int64_t parts = r->m->looks->parts[__builtin_ctzll(g->members)].doc->partitions;
    g->why = r->why;
    g->parts = g->why.len > 0 ? 1 : parts > 0 ? (uint32_t)parts : r->m->conf.raw_parts;
    judge_ways(r, g->parts);
    g->n_reads = 0;
    VEC_EACH (&r->needs, n) {
        add_read(r, n);
    }
}

/* Parts of sums, by their groups. */
static void reads_of_sums(struct layout_making *m, struct layout_group *g)
{
    uint32_t part = (uint32_t)__builtin_ctzll(g->members);
    const struct layout_part *p = &m->looks->parts[part];
    g->reads = arena_array(m->a, p->n_stmts + 1, sizeof *g->reads);
    bool keyed = false;
    for (uint32_t i = 0; i < p->n_stmts; i++) {
        const struct layout_sum *s = p->sums[i];
        if (s == NULL) {
            continue;
        }
        struct slice *key = arena_array(m->a, s->n_keys + 1, sizeof *key);
        for (uint32_t k = 0; k < s->n_keys; k++) {
            key[k] = arena_copy(m->a, s->keys[k]);
        }
        keyed |= s->n_keys > 0;
        g->reads[g->n_reads++] = (struct layout_read){
            .stream = arena_copy(m->a, s->type),
            .part = part,
            .way = LAYOUT_SUMMED,
            .key = key,
            .as_double = arena_array(m->a, s->n_keys + 1, sizeof(bool)),
            .n_key = s->n_keys,
            .sum = i,
            .why = s->n_keys > 0 ? SLICE("summed up where the signals lie, added up by group")
                                 : SLICE("summed up where the signals lie, added up in one task")};
    }
    g->why = keyed ? SLICE_NONE : SLICE("it adds up parts of sums over all events");
    g->parts = !keyed                   ? 1
               : p->doc->partitions > 0 ? (uint32_t)p->doc->partitions
                                        : m->conf.raw_parts;
}

void layout_reads(struct layout_making *m, struct layout_group *g, const struct layout_engine *e)
{
    if (layout_adds_up(m, g->members)) {
        reads_of_sums(m, g);
        return;
    }
    struct reading r = {.m = m, .g = g, .e = e};
    gather(&r);
    make_clusters(&r);
    if (r.why.len == 0) {
        agree(&r);
    }
    g->reads = arena_array(m->a, r.needs.len * 2 + 1, sizeof *g->reads);
    settle(&r);
    if (batches_move(g)) {
        r.why = SLICE("a Batch is what lies in one record of the topic: it cannot be moved");
        settle(&r);
    }
    VEC_DONE(&r.needs);
}
