/* SPDX-License-Identifier: Apache-2.0
 *
 * See outbox.h. Buffers are reused from round to round of the ring.
 */
#include "loadgen/outbox.h"

#include "core/codec/pbwrite.h"

#include <assert.h>
#include <stdlib.h>

enum { TICK_BYTES_MAX = 256 * 1024 * 1024, REQUEST_BYTES_MAX = 16 * 1024 * 1024 };

void outbox_init(struct outbox *o, int64_t start_ns, int64_t tick_ns, size_t batch)
{
    assert(tick_ns > 0 && batch > 0);
    memset(o, 0, sizeof *o);
    o->tick_ns = tick_ns;
    o->now_tick = start_ns / tick_ns;
    o->batch = batch;
    buf_init(&o->request, REQUEST_BYTES_MAX);
    for (size_t i = 0; i < OUTBOX_TICKS; i++) {
        buf_init(&o->ticks[i].bytes, TICK_BYTES_MAX);
    }
}

void outbox_done(struct outbox *o)
{
    buf_done(&o->request);
    for (size_t i = 0; i < OUTBOX_TICKS; i++) {
        buf_done(&o->ticks[i].bytes);
        VEC_DONE(&o->ticks[i].items);
    }
}

void outbox_add(struct outbox *o, const struct shop *s, const struct pod *p, enum signal signal,
                int64_t time_ns, struct slice item)
{
    int64_t tick = time_ns / o->tick_ns;
    tick = MAX(tick, o->now_tick);
    tick = MIN(tick, o->now_tick + OUTBOX_TICKS - 1);
    struct outbox_tick *t = &o->ticks[tick % OUTBOX_TICKS];
    size_t resource = t->bytes.len, at = resource + p->resource.len;
    if (!buf_add_slice(&t->bytes, buf_slice(&p->resource)) || !buf_add_slice(&t->bytes, item)) {
        return;
    }
    *VEC_PUSH(&t->items) = (struct outbox_item){.pod = (int)(p - s->pods),
                                                .node = p->node,
                                                .signal = signal,
                                                .resource = resource,
                                                .resource_len = p->resource.len,
                                                .at = at,
                                                .len = item.len};
}

/* By node, signal, pod, then in the order they were added. */
static int by_destination(const void *a, const void *b)
{
    const struct outbox_item *x = a, *y = b;
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    if (x->signal != y->signal) {
        return x->signal < y->signal ? -1 : 1;
    }
    if (x->pod != y->pod) {
        return x->pod < y->pod ? -1 : 1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

static struct slice resource_of(const struct outbox_tick *t, const struct outbox_item *i)
{
    return slice_of(t->bytes.ptr + i->resource, i->resource_len);
}

/* Items [from, to) of one node and signal: one request. */
static void encode(struct buf *b, const struct outbox_tick *t, size_t from, size_t to)
{
    buf_clear(b);
    for (size_t i = from; i < to;) {
        const struct outbox_item *first = &t->items.ptr[i];
        size_t resource_group = pbwrite_open(b, 1);
        pbwrite_string(b, 1, resource_of(t, first));
        size_t scope_group = pbwrite_open(b, 2);
        size_t scope = pbwrite_open(b, 1);
        pbwrite_string(b, 1, SLICE("shop"));
        pbwrite_close(b, scope);
        while (i < to && slice_eq(resource_of(t, &t->items.ptr[i]), resource_of(t, first))) {
            const struct outbox_item *item = &t->items.ptr[i++];
            pbwrite_string(b, 2, slice_of(t->bytes.ptr + item->at, item->len));
        }
        pbwrite_close(b, scope_group);
        pbwrite_close(b, resource_group);
    }
}

bool outbox_flush(struct outbox *o, int node_count, const struct outbox_sink *sink)
{
    struct outbox_tick *t = &o->ticks[o->now_tick % OUTBOX_TICKS];
    assert(node_count > 0);
    if (t->items.len > 0) {
        qsort(t->items.ptr, t->items.len, sizeof *t->items.ptr, by_destination);
    }
    bool go_on = true;
    for (size_t from = 0; from < t->items.len && go_on;) {
        const struct outbox_item *first = &t->items.ptr[from];
        size_t to = from;
        while (to < t->items.len && to - from < o->batch && t->items.ptr[to].node == first->node &&
               t->items.ptr[to].signal == first->signal) {
            to++;
        }
        encode(&o->request, t, from, to);
        go_on =
            sink->send(sink->arg, first->node, first->signal, buf_slice(&o->request), to - from);
        from = to;
    }
    VEC_CLEAR(&t->items);
    buf_clear(&t->bytes);
    o->now_tick++;
    return go_on;
}
