#include "operators/graph/sel.h"
#include "operators/pattern/mr.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
W int view_plan(struct bind *b, const struct ast_stream *s, const struct etype *in, struct view_plan *ret, struct err *reterr){ if (s->n_views>0) return bind_err(reterr, s->span, "no windows yet"); ret->in=ret->out=in; return 0;}
W struct view *view_new(const struct view_plan *p, struct view_env *env, view_sink *sink, void *arg){return NULL;}
W void view_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg){}
W void view_free(struct view *v){}
W void epl_print_column(const struct ast_expr *e, struct buf *out){ if(e->n_segs) for(unsigned i=0;i<e->n_segs;i++){ if(i) (void)buf_add_str(out,"."); (void)buf_add_slice(out,e->segs[i].name); if (e->segs[i].star) (void)buf_add_str(out,"(*)");} else (void)buf_add_str(out,"?");}
W void epl_print_expr(const struct ast_expr *e, struct buf *out){(void)buf_addf(out,"%u",e->span.off);}
W void epl_print_module(const struct ast_module *m, struct buf *out){}
W void epl_print_stmt(const struct ast_stmt *s, struct buf *out){}
W void epl_diag_text(const struct err *e, struct slice file, struct slice text, struct buf *out){(void)buf_addf(out,"%u:%u: %s\n",e->line,e->col,e->msg);}
W void epl_diag_json(const struct err *e, struct slice file, struct buf *out){}
W const struct view_def *view_find(struct slice n){return NULL;}
W const char *ast_op_text(enum ast_op op){static const char*const t[]={"?","or","and","=","!=","is","is not","<","<=",">",">=","|","&","^","||","+","-","*","/","%"};return t[op];}
