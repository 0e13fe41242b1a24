/* SPDX-License-Identifier: Apache-2.0
 *
 * See courier.h. Waiting requests are a list; those that come again are a heap by time, with one
 * timer for the earliest.
 */
#include "loadgen/courier.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/loop.h"

#include <assert.h>

#define FIRST_DELAY_NS (200 * CLOCK_NS_PER_MS)
#define MAX_DELAY_NS   (30 * CLOCK_NS_PER_S)
enum { DOUBLINGS_MAX = 8, COMPLAINT_BYTES = 240 };

struct parcel {
    struct sender_job job; /* first: a job is its parcel */
    struct courier *courier;
    struct parcel *next; /* waiting */
    struct parcel *prev_all, *next_all;
    uint64_t number;
    size_t items;
    int tries;
    int64_t due_ns, sent_ns, again_ns;
    char body[];
};

struct courier {
    struct courier_conf conf;
    struct loop *loop;
    struct sender *sender;
    struct report *report;
    struct loop_timer *timer;
    struct parcel *first, **last; /* waiting, new */
    struct parcel *all;
    VEC(struct parcel *) again; /* a heap: the earliest first */
    size_t count, bytes;
    int under_way;
    char complaint[COMPLAINT_BYTES];
};

static void dispatch(struct courier *c);

int64_t courier_delay_ns(int tries, int64_t asked_ns, struct rng *rng)
{
    assert(tries >= 1);
    if (asked_ns >= 0) {
        /* Not sooner than asked, and not all at the same moment. */
        return asked_ns + (int64_t)((double)asked_ns * 0.2 * rng_unit(rng)) +
               (int64_t)(rng_unit(rng) * 50e6);
    }
    int64_t delay = FIRST_DELAY_NS << MIN(tries - 1, DOUBLINGS_MAX);
    delay = MIN(delay, MAX_DELAY_NS);
    return (int64_t)((double)delay * (0.5 + rng_unit(rng)));
}

static void sift_up(struct courier *c, size_t i)
{
    struct parcel **h = c->again.ptr;
    while (i > 0 && h[(i - 1) / 2]->again_ns > h[i]->again_ns) {
        struct parcel *swap = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct courier *c)
{
    struct parcel **h = c->again.ptr;
    size_t i = 0, n = c->again.len;
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        least = left < n && h[left]->again_ns < h[least]->again_ns ? left : least;
        least = right < n && h[right]->again_ns < h[least]->again_ns ? right : least;
        if (least == i) {
            return;
        }
        struct parcel *swap = h[i];
        h[i] = h[least];
        h[least] = swap;
        i = least;
    }
}

static struct parcel *pop_again(struct courier *c)
{
    struct parcel *p = c->again.ptr[0];
    c->again.ptr[0] = *VEC_LAST(&c->again);
    c->again.len--;
    sift_down(c);
    return p;
}

static void on_timer(void *arg)
{
    dispatch(arg);
}

struct courier *courier_new(struct loop *l, struct sender *sender, const struct courier_conf *conf,
                            struct report *report)
{
    struct courier *c = MEM_NEW(struct courier);
    assert(conf->connections > 0);
    c->conf = *conf;
    c->loop = l;
    c->sender = sender;
    c->report = report;
    c->last = &c->first;
    c->timer = loop_timer_new(l, on_timer, c);
    return c;
}

static void tell_ledger(const struct parcel *p, const char *outcome, int64_t took_ns)
{
    FILE *to = p->courier->conf.ledger;
    if (to != NULL) {
        fprintf(to,
                "{\"request\":%llu,\"signal\":\"%s\",\"items\":%zu,\"outcome\":\"%s\","
                "\"tries\":%d,\"took_us\":%lld}\n",
                (unsigned long long)p->number, otlp_out_signal_name(p->job.signal), p->items,
                outcome, p->tries, (long long)(took_ns / 1000));
    }
}

static void forget(struct courier *c, struct parcel *p)
{
    *(p->prev_all != NULL ? &p->prev_all->next_all : &c->all) = p->next_all;
    if (p->next_all != NULL) {
        p->next_all->prev_all = p->prev_all;
    }
    c->count--;
    c->bytes -= p->job.body.len;
    mem_free(p);
}

void courier_free(struct courier *c)
{
    if (c == NULL) {
        return;
    }
    while (c->all != NULL) {
        tell_ledger(c->all, "unacknowledged", 0);
        forget(c, c->all);
    }
    loop_timer_free(c->timer);
    VEC_DONE(&c->again);
    mem_free(c);
}

static void complain(struct courier *c, struct slice why)
{
    size_t n = MIN(why.len, (size_t)COMPLAINT_BYTES - 1);
    for (size_t i = 0; i < n; i++) {
        char ch = why.ptr[i];
        c->complaint[i] = ch >= ' ' && ch < 0x7f ? ch : '.';
    }
    c->complaint[n] = '\0';
}

static void on_done(struct sender_job *job, const struct sender_result *r)
{
    struct parcel *p = (struct parcel *)job;
    struct courier *c = p->courier;
    int64_t now = loop_now_ns(c->loop), took = now - p->sent_ns;
    c->under_way--;
    if (r->outcome != SENDER_TAKEN || r->rejected > 0) {
        complain(c, r->why);
    }
    if (r->outcome == SENDER_AGAIN) {
        report_again(c->report, r->answered, r->retry_ns);
        p->again_ns = now + courier_delay_ns(p->tries, r->retry_ns, &c->conf.rng);
        *VEC_PUSH(&c->again) = p;
        sift_up(c, c->again.len - 1);
        dispatch(c);
        return;
    }
    if (r->outcome == SENDER_TAKEN) {
        uint64_t rejected = MIN(r->rejected, (uint64_t)p->items);
        report_taken(c->report, job->signal, p->items - rejected, rejected, took, now - p->due_ns);
        tell_ledger(p, rejected > 0 ? "partly rejected" : "acknowledged", took);
    } else {
        report_refused(c->report, p->items);
        tell_ledger(p, "refused", took);
    }
    forget(c, p);
    dispatch(c);
    if (c->conf.on_room != NULL) {
        c->conf.on_room(c->conf.arg);
    }
}

static void hand_over(struct courier *c, struct parcel *p, int64_t now)
{
    p->tries++;
    p->sent_ns = now;
    c->under_way++;
    report_sent(c->report, p->tries > 1);
    sender_send(c->sender, &p->job);
}

static void dispatch(struct courier *c)
{
    int64_t now = loop_now_ns(c->loop);
    while (c->under_way < c->conf.connections) {
        if (c->again.len > 0 && c->again.ptr[0]->again_ns <= now) {
            hand_over(c, pop_again(c), now);
        } else if (c->first != NULL) {
            struct parcel *p = c->first;
            c->first = p->next;
            if (c->first == NULL) {
                c->last = &c->first;
            }
            hand_over(c, p, now);
        } else {
            break;
        }
    }
    if (c->again.len > 0 && c->under_way < c->conf.connections) {
        loop_timer_set(c->timer, MAX(c->again.ptr[0]->again_ns - now, CLOCK_NS_PER_MS));
    }
}

void courier_submit(struct courier *c, uint64_t number, enum signal signal, struct slice body,
                    size_t items)
{
    struct parcel *p = mem_zalloc(sizeof *p + body.len);
    memcpy(p->body, body.ptr, body.len);
    p->job = (struct sender_job){signal, slice_of(p->body, body.len), on_done};
    p->courier = c;
    p->number = number;
    p->items = items;
    p->due_ns = loop_now_ns(c->loop);
    p->next_all = c->all;
    if (c->all != NULL) {
        c->all->prev_all = p;
    }
    c->all = p;
    *c->last = p;
    c->last = &p->next;
    c->count++;
    c->bytes += body.len;
    dispatch(c);
}

bool courier_is_full(const struct courier *c)
{
    return c->bytes >= c->conf.waiting_bytes_max;
}

size_t courier_waiting(const struct courier *c)
{
    return c->count;
}

const char *courier_complaint(const struct courier *c)
{
    return c->complaint;
}
