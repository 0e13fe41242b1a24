/* SPDX-License-Identifier: Apache-2.0
 *
 * See lim.h.
 */
#include "operators/sig/lim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LIM_P(policy) (1U << LIM_P_##policy)
enum { LIM_P_OLDEST = LIM_DROP_OLDEST, LIM_P_NEW = LIM_DROP_NEW, LIM_P_STOP = LIM_STOP };

const struct lim_row lim_rows[LIM_KINDS] = {
#define LIM(kind, text, max_, policy_, policies_, doc_)                                            \
    [LIM_##kind] = {                                                                               \
        .name = text, .doc = doc_, .max = max_, .policy = policy_, .policies = policies_},
#include "operators/sig/lim.def"
#undef LIM
};

static const char *const policy_names[LIM_POLICIES] = {
    [LIM_DEFAULT] = "default",
    [LIM_DROP_OLDEST] = "drop_oldest",
    [LIM_DROP_NEW] = "drop_new",
    [LIM_STOP] = "stop_statement",
};

const char *lim_policy_name(enum lim_policy p)
{
    assert(p < LIM_POLICIES);
    return policy_names[p];
}

/* ---- as text ---- */

static int find_kind(struct slice name, enum lim_kind *ret, struct err *reterr)
{
    char list[100] = "";
    size_t len = 0;
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        if (slice_eq(name, slice_str(lim_rows[k].name))) {
            *ret = (enum lim_kind)k;
            return 0;
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", k > 0 ? ", " : "",
                                lim_rows[k].name);
    }
    return err_set(reterr, ERR_NOT_FOUND, "there is no limit '" SLICE_FMT "'; there is %s",
                   SLICE_ARG(name), list);
}

static int find_policy(struct slice name, enum lim_kind k, enum lim_policy *ret, struct err *reterr)
{
    char list[60] = "";
    size_t len = 0;
    for (uint32_t p = 1; p < LIM_POLICIES; p++) {
        if ((lim_rows[k].policies & (1U << p)) == 0) {
            continue;
        }
        if (slice_eq(name, slice_str(policy_names[p]))) {
            *ret = (enum lim_policy)p;
            return 0;
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "",
                                policy_names[p]);
    }
    return err_set(reterr, ERR_NOT_FOUND, "the limit '%s' has no policy '" SLICE_FMT "'; it has %s",
                   lim_rows[k].name, SLICE_ARG(name), list);
}

/* One "name=number[:policy]". */
static int parse_one(struct slice s, struct lim_conf *ret, struct err *reterr)
{
    struct slice name, number, policy = s;
    enum lim_kind k = LIM_ROWS;
    int64_t max = 0;
    if (slice_find(s, '=') == s.len || !slice_split(&policy, '=', &name)) {
        return err_set(reterr, ERR_SYNTAX, "'" SLICE_FMT "': expected name=number[:policy]",
                       SLICE_ARG(s));
    }
    int rc = find_kind(slice_trim(name), &k, reterr);
    if (rc != 0) {
        return rc;
    }
    bool has_policy = slice_find(policy, ':') < policy.len;
    (void)slice_split(&policy, ':', &number);
    if (!slice_to_i64(slice_trim(number), &max) || max < 1) {
        return err_set(reterr, ERR_RANGE, "%s: '" SLICE_FMT "' is no number from 1",
                       lim_rows[k].name, SLICE_ARG(number));
    }
    ret->max[k] = (uint64_t)max;
    return has_policy ? find_policy(slice_trim(policy), k, &ret->policy[k], reterr) : 0;
}

int lim_parse(struct slice text, struct lim_conf *ret, struct err *reterr)
{
    struct slice line, one;
    int rc = 0;
    while (rc == 0 && slice_split(&text, '\n', &line)) {
        line = slice_sub(line, 0, slice_find(line, '#'));
        while (rc == 0 && slice_split(&line, ',', &one)) {
            one = slice_trim(one);
            rc = one.len > 0 ? parse_one(one, ret, reterr) : 0;
        }
    }
    return rc;
}

/* ---- counting ---- */

void lim_init(struct lim *l, const struct lim_conf *conf)
{
    *l = (struct lim){.bytes = false};
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        const struct lim_row *row = &lim_rows[k];
        uint64_t max = conf != NULL && conf->max[k] > 0 ? conf->max[k] : row->max;
        l->max[k] = max > 0 ? max : UINT64_MAX;
        bool own = conf != NULL && conf->policy[k] != LIM_DEFAULT;
        l->policy[k] = own ? conf->policy[k] : row->policy;
        l->bytes |= k == LIM_BYTES && max > 0;
        l->turn[k] = 1;
    }
}

void lim_refuse(struct lim *l, enum lim_kind k, uint64_t n, void *who)
{
    assert(l != NULL);
    l->dropped[k] += n;
    l->hit[k] = true;
    if (l->on_hit != NULL) {
        l->on_hit(l->arg, k, who);
    }
}

bool lim_refuses(struct lim *l, enum lim_kind k, uint64_t cost, void *who)
{
    if (LIKELY(!lim_full(l, k, 1) && !lim_full(l, LIM_STATE, cost))) {
        return false;
    }
    bool many = lim_full(l, k, 1);
    lim_refuse(l, many ? k : LIM_STATE, many ? 1 : cost, who);
    return true;
}

void lim_recover(struct lim *l, enum lim_kind k)
{
    l->hit[k] = false;
    l->turn[k]++;
}

/* ---- costs ---- */

struct costs {
    uint64_t sum;
    uint32_t left; /* values still to be looked into: what is in many lists is not told apart */
};

static void add_value(struct costs *c, struct dat v, int depth);

static void add_event(struct costs *c, const struct evt *e, int depth)
{
    const struct etype *t = e->type;
    c->sum += LIM_COST_EVENT + (uint64_t)LIM_COST_VALUE * t->n_cols;
    for (uint32_t i = 0; i < t->n_objs; i++) {
        struct dat v = e->p[t->objs[i]];
        if (v.kind == DAT_STRING) {
            c->sum += LIM_COST_OBJECT + v.s->len;
        } else if (dat_is_obj(v)) {
            add_value(c, v, depth);
        }
    }
    if (e->extra != NULL) {
        add_value(c, dat_map(e->extra), depth);
    }
}

static void add_value(struct costs *c, struct dat v, int depth)
{
    enum { DEEP = 8 };
    bool into = depth < DEEP && c->left > 0;
    c->sum += LIM_COST_OBJECT;
    c->left -= into;
    if (v.kind == DAT_STRING) {
        c->sum += v.s->len;
    } else if (v.kind == DAT_EVENT && into) {
        add_event(c, v.ev, depth + 1);
    } else if (v.kind == DAT_LIST) {
        c->sum += (uint64_t)LIM_COST_VALUE * v.l->len;
        for (uint32_t i = 0; into && i < v.l->len; i++) {
            if (dat_is_obj(v.l->v[i])) {
                add_value(c, v.l->v[i], depth + 1);
            }
        }
    } else if (v.kind == DAT_MAP) {
        c->sum += (uint64_t)LIM_COST_VALUE * 2 * v.m->len;
        for (uint32_t i = 0; into && i < v.m->len; i++) {
            struct dat of[] = {v.m->v[i].key, v.m->v[i].value};
            for (size_t k = 0; k < ARRAY_LEN(of); k++) {
                if (dat_is_obj(of[k])) {
                    add_value(c, of[k], depth + 1);
                }
            }
        }
    }
}

enum { LOOKS = 4096 };

uint64_t lim_cost(const struct evt *e)
{
    struct costs c = {0, LOOKS};
    add_event(&c, e, 0);
    return c.sum;
}

uint64_t lim_cost_deep(struct dat v)
{
    struct costs c = {0, LOOKS};
    add_value(&c, v, 0);
    return c.sum;
}

/* ---- declared bytes ---- */

static uint64_t fixed_bytes(enum ty_kind k)
{
    switch (k) {
    case TY_BOOL:
    case TY_BYTE: return 1;
    case TY_CHAR:
    case TY_SHORT: return 2;
    case TY_INT:
    case TY_FLOAT: return 4;
    case TY_BIGINT:
    case TY_BIGDEC: return 16;
    default: return 8; /* others, and the place of what has no size of its own */
    }
}

static uint64_t text_bytes(struct dat v, int depth)
{
    enum { DEEP = 8 };
    uint64_t n = v.kind == DAT_STRING ? v.s->len : 0;
    for (uint32_t i = 0; v.kind == DAT_LIST && depth < DEEP && i < v.l->len; i++) {
        n += 8 + text_bytes(v.l->v[i], depth + 1);
    }
    for (uint32_t i = 0; v.kind == DAT_MAP && depth < DEEP && i < v.m->len; i++) {
        n += 16 + text_bytes(v.m->v[i].key, depth + 1) + text_bytes(v.m->v[i].value, depth + 1);
    }
    return n;
}

uint64_t lim_bytes(const struct evt *e)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        n += fixed_bytes(e->type->cols[i].ty.kind) + text_bytes(e->p[i], 0);
    }
    return n;
}

uint64_t lim_bytes_of(struct evt *const *e, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += lim_bytes(e[i]);
    }
    return sum;
}

/* ---- state ---- */

void lim_save(const struct lim *l, struct save *s)
{
    save_u(s, LIM_KINDS);
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        save_u(s, l->used[k]); /* what is loaded must add up to it; but for output, see resume */
        save_u(s, l->dropped[k]);
        save_u(s, l->turn[k]);
        save_bool(s, l->hit[k]);
    }
}

void lim_load(struct lim *aside, struct load *from)
{
    if (load_u(from) != LIM_KINDS) {
        load_fail(from, "other limits");
    }
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        aside->used[k] = load_u(from);
        aside->dropped[k] = load_u(from);
        aside->turn[k] = load_u(from);
        aside->hit[k] = load_bool(from);
    }
}

void lim_resume(struct lim *l, const struct lim *aside)
{
    memcpy(l->dropped, aside->dropped, sizeof l->dropped);
    memcpy(l->turn, aside->turn, sizeof l->turn);
    memcpy(l->hit, aside->hit, sizeof l->hit);
    l->used[LIM_OUTPUT] = aside->used[LIM_OUTPUT]; /* of the second under way */
}
