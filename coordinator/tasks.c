/* SPDX-License-Identifier: Apache-2.0
 *
 * See tasks.h.
 */
#include "coordinator/tasks.h"

#include "coordinator/graphs.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

enum { LACKS_MAX = 64 }; /* statements of a sum that are named */

struct tasks {
    struct map map; /* json_t objects, with "key" added */
};

struct tasks *tasks_new(void)
{
    struct tasks *t = MEM_NEW(struct tasks);
    map_init(&t->map, TASKS_MAX);
    return t;
}

void tasks_free(struct tasks *t)
{
    if (t != NULL) {
        MAP_EACH (&t->map, e) {
            json_decref(e->value);
        }
        map_done(&t->map);
        mem_free(t);
    }
}

static struct slice text_of(const json_t *task, const char *name)
{
    const json_t *v = json_object_get(task, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

/* What the key says, whatever the value does. */
static bool add_names(json_t *task, struct slice key)
{
    static const char *const names[] = {"tenant", "graph", "group", "partition"};
    struct slice rest = key, part;
    size_t n = 0;
    while (slice_split(&rest, '/', &part)) {
        int64_t number;
        if (n >= ARRAY_LEN(names) || part.len == 0) {
            return false;
        }
        json_t *v = n == 3 && slice_to_i64(part, &number) ? json_integer(number)
                                                          : json_stringn(part.ptr, part.len);
        if (json_object_set_new(task, names[n], v) != 0) {
            return false; /* no UTF-8 */
        }
        n++;
    }
    return n == ARRAY_LEN(names) &&
           json_object_set_new(task, "key", json_stringn(key.ptr, key.len)) == 0;
}

void tasks_take(struct tasks *t, struct slice key, struct slice value)
{
    if (value.ptr == NULL) {
        json_decref(map_remove(&t->map, key));
        return;
    }
    json_t *task = json_loadb(value.ptr, value.len, 0, NULL);
    void **slot = NULL;
    if (json_is_object(task) && add_names(task, key)) {
        slot = map_put(&t->map, key);
    }
    if (slot == NULL) {
        LOG_WARN("a task's report is passed over", LOG_SLICE("key", key));
        json_decref(task);
        return;
    }
    json_decref(*slot);
    *slot = task;
}

size_t tasks_count(const struct tasks *t)
{
    return t->map.live;
}

static bool fits(struct slice want, struct slice is)
{
    return want.ptr == NULL || slice_eq(want, is);
}

static bool passes(const struct tasks_filter *f, const json_t *task)
{
    return fits(f->tenant, text_of(task, "tenant")) && fits(f->graph, text_of(task, "graph")) &&
           fits(f->worker, text_of(task, "worker")) && fits(f->state, text_of(task, "state")) &&
           fits(f->group, text_of(task, "group"));
}

/* Where only the last part differs and is a number, numbers come first, in their own order; all
 * else goes by bytes. */
static int compare_keys(struct slice a, struct slice b)
{
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i]) {
        i++;
    }
    while (i > 0 && a.ptr[i - 1] != '/') {
        i--;
    }
    struct slice x = slice_sub(a, i, a.len), y = slice_sub(b, i, b.len);
    int64_t n, m;
    bool x_is = slice_to_i64(x, &n), y_is = slice_to_i64(y, &m);
    if (x_is && y_is && n != m) {
        return n < m ? -1 : 1;
    }
    return x_is != y_is ? (x_is ? -1 : 1) : slice_cmp(a, b);
}

static int by_key(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return compare_keys(text_of(*x, "key"), text_of(*y, "key"));
}

json_t *tasks_list(const struct tasks *t, const struct tasks_filter *f, struct slice after,
                   size_t max)
{
    json_t *list = json_array(), **all = mem_calloc(t->map.live + 1, sizeof *all);
    size_t n = 0;
    MAP_EACH (&t->map, e) {
        if (passes(f, e->value) && (after.ptr == NULL || compare_keys(e->key, after) > 0)) {
            all[n++] = e->value;
        }
    }
    qsort(all, n, sizeof(json_t *), by_key);
    for (size_t i = 0; i < n && i < max; i++) {
        (void)json_array_append(list, all[i]);
    }
    mem_free(all);
    return list;
}

/* ---- sums ---- */

enum fold { FOLD_SUM, FOLD_MAX, FOLD_MIN };
static const struct {
    const char *name;
    enum fold fold;
} figures[] = {
    {"lag_records", FOLD_SUM},  {"lag_ns", FOLD_MAX},        {"clock", FOLD_MIN},
    {"commits", FOLD_SUM},      {"aborts", FOLD_SUM},        {"commit_p50_ns", FOLD_MAX},
    {"taken", FOLD_SUM},        {"commit_p99_ns", FOLD_MAX}, {"put", FOLD_SUM},
    {"late", FOLD_SUM},         {"state_bytes", FOLD_SUM},   {"alerts", FOLD_SUM},
    {"dead_letters", FOLD_SUM}, {"gaps", FOLD_SUM},          {"waiting_bytes", FOLD_SUM},
};
static const char *const states[] = {"live", "replay", "lost"};

/* Figures are of records: sums end at the largest number. */
static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return !__builtin_add_overflow(a, b, &sum) ? sum : b > 0 ? INT64_MAX : INT64_MIN;
}

static void add_to(json_t *sum, const char *name, int64_t more)
{
    int64_t had = json_integer_value(json_object_get(sum, name));
    (void)json_object_set_new(sum, name, json_integer(plus(had, more)));
}

static bool figure_of(const json_t *task, const char *name, int64_t *ret)
{
    const double most = 9e18; /* what an integer can be, about */
    const json_t *v = json_object_get(task, name);
    double real = json_real_value(v);
    *ret = json_is_integer(v) ? json_integer_value(v) : (int64_t)MAX(-most, MIN(real, most));
    return json_is_number(v);
}

static bool is_of(const json_t *lack, const json_t *task, struct slice statement)
{
    return slice_eq(text_of(lack, "statement"), statement) &&
           slice_eq(text_of(lack, "graph"), text_of(task, "graph")) &&
           slice_eq(text_of(lack, "tenant"), text_of(task, "tenant"));
}

/* Statements that may lack lost input: each once, with the number of its tasks that do. */
static void fold_lacks(json_t *sum, const json_t *task)
{
    json_t *list = json_object_get(sum, "incomplete"), *one, *lack;
    size_t i, k;
    if (json_array_size(json_object_get(task, "incomplete")) == 0) {
        return;
    }
    if (list == NULL) {
        list = json_array();
        (void)json_object_set_new(sum, "incomplete", list);
    }
    add_to(sum, "incomplete_tasks", 1);
    json_array_foreach(json_object_get(task, "incomplete"), i, one)
    {
        struct slice statement = text_of(one, "statement");
        if (statement.len == 0) {
            continue;
        }
        json_array_foreach(list, k, lack)
        {
            if (is_of(lack, task, statement)) {
                add_to(lack, "tasks", 1);
                break;
            }
        }
        if (k == json_array_size(list) && k < LACKS_MAX) {
            lack = json_pack("{s:I}", "tasks", (json_int_t)1);
            (void)json_object_set(lack, "tenant", json_object_get(task, "tenant"));
            (void)json_object_set(lack, "graph", json_object_get(task, "graph"));
            (void)json_object_set(lack, "statement", json_object_get(one, "statement"));
            (void)json_array_append_new(list, lack);
        }
    }
}

static void fold(json_t *sum, const json_t *task)
{
    struct slice state = text_of(task, "state");
    bool known = false;
    add_to(sum, "tasks", 1);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        bool is = slice_eq(state, slice_str(states[i]));
        known |= is;
        add_to(sum, states[i], is);
    }
    add_to(sum, "other", !known);
    fold_lacks(sum, task);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        const json_t *old = json_object_get(sum, figures[i].name);
        int64_t n, o = json_integer_value(old);
        if (!figure_of(task, figures[i].name, &n)) {
            continue;
        }
        int64_t to = old == NULL                   ? n
                     : figures[i].fold == FOLD_SUM ? plus(n, o)
                     : figures[i].fold == FOLD_MAX ? MAX(n, o)
                                                   : MIN(n, o);
        (void)json_object_set_new(sum, figures[i].name, json_integer(to));
    }
}

static json_t *sum_new(void)
{
    json_t *sum = json_object();
    add_to(sum, "tasks", 0);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        add_to(sum, states[i], 0);
    }
    add_to(sum, "other", 0);
    return sum;
}

json_t *tasks_sum(const struct tasks *t, const struct tasks_filter *f)
{
    json_t *sum = sum_new();
    MAP_EACH (&t->map, e) {
        if (passes(f, e->value)) {
            fold(sum, e->value);
        }
    }
    return sum;
}

const char *tasks_phase(const struct tasks *t, struct slice tenant, struct slice graph,
                        int64_t version)
{
    struct tasks_filter f = {.tenant = tenant, .graph = graph};
    size_t here = 0, live = 0, lost = 0, others = 0;
    MAP_EACH (&t->map, e) {
        const json_t *task = e->value, *v = json_object_get(task, "version");
        if (!passes(&f, task)) {
            continue;
        }
        struct slice state = text_of(task, "state");
        bool current = v == NULL || json_integer_value(v) == version;
        others += !current;
        here += current;
        live += current && slice_eq(state, SLICE("live"));
        lost += slice_eq(state, SLICE("lost")) || json_object_get(task, "degraded") != NULL;
    }
    return lost > 0       ? "degraded"
           : others > 0   ? "switching"
           : here == 0    ? "pending"
           : live == here ? "running"
                          : "replaying";
}

bool tasks_has_ended(const struct tasks *t, struct slice task, int64_t life)
{
    const json_t *one = map_get(&t->map, task);
    return slice_eq(text_of(one, "state"), SLICE("ended")) &&
           json_integer_value(json_object_get(one, "life")) == life;
}

/* 63 bits (core/event/ref.h). */
static bool lineage_of(const json_t *task, uint64_t *ret)
{
    const json_t *v = json_object_get(task, "lineage");
    *ret = (uint64_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

bool tasks_lineage(const struct tasks *t, struct slice task, const char *writer,
                   const struct graph *of, int64_t graphs_end, uint64_t *ret)
{
    const json_t *one = map_get(&t->map, task);
    return slice_eq(text_of(one, "state"), SLICE("live")) &&
           slice_eq(text_of(one, "slot"), slice_str(writer)) &&
           json_integer_value(json_object_get(one, "version")) == of->version &&
           json_integer_value(json_object_get(one, "life")) == of->life &&
           json_integer_value(json_object_get(one, "graphs_end")) >= graphs_end &&
           lineage_of(one, ret);
}

/* ---- groups of them ---- */

static void add_text(json_t *list, struct slice text)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        if (slice_eq(slice_of(json_string_value(v), json_string_length(v)), text)) {
            return;
        }
    }
    if (text.len > 0) {
        (void)json_array_append_new(list, json_stringn(text.ptr, text.len));
    }
}

/* Sums by the text of one field, with the different texts of another beside them. */
static json_t *by_field(const struct tasks *t, const struct tasks_filter *f, const char *field,
                        const char *beside, const char *beside_name)
{
    json_t *sums = json_object(), *list = json_array();
    json_t *tasks = tasks_list(t, f, SLICE_NONE, SIZE_MAX), *task, *sum;
    size_t i;
    const char *name;
    json_array_foreach(tasks, i, task)
    {
        const char *of = json_string_value(json_object_get(task, field));
        if (of == NULL) {
            continue;
        }
        sum = json_object_get(sums, of);
        if (sum == NULL) {
            sum = sum_new();
            (void)json_object_set_new(sum, field, json_string(of));
            (void)json_object_set_new(sum, beside_name, json_array());
            (void)json_object_set_new(sums, of, sum);
        }
        fold(sum, task);
        const json_t *other = json_object_get(task, beside);
        if (json_is_string(other)) {
            add_text(json_object_get(sum, beside_name), text_of(task, beside));
        } else if (json_is_integer(other)) {
            char digits[24];
            snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(other));
            add_text(json_object_get(sum, beside_name), slice_str(digits));
        }
    }
    json_object_foreach(sums, name, sum)
    {
        (void)json_array_append(list, sum);
    }
    json_decref(tasks);
    json_decref(sums);
    return list;
}

static int by_worker(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return slice_cmp(text_of(*x, "worker"), text_of(*y, "worker"));
}

json_t *tasks_workers(const struct tasks *t)
{
    json_t *list =
               by_field(t, &(struct tasks_filter){.tenant = SLICE_NONE}, "worker", "slot", "slots"),
           *sorted = json_array();
    size_t n = json_array_size(list);
    json_t **all = mem_calloc(n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i] = json_array_get(list, i);
    }
    qsort(all, n, sizeof(json_t *), by_worker);
    for (size_t i = 0; i < n; i++) {
        (void)json_array_append(sorted, all[i]);
    }
    mem_free(all);
    json_decref(list);
    return sorted;
}

json_t *tasks_groups(const struct tasks *t, struct slice tenant, struct slice graph)
{
    return by_field(t, &(struct tasks_filter){.tenant = tenant, .graph = graph}, "group", "worker",
                    "workers");
}
