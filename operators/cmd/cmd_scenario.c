/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl scenario FILE`: statements, steps, and on standard output a JSON list of what was
 * delivered at each step: {"step", "statement", "insert", "remove"}, {"step", "query"}, and
 * {"error"} where something was refused. tests/epl/README.md has the form of the file. With
 * --causes rows are {"row", "causes"}, and there are entries {"step", "derived", "type", "causes"}.
 * With --limits there are entries {"step", "limit", "policy", "statement"} and at the end
 * {"dropped": ...}; with --peaks {"peaks": ...}.
 */
#include "operators/cmd/cmd_reload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { OUT_MAX = 1024 * 1024 * 1024 };

struct scenario {
    struct cmd_play *play; /* the one below whose turn it is */
    struct cmd_play real, twin;
    int64_t reload_every;     /* 0: never, and no twin */
    struct cmd_slices slices; /* of the twin */
    struct buf out;
    size_t step, entries;
};

static void begin_entry(struct scenario *s)
{
    (void)buf_add_str(&s->out, s->entries++ > 0 ? ",\n {" : " {");
}

static void begin_step(struct scenario *s)
{
    begin_entry(s);
    (void)buf_addf(&s->out, "\"step\": %zu, ", s->step);
}

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct scenario *s = arg;
    begin_step(s);
    (void)buf_add_str(&s->out, "\"statement\": ");
    cmd_json_string(statement, &s->out);
    if (rows->n_nw > 0) {
        (void)buf_add_str(&s->out, ", \"insert\": ");
        cmd_play_rows(s->play, rows->nw, rows->n_nw, &s->out);
    }
    if (rows->n_old > 0) {
        (void)buf_add_str(&s->out, ", \"remove\": ");
        cmd_play_rows(s->play, rows->old, rows->n_old, &s->out);
    }
    (void)buf_add_str(&s->out, "}");
}

static void on_derived(void *arg, const struct evt *e)
{
    struct scenario *s = arg;
    begin_step(s);
    cmd_play_derived(e, &s->out);
    (void)buf_add_str(&s->out, "}");
}

static void on_limit(void *arg, struct slice statement, enum lim_kind k, enum lim_policy policy)
{
    struct scenario *s = arg;
    begin_step(s);
    (void)buf_addf(&s->out,
                   "\"limit\": \"%s\", \"policy\": \"%s\", \"statement\": ", lim_rows[k].name,
                   lim_policy_name(policy));
    cmd_json_string(statement, &s->out);
    (void)buf_add_str(&s->out, "}");
}

/* {"peaks": {"rows": 12, ...}} */
static void put_counts(struct scenario *s, const char *what,
                       uint64_t (*of)(const struct eng *e, enum lim_kind k))
{
    begin_entry(s);
    (void)buf_addf(&s->out, "\"%s\": {", what);
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        (void)buf_addf(&s->out, "%s\"%s\": %" PRIu64, k > 0 ? ", " : "", lim_rows[k].name,
                       of(s->play->eng, (enum lim_kind)k));
    }
    (void)buf_add_str(&s->out, "}}");
}

/* Limits as the options say; with --peaks bytes are counted in any case. */
static int limits_of(const struct cmd_opts *o, struct lim_conf *ret, struct err *reterr)
{
    struct buf text;
    struct slice given = o->limits != NULL ? slice_str(o->limits) : SLICE_NONE;
    int rc = 0;
    buf_init(&text, CMD_FILE_MAX);
    *ret = (struct lim_conf){.max = {0}};
    if (given.len > 0 && slice_find(given, '=') == given.len) {
        rc = buf_read_file(&text, o->limits, reterr);
        given = buf_slice(&text);
    }
    rc = rc == 0 ? lim_parse(given, ret, reterr) : rc;
    if (o->peaks && ret->max[LIM_BYTES] == 0) {
        ret->max[LIM_BYTES] = UINT64_MAX;
    }
    buf_done(&text);
    return rc;
}

static struct slice text_at(const json_t *object, const char *key)
{
    const json_t *j = json_object_get(object, key);
    return json_is_string(j) ? slice_of(json_string_value(j), json_string_length(j)) : SLICE_NONE;
}

static int advance(struct scenario *s, const json_t *step, struct err *reterr)
{
    (void)reterr;
    eng_advance(s->play->eng, json_integer_value(json_object_get(step, "advance")));
    return 0;
}

static int advance_span(struct scenario *s, const json_t *step, struct err *reterr)
{
    (void)reterr;
    eng_advance_span(s->play->eng, json_integer_value(json_object_get(step, "advance_span")));
    return 0;
}

static int send(struct scenario *s, const json_t *step, struct err *reterr)
{
    return cmd_play_send(s->play, text_at(step, "send"), json_object_get(step, "event"), reterr);
}

static int query(struct scenario *s, const json_t *step, struct err *reterr)
{
    struct eng_rows rows;
    int rc = cmd_play_query(s->play, text_at(step, "query"), json_object_get(step, "params"), &rows,
                            reterr);
    if (rc == 0) {
        begin_step(s);
        (void)buf_add_str(&s->out, "\"query\": ");
        cmd_play_rows(s->play, rows.nw, rows.n_nw, &s->out);
        (void)buf_add_str(&s->out, "}");
    }
    return rc;
}

static int deploy(struct scenario *s, const json_t *step, struct err *reterr)
{
    char id[32];
    struct slice as = text_at(step, "as");
    if (as.len == 0) {
        snprintf(id, sizeof id, "deploy-%zu", s->step);
        as = slice_str(id);
    }
    return cmd_play_deploy(s->play, as, text_at(step, "deploy"), reterr);
}

static int undeploy(struct scenario *s, const json_t *step, struct err *reterr)
{
    return cmd_play_undeploy(s->play, text_at(step, "undeploy"), reterr);
}

struct step_row {
    const char *key, *refused;
    int (*run)(struct scenario *s, const json_t *step, struct err *reterr);
};

static const struct step_row step_rows[] = {
    {"advance", "advance", advance}, {"advance_span", "advance", advance_span},
    {"send", "send", send},          {"query", "query", query},
    {"deploy", "compile", deploy},   {"undeploy", "undeploy", undeploy},
};

static const char *take_step(struct scenario *s, const json_t *step, struct err *reterr)
{
    const char *refused = "step";
    int rc = -ERR_UNKNOWN_KEY;
    for (size_t i = 0; i < ARRAY_LEN(step_rows); i++) {
        if (json_object_get(step, step_rows[i].key) != NULL) {
            refused = step_rows[i].refused;
            rc = step_rows[i].run(s, step, reterr);
            break;
        }
    }
    if (rc == 0) {
        return NULL;
    }
    begin_step(s);
    (void)buf_addf(&s->out, "\"error\": \"%s\"}", refused);
    return refused;
}

/* The twin does the step, too; what it delivers must be what has been delivered from `from` on. */
static int do_as_twin(struct scenario *s, const json_t *step, size_t from, size_t entries,
                      struct err *reterr)
{
    struct err err;
    err_clear(&err);
    struct buf real = s->out;
    size_t real_entries = s->entries;
    buf_init(&s->out, OUT_MAX);
    s->entries = entries;
    s->play = &s->twin;
    take_step(s, step, &err);
    s->play = &s->real;
    struct slice is = slice_of(real.ptr + from, real.len - from);
    bool same = s->entries == real_entries && (is.len == 0 || slice_eq(buf_slice(&s->out), is));
    int rc = same ? 0
                  : err_set(reterr, ERR_MISMATCH, "step %zu: without loading it would be %s",
                            s->step, s->out.len > 0 ? buf_cstr(&s->out) : "nothing");
    buf_done(&s->out);
    s->out = real;
    s->entries = real_entries;
    return rc;
}

static int reload(struct scenario *s, struct err *reterr)
{
    int rc = cmd_reload(&s->real, &s->twin, reterr);
    rc = rc == 0 ? cmd_slices_check(&s->slices, s->twin.eng, reterr) : rc;
    return rc == 0 ? 0 : err_wrap(reterr, "step %zu", s->step);
}

static int run_step(struct scenario *s, const json_t *step, struct err *reterr)
{
    struct err err;
    err_clear(&err);
    size_t from = s->out.len, entries = s->entries;
    const char *refused = take_step(s, step, &err);
    if (refused != NULL) {
        fprintf(stderr, "step %zu: %s: %s\n", s->step, refused, err.msg);
    }
    int rc = s->reload_every > 0 ? do_as_twin(s, step, from, entries, reterr) : 0;
    bool due = s->reload_every > 0 && (s->step + 1) % (uint64_t)s->reload_every == 0;
    return rc == 0 && due ? reload(s, reterr) : rc;
}

static int run_steps(struct scenario *s, const json_t *j, struct err *reterr)
{
    struct err err;
    err_clear(&err);
    struct slice text = text_at(j, "epl"), main_id = SLICE("main");
    if (cmd_play_deploy(&s->real, main_id, text, &err) != 0) {
        begin_entry(s);
        (void)buf_add_str(&s->out, "\"error\": \"compile\"}");
        fprintf(stderr, "%u:%u: %s\n", err.line, err.col, err.msg);
        return 0;
    }
    int rc = 0;
    if (s->reload_every > 0) {
        rc = cmd_play_deploy(&s->twin, main_id, text, reterr);
        rc = rc == 0 ? reload(s, reterr) : rc;
    }
    const json_t *steps = json_object_get(j, "steps");
    for (s->step = 0; rc == 0 && s->step < json_array_size(steps); s->step++) {
        s->real.step = s->twin.step = s->step;
        rc = run_step(s, json_array_get(steps, s->step), reterr);
    }
    return rc;
}

static void listen(struct scenario *s, struct cmd_play *p)
{
    p->named_only = true;
    p->on_rows = on_rows;
    p->on_derived = on_derived;
    p->on_limit = on_limit;
    p->arg = s;
}

static int play(const json_t *j, const struct cmd_opts *o, struct err *reterr)
{
    struct scenario s = {.play = &s.real, .reload_every = o->reload ? 1 : o->reload_every};
    struct lim_conf limits;
    int rc = limits_of(o, &limits, reterr);
    if (rc != 0) {
        return rc;
    }
    buf_init(&s.out, OUT_MAX);
    struct cmd_opts with = *o;
    with.limit_conf = &limits;
    cmd_play_init(&s.real, &with);
    cmd_play_init(&s.twin, &with);
    listen(&s, &s.real);
    listen(&s, &s.twin);
    rc = run_steps(&s, j, reterr);
    if (rc == 0 && o->limits != NULL) {
        put_counts(&s, "dropped", eng_dropped);
    }
    if (rc == 0 && o->peaks) {
        put_counts(&s, "peaks", eng_peak);
    }
    if (rc == 0 && buf_failed(&s.out)) {
        rc = err_set(reterr, ERR_TOO_BIG, "more than %d MiB are delivered", OUT_MAX >> 20);
    } else if (rc == 0) {
        printf("[\n%.*s", (int)s.out.len, buf_cstr(&s.out));
        fputs(s.entries > 0 ? "\n]\n" : "]\n", stdout);
    }
    cmd_slices_done(&s.slices);
    cmd_play_done(&s.real);
    cmd_play_done(&s.twin);
    buf_done(&s.out);
    return rc;
}

int cmd_scenario(const struct cmd_opts *o)
{
    struct err err;
    struct buf text;
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    json_t *j = NULL;
    int code = CMD_OK;
    if (buf_read_file(&text, o->args[0], &err) != 0) {
        code = cmd_fail(&err);
    } else if ((j = cmd_json_parse(buf_slice(&text), &err)) == NULL) {
        (void)err_wrap(&err, "%s:%u:%u", o->args[0], err.line, err.col);
        code = cmd_fail(&err);
    } else if (o->partitions > 0) {
        code = cmd_parts(j, (uint32_t)o->partitions, &err);
        code = code == CMD_USAGE ? cmd_fail(&err) : code;
    } else if (play(j, o, &err) != 0) {
        code = cmd_fail(&err);
    }
    json_decref(j);
    buf_done(&text);
    return code;
}
