/* SPDX-License-Identifier: Apache-2.0
 *
 * The sweep as the coordinator runs it, by a process of its own, whose deaths are drawn too. What
 * the coordinator would know of slots, the storm knows. Graphs and assignments are changed by the
 * writer of the sweep: while one of its transactions is open, or nobody holds that writer, nothing
 * of both changes.
 */
#include "coordinator/sweep.h"
#include "core/base/mem.h"
#include "tests/storm/storm.h"

#include <stdio.h>

enum { TAG_OPEN = 1, TAG_COMMIT };

struct storm_sweep {
    struct bus_client *c;
    struct bus_writer *w; /* NULL: to be opened */
    bool open, flies;
    struct sweep *sweep;
    uint64_t turn;
    int64_t opens_at;
    char name[16];
};

bool storm_may_change(const struct storm *s)
{
    return s->sweep->open && !s->sweep->flies;
}

void storm_changed(struct storm *s)
{
    s->sweep->turn++;
}

bool storm_is_swept(const struct storm *s)
{
    struct sweep_look l = sweep_look(s->sweep->sweep);
    return l.state == SWEEP_IDLE && l.passes > 0 && s->sweep->open;
}

/* ---- what the sweep asks ---- */

static bool runs_nothing(const struct storm_proc *p)
{
    return p->life == PROC_ASKS || p->life == PROC_OVER ||
           (p->life == PROC_RUNS && p->slot != NULL && slot_tasks(p->slot) == 0);
}

static bool carried(void *arg, struct map *to, char why[SWEEP_WHY])
{
    const struct storm *s = arg;
    bool known = !s->deleting && !s->forgetting;
    (void)snprintf(why, SWEEP_WHY, "a storm");
    for (size_t i = 0; s->deleted && i < s->procs.len; i++) {
        known &= runs_nothing(s->procs.ptr[i]);
    }
    for (uint32_t i = 0; i < s->n_tasks && known; i++) {
        const struct storm_task *t = &s->tasks[i];
        if (s->deleted) {
            known = t->owner == NULL && t->from == NULL;
            continue;
        }
        known = t->owner != NULL && t->from == NULL && t->owner->life == PROC_RUNS &&
                t->owner->slot != NULL && !t->leaving && t->version == s->version;
        uint32_t at = known ? slot_find(t->owner->slot, t->lineage) : UINT32_MAX;
        known = at != UINT32_MAX && slot_task_state(t->owner->slot, at) == SLOT_LIVE &&
                sweep_carry(to, t->lineage);
    }
    return known;
}

static uint64_t turn(void *arg)
{
    const struct storm *s = arg;
    return s->sweep->open ? s->sweep->turn : 0;
}

static void reopen(struct storm *s)
{
    struct storm_sweep *x = s->sweep;
    if (x->w != NULL) {
        bus_writer_close(x->w);
        x->w = NULL;
    }
    x->open = false;
    x->opens_at = bus_sim_now(s->bus) + (int64_t)storm_draw(s, 500) * CLOCK_NS_PER_MS;
}

/* How it ended nobody may know: then who opens the writer again decides it. */
static void end(struct storm *s, const struct err *err)
{
    s->sweep->flies = false;
    sweep_written(s->sweep->sweep, err);
}

static bool write_sweep(void *arg, struct sweep *sweep)
{
    struct storm *s = arg;
    struct storm_sweep *x = s->sweep;
    const struct bus_put *puts = NULL;
    struct err err;
    if (!storm_may_change(s)) {
        return false;
    }
    uint32_t n = sweep_puts(sweep, &puts);
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = bus_put(x->w, &puts[i], &err);
    }
    rc = rc == 0 && n > 0 ? bus_commit(x->w, TAG_COMMIT, &err) : rc;
    x->flies = n > 0;
    if (rc != 0) {
        reopen(s);
        end(s, &err);
    }
    return true;
}

/* ---- its process ---- */

static void begin(struct storm *s)
{
    struct storm_sweep *x = s->sweep;
    (void)snprintf(x->name, sizeof x->name, "leader%u", (unsigned)s->counts.leaders++);
    x->c = bus_client_new(s->bus, x->name);
    x->w = NULL;
    x->open = false;
    x->opens_at = 0;
    x->sweep = sweep_new(
        &(struct sweep_conf){.bus = x->c,
                             .calm_ns = (int64_t)(1 + storm_draw(s, 6)) * 100 * CLOCK_NS_PER_MS,
                             .carried = carried,
                             .turn = turn,
                             .write = write_sweep,
                             .arg = s});
}

/* What it had under way is open until the next one opens the writer. */
static void die(struct storm *s)
{
    struct storm_sweep *x = s->sweep;
    s->counts.swept += sweep_look(x->sweep).keys;
    x->flies = false;
    sweep_free(x->sweep);
    bus_sim_crash(x->c);
    begin(s);
}

void storm_sweep_begin(struct storm *s)
{
    s->sweep = MEM_NEW(struct storm_sweep);
    s->sweep->turn = 1;
    begin(s);
}

void storm_sweep_end(struct storm *s)
{
    s->counts.swept += sweep_look(s->sweep->sweep).keys;
    sweep_free(s->sweep->sweep);
    bus_sim_crash(s->sweep->c);
    mem_free(s->sweep);
}

void storm_sweep_hurt(struct storm *s)
{
    bus_sim_die(s->sweep->c, 1 + (uint32_t)storm_draw(s, 200));
}

static void on_event(struct storm *s, const struct bus_ev *ev)
{
    struct storm_sweep *x = s->sweep;
    if (ev->tag >= SWEEP_TAG) {
        sweep_on_event(x->sweep, ev);
    } else if (ev->writer == NULL || ev->writer != x->w) {
        return;
    } else if (ev->kind == BUS_EV_OPENED) {
        x->open = true;
    } else {
        if (ev->reopen) {
            reopen(s);
        }
        if (x->flies) {
            end(s, ev->kind == BUS_EV_COMMITTED ? NULL : ev->err);
        }
    }
}

void storm_sweep_step(struct storm *s)
{
    struct storm_sweep *x = s->sweep;
    struct bus_ev ev;
    struct err err;
    if (bus_sim_is_dead(x->c)) {
        die(s);
    }
    while (bus_poll(x->c, &ev, 1) > 0) {
        on_event(s, &ev);
    }
    if (x->w == NULL && bus_sim_now(s->bus) >= x->opens_at &&
        bus_open(x->c, SLICE("coordinator"), TAG_OPEN, &x->w, &err) != 0) {
        x->w = NULL;
    }
    sweep_step(x->sweep);
}
