/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl check` and `print`. A check deploys the files one after the other into an engine that
 * gets no events, so that a later file may use the schemas of an earlier one; the first mistake of
 * each file is shown with its place.
 */
#include "operators/cmd/cmd_epl.h"

#include <stdio.h>

static int check_one(struct eng *e, const char *file, int format, size_t *count)
{
    struct err err;
    struct buf text;
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    int code = CMD_OK;
    if (buf_read_file(&text, file, &err) != 0) {
        code = cmd_fail(&err);
    } else if (eng_deploy(e, slice_str(file), buf_slice(&text), &err) != 0) {
        code = cmd_diag(&err, file, buf_slice(&text), format);
    } else {
        size_t before = *count;
        *count = eng_statements(e, NULL, 0);
        if (format == CMD_TEXT) {
            printf("%s: %zu statements, nothing wrong\n", file, *count - before);
        }
    }
    buf_done(&text);
    return code;
}

int cmd_check(const struct cmd_opts *o)
{
    struct eng *e = eng_new(&(struct eng_conf){.on_rows = NULL});
    size_t count = 0;
    int code = CMD_OK;
    for (size_t i = 0; i < o->n_args; i++) {
        int one = check_one(e, o->args[i], o->format, &count);
        code = MAX(code, one);
    }
    eng_free(e);
    return code;
}

int cmd_print(const struct cmd_opts *o)
{
    enum { ARENA_MAX = 256 * 1024 * 1024 };
    struct err err;
    struct buf text, out;
    struct ast_module *m;
    struct arena *a = arena_new(NULL, "print", ARENA_MAX);
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    buf_init(&out, ARENA_MAX);
    int code = CMD_OK;
    if (buf_read_file(&text, o->args[0], &err) != 0) {
        code = cmd_fail(&err);
    } else if (epl_parse(a, buf_slice(&text), &m, &err) != 0) {
        code = cmd_diag(&err, o->args[0], buf_slice(&text), CMD_TEXT);
    } else {
        epl_print_module(m, &out);
        buf_print(&out, stdout);
    }
    buf_done(&out);
    buf_done(&text);
    arena_free(a);
    return code;
}
