/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrong bytes as the state of an engine. A module is deployed and played by the first bytes of the
 * input, its state saved, the rest of the input changes the chunks: bytes put elsewhere, cut out,
 * put in, chunks left out, doubled, exchanged. Loading must refuse that or give an engine that goes
 * on: events, clock, an on-demand query, saving. Nothing may crash, leak or hang. What was not
 * changed must load, and be the same when it is saved again.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/eng_state.h"
#include "tests/fuzz/fuzz_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPES                                                                                      \
    "create schema A(k string, x int, v double, ts long);\n"                                       \
    "create schema B(k string, x int, v double, ts long);\n"

/* Every kind of node stands in one of them. */
static const char *const modules[] = {
    TYPES "@name('a') select k, prior(1, x) as p from A(x > 1);\n"
          "@name('b') select irstream k, prev(1, x) as p, prevcount(x) as n from A#length(3);\n"
          "@name('c') select *, current_timestamp() as t from A#time(3 sec) where v > 0;\n"
          "@name('d') insert into S select k, x from A; @name('e') select * from S#lastevent;\n"
          "update istream S set x = x + 1 where x < 3;\n",
    TYPES "select * from A#length_batch(2); select * from A#time_batch(2 sec);\n"
          "select * from A#time_length_batch(2 sec, 3); select * from A#time_accum(1 sec);\n"
          "select * from A#ext_timed(ts, 2 sec); select * from A#ext_timed_batch(ts, 2 sec);\n"
          "select * from A#time_order(ts, 2 sec); select * from A#timetolive(ts);\n"
          "select * from A#unique(k); select * from A#firstunique(k); select * from A#firstevent;\n"
          "select * from A#firstlength(2); select * from A#firsttime(2 sec);\n",
    TYPES "select * from A#sort(3, x desc, k); select * from A#rank(k, 3, x desc);\n"
          "select * from A#expr(current_count <= 2 and sum(x) < 9);\n"
          "select * from A#expr_batch(current_count > 2); select * from A#length(3)#unique(k);\n"
          "select * from A#length(3)#unique(k) retain-union; select * from A#size;\n"
          "select * from A#groupwin(k)#length(2); select * from A#groupwin(k)#time_batch(2 sec);\n"
          "select * from A#length(4)#uni(v); select * from A#length(4)#linest(x, v);\n"
          "select * from A#length(4)#correl(x, v); select * from A#length(4)#weighted_avg(v, x);\n",
    TYPES
    "select k, count(*), count(distinct x), sum(x), sum(v), avg(v), min(x), max(v),\n"
    " fmin(x, v > 1), stddev(v), avedev(v), median(v), percentile(v, 50)\n"
    " from A#length(4) group by k;\n"
    "select minever(x), maxever(v), fmaxever(x, v > 0), firstever(k), lastever(k),\n"
    " countever(x), maxbyever(x), minbyever(x), rate(2) from A;\n"
    "select first(x), last(x), window(x), nth(x, 1), first(*), window(*), sorted(x desc, k),\n"
    " maxby(x), minby(x), leaving(), sum(x, group_by: (k)) from A#length(4);\n"
    "select k, x, sum(v) from A#length(3) group by rollup(k, x);\n",
    TYPES
    "select k, sum(x) as s from A group by k output last every 2 sec;\n"
    "select irstream k, x, sum(x) as s from A#length(3) group by k output all every 2 events;\n"
    "select k, x from A#length(3) output first every 2 sec;\n"
    "select k, count(*) as n from A group by k output first every 2 events;\n"
    "select k, sum(x) as s from A#length(3) group by k having sum(x) > 1\n"
    " output snapshot every 2 sec order by s desc limit 3;\n"
    "select k, count(*) as n from A group by k output after 3 sec first every 2 sec;\n"
    "select k, x from A output all every 2 events order by x;\n"
    "create variable int lim = 3; on B set lim = x;\n"
    "select x from A output when count_insert >= lim then set lim = lim + 1;\n"
    "select sum(x) as s from A output last at (*, *, *, *, *);\n",
    TYPES
    "select * from A#length(3) as a, B#length(2) as b where a.k = b.k;\n"
    "select a.k as k, sum(b.x) as s from A#unique(k) as a left outer join B#time(3 sec) as b\n"
    " on a.k = b.k group by a.k; select * from A unidirectional, B#keepall;\n"
    "select a.x, b.x, c.x from A#lastevent as a full outer join B#lastevent as b on a.k = b.k\n"
    " full outer join A#firstevent as c on c.k = b.k;\n"
    "select x, (select sum(x) from B#length(2) where k = a.k) as s,\n"
    " exists (select * from B#time(2 sec)) as e from A as a;\n",
    TYPES "create table T(k string primary key, s sum(int), w window(*) @type(A),\n"
          " c count(*), o sorted(x) @type(A), y int);\n"
          "into table T select sum(x) as s, window(*) as w, count(*) as c, sorted() as o\n"
          " from A#length(4) group by k; on B(x > 2) delete from T where T.k = B.k;\n"
          "on B(x = 1) update T set y = x where T.k = B.k;\n"
          "select k, T[k].s as s, (select count(*) from T) as n from A;\n"
          "create table One(n count(*), m countMinSketch());\n"
          "into table One select count(*) as n from A;\n"
          "select * from B as b, T as t where t.k = b.k;\n",
    TYPES
    "create window W#keepall as A; insert into W select * from A;\n"
    "on B(x = 1) delete from W where W.k = B.k; on B(x = 2) select count(*) as n from W;\n"
    "on B(x = 3) merge W where W.k = B.k when matched then update set x = W.x + 1\n"
    " when not matched then insert select k, x, v, ts;\n"
    "create window U#unique(k)#length(3) as (k string, n int);\n"
    "on A insert into U select k, x as n;\n"
    "select k, count(*) as n from W group by k; select sum(n) from U;\n"
    "select w.k, (select max(n) from U) as m from W as w, A#lastevent as a where a.k = w.k;\n",
    TYPES "create context K partition by k from A, k from B;\n"
          "context K select context.key1 as c, sum(x) as s from A#length(2) group by v;\n"
          "context K create window KW#keepall as A; context K insert into KW select * from A;\n"
          "context K create table KT(x int primary key, n count(*));\n"
          "context K into table KT select count(*) as n from A group by x;\n"
          "context K create variable int kv = 0; context K on B set kv = kv + x;\n"
          "context K select kv, prev(1, x) as p, (select last(x) from B#keepall) as l\n"
          " from A#length(2) output last every 2 events;\n"
          "context K select * from pattern [every a=A -> b=B(x = a.x)];\n"
          "create context H coalesce by consistent_hash_crc32(k) from A granularity 4;\n"
          "context H select context.id as i, count(*) as n from A;\n"
          "create context C group x < 2 as low, group x >= 2 as high from A;\n"
          "context C select context.label as l, sum(x) as s from A#time(2 sec);\n",
    TYPES "create context I initiated by A(x > 1) as a terminated by B(k = a.k);\n"
          "context I select context.a.x as ax, count(*) as n from A output last when terminated;\n"
          "create context T start after 1 sec end after 3 sec;\n"
          "context T select count(*) as n from A output snapshot when terminated;\n"
          "create context R start (*, *, *, *, *) end (*, *, *, *, *, 30);\n"
          "context R select sum(x) from A;\n"
          "create context D initiated by distinct(k) A as a terminated after 3 sec;\n"
          "context D select context.a.k as k, sum(x) as s from A(k = context.a.k);\n"
          "create context P start pattern [a=A -> b=A(x > a.x)] @inclusive end pattern [B or\n"
          " timer:interval(2 sec)]; context P select x from A#keepall;\n"
          "create context N context L partition by k from A, context M initiated by A(x > 1)\n"
          " terminated after 2 sec; context N select context.L.key1 as k, count(*) as n from A;\n",
    TYPES
    "select * from pattern [every a=A -> (b=B(k = a.k) and not A(x = 5))];\n"
    "select * from pattern [every (a=A or b=B) -> timer:interval(1 sec)];\n"
    "select * from pattern [every [2] a=A -> b=B]; select * from pattern [a=A until b=B];\n"
    "select * from pattern [every a=A -> [1:3] b=B(x > a.x) until timer:interval(2 sec)];\n"
    "select * from pattern [every-distinct(a.k, 3 sec) a=A -> b=B where timer:within(2 sec)];\n"
    "select * from pattern [every a=A where timer:withinmax(3 sec, 2)];\n"
    "select * from pattern [every a=A while (a.x < 4) -> b=B];\n"
    "select * from pattern [every timer:at(*, *, *, *, *, */2)];\n"
    "select * from pattern [timer:schedule(repetitions: 3, period: 1 sec)];\n"
    "select * from pattern @SuppressOverlappingMatches [every a=A -> b=A];\n"
    "select * from pattern @DiscardPartialsOnMatch [every a=A -> b=B];\n",
    TYPES "select * from A match_recognize (partition by k measures a.x as ax, last(b.x) as bx,\n"
          " c.x as cx pattern (a b* c?) define b as b.x > prev(b.x), c as c.x < a.x);\n"
          "select * from A#length(4) match_recognize (measures a.x as ax, count(b.x) as n\n"
          " all matches after match skip to next row pattern (a (b | c)+) define b as b.x > 1);\n"
          "select * from A match_recognize (measures a.x as x pattern (a b*) interval 2 sec\n"
          " or terminated define b as b.x >= a.x);\n",
};

struct chunks {
    VEC(struct save_chunk) v;
};

static void add(void *arg, const struct save_chunk *c)
{
    struct chunks *to = arg;
    char *bytes = mem_alloc(c->bytes.len + 1);
    memcpy(bytes, c->bytes.ptr, c->bytes.len);
    *VEC_PUSH(&to->v) = (struct save_chunk){c->node, c->group, {bytes, c->bytes.len}, NULL};
}

static void clear(struct chunks *c)
{
    VEC_EACH (&c->v, k) {
        mem_free((char *)(uintptr_t)k->bytes.ptr);
    }
    VEC_DONE(&c->v);
}

static struct eng *fresh(void)
{
    return eng_new(&(struct eng_conf){.causes = true});
}

static void send(struct eng *e, uint8_t what, uint8_t how)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    struct err err;
    const struct etype *t = eng_type(e, what & 1 ? SLICE("A") : SLICE("B"));
    if (t == NULL) {
        return;
    }
    struct evt *ev = evt_new(eng_heap(e), t);
    const struct dat col[] = {dat_str(vstr_new(eng_heap(e), slice_str(keys[how & 3]))),
                              dat_int(how >> 2 & 7), dat_double((double)(how >> 3) / 2),
                              dat_long(eng_now(e) + how * 10)};
    for (uint32_t i = 0; i < 4 && i < t->n_cols; i++) {
        evt_set(ev, i, col[i]);
    }
    (void)eng_send(e, ev, &err);
}

static void play(struct eng *e, const uint8_t *data, size_t n)
{
    enum { STEPS_MAX = 40 };
    for (size_t i = 0; i + 1 < n && i < STEPS_MAX; i += 2) {
        if (data[i] % 4 == 3) {
            eng_advance(e, eng_now(e) + 20 * data[i + 1]);
        } else {
            send(e, data[i], data[i + 1]);
        }
    }
}

/* ---- changes ---- */

/* cut bytes at `at` are replaced by those of the script. */
static void splice(struct save_chunk *c, size_t at, size_t cut, struct script *s, size_t n)
{
    n = n < s->left ? n : s->left;
    char *to = mem_alloc(c->bytes.len - cut + n + 1);
    memcpy(to, c->bytes.ptr, at);
    memcpy(to + at, s->p, n);
    memcpy(to + at + n, c->bytes.ptr + at + cut, c->bytes.len - at - cut);
    mem_free((char *)(uintptr_t)c->bytes.ptr);
    c->bytes = slice_of(to, c->bytes.len - cut + n);
    s->p += n;
    s->left -= n;
}

static void change(struct chunks *c, struct script *s)
{
    size_t which = draw(s, 1) % c->v.len;
    struct save_chunk *k = &c->v.ptr[which];
    uint64_t how = draw(s, 1);
    size_t at = k->bytes.len > 0 ? draw(s, 2) % k->bytes.len : 0, rest = k->bytes.len - at;
    size_t n = how >> 4;
    switch (how & 7) {
    case 0:
    case 1:
    case 2: splice(k, at, n + 1 < rest ? n + 1 : rest, s, n + 1); break;
    case 3: splice(k, at, 0, s, n + 1); break;
    case 4: splice(k, at, n + 1 < rest ? n + 1 : rest, s, 0); break;
    case 5: splice(k, at, rest, s, 0); break;
    case 6: {
        struct save_chunk copy = *k;
        copy.group = (uint16_t)draw(s, 2) % (SAVE_NO_GROUP + 1);
        add(c, &copy);
        break;
    }
    default: mem_free((char *)(uintptr_t)k->bytes.ptr); (void)VEC_REMOVE(&c->v, which);
    }
}

static void same(const struct chunks *a, const struct chunks *b)
{
    if (a->v.len != b->v.len) {
        abort();
    }
    for (size_t i = 0; i < a->v.len; i++) {
        const struct save_chunk *x = &a->v.ptr[i], *y = &b->v.ptr[i];
        if (x->node != y->node || x->group != y->group || !slice_eq(x->bytes, y->bytes)) {
            abort();
        }
    }
}

static void reload(struct chunks *c, bool changed, const uint8_t *data, size_t n)
{
    struct err err;
    struct eng_rows rows;
    struct chunks again = {{NULL, 0, 0}};
    struct eng *e = fresh();
    if (eng_load(e, c->v.ptr, c->v.len, &err) == 0) {
        eng_save(e, add, &again);
        if (!changed) {
            same(c, &again);
        }
        play(e, data, n);
        (void)eng_query(e, SLICE("select count(*) as n from W"), NULL, 0, &rows, &err);
        clear(&again);
        eng_save(e, add, &again);
    } else if (!changed) {
        abort();
    }
    clear(&again);
    eng_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEAD = 2, CHANGES_MAX = 8 };
    if (size < HEAD) {
        return 0;
    }
    struct err err;
    struct eng *e = fresh();
    size_t before = data[1] % 32, left = size - HEAD;
    before = before < left ? before : left;
    if (eng_deploy(e, SLICE("m"), slice_str(modules[data[0] % ARRAY_LEN(modules)]), &err) != 0) {
        fprintf(stderr, "module %zu: %u:%u %s\n", data[0] % ARRAY_LEN(modules), err.line, err.col,
                err.msg);
        abort();
    }
    play(e, data + HEAD, before);
    struct chunks c = {{NULL, 0, 0}};
    eng_save(e, add, &c);
    eng_free(e);
    struct script s = {data + HEAD + before, left - before};
    bool changed = s.left > 0;
    for (int i = 0; i < CHANGES_MAX && s.left > 0 && c.v.len > 0; i++) {
        change(&c, &s);
    }
    reload(&c, changed, data + HEAD, left);
    clear(&c);
    return 0;
}
