/* SPDX-License-Identifier: Apache-2.0
 *
 * Administration, opening and fencing in the simulated bus: a call travels to the world for a drawn
 * time, takes effect there, and its answer travels back.
 */
#include "core/bus/bus_sim_ops.h"

#include "core/base/mem.h"

#include <assert.h>

static void specs_free(struct bus_topic_spec *specs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        mem_free((void *)(uintptr_t)specs[i].name.ptr);
    }
    mem_free(specs);
}

void sim_op_free(void *obj)
{
    struct sim_op *op = obj;
    specs_free(op->specs, op->n);
    mem_free((void *)(uintptr_t)op->name.ptr);
    mem_free(op);
}

static void answer(struct sim_bus *b, const struct sim_op *op, struct sim_out *take_out)
{
    take_out->ev.tp = op->tp;
    sim_tell(b, sim_draw(b, b->faults.ack), op->client, op->writer, take_out);
}

static void refuse(struct sim_bus *b, const struct sim_op *op, enum err_code code, const char *why)
{
    struct sim_out *o = sim_out_new(BUS_EV_ERROR, op->tag);
    sim_out_err(o, code, why);
    o->ev.reopen = op->kind == SIM_OP_OPEN;
    answer(b, op, o);
}

static struct sim_out *done(const struct sim_op *op)
{
    return sim_out_new(BUS_EV_DONE, op->tag);
}

static void do_ensure(struct sim_bus *b, const struct sim_op *op)
{
    const char *wrong = NULL;
    for (uint32_t i = 0; i < op->n; i++) {
        const struct bus_topic_spec *want = &op->specs[i];
        struct sim_topic *t = sim_topic_find(b, want->name);
        if (t == NULL) {
            (void)sim_topic_new(b, want);
        } else if (t->spec.partitions != want->partitions) {
            wrong = "the topic has another number of partitions";
        } else if (t->spec.cleanup != want->cleanup) {
            wrong = "the topic has another cleanup";
        }
    }
    if (wrong != NULL) {
        refuse(b, op, ERR_MISMATCH, wrong);
    } else {
        answer(b, op, done(op));
    }
}

/* One block: the specs, then their names. */
static struct sim_out *with_topics(const struct sim_op *op, struct sim_topic *const *topics,
                                   uint32_t n)
{
    struct sim_out *o = done(op);
    size_t bytes = n * sizeof(struct bus_topic_spec) + 1;
    for (uint32_t i = 0; i < n; i++) {
        bytes += topics[i]->spec.name.len;
    }
    struct bus_topic_spec *specs = o->mem = mem_alloc(bytes);
    char *to = (char *)(specs + n);
    for (uint32_t i = 0; i < n; i++) {
        struct slice name = topics[i]->spec.name;
        specs[i] = topics[i]->spec;
        memcpy(to, name.ptr, name.len);
        specs[i].name.ptr = to;
        to += name.len;
    }
    o->ev.topics = specs;
    o->ev.count = n;
    return o;
}

static void do_list(struct sim_bus *b, const struct sim_op *op)
{
    struct sim_topic **all = mem_calloc(b->topics.live + 1, sizeof(struct sim_topic *));
    uint32_t n = 0;
    MAP_EACH (&b->topics, e) {
        all[n++] = e->value;
    }
    answer(b, op, with_topics(op, all, n));
    mem_free(all);
}

static void do_describe(struct sim_bus *b, const struct sim_op *op)
{
    struct sim_topic *t = sim_topic_find(b, op->name);
    if (t == NULL) {
        refuse(b, op, ERR_NOT_FOUND, "no such topic");
    } else {
        answer(b, op, with_topics(op, &t, 1));
    }
}

static void do_trim(struct sim_bus *b, const struct sim_op *op, struct sim_part *p)
{
    if ((p->topic->spec.cleanup & BUS_DELETE) == 0) {
        refuse(b, op, ERR_UNSUPPORTED, "a topic that is only compacted cannot be trimmed");
    } else if (op->arg < 0 || op->arg > sim_log_stable(p)) {
        refuse(b, op, ERR_RANGE, "beyond the stable end of the partition");
    } else {
        sim_log_trim(b, p, op->arg);
        answer(b, op, done(op));
    }
}

static void do_part(struct sim_bus *b, const struct sim_op *op)
{
    struct sim_part *p = sim_part_find(b, op->name, op->tp.part);
    if (p == NULL) {
        refuse(b, op, ERR_NOT_FOUND, "no such topic or partition");
        return;
    }
    struct sim_out *o = NULL;
    switch (op->kind) {
    case SIM_OP_BOUNDS:
    case SIM_OP_SETTLED:
        o = done(op);
        o->ev.offset = p->start;
        o->ev.end = sim_log_stable(p);
        break;
    case SIM_OP_BY_TIME:
        o = done(op);
        o->ev.offset = sim_log_by_time(p, op->arg);
        break;
    default: do_trim(b, op, p); break;
    }
    if (o != NULL) {
        answer(b, op, o);
    }
}

/* An open or a fence: the new epoch is there at once, the answer when the old ones are decided. */
static void do_slot(struct sim_bus *b, struct sim_op *take_op)
{
    if (take_op->name.len == 0) {
        answer(b, take_op, sim_out_new(BUS_EV_OPENED, take_op->tag));
        sim_op_free(take_op);
        return;
    }
    struct sim_slot *s = sim_slot_get(b, take_op->name);
    sim_slot_bump(b, s);
    take_op->epoch = s->epoch;
    if (s->undecided.len > 0) {
        *VEC_PUSH(&s->waiting) = take_op;
    } else {
        sim_op_decided(b, take_op);
    }
}

void sim_op_decided(struct sim_bus *b, struct sim_op *take_op)
{
    if (take_op->kind == SIM_OP_FENCE) {
        answer(b, take_op, done(take_op));
    } else if (take_op->epoch != sim_slot_get(b, take_op->name)->epoch) {
        refuse(b, take_op, ERR_FENCED, "another holder has opened the slot meanwhile");
    } else {
        struct sim_out *o = sim_out_new(BUS_EV_OPENED, take_op->tag);
        o->ev.offset = take_op->epoch;
        answer(b, take_op, o);
    }
    sim_op_free(take_op);
}

static void op_arrives(struct sim_bus *b, const struct sim_action *a);

static void arrive_later(struct sim_bus *b, struct sim_op *take_op)
{
    sim_at(b, b->time.mono_ns + sim_draw(b, b->faults.call),
           (struct sim_action){.run = op_arrives, .drop = sim_op_free, .obj = take_op});
}

/* Something that was there when it was asked is not decided. */
static bool must_wait(const struct sim_bus *b, struct sim_op *op)
{
    const struct sim_part *p = sim_part_find(b, op->name, op->tp.part);
    if (p != NULL && op->arg < 0) {
        op->arg = p->next;
    }
    return p != NULL && sim_log_stable(p) < op->arg;
}

static void op_arrives(struct sim_bus *b, const struct sim_action *a)
{
    struct sim_op *op = a->obj;
    if (op->kind == SIM_OP_SETTLED && must_wait(b, op)) {
        arrive_later(b, op);
        return;
    }
    if (sim_chance(b, b->faults.failed)) {
        refuse(b, op, ERR_UNAVAILABLE, "the broker did not answer");
        sim_op_free(op);
        return;
    }
    switch (op->kind) {
    case SIM_OP_ENSURE: do_ensure(b, op); break;
    case SIM_OP_DESCRIBE: do_describe(b, op); break;
    case SIM_OP_LIST: do_list(b, op); break;
    case SIM_OP_BOUNDS:
    case SIM_OP_SETTLED:
    case SIM_OP_BY_TIME:
    case SIM_OP_TRIM: do_part(b, op); break;
    case SIM_OP_MAINTAIN:
        sim_log_maintain(b);
        answer(b, op, done(op));
        break;
    case SIM_OP_FENCE:
    case SIM_OP_OPEN: do_slot(b, op); return;
    }
    sim_op_free(op);
}

void sim_op_send(struct bus_client *client, struct sim_op *take_op)
{
    struct sim_bus *b = sim_of(client);
    take_op->client = ((const struct sim_client *)client)->id;
    static const char *const names[] = {
        [SIM_OP_ENSURE] = "ensure",     [SIM_OP_DESCRIBE] = "describe", [SIM_OP_LIST] = "list",
        [SIM_OP_BOUNDS] = "bounds",     [SIM_OP_BY_TIME] = "by_time",   [SIM_OP_TRIM] = "trim",
        [SIM_OP_MAINTAIN] = "maintain", [SIM_OP_FENCE] = "fence",       [SIM_OP_OPEN] = "open",
        [SIM_OP_SETTLED] = "settled",
    };
    assert((size_t)take_op->kind < ARRAY_LEN(names));
    if (!sim_client_calls(client)) {
        sim_op_free(take_op);
        return;
    }
    sim_note(b, take_op->client, names[take_op->kind], take_op->name, take_op->tag,
             (uint64_t)take_op->arg, SLICE_NONE);
    arrive_later(b, take_op);
}

static struct sim_op *op_new(enum sim_op_kind kind, struct slice name, uint64_t tag)
{
    struct sim_op *op = MEM_NEW(struct sim_op);
    op->kind = kind;
    op->tag = tag;
    op->name = slice_of(mem_dup(name.ptr, name.len), name.len);
    return op;
}

int sim_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
               struct err *reterr)
{
    (void)reterr;
    struct sim_op *op = op_new(SIM_OP_ENSURE, SLICE_NONE, tag);
    op->specs = mem_calloc(n, sizeof *op->specs);
    op->n = n;
    for (uint32_t i = 0; i < n; i++) {
        op->specs[i] = specs[i];
        op->specs[i].name.ptr = mem_dup(specs[i].name.ptr, specs[i].name.len);
    }
    sim_op_send(c, op);
    return 0;
}

int sim_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    sim_op_send(c, op_new(SIM_OP_DESCRIBE, bus_topic_name(c, topic), tag));
    return 0;
}

int sim_list(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    sim_op_send(c, op_new(SIM_OP_LIST, SLICE_NONE, tag));
    return 0;
}

static int send_part(struct bus_client *c, enum sim_op_kind kind, struct bus_tp tp, int64_t arg,
                     uint64_t tag)
{
    struct sim_op *op = op_new(kind, bus_topic_name(c, tp.topic), tag);
    op->tp = tp;
    op->arg = arg;
    sim_op_send(c, op);
    return 0;
}

int sim_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    return send_part(c, SIM_OP_BOUNDS, tp, 0, tag);
}

int sim_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    return send_part(c, SIM_OP_SETTLED, tp, -1, tag);
}

int sim_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                struct err *reterr)
{
    (void)reterr;
    return send_part(c, SIM_OP_BY_TIME, tp, time_ms, tag);
}

int sim_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
             struct err *reterr)
{
    (void)reterr;
    return send_part(c, SIM_OP_TRIM, tp, before, tag);
}

int sim_maintain(struct bus_client *c, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    sim_op_send(c, op_new(SIM_OP_MAINTAIN, SLICE_NONE, tag));
    return 0;
}

int sim_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr)
{
    (void)reterr;
    sim_op_send(c, op_new(SIM_OP_FENCE, slot, tag));
    return 0;
}
