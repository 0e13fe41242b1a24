/* SPDX-License-Identifier: Apache-2.0
 *
 * An agent: a state machine stepped by the events of its client, as a slot of the runtime will be.
 * IDLE -> OPENING -> BOUNDS -> READING -> RUNNING; back to OPENING after UNKNOWN, to IDLE when
 * fenced. While a commit is under way the next transaction is put already.
 */
#include "tests/bus/model.h"

#include <inttypes.h>
#include <stdio.h>

#define MODEL_ELECT_TAG UINT64_MAX /* no other operation of his has it */

static struct bus_tp journal(const struct model_agent *a)
{
    return (struct bus_tp){bus_topic(a->c, SLICE("journal")), a->lineage};
}

static void idle(struct model_agent *a)
{
    struct model *m = a->m;
    bus_writer_close(a->w);
    bus_reader_free(a->r);
    a->w = NULL;
    a->r = NULL;
    a->state = MODEL_IDLE;
    a->tag = ++a->tags;
    int64_t nap = (int64_t)model_random(m, 50 * model_patience(m, a->lineage)) * m->conf->nap_ns;
    m->vain[a->lineage]++;
    bus_at(a->c, clock_mono(bus_clock(a->c)) + nap, a->tag);
}

void model_agent_stand(struct model_agent *a)
{
    char name[16];
    struct err err;
    snprintf(name, sizeof name, "leader.%u", a->lineage);
    a->leading = -1;
    if (a->m->conf->elect) {
        bus_resign(a->c, slice_str(name));
        CHECK_OK(bus_elect(a->c, slice_str(name), MODEL_ELECT_TAG, &err), err);
    }
}

void model_agent_start(struct model_agent *a)
{
    char name[16];
    snprintf(name, sizeof name, "agent%u", a->number);
    a->c = bus_client_new(a->m->bus, name);
    a->w = NULL;
    a->r = NULL;
    a->asleep_until_ns = 0;
    a->led = -1;
    model_agent_stand(a);
    idle(a);
}

void model_agent_open(struct model_agent *a)
{
    char slot[16];
    struct err err;
    bus_writer_close(a->w);
    bus_reader_free(a->r);
    a->w = NULL;
    a->r = NULL;
    bus_at_cancel(a->c, a->tag);
    snprintf(slot, sizeof slot, "slot.%u", a->lineage);
    a->tag = ++a->tags;
    a->state = MODEL_OPENING;
    CHECK_OK(bus_open(a->c, slice_str(slot), a->tag, &a->w, &err), err);
}

static void opened(struct model_agent *a, int64_t epoch)
{
    struct err err;
    /* What a former holder was told to be committed is readable now. (A later one may be at work
     * already: of him nothing is said.) */
    a->epoch = epoch;
    a->must_have = 0;
    VEC_EACH (&a->m->lineages[a->lineage].reigns, reign) {
        a->must_have = MAX(a->must_have, reign->epoch < epoch ? reign->upto : 0);
    }
    a->state = MODEL_BOUNDS;
    a->tag = ++a->tags;
    CHECK_OK(bus_bounds(a->c, journal(a), a->tag, &err), err);
}

static void read_journal(struct model_agent *a, int64_t target)
{
    struct err err;
    a->state = MODEL_READING;
    a->target = target;
    a->next = 0;
    a->tag = ++a->tags;
    a->r = bus_reader_new(a->c);
    CHECK_OK(bus_assign(a->r, journal(a), BUS_FROM_START, a->tag, &err), err);
}

static void read_records(struct model_agent *a, const struct bus_ev *ev)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        uint32_t count = model_txn_count(a->lineage, a->next);
        struct model_record want = model_txn_record(a->m, a->lineage, a->next, count - 1);
        if (!slice_eq(ev->records[i].value, slice_str(want.value))) {
            model_fail(a->m, "journal %u has '" SLICE_FMT "' where '%s' should be", a->lineage,
                       SLICE_ARG(ev->records[i].value), want.value);
        }
        a->next++;
    }
}

static void take_over(struct model_agent *a)
{
    if (a->next < a->must_have) {
        model_fail(a->m, "slot %u was opened, but only %" PRId64 " of %" PRId64 " are readable",
                   a->lineage, a->next, a->must_have);
    }
    a->m->committed[a->lineage] = MAX(a->next, a->m->committed[a->lineage]);
    bus_reader_free(a->r);
    a->r = NULL;
    a->state = MODEL_RUNNING;
    a->record = 0;
    a->ending = -1;
    a->aborting = false;
}

static void committed(struct model_agent *a)
{
    struct model *m = a->m;
    int64_t upto = a->ending + 1;
    *VEC_PUSH(&m->lineages[a->lineage].reigns) = (struct model_reign){a->epoch, upto};
    m->committed[a->lineage] = MAX(upto, m->committed[a->lineage]);
    m->vain[a->lineage] = 0;
    a->ending = -1;
}

/* He hears of changes only; an epoch is of one leader. */
static void leader_event(struct model_agent *a, const struct bus_ev *ev)
{
    if (ev->tag != MODEL_ELECT_TAG || a->leading == (int)ev->leading) {
        model_fail(a->m, "LEADER %d to agent %u, who knows", ev->leading, a->number);
    }
    a->leading = ev->leading;
    if (!ev->leading) {
        return;
    }
    VEC_EACH (&a->m->lineages[a->lineage].leads, epoch) {
        if (*epoch == ev->offset) {
            model_fail(a->m, "two leaders %u of epoch %" PRId64, a->lineage, ev->offset);
        }
    }
    if (ev->offset <= a->led) {
        model_fail(a->m, "leader %u: epoch %" PRId64 " after %" PRId64, a->lineage, ev->offset,
                   a->led);
    }
    a->led = ev->offset;
    *VEC_PUSH(&a->m->lineages[a->lineage].leads) = ev->offset;
}

static void run_event(struct model_agent *a, const struct bus_ev *ev)
{
    bool of_commit = a->ending >= 0 && ev->tag == a->commit_tag;
    if (ev->kind == BUS_EV_COMMITTED) {
        if (!of_commit) {
            model_fail(a->m, "COMMITTED without a commit");
        }
        committed(a);
    } else if (ev->kind == BUS_EV_FENCED) {
        idle(a);
    } else if (ev->reopen) {
        model_agent_open(a);
    } else if (of_commit) { /* ABORTED or FULL: all since that commit is to be put again */
        a->next = a->ending;
        a->record = 0;
        a->ending = -1;
    } else if (a->aborting && ev->tag == a->abort_tag && ev->kind == BUS_EV_ABORTED) {
        a->aborting = false;
        a->record = 0;
    } else {
        model_fail(a->m, "%s with a tag of nothing", bus_ev_name(ev->kind));
    }
}

void model_agent_event(struct model_agent *a, const struct bus_ev *ev)
{
    switch (ev->kind) {
    case BUS_EV_TIMER:
        if (a->state == MODEL_IDLE && ev->tag == a->tag) {
            model_agent_open(a);
        }
        break;
    case BUS_EV_OPENED:
        if (ev->tag == a->tag) {
            opened(a, ev->offset);
        }
        break;
    case BUS_EV_DONE:
        if (a->state == MODEL_BOUNDS && ev->tag == a->tag) {
            read_journal(a, ev->end);
        }
        break;
    case BUS_EV_RECORDS:
        if (ev->reader == a->r) {
            read_records(a, ev);
        }
        break;
    case BUS_EV_END:
        if (ev->reader == a->r && ev->offset >= a->target) {
            take_over(a);
        }
        break;
    case BUS_EV_LEADER: leader_event(a, ev); break;
    case BUS_EV_ERROR:
        if (ev->tag == a->tag) { /* of the open or the bounds: once more, later */
            idle(a);
        }
        break;
    default:
        if (ev->writer != a->w || a->w == NULL) {
            break; /* he closed it while handling an event of the same poll */
        }
        if (a->state == MODEL_RUNNING) {
            run_event(a, ev);
        } else {
            idle(a); /* fenced while still reading */
        }
    }
}

static bool put_next(struct model_agent *a)
{
    struct model_record r = model_txn_record(a->m, a->lineage, a->next, a->record);
    struct bus_header h = {SLICE("lineage"), slice_str(r.key)};
    struct bus_put put = {.to = {bus_topic(a->c, slice_str(r.topic)), r.part},
                          .key = slice_str(r.key),
                          .value = slice_str(r.value),
                          .headers = &h,
                          .header_count = 1};
    struct err err;
    int rc = bus_put(a->w, &put, &err);
    if (rc == -ERR_AGAIN || rc == -ERR_CLOSED) {
        return false; /* an event will say */
    }
    CHECK_OK(rc, err);
    a->record++;
    return true;
}

void model_agent_step(struct model_agent *a)
{
    struct err err;
    while (a->state == MODEL_RUNNING && !a->aborting && a->next < a->m->conf->txns) {
        if (model_chance(a->m, a->m->conf->abort)) {
            uint64_t tag = ++a->tags;
            int rc = bus_abort(a->w, tag, &err);
            if (rc == 0) {
                a->aborting = true;
                a->abort_tag = tag;
            }
            return;
        }
        if (a->record < model_txn_count(a->lineage, a->next)) {
            if (!put_next(a)) {
                return;
            }
        } else if (a->ending >= 0) {
            return;
        } else {
            uint64_t tag = ++a->tags;
            int rc = bus_commit(a->w, tag, &err);
            if (rc == -ERR_CLOSED) {
                return;
            }
            CHECK_OK(rc, err);
            a->ending = a->next++;
            a->commit_tag = tag;
            a->record = 0;
        }
    }
}
