/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine driven by JSON. See cmd_play.h.
 */
#include "operators/cmd/cmd_play.h"

#include "operators/graph/eng_state.h"

#include <assert.h>
#include <inttypes.h>

enum { ARENA_MAX = 1024 * 1024 * 1024, NAMES_MAX = 1000000, PARAMS_MAX = 1000 };

static void deliver(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct cmd_play *p = arg;
    if (p->muted || p->on_rows == NULL || rows->n_nw + rows->n_old == 0) {
        return;
    }
    if (!p->named_only || map_slot(&p->named, statement) != NULL) {
        p->on_rows(p->arg, statement, rows);
    }
}

static void derived(void *arg, const struct evt *e)
{
    struct cmd_play *p = arg;
    if (p->on_derived != NULL) {
        p->on_derived(p->arg, e);
    }
}

static void limit(void *arg, struct slice statement, enum lim_kind k, enum lim_policy policy)
{
    struct cmd_play *p = arg;
    if (p->on_limit != NULL) {
        p->on_limit(p->arg, statement, k, policy);
    }
}

static struct eng *new_eng(struct cmd_play *p)
{
    return eng_new(&(struct eng_conf){.on_rows = deliver,
                                      .on_derived = derived,
                                      .on_limit = limit,
                                      .limits = p->limits,
                                      .arg = p,
                                      .causes = p->causes,
                                      .unshared = p->unshared});
}

void cmd_play_init(struct cmd_play *p, const struct cmd_opts *o)
{
    *p = (struct cmd_play){.causes = o->causes, .unshared = o->unshared, .limits = o->limit_conf};
    p->arena = arena_new(NULL, "play", ARENA_MAX);
    p->eng = new_eng(p);
    map_init(&p->named, NAMES_MAX);
}

void cmd_play_done(struct cmd_play *p)
{
    p->muted = true;
    eng_free(p->eng);
    map_done(&p->named);
    arena_free(p->arena);
}

int cmd_play_load(struct cmd_play *p, const struct save_chunk *chunks, size_t n, struct err *reterr)
{
    struct eng *e = new_eng(p);
    p->muted = true;
    int rc = eng_load(e, chunks, n, reterr);
    eng_free(rc == 0 ? p->eng : e);
    p->eng = rc == 0 ? e : p->eng;
    p->muted = false;
    return rc;
}

/* Remembers which deployment each listened statement belongs to. */
static int learn_names(struct cmd_play *p, const struct ast_module *m, char *id, struct err *reterr)
{
    for (uint32_t i = 0; i < m->n_stmts; i++) {
        struct slice name = epl_name(m->stmts[i]);
        if (name.len == 0 || cmd_stmt_creates(m->stmts[i])) {
            continue;
        }
        void **slot = map_put(&p->named, name);
        if (slot == NULL) {
            return err_set(reterr, ERR_LIMIT, "more than %d named statements", NAMES_MAX);
        }
        *slot = id;
    }
    return 0;
}

int cmd_play_deploy(struct cmd_play *p, struct slice id, struct slice text, struct err *reterr)
{
    struct ast_module *m;
    char *own_id = arena_str(p->arena, id);
    struct slice own = arena_copy(p->arena, text);
    if (own_id == NULL || (own.ptr == NULL && text.len > 0)) {
        return err_set(reterr, ERR_LIMIT, "no room for the text of a deployment");
    }
    int rc = epl_parse(p->arena, own, &m, reterr);
    if (rc != 0) {
        return rc;
    }
    epl_tell_apart(p->arena, m);
    p->muted = true;
    rc = eng_deploy(p->eng, slice_str(own_id), own, reterr);
    p->muted = false;
    return rc == 0 ? learn_names(p, m, own_id, reterr) : rc;
}

int cmd_play_undeploy(struct cmd_play *p, struct slice id, struct err *reterr)
{
    int rc = eng_undeploy(p->eng, id, reterr);
    const char *of = rc != 0 ? map_get(&p->named, id) : NULL;
    return of != NULL ? eng_undeploy(p->eng, slice_str(of), reterr) : rc;
}

int cmd_play_send(struct cmd_play *p, struct slice type, const json_t *event, struct err *reterr)
{
    struct evt *e;
    const struct etype *t = eng_type(p->eng, type);
    if (t == NULL || t->kind == ETYPE_TABLE) {
        return err_set(reterr, ERR_NOT_FOUND, "there is no event type '" SLICE_FMT "'",
                       SLICE_ARG(type));
    }
    int rc = cmd_json_event(eng_heap(p->eng), t, event, &e, reterr);
    if (rc == 0 && p->causes) {
        e->ref = (struct eref){0, p->step + 1}; /* 0,0 is none */
    }
    return rc == 0 ? eng_send(p->eng, e, reterr) : rc;
}

int cmd_play_query(struct cmd_play *p, struct slice text, const json_t *params,
                   struct eng_rows *ret, struct err *reterr)
{
    struct dat v[PARAMS_MAX];
    size_t n = json_array_size(params);
    if (n > PARAMS_MAX) {
        return err_set(reterr, ERR_LIMIT, "more than %d parameters", PARAMS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        v[i] = cmd_json_untyped(eng_heap(p->eng), json_array_get(params, i));
    }
    *ret = (struct eng_rows){.nw = NULL};
    return eng_query(p->eng, text, v, n, ret, reterr);
}

/* ---- causes ---- */

static void put_ref(struct eref r, struct buf *out)
{
    if (r.hi == 0) {
        (void)buf_addf(out, "%" PRIu64, r.lo - 1);
    } else {
        (void)buf_addf(out, "\"d%" PRIu64 "\"", r.lo);
    }
}

static void put_list(const struct causes *c, struct buf *out)
{
    (void)buf_add_str(out, "[");
    for (uint32_t i = 0; c != NULL && i < c->len; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        put_ref(c->r[i], out);
    }
    (void)buf_add_str(out, "]");
}

void cmd_play_causes(const struct evt *row, struct buf *out)
{
    if ((row->ref.hi | row->ref.lo) == 0) {
        put_list(row->causes, out);
        return;
    }
    (void)buf_add_str(out, "[");
    put_ref(row->ref, out);
    (void)buf_add_str(out, "]");
}

void cmd_play_rows(const struct cmd_play *p, struct evt *const *rows, size_t n, struct buf *out)
{
    if (!p->causes) {
        cmd_json_rows(rows, n, out);
        return;
    }
    (void)buf_add_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        (void)buf_add_str(out, i > 0 ? ", {\"row\": " : "{\"row\": ");
        cmd_json_value(dat_evt(rows[i]), out);
        (void)buf_add_str(out, ", \"causes\": ");
        if (rows[i] != NULL) {
            cmd_play_causes(rows[i], out);
        } else {
            (void)buf_add_str(out, "[]");
        }
        (void)buf_add_str(out, "}");
    }
    (void)buf_add_str(out, "]");
}

void cmd_play_derived(const struct evt *e, struct buf *out)
{
    (void)buf_add_str(out, "\"derived\": ");
    put_ref(e->ref, out);
    (void)buf_add_str(out, ", \"type\": ");
    cmd_json_string(e->type->name, out);
    (void)buf_add_str(out, ", \"causes\": ");
    put_list(e->causes, out);
}
