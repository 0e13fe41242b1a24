/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl run FILE --events EVENTS`: statements over events in a file. A line of the file is
 *
 *     {"send": "Metric", "event": {"host": "a", "value": 1}}
 *     {"advance": 60000}          the clock jumps to that time (ms)
 *     {"advance_span": 60000}     it goes there from timer to timer
 *     {"query": "select * from W", "params": []}
 *
 * Blank lines and lines that begin with # are skipped. Each delivery is printed as it happens: as
 * text, a line per row with + for what entered and - for what left; as JSON, a line per delivery.
 * With --causes rows tell what they are made of: numbers of lines that are no remarks, from 0, and
 * dN for derived events, which are told of by a line of JSON each as they are made.
 */
#include "operators/cmd/cmd_play.h"

#include <inttypes.h>
#include <stdio.h>

enum { OUT_MAX = 256 * 1024 * 1024 };

struct runner {
    struct cmd_play play;
    struct buf out;
    int format;
};

static void put_lines(struct runner *r, struct slice name, char sign, struct evt *const *rows,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)buf_addf(&r->out, "%" PRId64 " " SLICE_FMT " %c ", eng_now(r->play.eng),
                       SLICE_ARG(name), sign);
        cmd_json_value(dat_evt(rows[i]), &r->out);
        if (r->play.causes) {
            (void)buf_add_str(&r->out, " \"causes\": ");
            cmd_play_causes(rows[i], &r->out);
        }
        (void)buf_add_str(&r->out, "\n");
    }
}

static void put_json(struct runner *r, struct slice name, const struct eng_rows *rows)
{
    (void)buf_addf(&r->out, "{\"time\": %" PRId64 ", \"statement\": ", eng_now(r->play.eng));
    cmd_json_string(name, &r->out);
    (void)buf_add_str(&r->out, ", \"insert\": ");
    cmd_play_rows(&r->play, rows->nw, rows->n_nw, &r->out);
    (void)buf_add_str(&r->out, ", \"remove\": ");
    cmd_play_rows(&r->play, rows->old, rows->n_old, &r->out);
    (void)buf_add_str(&r->out, "}\n");
}

static void on_derived(void *arg, const struct evt *e)
{
    struct runner *r = arg;
    (void)buf_addf(&r->out, "{\"time\": %" PRId64 ", ", eng_now(r->play.eng));
    cmd_play_derived(e, &r->out);
    (void)buf_add_str(&r->out, "}\n");
    buf_print(&r->out, stdout);
    buf_clear(&r->out);
}

static void on_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct runner *r = arg;
    struct slice name = statement.len > 0 ? statement : SLICE("(unnamed)");
    if (r->format == CMD_JSON) {
        put_json(r, name, rows);
    } else {
        put_lines(r, name, '+', rows->nw, rows->n_nw);
        put_lines(r, name, '-', rows->old, rows->n_old);
    }
    buf_print(&r->out, stdout);
    buf_clear(&r->out);
}

static struct slice text_at(const json_t *object, const char *key)
{
    const json_t *j = json_object_get(object, key);
    return json_is_string(j) ? slice_of(json_string_value(j), json_string_length(j)) : SLICE_NONE;
}

static int run_query(struct runner *r, const json_t *j, struct err *reterr)
{
    struct eng_rows rows;
    int rc =
        cmd_play_query(&r->play, text_at(j, "query"), json_object_get(j, "params"), &rows, reterr);
    if (rc == 0) {
        on_rows(r, SLICE("(query)"), &rows);
    }
    return rc;
}

static int run_line(struct runner *r, const json_t *j, struct err *reterr)
{
    const json_t *ms;
    if ((ms = json_object_get(j, "advance")) != NULL && json_is_integer(ms)) {
        eng_advance(r->play.eng, json_integer_value(ms));
        return 0;
    }
    if ((ms = json_object_get(j, "advance_span")) != NULL && json_is_integer(ms)) {
        eng_advance_span(r->play.eng, json_integer_value(ms));
        return 0;
    }
    if (json_object_get(j, "query") != NULL) {
        return run_query(r, j, reterr);
    }
    if (json_object_get(j, "send") != NULL) {
        return cmd_play_send(&r->play, text_at(j, "send"), json_object_get(j, "event"), reterr);
    }
    return err_set(reterr, ERR_SYNTAX,
                   "expected an object with send, advance, advance_span or query");
}

static int run_lines(struct runner *r, const char *path, struct slice rest, struct err *reterr)
{
    struct slice line;
    int rc = 0;
    for (size_t number = 1; rc == 0 && slice_split(&rest, '\n', &line); number++) {
        line = slice_trim(line);
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        json_t *j = cmd_json_parse(line, reterr);
        rc = j != NULL ? run_line(r, j, reterr) : -ERR_SYNTAX;
        json_decref(j);
        r->play.step++;
        if (rc != 0) {
            (void)err_wrap(reterr, "%s:%zu", strcmp(path, "-") == 0 ? "standard input" : path,
                           number);
        }
    }
    return rc;
}

static int run_over(struct runner *r, const char *path, struct slice events)
{
    struct err err;
    err_clear(&err);
    buf_init(&r->out, OUT_MAX);
    int rc = run_lines(r, path, events, &err);
    buf_done(&r->out);
    return rc == 0 ? CMD_OK : cmd_fail(&err);
}

int cmd_run(const struct cmd_opts *o)
{
    struct err err;
    struct buf text, events;
    struct runner r = {.format = o->format};
    const char *path = o->events_file != NULL ? o->events_file : "-";
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    buf_init(&events, (size_t)4 << 30);
    cmd_play_init(&r.play, o);
    r.play.on_rows = on_rows;
    r.play.on_derived = on_derived;
    r.play.arg = &r;
    int code;
    if (buf_read_file(&text, o->args[0], &err) != 0 || buf_read_file(&events, path, &err) != 0) {
        code = cmd_fail(&err);
    } else if (cmd_play_deploy(&r.play, SLICE("main"), buf_slice(&text), &err) != 0) {
        code = cmd_diag(&err, o->args[0], buf_slice(&text), CMD_TEXT);
    } else {
        code = run_over(&r, path, buf_slice(&events));
    }
    cmd_play_done(&r.play);
    buf_done(&events);
    buf_done(&text);
    return code;
}
