/* SPDX-License-Identifier: Apache-2.0
 *
 * The shapes of statements.
 */
#include "epl_util.h"

TEST(parse_select_clauses)
{
    const struct ast_stmt *s = util_stmt(
        "@name('out') @Priority(-1) context C insert rstream into Y(a, b) "
        "select istream distinct a, x.* as xs, b as `order`, c d, * from X(e = 1, f)#time(1 min)"
        "#unique(g) as x unidirectional retain-union where h group by i, j having k "
        "output last every 2 events order by l desc, m limit 5 offset 2");
    const struct ast_select *q = s->select;
    CHECK_EQ(STMT_SELECT, s->kind);
    CHECK_EQ(2, s->n_annots);
    CHECK_SLICE("out", s->annots[0].values[0].e->text);
    CHECK_SLICE("C", s->context);
    CHECK_EQ(STREAM_RSTREAM, q->insert->streams);
    CHECK_EQ(2, q->insert->n_cols);
    CHECK_EQ(STREAM_ISTREAM, q->streams);
    CHECK(q->distinct);
    CHECK_EQ(5, q->n_items);
    CHECK(q->items[1].star);
    CHECK_SLICE("x", q->items[1].stream);
    CHECK_SLICE("xs", q->items[1].as);
    CHECK_SLICE("order", q->items[2].as);
    CHECK_SLICE("d", q->items[3].as);
    CHECK(q->items[4].star && q->items[4].stream.len == 0);
    CHECK_EQ(2, q->from[0].n_filters);
    CHECK_EQ(2, q->from[0].n_views);
    CHECK_SLICE("time", q->from[0].views[0].name);
    CHECK_SLICE("x", q->from[0].as);
    CHECK(q->from[0].unidirectional && q->from[0].retain_union);
    CHECK_EQ(2, q->n_group);
    CHECK_EQ(OUT_LAST, q->output->kind);
    CHECK_EQ(OUT_EVERY_EVENTS, q->output->when);
    CHECK(q->order[0].desc && !q->order[1].desc);
    CHECK_EQ(5, q->limit->i);
    CHECK_EQ(2, q->offset->i);
}

TEST(parse_joins)
{
    const struct ast_select *q =
        util_stmt("select * from A#length(1) as a left outer join B#keepall as b on a.x = b.x and "
                  "a.y = b.y full outer join C#keepall as c inner join D#keepall as d on c.z = d.z")
            ->select;
    CHECK_EQ(4, q->n_from);
    CHECK_EQ(JOIN_LEFT, q->joins[0].kind);
    CHECK_EQ(2, q->joins[0].cond->n_args);
    CHECK_EQ(JOIN_FULL, q->joins[1].kind);
    CHECK(q->joins[1].cond == NULL);
    CHECK_EQ(JOIN_INNER, q->joins[2].kind);
    CHECK_SLICE("d", q->from[3].as);
}

TEST(parse_output_forms)
{
    const struct ast_output *o =
        util_stmt("select a from X output after 10 sec snapshot every 1 min")->select->output;
    CHECK_EQ(AST_PERIOD, o->after->kind);
    CHECK_EQ(OUT_SNAPSHOT, o->kind);
    CHECK_EQ(OUT_EVERY_TIME, o->when);
    o = util_stmt("select a from X output when b > 1 and when terminated and c then set d = 1, e=2")
            ->select->output;
    CHECK_EQ(OUT_WHEN, o->when);
    CHECK_EQ(OP_GT, o->cond->op);
    CHECK(o->and_terminated && o->term_cond != NULL);
    CHECK_EQ(2, o->n_term_sets);
    CHECK_SLICE("e", o->term_sets[1].name);
    o = util_stmt("select a from X output last when terminated then set b = 1")->select->output;
    CHECK_EQ(OUT_TERMINATED, o->when);
    CHECK_EQ(1, o->n_term_sets);
    o = util_stmt("select a from X output at (*/5, 8:17, [1, 2:3], *, last)")->select->output;
    CHECK_EQ(OUT_AT, o->when);
    CHECK_EQ(AST_CRON_STEP, o->at[0]->kind);
    CHECK_EQ(AST_CRON_RANGE, o->at[1]->kind);
    CHECK_EQ(AST_CRON_LIST, o->at[2]->kind);
    CHECK_EQ(AST_STAR, o->at[3]->kind);
    CHECK_EQ(AST_CRON_WORD, o->at[4]->kind);
    o = util_stmt("select a from X output after 3 events")->select->output;
    CHECK(o->after_events && o->when == OUT_EVERY_NONE);
    o = util_stmt("select a from X output every n events")->select->output;
    CHECK_EQ(AST_CHAIN, o->every->kind);
}

TEST(parse_groups)
{
    const struct ast_select *q =
        util_stmt("select a from X group by a, rollup(b, (c, d)), grouping sets((e, f), cube(g), "
                  "())")
            ->select;
    CHECK_EQ(3, q->n_group);
    CHECK_EQ(GROUP_EXPR, q->group[0].kind);
    CHECK_EQ(GROUP_ROLLUP, q->group[1].kind);
    CHECK_EQ(GROUP_COMBINED, q->group[1].kids[1].kind);
    CHECK_EQ(2, q->group[1].kids[1].n_kids);
    CHECK_EQ(GROUP_SETS, q->group[2].kind);
    CHECK_EQ(GROUP_CUBE, q->group[2].kids[1].kind);
    CHECK_EQ(0, q->group[2].kids[2].n_kids);
}

static const struct ast_pat *pattern_of(const char *text)
{
    return util_stmt(text)->select->from[0].pattern;
}

TEST(parse_pattern_precedence)
{
    const struct ast_pat *p =
        pattern_of("select * from pattern [every a=A -> b=B(x = a.x) where timer:within(10 min)]");
    CHECK_EQ(PAT_FOLLOWED, p->kind);
    CHECK_EQ(PAT_EVERY, p->kids[0]->kind);
    CHECK_EQ(PAT_GUARD, p->kids[1]->kind);
    CHECK_EQ(PAT_FILTER, p->kids[1]->kids[0]->kind);
    CHECK_SLICE("within", p->kids[1]->name);
    p = pattern_of("select * from pattern [every a=A -> every b=B where timer:within(1)]");
    CHECK_EQ(PAT_GUARD, p->kids[1]->kids[0]->kind);
    p = pattern_of("select * from pattern [a and b or c and not d -> e]");
    CHECK_EQ(PAT_OR, p->kids[0]->kind);
    CHECK_EQ(PAT_AND, p->kids[0]->kids[1]->kind);
    CHECK_EQ(PAT_NOT, p->kids[0]->kids[1]->kids[1]->kind);
    p = pattern_of("select * from pattern [(every a=A) where timer:within(1)]");
    CHECK_EQ(PAT_GUARD, p->kind);
    CHECK(p->kids[0]->kind == PAT_EVERY && p->kids[0]->paren);
    p = pattern_of("select * from pattern [every a until b and c]");
    CHECK_EQ(PAT_AND, p->kind);
    CHECK_EQ(PAT_UNTIL, p->kids[0]->kind);
    CHECK_EQ(PAT_EVERY, p->kids[0]->kids[0]->kind);
}

TEST(parse_pattern_parts)
{
    const struct ast_pat *p =
        pattern_of("select * from pattern @A(1) [a=X(b)[c]@consume(2) -[3]> d=Y -> e]");
    CHECK_EQ(3, p->n_kids);
    CHECK(p->max[0] != NULL && p->max[1] == NULL);
    CHECK(p->kids[0]->consume && p->kids[0]->consume_level->i == 2);
    CHECK_EQ(1, p->kids[0]->stream->n_contained);
    p = pattern_of("select * from pattern [every [2:] a=X until timer:interval(5)]");
    CHECK_EQ(PAT_UNTIL, p->kind);
    CHECK_EQ(PAT_EVERY, p->kids[0]->kind);
    CHECK_EQ(PAT_UNTIL, p->kids[0]->kids[0]->kind);
    p = pattern_of("select * from pattern [[2:] a=X until b]");
    CHECK(p->low->i == 2 && p->high == NULL && p->n_kids == 2);
    p = pattern_of("select * from pattern [[:3] a=X until b]");
    CHECK(p->low == NULL && p->high->i == 3);
    p = pattern_of("select * from pattern [[2] a=X]");
    CHECK(p->low == p->high && p->n_kids == 1);
    p = pattern_of("select * from pattern [every-distinct(a.x, 10 sec) a=X while (a.y > 1)]");
    CHECK_EQ(PAT_EVERY_DISTINCT, p->kind);
    CHECK_EQ(2, p->n_args);
    CHECK_SLICE("while", p->kids[0]->name);
    p = pattern_of("select * from pattern [timer:at(*, *, 5 last, *, [1, 2])]");
    CHECK_EQ(PAT_OBSERVER, p->kind);
    CHECK_EQ(5, p->n_args);
    CHECK_EQ(1, p->args[2]->n_args);
    p = pattern_of("select * from pattern [timer:schedule(iso: 'x', repetitions: 2)]");
    CHECK_EQ(AST_NAMED_ARG, p->args[1]->kind);
}

TEST(parse_match_recognize)
{
    const struct ast_matchrec *m =
        util_stmt("select * from X#keepall match_recognize (partition by p, q measures a.x as ax, "
                  "count(b.y) as n all matches after match skip to next row "
                  "pattern (a b*? (c | d e)+ f{2,} match_recognize_permute(g, h)) "
                  "interval 10 sec or terminated define b as b.y > a.x)")
            ->select->matchrec;
    CHECK_EQ(2, m->n_partition);
    CHECK_SLICE("n", m->measures[1].name);
    CHECK(m->all_matches && m->or_terminated);
    CHECK_EQ(SKIP_TO_NEXT, m->skip);
    CHECK_EQ(MR_CONCAT, m->pattern->kind);
    CHECK_EQ(5, m->pattern->n_kids);
    CHECK(m->pattern->kids[1]->reluctant && m->pattern->kids[1]->low == 0);
    CHECK_EQ(MR_GROUP, m->pattern->kids[2]->kind);
    CHECK_EQ(MR_ALT, m->pattern->kids[2]->kids[0]->kind);
    CHECK(m->pattern->kids[3]->braces && m->pattern->kids[3]->high == UINT32_MAX);
    CHECK_EQ(MR_PERMUTE, m->pattern->kids[4]->kind);
    CHECK_EQ(1, m->n_define);
}

TEST(parse_contained)
{
    const struct ast_stream *s =
        util_stmt("select * from Batch[select process as p, * from spans as s where s.d > 1]"
                  "[tags@type(Tag)] as x")
            ->select->from;
    CHECK_EQ(2, s->n_contained);
    CHECK_EQ(2, s->contained[0].n_items);
    CHECK_SLICE("s", s->contained[0].as);
    CHECK(s->contained[0].where != NULL);
    CHECK_SLICE("Tag", s->contained[1].type);
    CHECK_SLICE("x", s->as);
}

TEST(parse_create_schema)
{
    const struct ast_stmt *s = util_stmt(
        "create map schema X as (a int[], b long[primitive], c Map<string, float>, `by` a.B) "
        "inherits Y, Z starttimestamp s endtimestamp e copyfrom Q");
    CHECK_EQ(SCHEMA_MAP, s->schema_kind);
    CHECK_EQ(4, s->n_cols);
    CHECK(s->cols[0].type.array && s->cols[1].type.primitive);
    CHECK_SLICE("string", s->cols[2].type.map_key);
    CHECK_SLICE("float", s->cols[2].type.map_value);
    CHECK_SLICE("by", s->cols[3].name);
    CHECK_SLICE("a.B", s->cols[3].type.name);
    CHECK_EQ(2, s->n_inherits);
    CHECK_SLICE("e", s->end_col);
    CHECK_EQ(1, s->n_copyfrom);
    CHECK_SLICE("*", util_stmt("create variant schema V as *")->variants[0]);
    CHECK_SLICE("a.b.C", util_stmt("create schema V as a.b.C")->class_name);
}

TEST(parse_create_window_table)
{
    const struct ast_stmt *s =
        util_stmt("create window W#unique(a)#time(1 min) (a string, b int) insert where c");
    CHECK_EQ(2, s->window.n_views);
    CHECK_EQ(1, s->window.views[0].n_args);
    CHECK_EQ(2, s->n_cols);
    CHECK(s->insert_from && s->insert_where != NULL);
    s = util_stmt("create window W#keepall (a string)");
    CHECK_EQ(0, s->window.views[0].n_args);
    CHECK_EQ(1, s->n_cols);
    s = util_stmt("create window W#keepall as select a, b as c from X");
    CHECK_EQ(2, s->as_select->n_items);
    CHECK_SLICE("X", s->as_select->from[0].type);
    CHECK_SLICE("X", util_stmt("create window W#keepall as X")->class_name);
    s = util_stmt("create table T(k string primary key, n count(*), s sum(double), "
                  "w window(*) @type(E), m java.util.Map)");
    CHECK(s->cols[0].primary_key && !s->cols[1].primary_key);
    CHECK(s->cols[1].type.agg->segs[0].star);
    CHECK_EQ(AST_TYPE_NAME, s->cols[2].type.agg->segs[0].args[0]->kind);
    CHECK_SLICE("double", s->cols[2].type.agg->segs[0].args[0]->text);
    CHECK_SLICE("E", s->cols[3].type.of);
    CHECK_SLICE("java.util.Map", s->cols[4].type.name);
}

TEST(parse_create_others)
{
    const struct ast_stmt *s = util_stmt("create constant variable int[] codes = {1, 2}");
    CHECK(s->constant && s->type.array && s->init->kind == AST_ARRAY);
    s = util_stmt("create unique index I on W(a hash, b btree, c)");
    CHECK(s->unique && s->n_index_cols == 3);
    CHECK_SLICE("btree", s->index_cols[1].e->text);
    CHECK(s->index_cols[2].e == NULL);
    s = util_stmt("create expression f { (x, y) => x + y }");
    CHECK_EQ(2, s->decl.n_params);
    CHECK_EQ(AST_BINARY, s->decl.body->kind);
    CHECK(util_stmt("create expression f alias for { 1 }")->decl.alias);
    s = util_stmt("expression f { x => x.a } select f(b) from X as b");
    CHECK_EQ(1, s->n_decls);
}

TEST(parse_contexts)
{
    const struct ast_context *c =
        util_stmt("create context C partition by a and b from X(z = 1) as x, c from Y initiated by "
                  "Z as z terminated after 5 min")
            ->ctx;
    CHECK_EQ(CTX_KEYED, c->kind);
    CHECK_EQ(2, c->n_streams);
    CHECK_EQ(2, c->streams[0].n_keys);
    CHECK_SLICE("x", c->streams[0].stream.as);
    CHECK_EQ(POINT_FILTER, c->start[0].kind);
    CHECK_EQ(POINT_AFTER, c->end.kind);
    c = util_stmt("create context C initiated by distinct(a) X as x terminated by Y(b = x.b)")->ctx;
    CHECK(c->kind == CTX_INIT_TERM && c->n_distinct == 1);
    CHECK_SLICE("x", c->start[0].as);
    c = util_stmt("create context C initiated @now and pattern [every timer:interval(10)] "
                  "terminated after 5 sec")
            ->ctx;
    CHECK(c->start[0].kind == POINT_NOW_AND && c->start[0].pattern != NULL);
    c = util_stmt("create context C start (0, 9, *, *, *) end pattern [X] @inclusive")->ctx;
    CHECK(c->kind == CTX_START_END && c->start[0].n_at == 5 && c->end.inclusive);
    c = util_stmt("create context C group a < 1 as low, group by a > 1 as high from X")->ctx;
    CHECK(c->kind == CTX_CATEGORY && c->n_categories == 2 && c->n_streams == 1);
    c = util_stmt("create context C coalesce by hash_code(a) from X granularity 4 preallocate")
            ->ctx;
    CHECK(c->kind == CTX_HASH && c->granularity->i == 4 && c->preallocate);
    c = util_stmt("create context C context A partition by a from X, context B start @now end "
                  "after 5 sec")
            ->ctx;
    CHECK(c->kind == CTX_NESTED && c->n_nested == 2);
    CHECK_SLICE("B", c->nested[1].name);
    CHECK_EQ(POINT_NOW, c->nested[1].start[0].kind);
}

TEST(parse_on_merge)
{
    const struct ast_stmt *s = util_stmt(
        "on X(a > 1) as x merge into W as w where x.a = w.a when matched and b then delete where c "
        "then insert into Z select * when matched then update set a = 1, d[1] = 2 "
        "when not matched then insert(a, b) select e, f as g");
    CHECK_EQ(STMT_ON_MERGE, s->kind);
    CHECK_SLICE("x", s->trigger->as);
    CHECK_SLICE("w", s->target->as);
    CHECK_EQ(3, s->n_matched);
    CHECK_EQ(2, s->matched[0].n_actions);
    CHECK_EQ(ACT_DELETE, s->matched[0].actions[0].kind);
    CHECK_SLICE("Z", s->matched[0].actions[1].into);
    CHECK(s->matched[1].actions[0].sets[1].target->segs[0].has_index);
    CHECK(s->matched[2].negated && s->matched[2].actions[0].n_cols == 2);
    s = util_stmt("on X merge W insert select a");
    CHECK(s->merge_insert_only && s->n_matched == 1);
}

TEST(parse_on_others)
{
    const struct ast_stmt *s =
        util_stmt("on X as x insert into Y select and delete a from W as w where b order by c");
    CHECK_EQ(STMT_ON_SELECT, s->kind);
    CHECK(s->select->and_delete && s->select->insert != NULL);
    CHECK_SLICE("w", s->select->from[0].as);
    s = util_stmt("on X insert into Y select * where a insert into Z select b from [c] as d "
                  "output all");
    CHECK_EQ(STMT_ON_SPLIT, s->kind);
    CHECK(s->n_branches == 2 && s->split_all);
    CHECK(s->branches[0].from == NULL && s->branches[1].from->n_contained == 1);
    CHECK_EQ(STMT_ON_SPLIT, util_stmt("on X insert into Y select (select a from Z) as b")->kind);
    s = util_stmt("on pattern [every a=X] as p update W as w set b = 1 where c");
    CHECK(s->kind == STMT_ON_UPDATE && s->trigger->pattern != NULL && s->where != NULL);
    s = util_stmt("on X set a = 1, b = a + 1");
    CHECK(s->kind == STMT_ON_SET && s->n_sets == 2);
    s = util_stmt("update istream X as x set a = 1 where b");
    CHECK_EQ(STMT_UPDATE_ISTREAM, s->kind);
    CHECK_SLICE("x", s->as);
    CHECK_EQ(STMT_ON_DELETE, util_stmt("on X delete from W w where a")->kind);
}

TEST(parse_queries)
{
    const struct ast_stmt *s = util_query("insert into W(a, b) values (1, 2), (3, 4)");
    CHECK_EQ(STMT_FAF_INSERT, s->kind);
    CHECK(s->select->n_values == 4 && s->select->n_value_rows == 2);
    s = util_query("insert into W select 1 as a");
    CHECK(s->kind == STMT_FAF_INSERT && s->select->n_from == 0);
    CHECK_EQ(STMT_FAF_UPDATE, util_query("update W as w set a = 1 where b")->kind);
    CHECK_EQ(STMT_FAF_DELETE, util_query("delete from W;")->kind);
    CHECK_SLICE("C", util_query("context C select * from W(a = 1) where b = ?")->context);
}

TEST(parse_modules)
{
    struct err e = {0};
    struct ast_module *m = NULL;
    CHECK_OK(epl_parse(util_arena(),
                       SLICE("module a.b; uses c; import d.*; ;select 1 from X;;"
                             "select 2 from X"),
                       &m, &e),
             e);
    CHECK_SLICE("a.b", m->name);
    CHECK_EQ(1, m->n_uses);
    CHECK_EQ(2, m->n_stmts);
    CHECK_OK(epl_parse(util_arena(), SLICE(" // nothing\n"), &m, &e), e);
    CHECK_EQ(0, m->n_stmts);
}
