/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of ctl.members and ctl.assign, as they are read. See members.h.
 */
#include "coordinator/members_impl.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define PATIENCE_NS (120 * CLOCK_NS_PER_S)

void members_worker_free(struct worker *w)
{
    if (w != NULL) {
        mem_free(w->name);
        mem_free(w->boot);
        mem_free(w->level);
        mem_free(w->left);
        mem_free(w->of);
        mem_free(w);
    }
}

void members_seat_free(struct seat *s)
{
    if (s != NULL) {
        mem_free(s->key);
        mem_free(s->worker);
        mem_free(s->boot);
        mem_free(s->value);
        json_decref(s->tasks);
        json_decref(s->died);
        json_decref(s->moved);
        mem_free(s);
    }
}

static char *copy(const char *text)
{
    return mem_dup(text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static int64_t number_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static bool is_held_same(const struct held *a, const struct held *b)
{
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        if (a[i].incarnation != b[i].incarnation || a[i].epoch != b[i].epoch ||
            a[i].lost != b[i].lost || strcmp(a[i].waits, b[i].waits) != 0) {
            return false;
        }
    }
    return true;
}

static void read_held(struct worker *w, const json_t *list)
{
    size_t i;
    const json_t *h;
    memset(w->held, 0, sizeof w->held);
    json_array_foreach(list, i, h)
    {
        int64_t k = number_of(h, "slot");
        if (k >= 0 && k < SLOTS_MAX) {
            const char *waits = text_of(h, "waits");
            w->held[k] = (struct held){number_of(h, "incarnation"), number_of(h, "epoch"),
                                       json_is_true(json_object_get(h, "lost")), ""};
            (void)snprintf(w->held[k].waits, KEY_BYTES, "%s", waits != NULL ? waits : "");
        }
    }
}

/* Names it as its key does, and says which process it is. */
static bool is_worker(struct slice key, const json_t *o)
{
    struct slice name = slice_str(text_of(o, "worker")), boot = slice_str(text_of(o, "boot"));
    bool refused = json_is_true(json_object_get(o, "refused"));
    bool of_key = refused
                      ? slice_starts(key, name) && key.len > name.len && key.ptr[name.len] == '#'
                      : slice_eq(key, name);
    return number_of(o, "format") == MEMBERS_FORMAT && name.len > 0 && boot.len > 0 && of_key &&
           key.len <= NAME_MAX_BYTES;
}

static void take_worker(struct members *m, struct slice key, const json_t *o)
{
    if (o == NULL) {
        members_worker_free(map_remove(&m->workers, key));
        return;
    }
    void **at = is_worker(key, o) ? map_put(&m->workers, key) : NULL;
    if (at == NULL) {
        LOG_WARN("a worker is passed over",
                 LOG_SLICE("worker", slice_of(key.ptr, MIN(key.len, KEY_BYTES))));
        return;
    }
    struct worker *w = *at != NULL ? *at : MEM_NEW(struct worker);
    struct worker had = *w;
    m->dirty |= *at == NULL || !members_same(w->boot, text_of(o, "boot"));
    if (!members_same(w->boot, text_of(o, "boot")) || w->beat != number_of(o, "beat")) {
        w->seen = members_now(m);
    }
    mem_free(w->name);
    mem_free(w->boot);
    mem_free(w->level);
    mem_free(w->of);
    w->of = copy(text_of(o, "worker"));
    w->refused = json_is_true(json_object_get(o, "refused"));
    w->name = mem_dup(key.ptr, key.len);
    w->boot = copy(text_of(o, "boot"));
    w->level = copy(text_of(o, "level"));
    w->n_slots = w->refused ? 0 : (uint32_t)MAX(0, MIN(number_of(o, "slots"), SLOTS_MAX));
    w->beat = number_of(o, "beat");
    w->patience = MAX(0, MIN(number_of(o, "patience_ns"), PATIENCE_NS));
    w->leaves = json_is_true(json_object_get(o, "leaves"));
    if (w->leaves) {
        mem_free(w->left);
        w->left = copy(w->boot);
    }
    w->graphs_end = number_of(o, "graphs_end");
    read_held(w, json_object_get(o, "held"));
    m->dirty |= had.leaves != w->leaves || !is_held_same(had.held, w->held);
    *at = w;
}

/* Whose worker has died is remembered until somebody else has it. */
static void take_died(struct members *m, const struct seat *s)
{
    size_t i;
    const json_t *name;
    json_array_foreach(s->revoked ? s->died : s->tasks, i, name)
    {
        struct slice task = slice_str(json_string_value(name));
        void **at = s->revoked ? map_put(&m->died, task) : NULL;
        if (at != NULL) {
            *at = m;
        } else if (!s->revoked) {
            (void)map_remove(&m->died, task);
        }
    }
}

const char *members_writer(const struct seat *s, char to[KEY_BYTES])
{
    (void)snprintf(to, KEY_BYTES, "%s.%u.%" PRId64, s->worker, s->number, s->incarnation);
    return to;
}

static bool are_texts(const json_t *list)
{
    size_t i;
    const json_t *v;
    bool are = true;
    json_array_foreach(list, i, v)
    {
        are &= json_is_string(v);
    }
    return are;
}

static bool are_values_texts(json_t *object)
{
    const char *name;
    json_t *v;
    bool are = object == NULL || json_is_object(object);
    json_object_foreach(object, name, v)
    {
        are &= json_is_string(v);
    }
    return are;
}

static bool is_number(int64_t n)
{
    return n > 0 && n <= NUMBER_MAX;
}

/* All that is written back, or compared, is what it should be. */
static bool is_seat(struct slice key, const json_t *o)
{
    char again[KEY_BYTES];
    const json_t *tasks = json_object_get(o, "tasks"), *died = json_object_get(o, "died");
    const char *worker = text_of(o, "worker");
    int64_t slot = number_of(o, "slot");
    if (number_of(o, "format") != MEMBERS_FORMAT || worker == NULL || text_of(o, "boot") == NULL ||
        strlen(worker) > NAME_MAX_BYTES || !json_is_integer(json_object_get(o, "slot"))) {
        return false;
    }
    (void)snprintf(again, sizeof again, "%s/%" PRId64, worker, slot);
    return slice_eq(slice_str(again), key) && slot >= 0 && slot < SLOTS_MAX &&
           is_number(number_of(o, "incarnation")) && is_number(number_of(o, "epoch")) &&
           json_is_array(tasks) && are_texts(tasks) && (died == NULL || json_is_array(died)) &&
           are_texts(died) && are_values_texts(json_object_get(o, "moved"));
}

static void take_seat(struct members *m, struct slice key, const json_t *o, struct slice value)
{
    struct seat *had = map_get(&m->seats, key);
    char writer[KEY_BYTES];
    if (o == NULL) {
        if (had != NULL) {
            moved_fenced(&m->moved, members_writer(had, writer));
        }
        members_seat_free(map_remove(&m->seats, key));
        return;
    }
    void **at = is_seat(key, o) ? map_put(&m->seats, key) : NULL;
    if (at == NULL) {
        LOG_WARN("an assignment is passed over",
                 LOG_SLICE("slot", slice_of(key.ptr, MIN(key.len, KEY_BYTES))));
        return;
    }
    struct seat *s = MEM_NEW(struct seat);
    *s = (struct seat){.key = mem_dup(key.ptr, key.len),
                       .worker = copy(text_of(o, "worker")),
                       .boot = copy(text_of(o, "boot")),
                       .number = (uint32_t)number_of(o, "slot"),
                       .incarnation = number_of(o, "incarnation"),
                       .epoch = number_of(o, "epoch"),
                       .revoked = json_is_true(json_object_get(o, "revoked")),
                       .tasks = json_incref(json_object_get(o, "tasks")),
                       .died = json_incref(json_object_get(o, "died")),
                       .moved = json_incref(json_object_get(o, "moved")),
                       .value = mem_dup(value.ptr, value.len)};
    m->last = MAX(m->last, MAX(s->incarnation, s->epoch));
    take_died(m, s);
    if (!s->revoked) {
        moved_take(&m->moved, members_writer(s, writer), had != NULL ? had->tasks : NULL, s->tasks);
    }
    members_seat_free(had);
    *at = s;
}

static void note_strange(struct members *m, struct slice key, bool strange)
{
    if (strange) {
        (void)map_put(&m->strange, key);
    } else {
        (void)map_remove(&m->strange, key);
    }
}

void members_take(struct members *m, enum store_topic topic, struct slice key, struct slice value)
{
    json_t *o = value.ptr != NULL ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
    bool broken = value.ptr != NULL && !json_is_object(o);
    if (topic == STORE_ASSIGN) {
        m->seat_turn++;
        note_strange(m, key, broken || (o != NULL && !is_seat(key, o)));
    }
    if (broken) {
        LOG_WARN("a record of workers is passed over", LOG_SLICE("key", key));
    } else if (topic == STORE_MEMBERS) {
        take_worker(m, key, o);
    } else {
        take_seat(m, key, o, value);
        m->dirty = true;
    }
    json_decref(o);
}
