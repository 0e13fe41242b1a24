/* SPDX-License-Identifier: Apache-2.0
 *
 * See outbox.h. Everything goes in the order of ticks, agents and items, so the same items give the
 * same requests.
 */
#include "loadgen/outbox.h"

#include "core/codec/pbwrite.h"

#include <assert.h>

enum { PILE_BYTES_MAX = 1 << 30, REQUEST_BYTES_MAX = 64 * 1024 * 1024, SPARE_BYTES_MAX = 1 << 20 };

void outbox_init(struct outbox *o, const struct outbox_options *options)
{
    assert(options->tick_ns > 0 && options->flush_ns >= options->tick_ns && options->batch > 0);
    assert(options->agents > 0 && options->agents <= OUTBOX_AGENTS_MAX);
    memset(o, 0, sizeof *o);
    o->options = *options;
    o->now_tick = options->start_ns / options->tick_ns;
    buf_init(&o->request, REQUEST_BYTES_MAX);
    for (size_t i = 0; i < OUTBOX_TICKS; i++) {
        buf_init(&o->ticks[i].bytes, PILE_BYTES_MAX);
    }
    for (size_t i = 0; i < OUTBOX_AGENTS_MAX * SIGNAL_COUNT; i++) {
        buf_init(&o->agents[i / SIGNAL_COUNT][i % SIGNAL_COUNT].bytes, PILE_BYTES_MAX);
    }
}

static void pile_done(struct outbox_pile *p)
{
    buf_done(&p->bytes);
    VEC_DONE(&p->items);
}

void outbox_done(struct outbox *o)
{
    buf_done(&o->request);
    VEC_DONE(&o->order);
    for (size_t i = 0; i < OUTBOX_TICKS; i++) {
        pile_done(&o->ticks[i]);
    }
    for (size_t i = 0; i < OUTBOX_AGENTS_MAX * SIGNAL_COUNT; i++) {
        pile_done(&o->agents[i / SIGNAL_COUNT][i % SIGNAL_COUNT]);
    }
    for (size_t i = 0; i < o->spare_count; i++) {
        pile_done(&o->spares[i]);
    }
}

static void pile_clear(struct outbox_pile *p)
{
    VEC_CLEAR(&p->items);
    buf_clear(&p->bytes);
    p->points = 0;
}

static void pile_put(struct outbox_pile *p, const struct outbox_item *item, struct slice bytes)
{
    uint32_t at = (uint32_t)p->bytes.len;
    if (buf_add_slice(&p->bytes, bytes)) {
        struct outbox_item *copy = VEC_PUSH(&p->items);
        *copy = *item;
        copy->at = at;
        copy->len = (uint32_t)bytes.len;
        p->points += item->points;
    }
}

static struct slice bytes_of(const struct outbox_pile *p, const struct outbox_item *i)
{
    return slice_of(p->bytes.ptr + i->at, i->len);
}

void outbox_add(struct outbox *o, int agent, enum signal signal, struct shop_resource *resource,
                int64_t time_ns, struct slice item, size_t points)
{
    assert(agent >= 0 && agent < o->options.agents && points > 0);
    int64_t tick = time_ns / o->options.tick_ns;
    tick = MAX(tick, o->now_tick);
    tick = MIN(tick, o->now_tick + OUTBOX_TICKS - 1);
    struct outbox_pile *t = &o->ticks[tick % OUTBOX_TICKS];
    if (t->items.cap == 0 && o->spare_count > 0) {
        *t = o->spares[--o->spare_count];
    }
    pile_put(t,
             &(struct outbox_item){.resource = resource,
                                   .points = (uint32_t)points,
                                   .agent = (uint16_t)agent,
                                   .signal = (uint8_t)signal},
             item);
}

/* The pile of a tick that is over: kept for another tick, or freed. */
static void recycle(struct outbox *o, struct outbox_pile *t)
{
    if (o->spare_count < OUTBOX_SPARES && t->bytes.cap <= SPARE_BYTES_MAX && t->items.cap > 0) {
        pile_clear(t);
        o->spares[o->spare_count++] = *t;
    } else {
        pile_done(t);
    }
    *t = (struct outbox_pile){0};
    buf_init(&t->bytes, PILE_BYTES_MAX);
}

/* Lists the items by resource: both in the order in which they came. */
static void chain(struct outbox *o, struct outbox_pile *p)
{
    VEC_CLEAR(&o->order);
    VEC_EACH (&p->items, it) {
        int at = (int)(it - p->items.ptr);
        it->next = -1;
        if (it->resource->first < 0) {
            it->resource->first = at;
            *VEC_PUSH(&o->order) = it->resource;
        } else {
            p->items.ptr[it->resource->last].next = at;
        }
        it->resource->last = at;
    }
}

static void encode_one(struct buf *b, const struct outbox_pile *p, struct shop_resource *r)
{
    size_t group = pbwrite_open(b, 1);
    pbwrite_string(b, 1, r->bytes);
    size_t scoped = pbwrite_open(b, 2);
    size_t scope = pbwrite_open(b, 1);
    pbwrite_string(b, 1, SLICE("shop"));
    pbwrite_string(b, 2, SLICE("1.0.0"));
    pbwrite_close(b, scope);
    for (int i = r->first; i >= 0; i = p->items.ptr[i].next) {
        pbwrite_string(b, 2, bytes_of(p, &p->items.ptr[i]));
    }
    pbwrite_close(b, scoped);
    pbwrite_close(b, group);
    r->first = r->last = -1;
}

static bool send_pile(struct outbox *o, int agent, enum signal signal,
                      const struct outbox_sink *sink)
{
    struct outbox_pile *p = &o->agents[agent][signal];
    if (p->items.len == 0) {
        return true;
    }
    buf_clear(&o->request);
    chain(o, p);
    VEC_EACH (&o->order, r) {
        encode_one(&o->request, p, *r);
    }
    assert(!buf_failed(&o->request));
    size_t points = p->points;
    pile_clear(p);
    return sink->send(sink->arg, agent, signal, buf_slice(&o->request), points);
}

static bool deliver(struct outbox *o, const struct outbox_pile *t, const struct outbox_sink *sink)
{
    size_t batch = o->options.batch;
    bool go_on = true;
    for (size_t i = 0; i < t->items.len && go_on; i++) {
        const struct outbox_item *it = &t->items.ptr[i];
        struct outbox_pile *p = &o->agents[it->agent][it->signal];
        if (it->resource->gone) {
            continue;
        }
        if (p->points + it->points > batch) {
            go_on = send_pile(o, it->agent, (enum signal)it->signal, sink);
        }
        pile_put(p, it, bytes_of(t, it));
        if (go_on && p->points >= batch) {
            go_on = send_pile(o, it->agent, (enum signal)it->signal, sink);
        }
    }
    return go_on;
}

static bool flush_due(struct outbox *o, const struct outbox_sink *sink)
{
    int64_t every = o->options.flush_ns / o->options.tick_ns;
    int piles = o->options.agents * SIGNAL_COUNT;
    bool go_on = true;
    for (int i = 0; i < piles && go_on; i++) {
        if ((o->now_tick + every * i / piles) % every == 0) {
            go_on = send_pile(o, i / SIGNAL_COUNT, (enum signal)(i % SIGNAL_COUNT), sink);
        }
    }
    return go_on;
}

void outbox_lose(struct outbox *o, int agent)
{
    assert(agent >= 0 && agent < o->options.agents);
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        pile_clear(&o->agents[agent][s]);
    }
}

bool outbox_flush(struct outbox *o, const struct outbox_sink *sink)
{
    struct outbox_pile *t = &o->ticks[o->now_tick % OUTBOX_TICKS];
    bool go_on = deliver(o, t, sink) && flush_due(o, sink);
    recycle(o, t);
    o->now_tick++;
    return go_on;
}

bool outbox_finish(struct outbox *o, const struct outbox_sink *sink)
{
    bool go_on = true;
    for (int i = 0; i < o->options.agents * SIGNAL_COUNT && go_on; i++) {
        go_on = send_pile(o, i / SIGNAL_COUNT, (enum signal)(i % SIGNAL_COUNT), sink);
    }
    return go_on;
}
