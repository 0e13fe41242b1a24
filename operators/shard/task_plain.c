/* SPDX-License-Identifier: Apache-2.0
 *
 * What leaves a task besides derived events: alerts, and letters to `dlq` about what could not be
 * taken or put out. All of it is output like other output: in the transaction of its cut, in the
 * sum of its parcel, made of topics, journal and the engine's clock alone, so equal under replay.
 */
#include "core/base/clock.h"
#include "core/codec/endian.h"
#include "core/event/batch_enc.h"
#include "core/event/key.h"
#include "core/event/rec_plain.h"
#include "operators/graph/eng.h"
#include "operators/shard/task_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_MAX = 512 };

static const char *const reasons[] = {
#define TASK_DEAD(name, reason, doc) reason,
#include "operators/shard/dead.def"
};

int64_t task_now(const struct task *t)
{
    return t->started ? MAX(t->floor, eng_now(t->eng) * CLOCK_NS_PER_MS) : 0;
}

/* ---- dead letters ---- */

void task_dead(struct task *t, enum task_dead why, struct slice statement, const char *fmt, ...)
{
    char detail[DETAIL_MAX], ref[REC_PLAIN_FIXED];
    struct err err;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    t->counts.dead++;
    if (t->plan->to_dead == 0) {
        return;
    }
    endian_put_be64(ref, t->input.hi);
    endian_put_be64(ref + 8, t->input.lo);
    bool has_ref = (t->input.hi | t->input.lo) != 0;
    const struct val f[REC_DEAD_FIELDS] = {
        [REC_DEAD_REASON] = val_string(slice_str(reasons[why])),
        [REC_DEAD_DETAIL] = val_string(slice_str(detail)),
        [REC_DEAD_TENANT] = val_string(t->plan->tenant),
        [REC_DEAD_SOURCE] = val_string(t->plan->name),
        [REC_DEAD_STATEMENT] = statement.len > 0 ? val_string(statement) : val_null(),
        [REC_DEAD_REFERENCE] = has_ref ? val_bytes(slice_of(ref, sizeof ref)) : val_null(),
        [REC_DEAD_CLOCK] = val_int(task_now(t)),
    };
    uint32_t to = t->plan->to_dead - 1;
    buf_clear(&t->key);
    buf_clear(&t->plain);
    if (key_add(&t->key, val_string(t->plan->name)) &&
        rec_plain_write(REC_PLAIN_DEAD, t->values, f, &t->plain) &&
        emit_plain(t->emit, to, key_partition(buf_slice(&t->key), t->plan->to[to].parts),
                   buf_slice(&t->key), buf_slice(&t->plain), 0, &err) == 0) {
        return;
    }
    assert(false && "a letter is small");
}

/* ---- what one input puts out ---- */

void task_input_begin(struct task *t, struct eref input)
{
    t->input = input;
    t->input_from = emit_total(t->emit);
    assert(t->over == 0);
}

bool task_input_is_full(struct task *t, struct slice type)
{
    if (LIKELY(emit_total(t->emit) - t->input_from < TASK_INPUT_MAX)) {
        return false;
    }
    t->over_type = t->over++ == 0 ? type : t->over_type;
    t->counts.over++;
    return true;
}

void task_input_end(struct task *t)
{
    if (UNLIKELY(t->over > 0)) {
        task_dead(t, TASK_DEAD_TOO_MUCH, SLICE_NONE,
                  "%llu outputs behind the first %d MiB, the first of them of '%.*s'",
                  (unsigned long long)t->over, TASK_INPUT_MAX >> 20, (int)t->over_type.len,
                  t->over_type.ptr);
        t->over = 0;
    }
    t->input = (struct eref){0, 0};
}

/* ---- alerts ---- */

static void alert(struct task *t, const struct alert_rule *rule, const struct evt *row)
{
    const struct task_plan *p = t->plan;
    struct err err;
    struct id id;
    if (task_input_is_full(t, rule->statement)) {
        return;
    }
    arena_reset(t->scratch);
    buf_clear(&t->plain);
    int rc =
        alert_write(t->book, rule, row, task_now(t), t->values, t->scratch, &t->plain, &id, &err);
    uint64_t number = eng_numbered(t->eng) + 1;
    struct slice key = slice_of((const char *)id.bytes, sizeof id.bytes);
    if (rc == 0) {
        uint32_t part = key_partition(key, p->to[p->to_alerts - 1].parts);
        rc = emit_plain(t->emit, p->to_alerts - 1, part, key, buf_slice(&t->plain), number, &err);
        rc = rc == 0 ? emit_plain(t->emit, p->to_history - 1, part, key, buf_slice(&t->plain),
                                  number, &err)
                     : rc;
    }
    if (rc != 0) {
        t->counts.refused++;
        task_dead(t, rc == -ERR_LIMIT ? TASK_DEAD_KEYS : TASK_DEAD_TOO_BIG, rule->statement, "%s",
                  err.msg);
        return;
    }
    eng_number_from(t->eng, number);
    t->counts.alerts++;
}

void task_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct task *t = arg;
    const struct alert_rule *rule = alert_rule_of(t->book, statement);
    for (size_t i = 0; rule != NULL && i < rows->n_nw; i++) {
        alert(t, rule, rows->nw[i]);
    }
}

/* ---- what is wrong ---- */

static size_t limits_met(const struct task *t, char *to, size_t n)
{
    struct lim limits;
    size_t at = 0;
    lim_init(&limits, t->plan->limits);
    for (uint32_t k = 0; k < LIM_KINDS && at < n; k++) {
        if (eng_is_limited(t->eng, (enum lim_kind)k)) {
            struct slice who = eng_limited(t->eng, (enum lim_kind)k);
            at += (size_t)snprintf(to + at, n - at, "%s%s: no more than %llu, then %s",
                                   at > 0 ? "; " : "", lim_rows[k].name,
                                   (unsigned long long)limits.max[k],
                                   lim_policy_name(limits.policy[k]));
            if (who.len > 0 && at < n) {
                at += (size_t)snprintf(to + at, n - at, " ('" SLICE_FMT "')", SLICE_ARG(who));
            }
        }
    }
    return at;
}

void task_trouble(const struct task *t, char *to, size_t n)
{
    size_t at = 0;
    assert(n > 0);
    to[0] = '\0';
    if (t->has_failed) {
        (void)snprintf(to, n, "its rules are not deployed: %s", t->failed.msg);
        return;
    }
    at = limits_met(t, to, n);
    struct slice halted = eng_halted(t->eng);
    if (halted.len > 0 && at < n) {
        at += (size_t)snprintf(to + at, n - at, "%s'" SLICE_FMT "' was stopped by a limit",
                               at > 0 ? "; " : "", SLICE_ARG(halted));
    }
    if (t->counts.journals > 0 && at < n) {
        at += (size_t)snprintf(to + at, n - at,
                               "%sits journal was lost, so input up to where it began again is not "
                               "taken",
                               at > 0 ? "; " : "");
    }
    if (t->counts.gaps > 0 && at < n) {
        at += (size_t)snprintf(to + at, n - at, "%sinput was lost", at > 0 ? "; " : "");
    }
    if (t->counts.forgot > 0 && at < n) {
        at += (size_t)snprintf(to + at, n - at, "%swhat rules held was lost", at > 0 ? "; " : "");
    }
    if (t->counts.over > 0 && at < n) {
        (void)snprintf(to + at, n - at, "%sone input made too much", at > 0 ? "; " : "");
    }
}
