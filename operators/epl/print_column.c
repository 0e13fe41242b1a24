/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of columns that were given none: the expression written anew by the original engine's
 * rules, found by asking it. No blanks around operators, texts in double quotes, constants as Java
 * writes them, built-in functions in lower case. Brackets appear only where an operand binds
 * weaker than its operator, whatever was written: `i-(i-1)` is named `i-i-1`; but an aggregate
 * below any operator has them: `(sum(x))+1`. Lambdas leave nothing: `items.where()`.
 * A property keeps its quotes, `tags('pod')`, a call does not: `s.startsWith("x")`. With one text
 * as argument the tree cannot tell them apart, so methods that take one are listed here.
 */
#include "operators/epl/print.h"

#include <assert.h>

enum rank {
    RANK_LEAST,
    RANK_CASE,
    RANK_OR,
    RANK_AND,
    RANK_BITS,
    RANK_NOT,
    RANK_EQUALS,
    RANK_RELATION,
    RANK_CONCAT,
    RANK_SUM,
    RANK_PRODUCT,
    RANK_MOST,
};

static void column(struct buf *b, const struct ast_expr *e, enum rank outer);

static const char *const aggregates[] = {
    "avedev",  "avg",      "count",  "countever", "first",     "firstever", "fmax",  "fmaxever",
    "fmin",    "fminever", "last",   "lastever",  "leaving",   "max",       "maxby", "maxbyever",
    "maxever", "median",   "min",    "minby",     "minbyever", "minever",   "nth",   "percentile",
    "rate",    "sorted",   "stddev", "sum",       "window",
};

static const char *const functions[] = {
    "coalesce", "current_timestamp", "exists",   "grouping",   "grouping_id", "istream",
    "prev",     "prevcount",         "prevtail", "prevwindow", "prior",       "typeof",
};

/* Methods whose only argument may be a text. */
static const char *const text_methods[] = {
    "compareto",     "comparetoignorecase",
    "concat",        "contains",
    "containskey",   "containsvalue",
    "contentequals", "endswith",
    "equals",        "equalsignorecase",
    "format",        "get",
    "indexof",       "lastindexof",
    "matches",       "parseboolean",
    "parsedouble",   "parsefloat",
    "parseint",      "parselong",
    "roundceiling",  "roundfloor",
    "roundhalf",     "set",
    "split",         "startswith",
    "valueof",       "withmax",
    "withmin",       "withtime",
    "after",         "before",
    "plus",          "minus",
    "substring",     "hashcode",
    "union",
};

static bool in_list(struct slice name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq_nocase(name, slice_str(list[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_builtin(struct slice name)
{
    return in_list(name, aggregates, ARRAY_LEN(aggregates)) ||
           in_list(name, functions, ARRAY_LEN(functions));
}

/* max(a, b) is no aggregate; max(a, filter: b) is one. */
static bool is_aggregate(const struct ast_expr *e)
{
    if (e->kind != AST_CHAIN || e->n_segs != 1 || e->n_args != 0 || !e->segs[0].is_call ||
        !in_list(e->segs[0].name, aggregates, ARRAY_LEN(aggregates))) {
        return false;
    }
    const struct ast_seg *seg = &e->segs[0];
    bool extreme =
        slice_eq_nocase(seg->name, SLICE("max")) || slice_eq_nocase(seg->name, SLICE("min"));
    return !(extreme && seg->n_args > 1 && seg->args[1]->kind != AST_NAMED_ARG);
}

static enum rank rank_of_op(enum ast_op op)
{
    switch (op) {
    case OP_OR: return RANK_OR;
    case OP_AND: return RANK_AND;
    case OP_BIT_OR:
    case OP_BIT_AND:
    case OP_BIT_XOR: return RANK_BITS;
    case OP_EQ:
    case OP_NE:
    case OP_IS:
    case OP_IS_NOT: return RANK_EQUALS;
    case OP_CONCAT: return RANK_CONCAT;
    case OP_ADD:
    case OP_SUB: return RANK_SUM;
    case OP_MUL:
    case OP_DIV:
    case OP_MOD: return RANK_PRODUCT;
    default: return RANK_RELATION;
    }
}

static bool is_number(const struct ast_expr *e)
{
    return e->kind == AST_INT || e->kind == AST_LONG || e->kind == AST_FLOAT ||
           e->kind == AST_DOUBLE;
}

static enum rank rank_of(const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_BINARY: return rank_of_op(e->op);
    case AST_QUANT: return e->select != NULL ? RANK_MOST : rank_of_op(e->op);
    case AST_NOT: return RANK_NOT;
    case AST_IS_NULL: return RANK_EQUALS;
    case AST_BETWEEN:
    case AST_IN_LIST:
    case AST_IN_RANGE:
    case AST_LIKE:
    case AST_REGEXP: return RANK_RELATION;
    case AST_CASE:
    case AST_CASE_VALUE: return RANK_CASE;
    case AST_NEG: return is_number(e->args[0]) ? RANK_MOST : RANK_PRODUCT;
    default: return is_aggregate(e) ? RANK_LEAST : RANK_MOST;
    }
}

static void columns(struct buf *b, struct ast_expr *const *args, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i > 0 ? "," : "");
        column(b, args[i], RANK_LEAST);
    }
}

/* ---- chains ---- */

/* A path of properties: names, constant indexes, one text in a call that is no known method. */
static bool is_property(const struct ast_expr *e)
{
    if (e->n_args > 0) {
        return false;
    }
    for (uint32_t i = 0; i < e->n_segs; i++) {
        const struct ast_seg *seg = &e->segs[i];
        if (seg->is_call && (seg->star || seg->n_args != 1 || seg->args[0]->kind != AST_STRING ||
                             in_list(seg->name, text_methods, ARRAY_LEN(text_methods)) ||
                             (e->n_segs == 1 && is_builtin(seg->name)))) {
            return false;
        }
    }
    return true;
}

static void builtin_name(struct buf *b, struct slice name)
{
    static const struct {
        const char *from, *to;
    } renamed[] = {{"maxever", "max"}, {"minever", "min"},  {"fmax", "max"},
                   {"fmin", "min"},    {"fmaxever", "max"}, {"fminever", "min"}};
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        if (slice_eq_nocase(name, slice_str(renamed[i].from))) {
            print_text(b, renamed[i].to);
            return;
        }
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        (void)buf_add_byte(b, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
}

/* The arguments the original adds: prev(x) is prev(1,x), leaving() is leaving(*). */
static const char *added_argument(const struct ast_seg *seg)
{
    if (slice_eq_nocase(seg->name, SLICE("prev")) && seg->n_args == 1) {
        return "1,";
    }
    if (slice_eq_nocase(seg->name, SLICE("prevtail")) && seg->n_args == 1) {
        return "0,";
    }
    return slice_eq_nocase(seg->name, SLICE("leaving")) && seg->n_args == 0 ? "*" : "";
}

static void column_call(struct buf *b, const struct ast_seg *seg, bool builtin, bool property)
{
    print_text(b, seg->distinct ? "(distinct " : "(");
    print_text(b, builtin ? added_argument(seg) : "");
    print_text(b, seg->star ? (seg->n_args > 0 ? "*," : "*") : "");
    if (property) {
        print_string(b, seg->args[0]);
    } else {
        columns(b, seg->args, seg->n_args);
    }
    print_text(b, ")");
}

/* A constant of a class is named by its value. */
static const char *constant(const struct ast_expr *e)
{
    static const struct {
        const char *class, *name, *value;
    } known[] = {
        {"Integer", "MAX_VALUE", "2147483647"},
        {"Integer", "MIN_VALUE", "-2147483648"},
        {"Long", "MAX_VALUE", "9223372036854775807"},
        {"Long", "MIN_VALUE", "-9223372036854775808"},
        {"Double", "MAX_VALUE", "1.7976931348623157E308"},
        {"Double", "MIN_VALUE", "4.9E-324"},
        {"Double", "NaN", "NaN"},
        {"Double", "POSITIVE_INFINITY", "Infinity"},
        {"Double", "NEGATIVE_INFINITY", "-Infinity"},
        {"Math", "PI", "3.141592653589793"},
        {"Math", "E", "2.718281828459045"},
    };
    uint32_t n = e->n_segs;
    bool plain = e->n_args == 0 && (n == 2 || (n == 4 && slice_eq(e->segs[0].name, SLICE("java"))));
    for (uint32_t i = 0; plain && i < n; i++) {
        plain = !e->segs[i].is_call && !e->segs[i].has_index && !e->segs[i].optional;
    }
    for (size_t i = 0; plain && i < ARRAY_LEN(known); i++) {
        if (slice_eq(e->segs[n - 2].name, slice_str(known[i].class)) &&
            slice_eq(e->segs[n - 1].name, slice_str(known[i].name))) {
            return known[i].value;
        }
    }
    return NULL;
}

static void column_chain(struct buf *b, const struct ast_expr *e)
{
    if (constant(e) != NULL) {
        print_text(b, constant(e));
        return;
    }
    bool property = is_property(e);
    if (e->n_args > 0) {
        column(b, e->args[0], RANK_LEAST);
    }
    for (uint32_t i = 0; i < e->n_segs; i++) {
        const struct ast_seg *seg = &e->segs[i];
        bool first = i == 0 && e->n_args == 0;
        bool builtin = first && seg->is_call && is_builtin(seg->name);
        bool now = first && slice_eq_nocase(seg->name, SLICE("current_timestamp"));
        print_text(b, !first && seg->name.len > 0 ? "." : "");
        if (builtin || now) {
            builtin_name(b, seg->name);
        } else {
            print_slice(b, seg->name);
        }
        if (seg->is_call) {
            column_call(b, seg, builtin, property);
        } else if (seg->has_index) {
            print_text(b, "[");
            columns(b, seg->args, seg->n_args);
            print_text(b, "]");
        } else {
            print_text(b, now ? "()" : seg->star ? ".*" : "");
        }
        print_text(b, seg->optional ? "?" : "");
    }
}

/* ---- operators ---- */

static void column_binary(struct buf *b, const struct ast_expr *e)
{
    enum rank rank = rank_of_op(e->op);
    bool word = e->op == OP_AND || e->op == OP_OR || e->op == OP_IS || e->op == OP_IS_NOT;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (i > 0) {
            (void)buf_addf(b, word ? " %s " : "%s", ast_op_text(e->op));
        }
        column(b, e->args[i], rank);
    }
}

/* A closed range is named as a between; a range with an open end loses its `not`. */
static void column_range(struct buf *b, const struct ast_expr *e)
{
    bool closed = !e->low_open && !e->high_open;
    print_text(b, closed ? (e->negated ? " not between " : " between ") : " in ");
    print_text(b, closed ? "" : e->low_open ? "(" : "[");
    column(b, e->args[1], RANK_RELATION);
    print_text(b, closed ? " and " : ":");
    column(b, e->args[2], RANK_RELATION);
    print_text(b, closed ? "" : e->high_open ? ")" : "]");
}

static void column_test(struct buf *b, const struct ast_expr *e)
{
    const char *no = e->negated ? " not" : "";
    column(b, e->args[0], e->kind == AST_IS_NULL ? RANK_EQUALS : RANK_RELATION);
    switch (e->kind) {
    case AST_BETWEEN:
        (void)buf_addf(b, "%s between ", no);
        column(b, e->args[1], RANK_RELATION);
        print_text(b, " and ");
        column(b, e->args[2], RANK_RELATION);
        break;
    case AST_IN_RANGE: column_range(b, e); break;
    case AST_IN_LIST:
        (void)buf_addf(b, "%s in (", no);
        columns(b, e->args + 1, e->n_args - 1);
        print_text(b, ")");
        break;
    case AST_LIKE:
    case AST_REGEXP:
        (void)buf_addf(b, "%s %s ", no, e->kind == AST_LIKE ? "like" : "regexp");
        column(b, e->args[1], RANK_RELATION);
        if (e->n_args > 2) {
            print_text(b, " escape ");
            column(b, e->args[2], RANK_LEAST);
        }
        break;
    default: print_text(b, e->negated ? " is not null" : " is null"); break;
    }
}

static void column_case(struct buf *b, const struct ast_expr *e)
{
    uint32_t i = 0;
    print_text(b, "case");
    if (e->kind == AST_CASE_VALUE) {
        print_text(b, " ");
        column(b, e->args[i++], RANK_CASE);
    }
    for (; i + 1 < e->n_args; i += 2) {
        print_text(b, " when ");
        column(b, e->args[i], RANK_CASE);
        print_text(b, " then ");
        column(b, e->args[i + 1], RANK_CASE);
    }
    if (i < e->n_args) {
        print_text(b, " else ");
        column(b, e->args[i], RANK_CASE);
    }
    print_text(b, " end");
}

/* A subquery is named by its column, or by its number. */
static void column_query(struct buf *b, const struct ast_expr *e)
{
    const struct ast_item *item = e->select->n_items > 0 ? &e->select->items[0] : NULL;
    if (e->kind == AST_EXISTS || item == NULL || item->e == NULL) {
        (void)buf_addf(b, "subselect_%lld", (long long)e->i);
    } else if (item->as.len > 0) {
        print_slice(b, item->as);
    } else {
        column(b, item->e, RANK_LEAST);
    }
}

static void column_quant(struct buf *b, const struct ast_expr *e)
{
    if (e->select != NULL) {
        column_query(b, e);
        return;
    }
    column(b, e->args[0], rank_of_op(e->op));
    (void)buf_addf(b, "%s%s(", ast_op_text(e->op), e->quant == 1 ? "all" : "any");
    columns(b, e->args + 1, e->n_args - 1);
    print_text(b, ")");
}

/* ---- functions and constants ---- */

static void column_new(struct buf *b, const struct ast_expr *e)
{
    print_text(b, "new{");
    for (uint32_t i = 0; i < e->n_named; i++) {
        const struct ast_named *n = &e->named[i];
        bool same = n->e->kind == AST_CHAIN && n->e->n_segs == 1 && n->e->n_args == 0 &&
                    !n->e->segs[0].is_call && slice_eq(n->e->segs[0].name, n->name);
        print_text(b, i > 0 ? "," : "");
        print_slice(b, n->name);
        if (!same) {
            print_text(b, "=");
            column(b, n->e, RANK_LEAST);
        }
    }
    print_text(b, "}");
}

static void column_typed(struct buf *b, const struct ast_expr *e)
{
    print_text(b, e->kind == AST_CAST ? "cast(" : "instanceof(");
    column(b, e->args[0], RANK_LEAST);
    if (e->kind == AST_CAST) {
        print_text(b, ",");
        print_slice(b, e->text);
        if (e->n_args > 1) {
            print_text(b, ",");
            column(b, e->args[1], RANK_LEAST);
        }
    }
    for (uint32_t i = 0; i < e->n_names; i++) {
        print_text(b, ",");
        print_slice(b, e->names[i]);
    }
    print_text(b, ")");
}

static void column_period(struct buf *b, const struct ast_expr *e)
{
    bool first = true;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (e->args[i] != NULL) {
            print_text(b, first ? "" : " ");
            column(b, e->args[i], RANK_LEAST);
            print_text(b, " ");
            print_text(b, print_unit(i));
            first = false;
        }
    }
}

static void column_constant(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_STRING:
        print_text(b, "\"");
        print_slice(b, e->text);
        print_text(b, "\"");
        break;
    case AST_LONG: (void)buf_addf(b, "%llu", (unsigned long long)e->i); break;
    case AST_FLOAT: print_real(b, e->d, true); break;
    default: {
        struct ast_expr bare = *e;
        bare.paren = false;
        print_expr(b, &bare);
        break;
    }
    }
}

static void column_argument(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LAMBDA: break;
    case AST_PERIOD: column_period(b, e); break;
    case AST_NAMED_ARG:
        print_slice(b, e->text);
        print_text(b, ":");
        column(b, e->args[0], RANK_LEAST);
        break;
    case AST_ROW:
        print_text(b, e->n_args > 1 ? "(" : "");
        columns(b, e->args, e->n_args);
        print_text(b, e->n_args > 1 ? ")" : "");
        break;
    case AST_DESC:
        column(b, e->args[0], RANK_LEAST);
        print_text(b, " desc");
        break;
    case AST_ARRAY:
        print_text(b, "{");
        columns(b, e->args, e->n_args);
        print_text(b, "}");
        break;
    default: column_constant(b, e); break;
    }
}

static void column_bare(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_CHAIN: column_chain(b, e); break;
    case AST_NEG:
        print_text(b, is_number(e->args[0]) ? "-" : "-1*");
        column(b, e->args[0], RANK_PRODUCT);
        break;
    case AST_NOT:
        print_text(b, "not ");
        column(b, e->args[0], RANK_NOT);
        break;
    case AST_BINARY: column_binary(b, e); break;
    case AST_BETWEEN:
    case AST_IN_LIST:
    case AST_IN_RANGE:
    case AST_LIKE:
    case AST_REGEXP:
    case AST_IS_NULL: column_test(b, e); break;
    case AST_CASE:
    case AST_CASE_VALUE: column_case(b, e); break;
    case AST_CAST:
    case AST_INSTANCEOF: column_typed(b, e); break;
    case AST_QUANT: column_quant(b, e); break;
    case AST_IN_QUERY:
    case AST_EXISTS:
    case AST_SUBQUERY: column_query(b, e); break;
    case AST_NEW: column_new(b, e); break;
    default: column_argument(b, e); break;
    }
}

static void column(struct buf *b, const struct ast_expr *e, enum rank outer)
{
    bool brackets = rank_of(e) < outer;
    assert(e != NULL);
    print_text(b, brackets ? "(" : "");
    column_bare(b, e);
    print_text(b, brackets ? ")" : "");
}

void epl_print_column(const struct ast_expr *e, struct buf *out)
{
    column(out, e, RANK_LEAST);
}
