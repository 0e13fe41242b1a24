/* SPDX-License-Identifier: Apache-2.0
 *
 * See top_tasks.h. Of a report the fields of `numbers` and `state` are taken, and the first of its
 * rules; all else is passed over.
 */
#include "core/bus/top_tasks.h"

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/jsonpull.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 120, WORD_BYTES = 16, DEPTH = 8, ARENA_BYTES = 1 << 20 };

struct shown {
    char task[NAME_BYTES], rule[NAME_BYTES], state[WORD_BYTES];
    int64_t taken, before, put, lag_ns, rule_ns, lacks;
    double rate;
};

struct top_tasks {
    struct shown tasks[TOP_TASKS_MAX];
    size_t n;
    int64_t shown_ns;
    struct arena *arena;
};

struct top_tasks *top_tasks_new(void)
{
    struct top_tasks *t = MEM_NEW(struct top_tasks);
    t->arena = arena_new(NULL, "tasks", ARENA_BYTES);
    return t;
}

void top_tasks_free(struct top_tasks *t)
{
    if (t != NULL) {
        arena_free(t->arena);
        mem_free(t);
    }
}

static void keep_text(char *to, size_t size, struct slice text)
{
    size_t n = MIN(text.len, size - 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        to[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    to[n] = '\0';
}

static const struct {
    const char *name;
    size_t at;
} numbers[] = {
    {"taken", offsetof(struct shown, taken)},
    {"put", offsetof(struct shown, put)},
    {"lag_ns", offsetof(struct shown, lag_ns)},
    {"ns_per_event", offsetof(struct shown, rule_ns)},
    {"incomplete_statements", offsetof(struct shown, lacks)},
};

static void take_number(struct shown *s, struct slice key, int64_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (slice_eq(key, slice_str(numbers[i].name))) {
            memcpy((char *)s + numbers[i].at, &n, sizeof n);
        }
    }
}

static void take_value(struct shown *s, struct slice key, const struct jsonpull_token *t,
                       bool of_rule)
{
    if (t->kind == JSONPULL_INT) {
        take_number(s, key, t->i);
    } else if (t->kind == JSONPULL_STRING && !of_rule && slice_eq(key, SLICE("state"))) {
        keep_text(s->state, sizeof s->state, t->text);
    } else if (t->kind == JSONPULL_STRING && of_rule && slice_eq(key, SLICE("name"))) {
        keep_text(s->rule, sizeof s->rule, t->text);
    }
}

/* One object deep, and the first object of the list `rules`. */
static bool read_report(struct arena *a, struct slice text, struct shown *s)
{
    struct jsonpull r;
    struct jsonpull_token t;
    struct slice key = SLICE_NONE;
    int depth = 0, rules = 0;
    jsonpull_init(&r, text, a, JSONPULL_LENIENT, DEPTH);
    while (jsonpull_next(&r, &t) > JSONPULL_END) {
        bool of_rule = depth == 3 && rules == 1, of_task = depth == 1;
        if (t.kind == JSONPULL_OBJECT || t.kind == JSONPULL_ARRAY) {
            bool list = depth == 1 && slice_eq(key, SLICE("rules"));
            rules += depth == 2;
            if (depth > 0 && !list && depth != 2) {
                if (!jsonpull_skip(&r, &t)) {
                    return false;
                }
                continue;
            }
            depth++;
        } else if (t.kind == JSONPULL_OBJECT_END || t.kind == JSONPULL_ARRAY_END) {
            depth--;
        } else if (t.kind == JSONPULL_KEY) {
            key = t.text;
        } else if (of_task || of_rule) {
            take_value(s, key, &t, of_rule);
        }
    }
    return t.kind == JSONPULL_END;
}

static struct shown *find(struct top_tasks *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->tasks[i].task, name) == 0) {
            return &t->tasks[i];
        }
    }
    return NULL;
}

void top_tasks_add(struct top_tasks *t, struct slice key, struct slice value)
{
    struct shown now = {.state = "?"};
    keep_text(now.task, sizeof now.task, key);
    struct shown *s = find(t, now.task);
    if (value.ptr == NULL) {
        if (s != NULL) {
            *s = t->tasks[--t->n];
        }
        return;
    }
    arena_reset(t->arena);
    if (!read_report(t->arena, value, &now) || (s == NULL && t->n == TOP_TASKS_MAX)) {
        return;
    }
    now.before = s != NULL && s->before <= now.taken ? s->before : now.taken;
    s = s != NULL ? s : &t->tasks[t->n++];
    *s = now;
}

static void show_lacks(const struct top_tasks *t, struct buf *out)
{
    int64_t statements = 0;
    size_t tasks = 0;
    for (size_t i = 0; i < t->n; i++) {
        statements += t->tasks[i].lacks;
        tasks += t->tasks[i].lacks > 0;
    }
    if (tasks > 0) {
        (void)buf_addf(out,
                       "input, or what was held, was lost: %lld statements of %zu tasks may lack "
                       "it (kaiju doctor)\n",
                       (long long)statements, tasks);
    }
}

static int by_rate(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    int by = (x->rate < y->rate) - (x->rate > y->rate);
    return by != 0 ? by : strcmp(x->task, y->task);
}

void top_tasks_show(struct top_tasks *t, int64_t now_ns, struct buf *out)
{
    bool first = t->shown_ns == 0; /* what is known so far was reported at any time before */
    double seconds = MAX((double)(now_ns - t->shown_ns) / 1e9, 0.001);
    t->shown_ns = now_ns;
    for (size_t i = 0; i < t->n; i++) {
        struct shown *s = &t->tasks[i];
        s->rate = first ? 0.0 : (double)(s->taken - s->before) / seconds;
        s->before = s->taken;
    }
    qsort(t->tasks, t->n, sizeof t->tasks[0], by_rate);
    if (t->n > 0) {
        (void)buf_addf(out, "\n%-36s %-7s %10s %12s %9s  %-20s %9s\n", "TASK", "STATE", "IN/S",
                       "PUT", "BEHIND S", "DEAREST RULE", "NS/EVENT");
    }
    for (size_t i = 0; i < t->n && i < TOP_TASKS_SHOWN; i++) {
        const struct shown *s = &t->tasks[i];
        char rate[32] = "-";
        if (!first) {
            (void)snprintf(rate, sizeof rate, "%.0f", s->rate);
        }
        (void)buf_addf(out, "%-36.36s %-7s %10s %12lld %9.1f  %-20.20s %9lld\n", s->task, s->state,
                       rate, (long long)s->put, (double)s->lag_ns / 1e9, s->rule,
                       (long long)s->rule_ns);
    }
    if (t->n > TOP_TASKS_SHOWN) {
        (void)buf_addf(out, "(%zu tasks in all)\n", t->n);
    }
    show_lacks(t, out);
}
