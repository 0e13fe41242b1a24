/* SPDX-License-Identifier: Apache-2.0
 *
 * The syntax tree of EPL: what the parser saw, nothing it concluded. Names are as written (back
 * ticks and escapes resolved), nothing is looked up, every node carries the span of its text.
 * All of it lives in the arena given to epl_parse and dies with it; lists are arrays with a count
 * beside them. Binding (operators/plan) reads this and writes its own structures.
 *
 * Expressions are one struct with a kind (ast.def) because printing and walking them is uniform;
 * statements have a struct each, for each is read in one place.
 */
#ifndef OPERATORS_EPL_AST_H
#define OPERATORS_EPL_AST_H

#include "core/base/slice.h"

struct ast_select;
struct ast_pat;

struct span {
    uint32_t off, len, line, col; /* bytes into the text; line and col from 1 */
};

enum ast_kind {
#define AST(name, doc) AST_##name,
#include "operators/epl/ast.def"
#undef AST
    AST_KIND_COUNT
};

enum ast_op { /* of AST_BINARY and AST_QUANT */
    OP_NONE,
    OP_OR, OP_AND,
    OP_EQ, OP_NE, OP_IS, OP_IS_NOT, OP_LT, OP_LE, OP_GT, OP_GE,
    OP_BIT_OR, OP_BIT_AND, OP_BIT_XOR,
    OP_CONCAT, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD,
};

/* One step of a chain: `name`, `name(args)`, `name[index]`, `name('key')` (a call to the parser),
 * each with `?` behind it or not. Of `sum(distinct x, filter: y)`: distinct, and an argument named
 * "filter". */
struct ast_seg {
    struct span span;
    struct slice name;
    bool is_call, has_index, optional, distinct, star; /* star: count(*), window(*), s.* */
    struct ast_expr **args;                            /* of the call, or the indexes */
    uint32_t n_args;
};

struct ast_named { /* new {name = e}, for measures, view parameters by name, assignments */
    struct span span;
    struct slice name;       /* may be empty */
    struct ast_expr *target; /* of assignments: a chain such as a.b or w[1] */
    struct ast_expr *e;
};

struct ast_expr {
    enum ast_kind kind;
    struct span span;
    struct slice text;   /* string, parameter type, type of cast, argument name of AST_NAMED_ARG */
    int64_t i;           /* AST_INT, AST_LONG, AST_BOOL */
    double d;            /* AST_DOUBLE, AST_FLOAT */
    enum ast_op op;
    bool negated;                /* not in, not like, not between, is not null */
    bool low_open, high_open;    /* in (a:b] */
    uint8_t quant;               /* AST_QUANT: 0 any/some, 1 all */
    struct ast_expr **args;      /* operands, left to right; see ast.def for each kind */
    uint32_t n_args;
    struct ast_seg *segs; /* AST_CHAIN; args[0], if any, is the head the chain hangs on */
    uint32_t n_segs;
    struct ast_named *named; /* AST_NEW */
    uint32_t n_named;
    struct slice *names; /* AST_LAMBDA parameters; AST_INSTANCEOF types */
    uint32_t n_names;
    struct ast_select *select; /* AST_SUBQUERY, AST_EXISTS, AST_IN_QUERY, AST_QUANT with a query */
    bool paren;                /* stood in parentheses: printing and case need it */
};

/* @name('x'), @Priority(1), @Hint('a', 'b'), @DiscardPartialsOnMatch: values are constants. */
struct ast_annot {
    struct span span;
    struct slice name;
    struct ast_named *values; /* name empty for @A(v) */
    uint32_t n_values;
};

struct ast_view { /* #time(10 sec), .win:length(2) */
    struct span span;
    struct slice name;
    struct ast_expr **args;
    uint32_t n_args;
};

struct ast_item { /* one column of a select list */
    struct span span;
    bool star;                 /* `*`, and with `stream` set `s.*` */
    struct slice stream, as;   /* as: empty if none */
    struct ast_expr *e;        /* NULL for a star */
    bool is_event;             /* `expr @eventbean` */
};

/* [select a, * from spans as s where c] behind a stream; the plain form [spans] has no select. */
struct ast_contained {
    struct span span;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_expr *path; /* what is iterated */
    struct slice as, type; /* type of @type(X) */
    struct ast_expr *where;
};

struct ast_matchrec;

struct ast_stream {
    struct span span;
    struct slice type;            /* event type, window or table; empty for a pattern */
    struct ast_pat *pattern;
    struct ast_annot *pat_annots; /* @SuppressOverlappingMatches [...] */
    uint32_t n_pat_annots;
    struct ast_expr **filters; /* comma separated */
    uint32_t n_filters;
    struct ast_contained *contained;
    uint32_t n_contained;
    struct ast_view *views;
    uint32_t n_views;
    struct slice as;
    bool unidirectional, retain_union, retain_intersection;
};

enum ast_join { JOIN_COMMA, JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL };

struct ast_on { /* how stream i + 1 joins those before it */
    enum ast_join kind;
    struct ast_expr *cond; /* the `on`; NULL if none */
};

enum ast_out_kind { OUT_NONE, OUT_ALL, OUT_FIRST, OUT_LAST, OUT_SNAPSHOT };
enum ast_out_when { OUT_EVERY_NONE, OUT_EVERY_EVENTS, OUT_EVERY_TIME, OUT_WHEN, OUT_AT, OUT_TERMINATED };

struct ast_output {
    struct span span;
    enum ast_out_kind kind;
    enum ast_out_when when;
    struct ast_expr *every;         /* number of events, or the period */
    struct ast_expr *cond;          /* output when cond */
    struct ast_named *sets;         /* then set ... */
    uint32_t n_sets;
    struct ast_expr **at;           /* crontab parts */
    uint32_t n_at;
    struct ast_expr *after;         /* a period, or a number of events if after_events */
    bool after_events;
    bool and_terminated;            /* `and when terminated` */
    struct ast_expr *term_cond;     /* [and] when terminated and cond */
    struct ast_named *term_sets;
    uint32_t n_term_sets;
};

struct ast_order {
    struct ast_expr *e;
    bool desc;
};

enum ast_group_kind { GROUP_EXPR, GROUP_ROLLUP, GROUP_CUBE, GROUP_SETS, GROUP_COMBINED };

struct ast_group { /* GROUP_EXPR: e; COMBINED: (a, b) and (); the others: kids */
    enum ast_group_kind kind;
    struct span span;
    struct ast_expr *e;
    struct ast_group *kids;
    uint32_t n_kids;
};

enum ast_streams { STREAM_DEFAULT, STREAM_ISTREAM, STREAM_RSTREAM, STREAM_IRSTREAM };

struct ast_insert { /* insert [irstream] into X(a, b) */
    struct span span;
    enum ast_streams streams;
    struct slice into;
    struct slice *cols;
    uint32_t n_cols;
    struct ast_expr *precedence; /* event-precedence(e) */
};

struct ast_select {
    struct span span;
    struct ast_insert *insert; /* or NULL */
    struct slice into_table;   /* into table T select ... */
    enum ast_streams streams;
    bool distinct;
    bool and_delete; /* on-select: `select and delete` */
    struct ast_item *items;
    uint32_t n_items;
    struct ast_stream *from;
    uint32_t n_from;
    struct ast_on *joins; /* n_from - 1 of them */
    struct ast_matchrec *matchrec;
    struct ast_expr *where;
    struct ast_group *group;
    uint32_t n_group;
    struct ast_expr *having;
    struct ast_output *output;
    struct ast_order *order;
    uint32_t n_order;
    struct ast_expr *limit, *offset;
    struct ast_expr **values; /* on-demand `insert into W values (..), (..)`: row after row */
    uint32_t n_values, n_value_rows;
};

enum ast_pat_kind {
    PAT_FILTER,   /* stream, tag, consume */
    PAT_EVERY, PAT_EVERY_DISTINCT, PAT_NOT, PAT_FOLLOWED, PAT_AND, PAT_OR,
    PAT_UNTIL,    /* kids[0] collected, kids[1] (may be missing) ends it; low, high */
    PAT_GUARD,    /* kids[0] where name:name(args); `while (e)`: name "while" */
    PAT_OBSERVER, /* ns:name(args) */
};

struct ast_pat {
    enum ast_pat_kind kind;
    struct span span;
    struct ast_stream *stream;
    struct slice tag;
    bool consume;
    struct ast_expr *consume_level;
    struct ast_pat **kids;
    uint32_t n_kids;
    struct slice ns, name;  /* timer, within */
    struct ast_expr **args; /* guard, observer, every-distinct; AST_NAMED_ARG possible */
    uint32_t n_args;
    struct ast_expr *low, *high; /* [low:high]; [n] has low == high */
    struct ast_expr **max;       /* PAT_FOLLOWED: -[n]> before kid i + 1, NULL for plain */
    bool paren;
};

enum ast_mr_kind { MR_VAR, MR_CONCAT, MR_ALT, MR_GROUP, MR_PERMUTE };

struct ast_mr {
    enum ast_mr_kind kind;
    struct span span;
    struct slice var;
    struct ast_mr **kids;
    uint32_t n_kids;
    uint32_t low, high; /* 1,1 plain; high UINT32_MAX: no bound */
    bool reluctant;
    bool braces; /* written {n,m}, not as a mark */
};

enum ast_skip { SKIP_PAST_LAST, SKIP_TO_NEXT, SKIP_TO_CURRENT };

struct ast_matchrec {
    struct span span;
    struct ast_expr **partition;
    uint32_t n_partition;
    struct ast_named *measures; /* name = the column */
    uint32_t n_measures;
    bool all_matches;
    enum ast_skip skip;
    struct ast_mr *pattern;
    struct ast_expr *interval;
    bool or_terminated;
    struct ast_named *define; /* name = the variable */
    uint32_t n_define;
};

struct ast_type { /* of a column: string, long[], Map<string,float>, count(*), window(*) @type(E) */
    struct span span;
    struct slice name; /* dots included */
    bool array, array2;
    struct slice map_key, map_value;
    struct ast_expr *agg; /* aggregation column of a table: the call */
    struct slice of;      /* @type(X) */
    bool primitive;       /* int[primitive] */
};

struct ast_col {
    struct span span;
    struct slice name;
    struct ast_type type;
    bool primary_key;
};

enum ast_ctx_kind {
    CTX_KEYED, CTX_HASH, CTX_CATEGORY, CTX_START_END, CTX_INIT_TERM, CTX_NESTED,
};

enum ast_point_kind { POINT_NONE, POINT_NOW, POINT_AFTER, POINT_CRON, POINT_PATTERN, POINT_FILTER,
                      POINT_NOW_AND };

struct ast_point { /* where a partition begins or ends */
    enum ast_point_kind kind;
    struct span span;
    struct ast_expr *after;
    struct ast_expr **at;
    uint32_t n_at;
    struct ast_pat *pattern;
    bool inclusive;
    struct ast_stream *stream;
    struct slice as;
    struct ast_expr *also_at_after; /* unused by most */
};

struct ast_ctx_stream { /* partition by a and b from T(filter) as x; hash func(a) from T */
    struct ast_expr **keys;
    uint32_t n_keys;
    struct ast_stream stream;
};

struct ast_category {
    struct slice label;
    struct ast_expr *cond;
};

struct ast_context {
    struct slice name;
    enum ast_ctx_kind kind;
    struct ast_ctx_stream *streams;
    uint32_t n_streams;
    struct ast_category *categories;
    uint32_t n_categories;
    struct ast_expr **distinct; /* initiated by distinct(a, b) */
    uint32_t n_distinct;
    struct ast_point *start; /* keyed contexts may have several initiators */
    uint32_t n_start;
    struct ast_point end;
    struct ast_expr *granularity;
    bool preallocate;
    struct ast_context *nested; /* each with its own name */
    uint32_t n_nested;
};

enum ast_action_kind { ACT_INSERT, ACT_UPDATE, ACT_DELETE };

struct ast_action {
    enum ast_action_kind kind;
    struct span span;
    struct slice into; /* empty: the window itself */
    struct slice *cols;
    uint32_t n_cols;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_named *sets;
    uint32_t n_sets;
    struct ast_expr *where;
};

struct ast_matched {
    bool negated; /* when not matched */
    struct ast_expr *cond;
    struct ast_action *actions;
    uint32_t n_actions;
};

struct ast_branch { /* of a split: insert into X select .. from t[..] where .. */
    struct ast_insert insert;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_stream *from; /* NULL: the trigger */
    struct ast_expr *where;
};

enum ast_stmt_kind {
    STMT_SELECT,
    STMT_CREATE_SCHEMA, STMT_CREATE_WINDOW, STMT_CREATE_TABLE, STMT_CREATE_VARIABLE,
    STMT_CREATE_CONTEXT, STMT_CREATE_EXPRESSION, STMT_CREATE_INDEX,
    STMT_ON_SELECT, STMT_ON_DELETE, STMT_ON_UPDATE, STMT_ON_MERGE, STMT_ON_SET, STMT_ON_SPLIT,
    STMT_UPDATE_ISTREAM,
    STMT_FAF_INSERT, STMT_FAF_UPDATE, STMT_FAF_DELETE, /* on-demand only */
};

enum ast_schema_kind { SCHEMA_PLAIN, SCHEMA_MAP, SCHEMA_OBJECTARRAY, SCHEMA_JSON, SCHEMA_AVRO,
                       SCHEMA_XML, SCHEMA_VARIANT };

struct ast_decl { /* expression n { x => body }, expression n alias for { body } */
    struct span span;
    struct slice name;
    bool alias;
    struct slice *params;
    uint32_t n_params;
    struct ast_expr *body;
};

struct ast_stmt {
    enum ast_stmt_kind kind;
    struct span span;
    struct ast_annot *annots;
    uint32_t n_annots;
    struct slice context; /* context X select ... */
    struct ast_decl *decls; /* expression ... before the statement */
    uint32_t n_decls;
    struct slice name;      /* of what is created; the stream of update istream */
    struct slice as;        /* update istream S as s; on-set: none */
    struct ast_select *select; /* SELECT, ON_SELECT (from: the window), FAF */
    /* create schema, window, table */
    enum ast_schema_kind schema_kind;
    struct ast_col *cols;
    uint32_t n_cols;
    struct slice *inherits, *copyfrom;
    uint32_t n_inherits, n_copyfrom;
    struct slice start_col, end_col;
    struct slice *variants; /* of variant schema; "*" for any */
    uint32_t n_variants;
    struct slice class_name; /* create schema N as a.b.C; create window W#v as Type */
    struct ast_stream window; /* its views, retain_union */
    struct ast_select *as_select; /* create window W as select ... */
    bool insert_from;             /* create window W as X insert [where] */
    struct ast_expr *insert_where;
    /* create variable, expression, index */
    struct ast_type type;
    struct ast_expr *init;
    bool constant, unique;
    struct ast_decl decl;
    struct slice index_on;
    struct ast_named *index_cols; /* name; e: NULL; target: NULL; text kind in `kinds` */
    uint32_t n_index_cols;
    struct ast_context *ctx;
    /* on ... */
    struct ast_stream *trigger;
    struct ast_stream *target; /* window or table, with alias */
    struct ast_expr *where;
    struct ast_named *sets;
    uint32_t n_sets;
    struct ast_matched *matched;
    uint32_t n_matched;
    bool merge_insert_only; /* on t merge W insert select ... : one unmatched action */
    struct ast_branch *branches;
    uint32_t n_branches;
    bool split_all;
};

struct ast_module {
    struct slice name;
    struct slice *uses;
    uint32_t n_uses;
    struct ast_stmt **stmts;
    uint32_t n_stmts;
};

const char *ast_op_text(enum ast_op op);

#endif
