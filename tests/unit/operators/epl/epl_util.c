/* SPDX-License-Identifier: Apache-2.0
 *
 * See epl_util.h. What it keeps between calls belongs to the test program.
 */
#include "epl_util.h"

#include "core/base/attr.h"

static PROCESS_WIDE
struct arena *arena;
static PROCESS_WIDE
struct buf printed;
static PROCESS_WIDE
struct err error;

struct arena *util_arena(void)
{
    arena_free(arena);
    arena = arena_new(NULL, "test", 64 << 20);
    return arena;
}

struct ast_expr *util_expr(const char *text)
{
    struct ast_expr *e = NULL;
    CHECK_OK(epl_parse_expr(util_arena(), slice_str(text), &e, &error), error);
    return e;
}

struct ast_stmt *util_stmt(const char *text)
{
    struct ast_module *m = NULL;
    int rc = epl_parse(util_arena(), slice_str(text), &m, &error);
    if (rc != 0) {
        test_fail(__FILE__, __LINE__, "%s: %u:%u %s", text, error.line, error.col, error.msg);
    }
    CHECK_EQ(1, m->n_stmts);
    return m->stmts[0];
}

struct ast_stmt *util_query(const char *text)
{
    struct ast_stmt *s = NULL;
    int rc = epl_parse_query(util_arena(), slice_str(text), &s, &error);
    if (rc != 0) {
        test_fail(__FILE__, __LINE__, "%s: %u:%u %s", text, error.line, error.col, error.msg);
    }
    return s;
}

const struct err *util_refused(const char *text)
{
    struct ast_module *m = NULL;
    err_clear(&error);
    if (epl_parse(util_arena(), slice_str(text), &m, &error) == 0) {
        test_fail(__FILE__, __LINE__, "accepted: %s", text);
    }
    CHECK(m == NULL);
    return &error;
}

const struct err *util_refused_query(const char *text)
{
    struct ast_stmt *s = NULL;
    err_clear(&error);
    if (epl_parse_query(util_arena(), slice_str(text), &s, &error) == 0) {
        test_fail(__FILE__, __LINE__, "accepted: %s", text);
    }
    CHECK(s == NULL);
    return &error;
}

static void reset(void)
{
    buf_done(&printed);
    buf_init(&printed, 1 << 20);
}

const char *util_print_stmt(const struct ast_stmt *s)
{
    reset();
    epl_print_stmt(s, &printed);
    return buf_cstr(&printed);
}

const char *util_print_expr(const struct ast_expr *e)
{
    reset();
    epl_print_expr(e, &printed);
    return buf_cstr(&printed);
}

const char *util_column(const char *text)
{
    const struct ast_expr *e = util_expr(text);
    reset();
    epl_print_column(e, &printed);
    return buf_cstr(&printed);
}
