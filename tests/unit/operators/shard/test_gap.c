/* SPDX-License-Identifier: Apache-2.0
 *
 * Input that a task has to do without, over the simulated bus: what retention has removed before it
 * was read (slot_gap.c), and what the process dies of (slot_trial.c). The task goes on behind it
 * with what it knew, says what is lost, and nobody needs it again.
 */
#include "operators/shard/slot.h"
#include "operators/shard/slot_floor.h"
#include "operators/shard/task_gap.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/gap_world.h"
#include "tests/unit/operators/shard/slot_abandon.h"

#include "core/base/mem.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"

TEST(gap_a_task_with_a_snapshot_goes_on_with_what_it_knew)
{
    struct gap_world *w = gap_make(100000000);
    gap_send(w, 100);
    gap_pass(w, 2000000000); /* a snapshot behind all of it */
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    gap_send(w, 100);
    gap_trim(w, 150);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_check(w, 100, 150, PARTS, 150);
    gap_send(w, 10);
    gap_check(w, 100, 150, PARTS, 160);
    gap_check_state(w);
    gap_send(w, 10);
    gap_check(w, 100, 150, PARTS, 170);
    gap_unmake(w);
}

/* As text: those that something may be missing of. */
static void check_lacks(struct gap_world *w, const char *want)
{
    struct eng_back v[4];
    char text[100] = "";
    size_t n = task_lacks(slot_task(w->slot, 0), v, ARRAY_LEN(v));
    for (size_t i = 0, at = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, SLICE_FMT "/" SLICE_FMT " ",
                               SLICE_ARG(v[i].module), SLICE_ARG(v[i].name));
    }
    CHECK_STR(want, text);
}

/* Those that hold what comes: windows of time until they have turned over, also if it begins again
 * meanwhile; all else for good. */
TEST(gap_statements_that_may_lack_it_are_named)
{
    struct gap_world *w = gap_make(100000000);
    gap_send(w, 100);
    gap_pass(w, 2000000000);
    check_lacks(w, "");
    gap_kill_worker(w);
    gap_send(w, 100);
    gap_trim(w, 150);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    check_lacks(w, "hl/all hl/recent ");
    gap_kill_worker(w);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    check_lacks(w, "hl/all hl/recent ");
    w->ahead = 1900000000;
    gap_send(w, 2);
    check_lacks(w, "hl/all hl/recent ");
    w->ahead = 2200000000;
    gap_send(w, 2);
    check_lacks(w, "hl/all ");
    gap_unmake(w);
}

/* Rules that others have left without a last record, and nobody knows which: what they knew is
 * lost, and what they had not read yet. That is said, and again when it is played. */
TEST(gap_behind_rules_that_nobody_knows_any_more)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 100);
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    w->rules = 7;
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    check_lacks(w, ""); /* it has no rules yet */
    gap_send(w, 10);
    check_lacks(w, "hl/all hl/recent ");
    gap_check(w, 0, 0, PARTS, 10);
    gap_kill_worker(w);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_send(w, 10);
    gap_check(w, 0, 0, PARTS, 20);
    gap_unmake(w);
}

/* Letters that say that what rules held is lost. */
static void check_states(struct gap_world *w, uint32_t want)
{
    struct gap_found *f = gap_read_all(w);
    CHECK_EQ(want, f->states);
    mem_free(f);
}

/* Likewise, but their snapshot says where they were, and their journal how far they went on: what
 * they held is lost, and none of their input, be it behind the snapshot or what came after they
 * died. It is played again the same. */
TEST(gap_behind_rules_that_nobody_knows_but_their_snapshot_input_goes_on)
{
    for (uint32_t behind = 0; behind <= 10; behind += 10) {
        struct gap_world *w = gap_make(100000000);
        gap_send(w, 100);
        gap_pass(w, 2000000000); /* a snapshot behind all of it */
        w->snapshot_ns = 0;
        gap_kill_worker(w);
        gap_begin(w, false);
        gap_pass(w, 2000000000);
        gap_send(w, behind);
        gap_kill_worker(w);
        gap_send(w, 50);
        w->rules = 7;
        gap_begin(w, false);
        gap_pass(w, 2000000000);
        CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
        CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
        CHECK_EQ(1, task_counts(slot_task(w->slot, 0)).forgot);
        check_lacks(w, "hl/all hl/recent ");
        gap_check(w, 0, 0, 0, 50);
        check_states(w, 1);
        gap_kill_worker(w);
        gap_begin(w, false);
        gap_pass(w, 2000000000);
        CHECK_EQ(1, task_counts(slot_task(w->slot, 0)).forgot);
        gap_send(w, 10);
        gap_check(w, 0, 0, 0, 60);
        check_states(w, 1);
        gap_unmake(w);
    }
}

/* Rules that read nothing yet have lost nothing to read. */
TEST(gap_behind_rules_that_nobody_knows_an_empty_partition_has_no_gap)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 1);
    gap_kill_worker(w);
    w->rules = 7;
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(1, task_counts(slot_task(w->slot, 0)).gaps);
    CHECK_EQ(1, task_counts(slot_task(w->slot, 0)).forgot);
    gap_unmake(w);
}

TEST(gap_a_journal_that_cannot_be_played_is_passed_over)
{
    struct gap_world *w = gap_make(0); /* no snapshot: the journal is all there is */
    gap_send(w, 100);
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    gap_send(w, 100);
    gap_trim(w, 50);
    w->snapshot_ns = 100000000;
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_check(w, 0, 0, PARTS, 100); /* nothing was put out twice; what was counted is lost */
    gap_check_state(w);
    gap_unmake(w);
}

TEST(gap_both_at_once)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 100);
    gap_kill_worker(w);
    gap_send(w, 100);
    gap_trim(w, 150);
    w->snapshot_ns = 100000000;
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    gap_check(w, 100, 150, 2 * PARTS, 50);
    gap_check_state(w);
    gap_unmake(w);
}

/* Retention removes records of the journal, too: those of a task that did nothing for long. */
TEST(gap_a_task_whose_journal_is_gone_has_its_snapshot)
{
    struct gap_world *w = gap_make(100000000);
    gap_send(w, 100);
    gap_pass(w, 2000000000); /* a snapshot behind all of it */
    gap_kill_worker(w);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, gap_journal_end(w));
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    gap_check(w, 0, 0, 0, 100);
    gap_send(w, 10);
    gap_check(w, 0, 0, 0, 110);
    gap_check_state(w);
    gap_unmake(w);
}

/* Nor does one that did something after its last snapshot and was silent for long after that. */
TEST(gap_who_falls_silent_is_saved_before_the_journal_is_gone)
{
    struct gap_world *w = gap_make(5000000000);
    gap_send(w, 50);
    gap_pass(w, 7000000000);
    gap_send(w, 10); /* it is due with these */
    gap_pass(w, 2000000000);
    gap_send(w, 40); /* committed, and none is due yet */
    gap_pass(w, 20000000000);
    int64_t end = gap_journal_end(w);
    gap_pass(w, 20000000000);
    CHECK_EQ(end, gap_journal_end(w)); /* once */
    gap_kill_worker(w);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, end);
    gap_begin(w, false);
    gap_pass(w, 20000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    CHECK_EQ(end, gap_journal_end(w)); /* who begins with all of it saves nothing */
    gap_check(w, 0, 0, 0, 100);        /* nothing was put out twice */
    gap_send(w, 10);
    gap_check(w, 0, 0, 0, 110);
    gap_check_state(w);
    gap_unmake(w);
}

/* The first event of partition 0 that lies at the offset or behind. */
static uint32_t event_at(const struct gap_world *w, int64_t offset)
{
    uint32_t e = 0;
    while (e < w->sent && w->offsets[e] < offset) {
        e += PARTS;
    }
    return e;
}

/* Until the slot has asked what is there, and done what follows. */
static void ask(struct gap_world *w)
{
    for (int i = 0; i < 13; i++) {
        gap_pass(w, 1000000000);
    }
}

/* Retention comes near to what its last snapshot needs: another one is made, though none is due,
 * and nothing is lost when that is gone. */
TEST(floor_a_task_is_saved_before_retention_takes_what_it_needs)
{
    struct gap_world *w = gap_make(10000000000000);
    struct slot_floor f;
    gap_send(w, 100);
    ask(w);
    gap_send(w, 100);
    ask(w);
    f = slot_floor(w->slot, 0);
    CHECK_EQ(1, slot_counts(w->slot).snapshots); /* the first, with the first inputs */
    CHECK(f.of[0] != '\0' && !f.near && f.nears == 0 && f.offset < f.end);
    uint32_t needs = event_at(w, f.offset);
    CHECK(needs < 150);
    gap_trim(w, needs + 20); /* it has come there already */
    ask(w);
    f = slot_floor(w->slot, 0);
    CHECK_EQ(2, slot_counts(w->slot).snapshots);
    CHECK(f.nears == 1 && !f.near && f.offset == f.end); /* that of one input is enough */
    gap_trim(w, 190);
    ask(w);
    CHECK_EQ(2, slot_counts(w->slot).snapshots); /* nothing is needed of what is there */
    gap_send(w, 2);
    gap_trim(w, 198);
    gap_send(w, 20);
    ask(w);
    CHECK_EQ(3, slot_counts(w->slot).snapshots); /* near: it was removed up to 2 before */
    gap_kill_worker(w);
    gap_trim(w, 220);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    gap_check(w, 0, 0, 0, 222);
    gap_check_state(w);
    gap_unmake(w);
}

/* A journal that is gone as a whole with what it had behind the snapshot: nobody knows how far it
 * went, so the task goes on where nothing can have been taken, and says so. Nothing is put out
 * twice. */
TEST(gap_a_journal_that_is_lost_behind_its_snapshot_is_told)
{
    struct gap_world *w = gap_make(20000000000);
    gap_send(w, 50);
    gap_pass(w, 21000000000);
    gap_send(w, 10); /* a snapshot is due with these */
    gap_pass(w, 2000000000);
    gap_send(w, 40); /* committed, and none is */
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    gap_send(w, 20);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, gap_journal_end(w));
    for (int i = 0; i < 2; i++) { /* the first is killed behind its first commit */
        gap_begin(w, false);
        gap_pass(w, 1000000000);
        CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
        CHECK(task_counts(slot_task(w->slot, 0)).gaps == 1 + PARTS || i > 0);
        char trouble[160];
        task_trouble(slot_task(w->slot, 0), trouble, sizeof trouble);
        CHECK(i > 0 || strstr(trouble, "its journal was lost") != NULL);
        gap_check(w, 100, 120, 1 + PARTS, 0);
        if (i == 0) {
            gap_kill_worker(w);
        }
    }
    check_lacks(w, "hl/all hl/recent ");
    gap_send(w, 10);
    gap_check(w, 100, 120, 1 + PARTS, 70); /* with 60 of the snapshot */
    gap_pass(w, 25000000000);
    gap_check_state(w);
    gap_unmake(w);
}

/* One that was never saved, and has nothing but the word that there was a journal. */
TEST(gap_a_journal_that_is_lost_without_a_snapshot_is_told)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 100);
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    gap_send(w, 10);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, gap_journal_end(w));
    gap_begin(w, false);
    gap_pass(w, 1000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(1 + PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_send(w, 10);
    gap_check(w, 100, 110, 1 + PARTS, 10);
    w->snapshot_ns = 100000000;
    gap_kill_worker(w);
    gap_begin(w, false);
    gap_pass(w, 1000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    gap_send(w, 10);
    gap_check(w, 100, 110, 1 + PARTS, 20);
    gap_pass(w, 3000000000);
    gap_check_state(w);
    gap_unmake(w);
}

/* A journal without its beginning says what was put out, not what was known. */
TEST(gap_a_journal_without_its_beginning_is_passed_over)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 50);
    int64_t before = gap_journal_end(w);
    gap_send(w, 50);
    gap_check(w, 0, 0, 0, 100);
    gap_kill_worker(w);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, before);
    w->snapshot_ns = 100000000;
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_check(w, 0, 0, PARTS, 100); /* nothing was put out twice */
    gap_send(w, 10);
    gap_check(w, 0, 0, PARTS, 10);
    gap_check_state(w);
    gap_unmake(w);
}

/* What is left of a journal behind a snapshot is one record, which read one partition of several.
 */
TEST(gap_one_record_says_where_everything_stands)
{
    struct gap_world *w = gap_make(5000000000);
    gap_send(w, 50);
    gap_pass(w, 7000000000);
    gap_send(w, 10); /* it is due with these */
    gap_pass(w, 2000000000);
    gap_send(w, 40);
    int64_t before = gap_journal_end(w);
    gap_send(w, 1);
    gap_kill_worker(w);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, before);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(PARTS, task_counts(slot_task(w->slot, 0)).gaps);
    gap_check(w, 0, 0, PARTS, 101); /* nothing was put out twice */
    gap_send(w, 10);
    gap_check(w, 0, 0, PARTS, 70); /* 60 were in the snapshot */
    gap_check_state(w);
    gap_unmake(w);
}

/* The first input is old, and every timer up to the next fires: some at a time, committed on the
 * way, so that who is killed in the middle of it goes on there, and those beside do all the while.
 */
TEST(span_timers_between_inputs_are_fired_in_parts)
{
    enum { SPAN = 40000, KILLS = 3, SOME = 1000 };
    struct gap_world *w = gap_make(100000000);
    struct task *t;
    int64_t clock = 0;
    gap_kill_worker(w);
    w->beats = true;
    w->ahead = -(int64_t)SPAN * 1000000000;
    gap_begin(w, false);
    gap_send(w, PARTS);
    t = slot_task(w->slot, 0);
    const int64_t first = merge_clock(task_merge(t));
    gap_kill_worker(w);
    w->ahead = 0;
    gap_send(w, 10);
    for (int i = 0; i < KILLS; i++) {
        gap_begin(w, i % 2 == 1);
        for (int k = 0; k < 1000 && slot_state(w->slot) != SLOT_LIVE; k++) {
            gap_pass(w, 1000000);
        }
        t = slot_task(w->slot, 0);
        CHECK(merge_clock(task_merge(t)) >= clock); /* where the one before was committed */
        for (int k = 0; k < 1000 && task_span(t).fired < SOME; k++) {
            gap_pass(w, 1000000);
        }
        clock = merge_clock(task_merge(t));
        CHECK(clock > first && task_span(t).fired >= SOME && task_span(t).to > clock);
        gap_pass(w, 60000000); /* a commit or two */
        CHECK(task_span(t).to > merge_clock(task_merge(t)));
        gap_kill_worker(w);
    }
    gap_begin(w, false);
    gap_pass(w, 20000000000);
    t = slot_task(w->slot, 0);
    CHECK_EQ(0, task_span(t).fired);
    struct gap_found *f = gap_read_all(w);
    CHECK_EQ(SPAN, f->beats);
    mem_free(f);
    gap_check(w, 0, 0, 0, PARTS + 10);
    gap_check_state(w);
    gap_unmake(w);
}

/* Somebody has removed its input: those beside it go on. */
TEST(gap_a_task_without_its_topic_is_lost_alone)
{
    static const struct slice missing[] = {SLICE("missing")};
    struct gap_world *w = gap_make(100000000);
    gap_send(w, 20);
    struct task_plan plan = *w->task.plan;
    struct slot_task other = w->task;
    plan.name = SLICE("t/other/l/0");
    plan.lineage = LINEAGE + 1;
    plan.topics = other.topics = missing;
    other.plan = &plan;
    slot_add(w->slot, &other);
    gap_pass(w, 1000000);
    gap_pass(w, 1000000000);
    CHECK_EQ(2, slot_tasks(w->slot));
    CHECK_EQ(SLOT_LOST, slot_task_state(w->slot, 1));
    gap_send(w, 20);
    CHECK_EQ(SLOT_LIVE, slot_task_state(w->slot, 0));
    gap_check(w, 0, 0, 0, 40);
    gap_unmake(w);
}

TEST(trial_a_record_that_kills_is_passed_over)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 20);
    w->deadly = 45;
    gap_send(w, 60);
    gap_pass(w, 2000000000);
    CHECK_EQ(5, w->deaths); /* once, three times at one cut, and once alone */
    gap_check(w, 45, 46, 0, 79);
    CHECK(!atomic_load(&w->trial));
    gap_check_state(w);
    gap_send(w, 10);
    gap_check(w, 45, 46, 0, 89);
    gap_unmake(w);
}

/* Deaths that are none of its doing cost nothing: it goes on, and all is there once. */
TEST(trial_who_is_killed_by_others_loses_nothing)
{
    struct gap_world *w = gap_make(0);
    for (uint32_t i = 0; i < 12; i++) {
        gap_kill_worker(w);
        gap_begin(w, true);
        if (i % 6 == 5) {
            gap_send(w, 10);
        }
        gap_pass(w, 300000000);
        CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    }
    CHECK(!atomic_load(&w->trial));
    gap_check(w, 0, 0, 0, 20);
    gap_check_state(w);
    gap_unmake(w);
}

/* Not even who is killed each time between taking and committing, as long as he is young. */
TEST(trial_who_is_killed_young_loses_nothing)
{
    struct gap_world *w = gap_make(0);
    gap_send(w, 20);
    w->deadly = 20;
    w->young = 800000000;
    gap_kill_worker(w);
    gap_begin(w, true);
    gap_send(w, 20);
    gap_pass(w, 2000000000);
    CHECK_EQ(3, w->deaths); /* who comes then waits before he takes it alone */
    w->deadly = 0;
    gap_check(w, 0, 0, 0, 40);
    CHECK(!atomic_load(&w->trial));
    gap_check_state(w);
    gap_unmake(w);
}

/* The journal, too: what its last snapshot lacks is there alone. */
TEST(floor_a_task_is_saved_before_retention_takes_its_journal)
{
    struct gap_world *w = gap_make(10000000000000);
    for (int i = 0; i < 20; i++) {
        gap_send(w, 10); /* a record each */
    }
    ask(w);
    CHECK_EQ(1, slot_counts(w->slot).snapshots); /* the first, with the first inputs */
    struct slot_floor f = slot_floor(w->slot, 0);
    CHECK(!f.near && f.nears == 0);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, 2);
    ask(w);
    f = slot_floor(w->slot, 0);
    CHECK_EQ(1, f.nears);
    CHECK_EQ(2, slot_counts(w->slot).snapshots);
    gap_kill_worker(w);
    gap_trim_to(w, SLICE("journal"), LINEAGE % 64, gap_journal_end(w) - 1);
    gap_begin(w, false);
    gap_pass(w, 2000000000);
    CHECK_EQ(SLOT_LIVE, slot_state(w->slot));
    CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
    gap_send(w, 10);
    gap_check(w, 0, 0, 0, 210);
    gap_check_state(w);
    gap_unmake(w);
}
