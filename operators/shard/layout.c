/* SPDX-License-Identifier: Apache-2.0
 *
 * See layout.h. Two passes: each level alone (what it reads, by which keys), then groups and their
 * tasks.
 */
#include "operators/shard/layout.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_topics.h"
#include "operators/graph/eng_doc.h"
#include "operators/graph/keys.h"
#include "operators/sig/builtin.h"

#include <assert.h>
#include <stdio.h>

enum { TEXT_MAX = 16 << 20, KEY_COLS_MAX = 16, READS_MAX = 4096 };

#define BOUND_NS INT64_C(5000000000)

struct read { /* a type that a level reads */
    struct slice type;
    uint64_t from; /* a bit for each level below that inserts into it; 0: signals */
    struct slice key[KEY_COLS_MAX];
    bool as_double[KEY_COLS_MAX];
    uint32_t n_key;
    bool keyed;
};

struct level {
    const struct doc_level *doc;
    VEC(struct read) reads;
    bool parted;
    struct slice why;
    uint32_t group;
};

struct making {
    struct arena *a;
    struct doc *doc;
    struct layout_conf conf;
    struct layout *l;
    struct level *levels;
    uint32_t n;
    VEC(struct layout_topic) topics;
};

/* ---- each level alone ---- */

/* Whether who reads `type` reads what is inserted into t. */
static bool gives(const struct doc_type *t, struct slice type)
{
    bool is = slice_eq(t->name, type);
    for (uint32_t i = 0; !is && i < t->n_supers; i++) {
        is = slice_eq(t->supers[i], type);
    }
    return is;
}

static uint64_t inserted_by(const struct making *m, struct slice type)
{
    uint64_t by = 0;
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        by |= gives(&m->doc->made[i], type) ? m->doc->made[i].inserted_by : 0;
    }
    return by;
}

/* One key for all: who reads the type by other columns cannot be given it in the same parts. */
static void add_read(struct making *m, uint32_t at, const struct key_unit *u,
                     const struct key_input *in)
{
    struct level *l = &m->levels[at];
    struct read r = {.type = arena_copy(m->a, in->type->name), .keyed = in->cols != NULL};
    bool is_read = false; /* inputs of a unit are also what it inserts */
    for (uint32_t i = 0; i < l->doc->n_stmts; i++) {
        const struct doc_stmt *st = &l->doc->stmts[i];
        is_read |= st->ast != NULL && doc_stmt_reads(m->doc, st, r.type);
    }
    if (!is_read) {
        return;
    }
    uint64_t by = inserted_by(m, r.type);
    r.from = by & ((1ULL << at) - 1);
    if (by != 0 && r.from == 0) {
        return; /* its own */
    }
    for (uint32_t i = 0; r.keyed && i < u->n_cols; i++) {
        if (i == KEY_COLS_MAX || ety_col(in->type, in->texts[i]) < 0) {
            l->why = SLICE("its key is no column of what it reads");
            return;
        }
        r.key[i] = arena_copy(m->a, in->texts[i]);
        r.as_double[i] = u->as_double[i];
        r.n_key = i + 1;
    }
    VEC_EACH (&l->reads, have) {
        if (!slice_eq(have->type, r.type)) {
            continue;
        }
        bool same = have->n_key == r.n_key;
        for (uint32_t i = 0; same && i < r.n_key; i++) {
            same = slice_eq(have->key[i], r.key[i]) && have->as_double[i] == r.as_double[i];
        }
        if (r.keyed && have->keyed && !same) {
            l->why = SLICE("its statements have different keys");
        }
        *have = have->keyed ? *have : r;
        return;
    }
    *VEC_PUSH(&l->reads) = r;
}

static void judge(struct making *m, uint32_t at, const struct key_plan *plan)
{
    struct level *l = &m->levels[at];
    bool keyed = false;
    for (uint32_t i = 0; i < plan->n_units; i++) {
        const struct key_unit *u = &plan->units[i];
        if (u->choice == KEY_ONE && l->why.len == 0) {
            l->why = arena_copy(m->a, u->why);
        }
        keyed |= u->choice == KEY_BY || u->choice == KEY_USER;
        for (uint32_t k = 0; k < u->n_inputs; k++) {
            add_read(m, at, u, &u->inputs[k]);
        }
    }
    VEC_EACH (&l->reads, r) {
        if (r->from == 0 && l->why.len == 0) {
            l->why = SLICE("it reads what is not dealt out by its key");
        }
    }
    l->parted = keyed && l->why.len == 0;
}

static int look_at(struct making *m, uint32_t at, struct err *reterr)
{
    const struct doc_level *d = m->levels[at].doc;
    const struct eng_conf conf = {.limits = &d->limits};
    struct eng *e = eng_new(&conf);
    struct buf text;
    struct key_plan plan = {0};
    buf_init(&text, TEXT_MAX);
    doc_prelude(m->doc, at, &text);
    int rc = eng_deploy(e, SLICE(BUILTIN_DEPLOYMENT), buf_slice(&text), reterr);
    rc = rc == 0 ? eng_deploy(e, d->name, d->epl, reterr) : rc;
    rc = rc == 0 ? eng_keys(e, d->name, &plan, reterr) : rc;
    if (rc == 0) {
        judge(m, at, &plan);
        keys_done(&plan);
    }
    buf_done(&text);
    eng_free(e);
    return rc;
}

/* ---- groups ---- */

static bool joins(const struct making *m, uint32_t at)
{
    const struct level *a = &m->levels[at - 1], *b = &m->levels[at];
    return !a->parted && !b->parted && a->doc->types == b->doc->types &&
           a->doc->scale != DOC_SCALE_OWN && b->doc->scale != DOC_SCALE_OWN &&
           a->doc->late == b->doc->late;
}

static void make_groups(struct making *m)
{
    struct layout *l = m->l;
    l->groups = arena_array(m->a, m->n, sizeof *l->groups);
    for (uint32_t i = 0; i < m->n; i++) {
        if (i > 0 && joins(m, i)) {
            l->groups[l->n_groups - 1].n++;
        } else {
            struct layout_group *g = &l->groups[l->n_groups++];
            int64_t parts = m->levels[i].doc->partitions;
            *g = (struct layout_group){.name = m->levels[i].doc->name, .first = i, .n = 1};
            g->parts = !m->levels[i].parted ? 1 : parts > 0 ? (uint32_t)parts : m->conf.raw_parts;
            g->why = m->levels[i].why;
        }
        m->levels[i].group = l->n_groups - 1;
    }
}

static uint64_t lineage_of(const struct making *m, uint32_t group, uint32_t part)
{
    const struct doc_graph *g = &m->doc->g;
    return ref_lineage(g->tenant, g->name, m->l->groups[group].name, part);
}

static struct slice topic_between(struct making *m, uint32_t reader, struct slice type)
{
    const struct doc_graph *g = &m->doc->g;
    struct slice name = slice_str(arena_printf(
        m->a, "x." SLICE_FMT "." SLICE_FMT "." SLICE_FMT "." SLICE_FMT, SLICE_ARG(g->tenant),
        SLICE_ARG(g->name), SLICE_ARG(m->l->groups[reader].name), SLICE_ARG(type)));
    VEC_EACH (&m->topics, t) {
        if (slice_eq(t->name, name)) {
            return name;
        }
    }
    *VEC_PUSH(&m->topics) = (struct layout_topic){name, m->l->groups[reader].parts};
    return name;
}

/* ---- what a group reads and writes ---- */

struct shape {                /* of all tasks of a group */
    VEC(struct slice) topics; /* inputs */
    VEC(uint64_t) from;       /* a bit for each group that writes it; 0: raw */
    VEC(uint16_t) ids;
    VEC(struct slice) reads;
    VEC(struct emit_to) to;
    VEC(struct task_out) outs;
    uint32_t to_alerts, to_history, to_dead; /* of `to`, from 1 */
};

static void add_input(struct shape *s, struct slice topic, uint64_t from, uint16_t id)
{
    for (size_t i = 0; i < s->topics.len; i++) {
        if (slice_eq(s->topics.ptr[i], topic)) {
            s->from.ptr[i] |= from;
            return;
        }
    }
    *VEC_PUSH(&s->topics) = topic;
    *VEC_PUSH(&s->from) = from;
    *VEC_PUSH(&s->ids) = id;
}

static const struct {
    const char *type;
    enum bus_topic_id topics[5];
    uint32_t n;
} raw_of[] = {
    {"Telemetry", {BUS_TOPIC_METRICS, BUS_TOPIC_LOGS, BUS_TOPIC_SPANS, BUS_TOPIC_K8S}, 4},
    {"Metric", {BUS_TOPIC_METRICS}, 1},
    {"LogRecord", {BUS_TOPIC_LOGS}, 1},
    {"ExceptionEvent", {BUS_TOPIC_LOGS}, 1},
    {"Span", {BUS_TOPIC_SPANS}, 1},
    {"Batch", {BUS_TOPIC_SPANS}, 1},
    {"KubeEvent", {BUS_TOPIC_K8S}, 1},
    {"FLog", {BUS_TOPIC_LOGS, BUS_TOPIC_K8S}, 2},
    {"Alert", {BUS_TOPIC_ALERTS_HISTORY}, 1},
};

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
    for (size_t i = 0; i < ARRAY_LEN(raw_of); i++) {
        for (uint32_t k = 0; slice_eq(type, slice_str(raw_of[i].type)) && k < raw_of[i].n; k++) {
            const struct bus_topic_row *row = row_of(raw_of[i].topics[k]);
            add_input(s, slice_str(row->name), 0, (uint16_t)row->id);
        }
    }
}

/* Groups other than `group` with one of these levels. */
static uint64_t groups_of(const struct making *m, uint64_t levels, uint32_t group)
{
    uint64_t groups = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        if ((levels >> i & 1) != 0 && m->levels[i].group != group) {
            groups |= 1ULL << m->levels[i].group;
        }
    }
    return groups;
}

/* The type and all that are it, too. */
static void add_types(struct making *m, struct shape *s, struct slice type)
{
    *VEC_PUSH(&s->reads) = type;
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        if (gives(&m->doc->made[i], type) && !slice_eq(m->doc->made[i].name, type)) {
            *VEC_PUSH(&s->reads) = m->doc->made[i].name;
        }
    }
}

static void inputs_of(struct making *m, uint32_t group, struct shape *s)
{
    const struct layout_group *g = &m->l->groups[group];
    for (uint32_t i = g->first; i < g->first + g->n; i++) {
        VEC_EACH (&m->levels[i].reads, r) {
            uint64_t from = groups_of(m, r->from, group);
            if (r->from == 0) {
                *VEC_PUSH(&s->reads) = r->type;
                add_raw(s, r->type);
            } else if (from != 0) { /* else it stays inside */
                add_types(m, s, r->type);
                add_input(s, topic_between(m, group, r->type), from, 0);
            }
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

static void out_to_reader(struct making *m, struct shape *s, struct slice type,
                          const struct read *r, uint32_t reader)
{
    struct slice topic = topic_between(m, reader, r->type);
    uint32_t to = add_to(s, topic, m->l->groups[reader].parts, true);
    VEC_EACH (&s->outs, have) {
        if (have->to == to && slice_eq(have->type, type)) {
            return;
        }
    }
    struct task_out *o = VEC_PUSH(&s->outs);
    struct slice *key = arena_array(m->a, r->n_key + 1, sizeof *key);
    bool *as_double = arena_array(m->a, r->n_key + 1, sizeof *as_double);
    for (uint32_t i = 0; i < r->n_key; i++) {
        key[i] = r->key[i];
        as_double[i] = r->as_double[i];
    }
    *o = (struct task_out){
        .type = type, .to = to, .key = key, .as_double = as_double, .n_key = r->n_key};
}

/* Types that the group makes: to each later group that reads them; to `events` if nobody does. */
static void outputs_of(struct making *m, uint32_t group, struct shape *s)
{
    for (uint32_t i = 0; i < m->doc->n_made; i++) {
        const struct doc_type *t = &m->doc->made[i];
        bool is_read = false, mine = false;
        for (uint32_t k = 0; k < m->n; k++) {
            mine |= (t->inserted_by >> k & 1) != 0 && m->levels[k].group == group;
        }
        for (uint32_t k = 0; mine && k < m->n; k++) {
            VEC_EACH (&m->levels[k].reads, r) {
                bool it = r->from != 0 && gives(t, r->type);
                is_read |= it;
                if (it && m->levels[k].group > group) {
                    out_to_reader(m, s, t->name, r, m->levels[k].group);
                }
            }
        }
        if (mine && !is_read) {
            *VEC_PUSH(&s->outs) = (struct task_out){
                .type = t->name, .to = add_to(s, SLICE("events"), m->conf.raw_parts, false)};
        }
    }
}

/* ---- tasks ---- */

static void *copy_of(struct arena *a, const void *p, size_t n, size_t size)
{
    void *to = arena_array(a, n + 1, size);
    if (n > 0) {
        memcpy(to, p, n * size);
    }
    return to;
}

static void modules_of(struct making *m, const struct layout_group *g, struct task_plan *p)
{
    struct task_module *to = arena_array(m->a, g->n + 1, sizeof *to);
    struct buf text;
    buf_init(&text, TEXT_MAX);
    doc_prelude(m->doc, g->first, &text);
    to[0] = (struct task_module){SLICE(BUILTIN_DEPLOYMENT), arena_copy(m->a, buf_slice(&text))};
    for (uint32_t i = 0; i < g->n; i++) {
        const struct doc_level *d = m->levels[g->first + i].doc;
        to[i + 1] = (struct task_module){d->name, d->epl};
    }
    buf_done(&text);
    p->modules = to;
    p->n_modules = g->n + 1;
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

/* Sub-streams of one task: of raw topics all partitions, since it is the only one. */
static void subs_of(struct making *m, const struct shape *s, uint32_t part, int64_t bound,
                    struct task_plan *p)
{
    struct subs to = {0};
    for (uint32_t t = 0; t < s->topics.len; t++) {
        uint64_t from = s->from.ptr[t];
        for (uint32_t k = 0; from == 0 && k < m->conf.raw_parts; k++) {
            add_sub(&to, (struct merge_spec){t, k, 0, bound}, s->ids.ptr[t]);
        }
        for (uint32_t g = 0; g < m->l->n_groups; g++) {
            for (uint32_t i = 0; (from >> g & 1) != 0 && i < m->l->groups[g].parts; i++) {
                add_sub(&to, (struct merge_spec){t, part, lineage_of(m, g, i), 0}, 0);
            }
        }
    }
    p->subs = copy_of(m->a, to.specs.ptr, to.specs.len, sizeof *to.specs.ptr);
    p->topic_ids = copy_of(m->a, to.ids.ptr, to.ids.len, sizeof *to.ids.ptr);
    p->n_subs = (uint32_t)to.specs.len;
    VEC_DONE(&to.specs);
    VEC_DONE(&to.ids);
}

/* Statements of the group whose rows are alerts: how many; to: NULL or room for them. */
static uint32_t alerts_of(const struct making *m, const struct layout_group *g,
                          struct alert_rule *to)
{
    uint32_t n = 0;
    for (uint32_t i = g->first; i < g->first + g->n; i++) {
        const struct doc_level *d = m->levels[i].doc;
        for (uint32_t k = 0; k < d->n_stmts; k++) {
            const struct doc_stmt *st = &d->stmts[k];
            if (st->alert != NULL && to != NULL) {
                to[n] = (struct alert_rule){m->doc->g.tenant, m->doc->g.name, st->name, st->alert};
            }
            n += st->alert != NULL;
        }
    }
    return n;
}

static void tasks_of(struct making *m, uint32_t group, const struct shape *s)
{
    struct layout_group *g = &m->l->groups[group];
    const struct doc_level *d = m->levels[g->first].doc;
    const struct doc_graph *doc = &m->doc->g;
    struct task_plan shared = {.parts = g->parts,
                               .reads =
                                   copy_of(m->a, s->reads.ptr, s->reads.len, sizeof *s->reads.ptr),
                               .n_reads = (uint32_t)s->reads.len,
                               .to = copy_of(m->a, s->to.ptr, s->to.len, sizeof *s->to.ptr),
                               .n_to = (uint32_t)s->to.len,
                               .outs = copy_of(m->a, s->outs.ptr, s->outs.len, sizeof *s->outs.ptr),
                               .n_outs = (uint32_t)s->outs.len,
                               .tenant = doc->tenant,
                               .to_alerts = s->to_alerts,
                               .to_history = s->to_history,
                               .to_dead = s->to_dead,
                               .late = (enum task_late)d->late,
                               .world = (enum builtin_world)d->types,
                               .limits = &d->limits};
    bool *aligned = arena_array(m->a, s->topics.len + 1, sizeof *aligned);
    for (size_t i = 0; i < s->topics.len; i++) {
        aligned[i] = s->from.ptr[i] != 0;
    }
    const struct slice *topics = copy_of(m->a, s->topics.ptr, s->topics.len, sizeof *topics);
    modules_of(m, g, &shared);
    shared.n_alerts = alerts_of(m, g, NULL);
    struct alert_rule *alerts = arena_array(m->a, (size_t)shared.n_alerts + 1, sizeof *alerts);
    (void)alerts_of(m, g, alerts);
    shared.alerts = alerts;
    g->tasks = arena_array(m->a, g->parts, sizeof *g->tasks);
    for (uint32_t i = 0; i < g->parts; i++) {
        struct task_plan *p = ARENA_NEW(m->a, struct task_plan);
        *p = shared;
        p->part = i;
        p->lineage = lineage_of(m, group, i);
        p->topics = topics;
        p->hash = doc_hash(m->doc);
        p->name = slice_str(arena_printf(m->a, SLICE_FMT "/" SLICE_FMT "/" SLICE_FMT "/%u",
                                         SLICE_ARG(doc->tenant), SLICE_ARG(doc->name),
                                         SLICE_ARG(g->name), i));
        subs_of(m, s, i, d->bound >= 0 ? d->bound : m->conf.bound_ns, p);
        g->tasks[i] = (struct slot_task){.plan = p, .topics = topics, .aligned = aligned};
        m->l->n_tasks++;
    }
}

static void fill_group(struct making *m, uint32_t group)
{
    struct shape s = {0};
    inputs_of(m, group, &s);
    outputs_of(m, group, &s);
    if (alerts_of(m, &m->l->groups[group], NULL) > 0) {
        s.to_alerts = 1 + add_to(&s, SLICE("alerts"), m->conf.raw_parts, false);
        s.to_history = 1 + add_to(&s, SLICE("alerts.history"), m->conf.raw_parts, false);
    }
    s.to_dead = 1 + add_to(&s, SLICE("dlq"), m->conf.raw_parts, false);
    tasks_of(m, group, &s);
    VEC_DONE(&s.topics);
    VEC_DONE(&s.from);
    VEC_DONE(&s.ids);
    VEC_DONE(&s.reads);
    VEC_DONE(&s.to);
    VEC_DONE(&s.outs);
}

static int make(struct making *m, struct err *reterr)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < m->n; i++) {
        m->levels[i].doc = &m->doc->g.levels[i];
        rc = look_at(m, i, reterr);
    }
    if (rc != 0) {
        return rc;
    }
    make_groups(m);
    for (uint32_t g = 0; g < m->l->n_groups; g++) {
        fill_group(m, g);
        if (m->l->groups[g].tasks[0].plan->n_subs == 0) {
            return err_set(reterr, ERR_SYNTAX, "level '" SLICE_FMT "' reads nothing",
                           SLICE_ARG(m->l->groups[g].name));
        }
    }
    m->l->topics = copy_of(m->a, m->topics.ptr, m->topics.len, sizeof *m->topics.ptr);
    m->l->n_topics = (uint32_t)m->topics.len;
    return 0;
}

int layout_make(struct arena *a, struct slice document, const struct layout_conf *conf,
                struct layout **ret, struct err *reterr)
{
    struct doc_notes notes;
    doc_notes_init(&notes, a);
    struct doc *d = doc_read(a, document, &notes);
    if (d == NULL || doc_check(d, &eng_doc, &notes, reterr) != 0) {
        return d != NULL ? -ERR_SYNTAX : err_set(reterr, ERR_SYNTAX, "the document is no mapping");
    }
    struct making m = {.a = a, .doc = d, .conf = *conf, .n = d->g.n_levels};
    m.conf.bound_ns = conf->bound_ns > 0 ? conf->bound_ns : BOUND_NS;
    m.l = ARENA_NEW(a, struct layout);
    m.l->doc = d;
    m.levels = mem_calloc(m.n, sizeof *m.levels);
    int rc = make(&m, reterr);
    for (uint32_t i = 0; i < m.n; i++) {
        VEC_DONE(&m.levels[i].reads);
    }
    VEC_DONE(&m.topics);
    mem_free(m.levels);
    if (rc == 0) {
        *ret = m.l;
    }
    return rc;
}
