/* SPDX-License-Identifier: Apache-2.0
 *
 * `every-distinct(keys[, period]) X`: every, but a match whose key was passed before is dropped.
 * The keys belong to a lineage: a part that begins anew after a match knows those of the one before
 * it; after false the keys are forgotten. With a period each key is forgotten that long after it
 * was passed.
 */
#include "operators/pattern/pat_bind.h"
#include "operators/pattern/pat_keys.h"
#include "operators/pattern/pat_local.h"

#include "core/base/mem.h"
#include "operators/expr/period.h"

#include <assert.h>

struct distinct_node {
    struct pat_node node;
    struct ex **keys;
    uint32_t n_keys;
    struct ex *period; /* NULL: keys are kept for ever */
};

struct line { /* of a kid */
    struct pat_inst *kid;
    struct pat_keys *keys;
    uint64_t nr; /* while it is loaded: of the kid */
};

struct distinct_inst {
    struct pat_inst i;
    VEC(struct line) lines;
    VEC(struct pat_keys *) spare;
};

static int distinct_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                         struct err *reterr)
{
    struct distinct_node *n = (struct distinct_node *)node;
    int rc = pat_bind_kids(x, p, node, reterr);
    n->keys = arena_array(x->b->a, p->n_args + 1, sizeof *n->keys);
    for (uint32_t i = 0; rc == 0 && i < p->n_args; i++) {
        enum ast_kind k = p->args[i]->kind;
        bool period = i + 1 == p->n_args && i > 0 &&
                      (k == AST_PERIOD || k == AST_INT || k == AST_LONG || k == AST_DOUBLE);
        if (period) {
            rc = pat_bind_operand(x, p->args[i], PAT_WANT_PERIOD, "every-distinct", &n->period,
                                  reterr);
        } else {
            struct ex **key = &n->keys[n->n_keys++];
            rc = pat_bind_operand(x, p->args[i], PAT_WANT_ANY, "every-distinct", key, reterr);
            if (rc == 0 && (ex_is_const(*key) || k == AST_PERIOD)) {
                rc =
                    bind_err(reterr, p->args[i]->span, "a key of every-distinct is not a constant");
            }
        }
    }
    if (rc == 0 && n->n_keys == 0) {
        rc = bind_err(reterr, p->span, "every-distinct wants the keys: every-distinct(a.id) a=A");
    }
    return rc;
}

static struct pat_keys *keys_new(struct distinct_inst *d)
{
    if (d->spare.len > 0) {
        return d->spare.ptr[--d->spare.len];
    }
    return MEM_NEW(struct pat_keys);
}

static void keys_free(struct distinct_inst *d, struct pat_keys *k)
{
    pat_release(d->i.pat, pat_keys_count(k), k->cost);
    pat_keys_clear(k, d->i.pat->env->heap);
    *VEC_PUSH(&d->spare) = k;
}

/* The keys of a kid leave the list; NULL if it has none. */
static struct pat_keys *take_line(struct distinct_inst *d, const struct pat_inst *kid)
{
    for (size_t k = 0; k < d->lines.len; k++) {
        if (d->lines.ptr[k].kid == kid) {
            struct pat_keys *keys = d->lines.ptr[k].keys;
            d->lines.ptr[k] = *VEC_LAST(&d->lines);
            d->lines.len--;
            return keys;
        }
    }
    return NULL;
}

static struct pat_keys *find_line(struct distinct_inst *d, const struct pat_inst *kid)
{
    VEC_EACH (&d->lines, l) {
        if (l->kid == kid) {
            return l->keys;
        }
    }
    return NULL;
}

static void begin_line(struct distinct_inst *d, struct pat_keys *take_keys)
{
    struct pat_inst *kid;
    pat_probe(&d->i, d->i.begin, &kid);
    if (kid == NULL || d->i.dead) {
        keys_free(d, take_keys);
        return;
    }
    *VEC_PUSH(&d->lines) = (struct line){kid, take_keys, 0};
}

static void distinct_start(struct pat_inst *i)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    begin_line(d, keys_new(d));
}

static struct dat key_of(const struct distinct_node *n, struct ectx *c)
{
    if (n->n_keys == 1) {
        return ex_eval(n->keys[0], c);
    }
    struct vlist *l = vlist_new(c->heap, n->n_keys);
    for (uint32_t k = 0; k < n->n_keys; k++) {
        vlist_set(l, k, ex_eval(n->keys[k], c));
    }
    return dat_list(l);
}

static bool seen(struct distinct_inst *d, struct pat_keys *keys, struct evt *m)
{
    const struct distinct_node *n = (const struct distinct_node *)d->i.node;
    struct evt *row[2] = {NULL, m};
    struct ectx c = pat_ctx(d->i.pat, row);
    struct dat key = key_of(n, &c);
    int64_t until = INT64_MAX;
    if (n->period != NULL) {
        uint32_t had = pat_keys_count(keys);
        uint64_t cost = keys->cost;
        pat_keys_expire(keys, c.heap, c.now);
        pat_release(d->i.pat, had - pat_keys_count(keys), cost - keys->cost);
        int64_t at = ex_after(n->period, &c, c.now, 1);
        until = at == INT64_MIN ? INT64_MAX : at;
    }
    if (pat_keys_has(keys, key) || pat_refuse(d->i.pat)) {
        return true;
    }
    uint64_t cost = keys->cost;
    bool before = pat_keys_seen(keys, key, until);
    pat_hold(d->i.pat, 1, keys->cost - cost);
    return before;
}

static void distinct_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    struct pat_keys *keys = quit ? take_line(d, from) : find_line(d, from);
    bool before = keys != NULL && seen(d, keys, m);
    bool keeps_on = from->node->def->keeps_on;
    if (quit) {
        pat_quit(from);
    }
    if (!keeps_on && quit && keys != NULL) {
        begin_line(d, keys);
    } else if (!keeps_on) {
        struct pat_keys *copy = keys_new(d);
        if (keys != NULL) {
            pat_keys_copy(copy, keys);
            pat_hold(i->pat, pat_keys_count(copy), copy->cost);
        }
        begin_line(d, copy);
    } else if (quit && keys != NULL) {
        keys_free(d, keys);
    }
    if (!before) {
        pat_true(i, m, false);
    }
}

static void distinct_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    struct pat_keys *keys = take_line(d, from);
    pat_quit(from);
    if (keys != NULL) {
        keys_free(d, keys);
    }
    if (!again) {
        pat_false(i, false);
        return;
    }
    begin_line(d, keys_new(d));
}

static void distinct_reset(struct pat_inst *i)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    VEC_EACH (&d->lines, l) {
        keys_free(d, l->keys);
    }
    VEC_CLEAR(&d->lines);
}

static void distinct_destroy(struct pat_inst *i)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    VEC_EACH (&d->spare, k) {
        pat_keys_done(*k);
        mem_free(*k);
    }
    VEC_DONE(&d->spare);
    VEC_DONE(&d->lines);
}

static void distinct_tell(const struct pat_node *node, struct pat_told *ret)
{
    const struct distinct_node *n = (const struct distinct_node *)node;
    ret->keys = n->keys;
    ret->n_keys = n->n_keys;
}

static void distinct_save(struct pat_inst *i, struct save *s)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    save_u(s, d->lines.len);
    for (const struct pat_inst *k = i->first; k != NULL; k = k->next) {
        const struct pat_keys *keys = find_line(d, k);
        if (keys != NULL) {
            save_u(s, k->nr);
            pat_keys_save(keys, s);
        }
    }
}

static void distinct_load(struct pat_inst *i, struct load *l)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        uint64_t nr = load_u(l);
        struct pat_keys *keys = keys_new(d);
        *VEC_PUSH(&d->lines) = (struct line){NULL, keys, nr};
        pat_keys_load(keys, l);
        pat_hold(i->pat, pat_keys_count(keys), keys->cost);
    }
}

/* Lines are in order of their kids. */
static void distinct_loaded(struct pat_inst *i, struct load *l)
{
    struct distinct_inst *d = (struct distinct_inst *)i;
    size_t at = 0;
    for (struct pat_inst *k = i->first; k != NULL && at < d->lines.len; k = k->next) {
        if (d->lines.ptr[at].nr == k->nr) {
            d->lines.ptr[at++].kid = k;
        }
    }
    if (at < d->lines.len) {
        load_fail(l, "keys of every-distinct of no part of it");
    }
}

const struct pat_def pat_def_distinct = {
    .node_bytes = sizeof(struct distinct_node),
    .inst_bytes = sizeof(struct distinct_inst),
    .keeps_filter = true,
    .holds_begin = true,
    .bind = distinct_bind,
    .start = distinct_start,
    .on_true = distinct_true,
    .on_false = distinct_false,
    .reset = distinct_reset,
    .destroy = distinct_destroy,
    .tell = distinct_tell,
    .save = distinct_save,
    .load = distinct_load,
    .loaded = distinct_loaded,
};
