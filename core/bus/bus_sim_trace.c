/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace of the simulated bus: every call and every event, hashed in a fixed layout (numbers
 * little-endian as the machine has them; the hash never leaves the process that compares it).
 * Nothing in it is a pointer. As text: time, client, what, name, two numbers, hash of the bytes.
 */
#include "core/bus/bus_sim_ops.h"

#include <assert.h>
#include <inttypes.h>

void sim_note(struct sim_bus *b, uint64_t client, const char *what, struct slice name, uint64_t x,
              uint64_t y, struct slice data)
{
    assert(what != NULL);
    uint64_t numbers[6] = {(uint64_t)b->time.mono_ns, client, x, y, name.len, data.len};
    hash_add(b->trace, numbers, sizeof numbers);
    hash_add(b->trace, what, strlen(what) + 1);
    hash_add(b->trace, name.ptr, name.len);
    hash_add(b->trace, data.ptr, data.len);
    if (b->text != NULL) {
        fprintf(b->text,
                "%" PRId64 ".%09" PRId64 " c%" PRIu64 " %s " SLICE_FMT " %" PRId64 " %" PRId64
                " %016" PRIx64 "\n",
                b->time.mono_ns / CLOCK_NS_PER_S, b->time.mono_ns % CLOCK_NS_PER_S, client, what,
                SLICE_ARG(name), (int64_t)x, (int64_t)y, data.len > 0 ? hash_fast(data) : 0);
    }
}

static void note_record(struct sim_bus *b, uint64_t client, const struct bus_record *r)
{
    sim_note(b, client, " record", r->key, (uint64_t)r->offset, (uint64_t)r->time_ms, r->value);
    for (uint32_t i = 0; i < r->header_count; i++) {
        sim_note(b, client, " header", r->headers[i].name, i, r->value.ptr == NULL,
                 r->headers[i].value);
    }
}

void sim_note_ev(struct sim_bus *b, const struct sim_client *c, const struct bus_ev *ev)
{
    struct slice topic = bus_topic_name(&c->c, ev->tp.topic);
    uint64_t flags = (uint64_t)ev->reopen | (uint64_t)ev->leading << 1 | (uint64_t)ev->tp.part << 2;
    sim_note(b, c->id, bus_ev_name(ev->kind), topic, ev->tag, (uint64_t)ev->offset,
             slice_str(ev->err != NULL ? ev->err->msg : NULL));
    sim_note(b, c->id, " with", SLICE_NONE, flags, (uint64_t)ev->end, SLICE_NONE);
    for (uint32_t i = 0; i < ev->count && ev->records != NULL; i++) {
        note_record(b, c->id, &ev->records[i]);
    }
    for (uint32_t i = 0; i < ev->count && ev->spans != NULL; i++) {
        const struct bus_span *s = &ev->spans[i];
        sim_note(b, c->id, " span", bus_topic_name(&c->c, s->tp.topic),
                 (uint64_t)s->tp.part << 32 | s->count, (uint64_t)s->offset, SLICE_NONE);
    }
    for (uint32_t i = 0; i < ev->count && ev->topics != NULL; i++) {
        sim_note(b, c->id, " topic", ev->topics[i].name, ev->topics[i].partitions,
                 ev->topics[i].cleanup, SLICE_NONE);
    }
}

struct hash128 bus_sim_trace(const struct bus *b)
{
    return hash_end(((const struct sim_bus *)b)->trace);
}

void bus_sim_trace_to(struct bus *b, FILE *text)
{
    ((struct sim_bus *)b)->text = text;
}
