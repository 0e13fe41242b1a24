/* SPDX-License-Identifier: Apache-2.0
 *
 * A task whose state the coordinator's sweep has removed, since nobody carried it on, and that is
 * there again.
 */
#include "core/bus/bus_sim.h"
#include "core/event/swept.h"
#include "operators/shard/task.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/gap_world.h"

enum { TAG_SWEEP = 99 };

/* As the coordinator's sweep does: all records of the task are removed, and the mark is put. */
static void sweep(struct gap_world *w)
{
    char key[SWEPT_KEY_BYTES], value[SWEPT_VALUE_BYTES];
    struct bus_tp tp = {bus_topic(w->sender, SLICE("state")), LINEAGE % 64};
    struct bus_reader *r = bus_reader_new(w->sender);
    struct bus_ev ev;
    struct err err;
    uint32_t n = 0;
    struct bus_put put = {.to = tp,
                          .key = swept_mark(LINEAGE, key),
                          .value = swept_write(gap_journal_end(w), value),
                          .token = EVENTS_MAX - 1};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, TAG_SWEEP, &err), err);
    for (bool end = false; !end;) {
        bus_wait(w->sender, 1000000);
        while (bus_poll(w->sender, &ev, 1) > 0) {
            end |= ev.tag == TAG_SWEEP && ev.kind == BUS_EV_END;
            for (uint32_t k = 0; ev.kind == BUS_EV_RECORDS && k < ev.count; k++) {
                put.key = ev.records[k].key;
                put.value = SLICE_NONE;
                if (!swept_is_mark(put.key)) {
                    CHECK_OK(bus_put(w->out, &put, &err), err);
                    n++;
                }
            }
        }
    }
    bus_reader_free(r);
    CHECK(n > 4);
    gap_pass(w, 1000000000);
}

/* Nobody carried the task on, and its state was swept; then it is there again, by the same rules.
 * What its journal says is over: nothing is taken or put out twice, and it knows nothing. */
TEST(sweep_a_task_that_is_back_begins_with_nothing)
{
    for (int round = 0; round < 2; round++) {
        struct gap_world *w = gap_make(5000000000);
        gap_send(w, 50);
        gap_pass(w, 7000000000);
        int64_t before = gap_journal_end(w);
        gap_send(w, 10); /* a snapshot is due with these */
        gap_pass(w, 2000000000);
        gap_send(w, 40);
        gap_check(w, 0, 0, 0, 100);
        gap_kill_worker(w);
        w->at_end = true;
        gap_send(w, 20); /* while it was none of anybody's */
        if (round == 1) {
            gap_trim_to(w, SLICE("journal"), LINEAGE % 64, before);
        }
        sweep(w);
        for (int i = 0; i < 2; i++) { /* the first is killed before it has done anything */
            gap_begin(w, false);
            gap_pass(w, 1000000000);
            CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
            CHECK_EQ(SLOT_LIVE, slot_task_state(w->slot, 0));
            CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
            if (i == 0) {
                gap_kill_worker(w);
            }
        }
        gap_send(w, 10);
        gap_check(w, 100, 120, 0, 10);
        gap_check_state(w); /* by its journal, */
        gap_pass(w, 7000000000);
        gap_send(w, 10);
        gap_pass(w, 7000000000);
        gap_check_state(w); /* and by a snapshot */
        gap_check(w, 100, 120, 0, 20);
        gap_unmake(w);
    }
}
