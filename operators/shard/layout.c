/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout.h. Levels are looked at (layout_look.c), joined (layout_join.c), and told how they get
 * what they read (layout_reads.c); here sources are put before those who need them, and groups
 * become tasks and topics.
 */
#include "operators/shard/layout.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/epl/epl.h"
#include "operators/graph/eng_doc.h"
#include "operators/shard/layout_impl.h"
#include "operators/sig/builtin.h"

#include <assert.h>
#include <stdio.h>

enum { CLUSTERS_MAX = 64, FILTERS_MAX = 1024, NAMES_MAX = 1 << 20, WORDS_MAX = 1 << 24 };
enum { DOCUMENT_MAX = 256 << 20 };

#define BOUND_NS    INT64_C(5000000000)
#define LIFE_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* the same rules in another life are others */

/* The key of a read, as text that begins and ends with a blank; or nothing. */
static struct slice key_text(struct arena *a, const struct layout_read *r)
{
    char *text = arena_printf(a, "%s", "");
    for (uint32_t i = 0; r->way != LAYOUT_INSIDE && i < r->n_key; i++) {
        bool number = r->as_double != NULL && r->as_double[i];
        text = arena_printf(a, "%s%s" SLICE_FMT "%s", text, i > 0 ? "," : " ", SLICE_ARG(r->key[i]),
                            number ? "#" : "");
    }
    return slice_str(r->n_key > 0 && text[0] != '\0' ? arena_printf(a, "%s ", text) : text);
}

/* A group's name, and what it is cut by: tasks that are cut otherwise have another lineage, because
 * the state of those before them is not theirs. Another stream with the same key changes nothing.
 */
static struct slice cut_of(struct arena *a, const struct layout_group *g)
{
    if (g->parts == 1) {
        return g->name;
    }
    struct slice all = slice_str(arena_printf(a, SLICE_FMT "/%u/", SLICE_ARG(g->name), g->parts));
    for (uint32_t i = 0; i < g->n_reads; i++) {
        struct slice key = key_text(a, &g->reads[i]);
        if (key.len > 0 && slice_find_slice(all, key) == all.len) {
            all = slice_str(arena_printf(a, SLICE_FMT SLICE_FMT, SLICE_ARG(all), SLICE_ARG(key)));
        }
    }
    return all;
}

static uint64_t lineage_of(const struct layout_making *m, uint32_t group, uint32_t part)
{
    const struct doc_graph *g = &m->doc->g;
    struct layout_group *of = &m->l->groups[group];
    of->cut = of->cut.ptr != NULL ? of->cut : cut_of(m->a, of);
    return ref_lineage(g->tenant, g->name, of->cut, part);
}

static bool is_moved(const struct layout_read *r)
{
    return r->way == LAYOUT_TOPIC || r->way == LAYOUT_SHUFFLED || r->way == LAYOUT_SUMMED;
}

static void *copy_of(struct arena *a, const void *p, size_t n, size_t size)
{
    void *to = arena_array(a, n + 1, size);
    if (n > 0) {
        memcpy(to, p, n * size);
    }
    return to;
}

/* The topic of a read that is moved: of its cluster. */
static void name_topics(struct layout_making *m, struct layout_group *g)
{
    const struct doc_graph *d = &m->doc->g;
    for (uint32_t i = 0; i < g->n_reads; i++) {
        struct layout_read *r = &g->reads[i];
        for (uint32_t k = 0; k < i && is_moved(r) && r->topic.len == 0; k++) {
            if (g->reads[k].cluster == r->cluster) {
                r->topic = g->reads[k].topic;
            }
        }
        if (is_moved(r) && r->topic.len == 0) {
            struct slice stream = r->way == LAYOUT_SUMMED ? SLICE(LAYOUT_SUMS) : r->stream;
            r->topic = slice_str(arena_printf(
                m->a, "x." SLICE_FMT "." SLICE_FMT "." SLICE_FMT "." SLICE_FMT,
                SLICE_ARG(d->tenant), SLICE_ARG(d->name), SLICE_ARG(g->name), SLICE_ARG(stream)));
            *VEC_PUSH(&m->topics) = (struct layout_topic){r->topic, g->parts};
        }
    }
}

/* ---- what a group reads and writes ---- */

struct input {
    struct slice topic;
    uint64_t from; /* parts of levels that write it; 0: raw, or */
    bool source;   /* the group's source writes it */
    uint16_t id;   /* raw */
};

struct shape { /* of all tasks of a group */
    VEC(struct input) inputs;
    VEC(struct slice) reads;
    VEC(struct emit_to) to;
    VEC(struct task_out) outs;
    VEC(struct task_forward) forwards;
    struct slice source;                     /* the statements of a source group */
    uint32_t to_alerts, to_history, to_dead; /* of `to`, from 1 */
};

static void shape_done(struct shape *s)
{
    VEC_DONE(&s->inputs);
    VEC_DONE(&s->reads);
    VEC_DONE(&s->to);
    VEC_DONE(&s->outs);
    VEC_DONE(&s->forwards);
}

static void add_input(struct shape *s, struct input in)
{
    VEC_EACH (&s->inputs, i) {
        if (slice_eq(i->topic, in.topic)) {
            i->from |= in.from;
            i->source |= in.source;
            return;
        }
    }
    *VEC_PUSH(&s->inputs) = in;
}

static const struct bus_topic_row *row_of(enum bus_topic_id id)
{
    size_t i = 0;
    while (bus_topic_rows[i].id != id) {
        i++;
        assert(i < BUS_TOPICS_COUNT);
    }
    return &bus_topic_rows[i];
}

static void add_raw(struct shape *s, struct slice type)
{
    enum bus_topic_id topics[8];
    uint32_t n = layout_raw_of(type, topics);
    for (uint32_t i = 0; i < n; i++) {
        const struct bus_topic_row *row = row_of(topics[i]);
        add_input(s, (struct input){.topic = slice_str(row->name), .id = (uint16_t)row->id});
    }
}

static void add_type(struct shape *s, struct slice type)
{
    VEC_EACH (&s->reads, r) {
        if (slice_eq(*r, type)) {
            return;
        }
    }
    *VEC_PUSH(&s->reads) = type;
}

/* The type and all that are it, too. */
static void add_types(struct layout_making *m, struct shape *s, const struct layout_read *r)
{
    add_type(s, r->stream);
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        if (layout_gives(&m->doc->made[i], r->stream)) {
            add_type(s, arena_copy(m->a, m->doc->made[i].name));
        }
    }
    if (slice_eq(r->stream, SLICE("Batch"))) {
        add_type(s, SLICE("Span")); /* what it is made of */
    }
    for (size_t i = 0; r->from == 0 && i < builtin_n_types; i++) {
        const struct builtin_type *t = &builtin_types[i];
        if (t->super != NULL && slice_eq(slice_str(t->super), r->stream)) {
            add_type(s, slice_str(t->name));
        }
    }
}

static void inputs_of(struct layout_making *m, const struct layout_group *g, struct shape *s)
{
    for (uint32_t i = 0; i < g->n_reads; i++) {
        const struct layout_read *r = &g->reads[i];
        add_types(m, s, r);
        if (r->way == LAYOUT_AS_IT_LIES) {
            add_raw(s, r->stream);
        } else {
            bool source = r->way == LAYOUT_SHUFFLED || r->way == LAYOUT_SUMMED;
            add_input(s, (struct input){.topic = r->topic, .from = r->from, .source = source});
        }
    }
}

static uint32_t add_to(struct shape *s, struct slice topic, uint32_t parts, bool marked)
{
    for (uint32_t i = 0; i < s->to.len; i++) {
        if (slice_eq(s->to.ptr[i].topic, topic)) {
            return i;
        }
    }
    *VEC_PUSH(&s->to) = (struct emit_to){topic, parts, marked};
    return (uint32_t)s->to.len - 1;
}

static void out_to_reader(struct arena *a, struct shape *s, struct slice type,
                          const struct layout_read *r, uint32_t parts)
{
    uint32_t to = add_to(s, r->topic, parts, true);
    VEC_EACH (&s->outs, have) {
        if (have->to == to && slice_eq(have->type, type)) {
            return;
        }
    }
    *VEC_PUSH(&s->outs) = (struct task_out){.type = arena_copy(a, type),
                                            .to = to,
                                            .key = r->key,
                                            .as_double = r->as_double,
                                            .n_key = r->n_key};
}

/* Whether a level above one that inserts it reads the type. */
static bool is_read(const struct layout_making *m, uint32_t made)
{
    uint64_t by = m->inserted_by[made], lowest = by & (~by + 1);
    return by != 0 && (m->read_by[made] & ~(2 * lowest - 1)) != 0;
}

/* Types that the group makes: to each other group that reads them; to `events` if nobody does. */
static void outputs_of(struct layout_making *m, const struct layout_group *g, struct shape *s)
{
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        const struct doc_type *t = &m->doc->made[i];
        if ((m->inserted_by[i] & g->members) == 0) {
            continue;
        }
        for (uint32_t k = 0; k < m->l->n_groups; k++) {
            const struct layout_group *reader = &m->l->groups[k];
            for (uint32_t r = 0; r < reader->n_reads && !reader->source; r++) {
                const struct layout_read *x = &reader->reads[r];
                if ((x->from & g->members) != 0 && layout_gives(t, x->stream)) {
                    out_to_reader(m->a, s, t->name, x, reader->parts);
                }
            }
        }
        if (!is_read(m, i)) {
            *VEC_PUSH(&s->outs) =
                (struct task_out){.type = arena_copy(m->a, t->name),
                                  .to = add_to(s, SLICE("events"), m->conf.raw_parts, false)};
        }
    }
}

/* ---- source groups ---- */

/* Statements "<forward>.<number>": a row of one lets the event pass. */
static void source_shape(struct layout_making *m, struct layout_group *g,
                         const struct layout_group *reader, struct shape *s)
{
    struct slice filters[FILTERS_MAX];
    struct layout_keep keep = {.n = 0};
    VEC(struct slice) all = {0};
    struct buf text;
    buf_init(&text, LAYOUT_TEXT_MAX);
    for (uint32_t i = 0; i < reader->n_reads; i++) {
        const struct layout_read *r = &reader->reads[i];
        if (r->way != LAYOUT_SHUFFLED) {
            continue;
        }
        uint32_t to = add_to(s, r->topic, reader->parts, true);
        if (to == s->forwards.len) {
            *VEC_PUSH(&s->forwards) =
                (struct task_forward){.to = to, .as_double = r->as_double, .n_key = r->n_key};
        }
        layout_keep(m, reader, i, &keep);
        uint32_t n = layout_filters(m, reader, i, filters, FILTERS_MAX);
        for (uint32_t k = 0; k < n; k++) {
            (void)buf_addf(&text, "@name('%u.%u') " SLICE_FMT ";\n", to, (unsigned)all.len,
                           SLICE_ARG(filters[k]));
            *VEC_PUSH(&all) = filters[k];
        }
        add_types(m, s, r);
        add_raw(s, r->stream);
    }
    assert(s->forwards.len <= CLUSTERS_MAX);
    s->source = arena_copy(m->a, buf_slice(&text));
    struct slice *kept = arena_array(m->a, all.len + 1, sizeof *kept);
    memcpy(kept, all.ptr, all.len * sizeof *kept);
    g->filters = kept;
    g->n_filters = (uint32_t)all.len;
    g->keeps = copy_of(m->a, keep.keys, keep.n, sizeof *keep.keys);
    g->n_keeps = keep.n;
    g->keeps_all = keep.all;
    VEC_EACH (&s->forwards, f) {
        f->keep = g->keeps;
        f->n_keep = keep.n;
        f->keep_all = keep.all;
    }
    VEC_DONE(&all);
    buf_done(&text);
}

/* Of a local group: statements that make parts of sums. */
static void local_shape(struct layout_making *m, struct layout_group *g,
                        const struct layout_group *reader, struct shape *s)
{
    struct slice *made = arena_array(m->a, reader->n_reads + 1, sizeof *made);
    struct buf text;
    buf_init(&text, LAYOUT_TEXT_MAX);
    for (uint32_t i = 0; i < reader->n_reads; i++) {
        const struct layout_read *r = &reader->reads[i];
        const struct layout_sum *sum = m->looks->parts[r->part].sums[r->sum];
        const struct layout_read signals = {.stream = arena_copy(m->a, sum->of)};
        assert(r->way == LAYOUT_SUMMED);
        out_to_reader(m->a, s, r->stream, r, reader->parts);
        add_types(m, s, &signals);
        add_raw(s, signals.stream);
        made[i] = arena_copy(m->a, sum->parts);
        (void)buf_add_slice(&text, made[i]);
        (void)buf_add_str(&text, ";\n");
    }
    g->filters = made;
    g->n_filters = reader->n_reads;
    g->keeps_all = true;
    s->source = arena_copy(m->a, buf_slice(&text));
    buf_done(&text);
}

static bool needs_source(const struct layout_group *g)
{
    bool needs = false;
    for (uint32_t i = 0; i < g->n_reads; i++) {
        needs |= g->reads[i].way == LAYOUT_SHUFFLED || g->reads[i].way == LAYOUT_SUMMED;
    }
    return needs;
}

/* Groups that nothing can reach are left out; sources are put before their readers. */
static void add_sources(struct layout_making *m)
{
    struct layout *l = m->l;
    struct layout_group *to = arena_array(m->a, 2 * l->n_groups + 1, sizeof *to);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n_groups; i++) {
        struct layout_group *g = &l->groups[i];
        if (g->n_reads == 0) {
            continue;
        }
        if (needs_source(g)) {
            bool local = g->reads[0].way == LAYOUT_SUMMED;
            const char *name = arena_printf(m->a, SLICE_FMT "%s", SLICE_ARG(g->name),
                                            local ? ".local" : ".source");
            to[n] = (struct layout_group){.name = slice_str(name),
                                          .first = g->first,
                                          .n = g->n,
                                          .parts = m->conf.raw_parts,
                                          .source = true,
                                          .local = local};
            n++;
        }
        to[n++] = *g;
    }
    l->groups = to;
    l->n_groups = n;
}

/* What nobody writes is not read. */
static void drop_dead(struct layout_making *m)
{
    struct layout *l = m->l;
    for (bool changed = true; changed;) {
        uint64_t alive = 0;
        changed = false;
        for (uint32_t i = 0; i < l->n_groups; i++) {
            alive |= l->groups[i].n_reads > 0 ? l->groups[i].members : 0;
        }
        for (uint32_t i = 0; i < l->n_groups; i++) {
            struct layout_group *g = &l->groups[i];
            uint32_t n = 0;
            for (uint32_t k = 0; k < g->n_reads; k++) {
                struct layout_read r = g->reads[k];
                bool was = r.from != 0;
                r.from &= alive;
                if (!was || r.from != 0) {
                    g->reads[n++] = r;
                }
            }
            changed |= n != g->n_reads;
            g->n_reads = n;
        }
    }
}

/* ---- tasks ---- */

static struct task_module module_of(struct arena *a, struct slice id, struct slice text)
{
    return (struct task_module){.id = arena_copy(a, id), .text = arena_copy(a, text)};
}

/* It is long, few rules use much of it, and all tasks that wake up need it. */
static struct task_module prelude_of(struct arena *a, struct slice text)
{
    struct err err;
    struct ast_module *parsed = NULL;
    struct task_module m = module_of(a, SLICE(BUILTIN_DEPLOYMENT), text);
    if (epl_parse(a, m.text, &parsed, &err) == 0) { /* else the task says why, when it deploys it */
        m.parsed = parsed;
    }
    return m;
}

static void modules_of(struct layout_making *m, const struct layout_group *g, const struct shape *s,
                       struct task_plan *p)
{
    uint32_t n = 0;
    struct task_module *to = arena_array(m->a, LAYOUT_PARTS_MAX + 2, sizeof *to);
    struct buf text;
    buf_init(&text, LAYOUT_TEXT_MAX);
    doc_prelude(m->doc, g->first, &text);
    to[n++] = prelude_of(m->a, buf_slice(&text));
    if (g->source) {
        to[n++] = (struct task_module){.id = SLICE("source"), .text = s->source};
    }
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        if ((g->members >> i & 1) != 0) {
            const struct layout_part *x = &m->looks->parts[i];
            if (x->adds_up) {
                to[n++] = module_of(m->a, SLICE(LAYOUT_SUMS), x->schemas);
            }
            to[n++] = module_of(m->a, x->name, x->epl);
        }
    }
    buf_done(&text);
    p->modules = to;
    p->n_modules = n;
}

struct subs {
    VEC(struct merge_spec) specs;
    VEC(uint16_t) ids;
};

static void add_sub(struct subs *to, struct merge_spec spec, uint16_t id)
{
    *VEC_PUSH(&to->specs) = spec;
    *VEC_PUSH(&to->ids) = id;
    for (size_t i = to->specs.len - 1; i > 0; i--) { /* authors ascending */
        struct merge_spec *x = &to->specs.ptr[i], *y = &to->specs.ptr[i - 1];
        if (y->topic != x->topic || y->part != x->part || y->author < x->author) {
            break;
        }
        struct merge_spec t = *x;
        *x = *y;
        *y = t;
    }
}

static void add_authors(struct layout_making *m, struct subs *to, struct merge_spec spec,
                        uint32_t group)
{
    for (uint32_t i = 0; i < m->l->groups[group].parts; i++) {
        spec.author = lineage_of(m, group, i);
        add_sub(to, spec, 0);
    }
}

/* Sub-streams of one task: of raw topics the partitions that fall into its share. */
static void subs_of(struct layout_making *m, const struct shape *s, uint32_t group, uint32_t part,
                    int64_t bound, struct task_plan *p)
{
    struct subs to = {0};
    for (uint32_t t = 0; t < s->inputs.len; t++) {
        const struct input *in = &s->inputs.ptr[t];
        bool raw = in->from == 0 && !in->source;
        for (uint32_t k = 0; raw && k < m->conf.raw_parts; k++) {
            if ((uint64_t)k * p->parts / m->conf.raw_parts == part) {
                add_sub(&to, (struct merge_spec){t, k, 0, bound}, in->id);
            }
        }
        for (uint32_t g = 0; g < m->l->n_groups; g++) {
            if ((in->from & m->l->groups[g].members) != 0 || (in->source && g + 1 == group)) {
                add_authors(m, &to, (struct merge_spec){.topic = t, .part = part}, g);
            }
        }
    }
    p->subs = copy_of(m->a, to.specs.ptr, to.specs.len, sizeof *to.specs.ptr);
    p->topic_ids = copy_of(m->a, to.ids.ptr, to.ids.len, sizeof *to.ids.ptr);
    p->n_subs = (uint32_t)to.specs.len;
    VEC_DONE(&to.specs);
    VEC_DONE(&to.ids);
}

static const struct doc_alert *words_of(struct arena *a, const struct doc_alert *of)
{
    struct doc_alert *to = ARENA_NEW(a, struct doc_alert);
    struct slice *key = arena_array(a, (size_t)of->n_key + 1, sizeof *key);
    for (uint32_t i = 0; i < of->n_key; i++) {
        key[i] = arena_copy(a, of->key[i]);
    }
    *to = (struct doc_alert){.severity = arena_copy(a, of->severity),
                             .summary = arena_copy(a, of->summary),
                             .description = arena_copy(a, of->description),
                             .runbook = arena_copy(a, of->runbook),
                             .key = key,
                             .n_key = of->n_key,
                             .resolve_after = of->resolve_after};
    return to;
}

/* Statements of the group whose rows are alerts: how many; to: NULL or room for them. */
static uint32_t alerts_of(const struct layout_making *m, const struct layout_group *g,
                          struct alert_rule *to)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->looks->n_parts && !g->source; i++) {
        const struct layout_part *x = &m->looks->parts[i];
        for (uint32_t k = 0; k < x->n_stmts && (g->members >> i & 1) != 0; k++) {
            const struct doc_stmt *st = x->stmts[k];
            if (st->alert != NULL && to != NULL) {
                to[n] = (struct alert_rule){m->l->tenant, m->l->name, arena_copy(m->a, st->name),
                                            words_of(m->a, st->alert)};
            }
            n += st->alert != NULL;
        }
    }
    return n;
}

/* A level's limits are those of all its tasks together. What one event does is not divided. */
static const struct lim_conf *share_of_limits(struct layout_making *m, const struct layout_group *g,
                                              const struct doc_level *d)
{
    static const enum lim_kind divided[] = {LIM_ROWS,     LIM_BYTES,  LIM_GROUPS,
                                            LIM_PARTIALS, LIM_OUTPUT, LIM_STATE};
    struct lim_conf *to = ARENA_NEW(m->a, struct lim_conf);
    *to = d->limits;
    for (size_t i = 0; i < ARRAY_LEN(divided); i++) {
        uint64_t max = to->max[divided[i]] != 0 ? to->max[divided[i]] : lim_rows[divided[i]].max;
        if (g->parts > 1 && max != 0 && max != UINT64_MAX) {
            to->max[divided[i]] = max / g->parts + (max % g->parts != 0);
        }
    }
    return to;
}

static struct task_plan *plan_of(struct layout_making *m, const struct layout_group *g,
                                 const struct shape *s)
{
    const struct doc_level *d = &m->doc->g.levels[g->first];
    struct task_plan *p = ARENA_NEW(m->a, struct task_plan);
    *p = (struct task_plan){
        .parts = g->parts,
        .reads = copy_of(m->a, s->reads.ptr, s->reads.len, sizeof *s->reads.ptr),
        .n_reads = (uint32_t)s->reads.len,
        .to = copy_of(m->a, s->to.ptr, s->to.len, sizeof *s->to.ptr),
        .n_to = (uint32_t)s->to.len,
        .outs = copy_of(m->a, s->outs.ptr, s->outs.len, sizeof *s->outs.ptr),
        .n_outs = (uint32_t)s->outs.len,
        .forwards = copy_of(m->a, s->forwards.ptr, s->forwards.len, sizeof *s->forwards.ptr),
        .n_forwards = (uint32_t)s->forwards.len,
        .tenant = m->l->tenant,
        .to_alerts = s->to_alerts,
        .to_history = s->to_history,
        .to_dead = s->to_dead,
        .late = g->source ? TASK_LATE_ADMIT : (enum task_late)d->late,
        .world = (enum builtin_world)d->types,
        .limits = g->source && !g->local ? NULL : share_of_limits(m, g, d),
        .makes_parts = g->local,
        .led = g->n_reads > 0 && g->reads[0].way == LAYOUT_SUMMED,
        .hash = doc_hash(m->doc) ^ (uint64_t)LAYOUT_NUMBER << 32 ^ m->conf.raw_parts ^
                (uint64_t)m->conf.life * LIFE_FACTOR,
        .life = m->conf.life};
    modules_of(m, g, s, p);
    layout_wants(m, g, p);
    p->n_alerts = alerts_of(m, g, NULL);
    struct alert_rule *alerts = arena_array(m->a, (size_t)p->n_alerts + 1, sizeof *alerts);
    (void)alerts_of(m, g, alerts);
    p->alerts = alerts;
    return p;
}

static void tasks_of(struct layout_making *m, uint32_t group, const struct shape *s)
{
    struct layout_group *g = &m->l->groups[group];
    const struct doc_level *d = &m->doc->g.levels[g->first];
    const struct layout *l = m->l;
    const struct task_plan *shared = plan_of(m, g, s);
    bool *aligned = arena_array(m->a, s->inputs.len + 1, sizeof *aligned);
    struct slice *topics = arena_array(m->a, s->inputs.len + 1, sizeof *topics);
    for (size_t i = 0; i < s->inputs.len; i++) {
        topics[i] = s->inputs.ptr[i].topic;
        aligned[i] = s->inputs.ptr[i].from != 0 || s->inputs.ptr[i].source;
    }
    g->tasks = arena_array(m->a, g->parts, sizeof *g->tasks);
    for (uint32_t i = 0; i < g->parts; i++) {
        struct task_plan *p = ARENA_NEW(m->a, struct task_plan);
        *p = *shared;
        p->part = i;
        p->lineage = lineage_of(m, group, i);
        p->topics = topics;
        p->name = slice_str(arena_printf(m->a, SLICE_FMT "/" SLICE_FMT "/" SLICE_FMT "/%u",
                                         SLICE_ARG(l->tenant), SLICE_ARG(l->name),
                                         SLICE_ARG(g->name), i));
        subs_of(m, s, group, i, d->bound >= 0 ? d->bound : m->conf.bound_ns, p);
        g->tasks[i] = (struct slot_task){.plan = p,
                                         .topics = topics,
                                         .aligned = aligned,
                                         .align_ns = d->align >= 0 ? MAX(d->align, 1) : 0};
        m->l->n_tasks++;
    }
}

static void fill_group(struct layout_making *m, uint32_t group)
{
    struct layout_group *g = &m->l->groups[group];
    struct shape s = {.source = SLICE_NONE};
    if (g->local) {
        local_shape(m, g, g + 1, &s);
    } else if (g->source) {
        source_shape(m, g, g + 1, &s);
    } else {
        inputs_of(m, g, &s);
        outputs_of(m, g, &s);
    }
    if (alerts_of(m, g, NULL) > 0) {
        s.to_alerts = 1 + add_to(&s, SLICE("alerts"), m->conf.raw_parts, false);
        s.to_history = 1 + add_to(&s, SLICE("alerts.history"), m->conf.raw_parts, false);
    }
    s.to_dead = 1 + add_to(&s, SLICE("dlq"), m->conf.raw_parts, false);
    tasks_of(m, group, &s);
    shape_done(&s);
}

/* ---- making ---- */

static void note_inserts(struct layout_making *m, uint32_t part, struct map *by)
{
    const struct layout_part *p = &m->looks->parts[part];
    for (uint32_t s = 0; s < p->n_stmts; s++) {
        for (uint32_t k = 0; k < p->stmts[s]->n_inserts; k++) {
            void **at = map_put(by, p->stmts[s]->inserts[k]);
            if (at != NULL) {
                *at = (void *)((uintptr_t)*at | (uintptr_t)1 << part);
            }
        }
    }
}

static void find_inserters(struct layout_making *m)
{
    struct map by; /* parts, by what they insert into */
    map_init(&by, NAMES_MAX);
    m->inserted_by = arena_array(m->a, m->doc->n_made + 1, sizeof *m->inserted_by);
    for (uint32_t p = 0; p < m->looks->n_parts; p++) {
        note_inserts(m, p, &by);
    }
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        m->inserted_by[i] = (uintptr_t)map_get(&by, m->doc->made[i].name);
    }
    map_done(&by);
}

struct words { /* of the statements of a part */
    struct map *by;
    uint32_t part;
};

static void note_word(void *arg, struct slice word)
{
    const struct words *w = arg;
    void **at = map_put(w->by, word);
    if (at != NULL) {
        *at = (void *)((uintptr_t)*at | (uintptr_t)1 << w->part);
    }
}

/* Under its own name, or that of a supertype. */
static void find_readers(struct layout_making *m)
{
    struct map by; /* parts, by the words of their statements */
    map_init(&by, WORDS_MAX);
    m->read_by = arena_array(m->a, m->doc->n_made + 1, sizeof *m->read_by);
    for (uint32_t p = 0; p < m->looks->n_parts; p++) {
        struct words w = {&by, p};
        for (uint32_t s = 0; s < m->looks->parts[p].n_stmts; s++) {
            doc_stmt_words(m->doc, m->looks->parts[p].stmts[s], note_word, &w);
        }
    }
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        const struct doc_type *t = &m->doc->made[i];
        m->read_by[i] = (uintptr_t)map_get(&by, t->name);
        for (uint32_t k = 0; k < t->n_supers; k++) {
            m->read_by[i] |= (uintptr_t)map_get(&by, t->supers[k]);
        }
    }
    map_done(&by);
}

static int make(struct layout_making *m, struct err *reterr)
{
    struct layout *l = m->l;
    struct layout_engine *engines = mem_calloc(m->looks->n_parts + 1, sizeof *engines);
    l->groups = arena_array(m->a, m->looks->n_parts + 1, sizeof *l->groups);
    find_inserters(m);
    find_readers(m);
    layout_join(m, engines);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        layout_reads(m, &l->groups[i], &engines[i]);
    }
    m->engines = engines;
    m->n_engines = l->n_groups;
    drop_dead(m);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        name_topics(m, &l->groups[i]);
    }
    add_sources(m);
    for (uint32_t i = 0; i < l->n_groups && !m->conf.groups_only; i++) {
        fill_group(m, i);
    }
    for (uint32_t i = 0; i < m->n_engines; i++) {
        layout_engine_done(&engines[i]);
    }
    mem_free(engines);
    if (l->n_groups == 0) {
        return err_set(reterr, ERR_SYNTAX, "the graph reads nothing");
    }
    l->topics = copy_of(m->a, m->topics.ptr, m->topics.len, sizeof *m->topics.ptr);
    l->n_topics = (uint32_t)m->topics.len;
    return 0;
}

static const struct slice *levels_of(struct arena *a, const struct doc *d)
{
    struct slice *to = arena_array(a, (size_t)d->g.n_levels + 1, sizeof *to);
    for (uint32_t i = 0; i < d->g.n_levels; i++) {
        to[i] = arena_copy(a, d->g.levels[i].name);
    }
    return to;
}

int layout_of(struct arena *a, struct doc *d, const struct layout_looks *looks,
              const struct layout_conf *conf, struct layout **ret, struct err *reterr)
{
    assert(conf->raw_parts > 0);
    struct layout_making m = {.a = a, .doc = d, .looks = looks, .conf = *conf};
    m.conf.bound_ns = conf->bound_ns > 0 ? conf->bound_ns : BOUND_NS;
    m.l = ARENA_NEW(a, struct layout);
    *m.l = (struct layout){.tenant = arena_copy(a, d->g.tenant),
                           .name = arena_copy(a, d->g.name),
                           .idle_after = d->g.idle_after,
                           .archive_every = d->g.archive_every,
                           .levels = levels_of(a, d)};
    int rc = make(&m, reterr);
    VEC_DONE(&m.topics);
    if (rc == 0) {
        *ret = m.l;
    }
    return rc;
}

int layout_make(struct arena *a, struct slice document, const struct layout_conf *conf,
                struct layout **ret, struct err *reterr)
{
    struct doc_notes notes;
    struct layout_looks looks;
    struct arena *once = arena_new(NULL, "document", DOCUMENT_MAX);
    doc_notes_init(&notes, once);
    struct doc *d = doc_read(once, document, &notes);
    int rc = d != NULL ? doc_check(d, &eng_doc, &notes, reterr)
                       : err_set(reterr, ERR_SYNTAX, "the document is no mapping");
    doc_notes_done(&notes);
    rc = rc == 0 ? layout_look(d, conf->raw_parts, &looks, reterr) : rc;
    if (rc == 0) {
        rc = layout_of(a, d, &looks, conf, ret, reterr);
        layout_looks_done(&looks);
    }
    arena_free(once);
    return rc;
}
