#include "operators/graph/sel.h"
#include "operators/pattern/mr.h"
#define W __attribute__((weak))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wmisleading-indentation"
W const struct view_def *view_find(struct slice n){return NULL;}

#include "core/base/mem.h"
enum tk {TK_LENGTH,TK_TIME,TK_ALL,TK_LAST,TK_UNIQUE,TK_LBATCH,TK_TBATCH,TK_FIRST};
struct tstep { struct view_step s; enum tk k; struct ex *e; struct ex *keys[8]; int nk; };
struct tview { struct view v; const struct view_plan *p; struct evts q, prev; VEC(int64_t) at; struct tmr t; int64_t anchor; };
static void tv_sink(struct tview *v, struct evts *nw, struct evts *old){ if(nw->len+old->len) v->v.sink(v->v.sink_arg,nw->ptr,nw->len,old->ptr,old->len);}
static struct val tv_ev(struct tview*v,const struct ex*e,struct evt*ev){ v->v.env->ctx->row[v->v.env->stream]=ev; return ex_eval(e,v->v.env->ctx);}
static void tv_rm(struct tview*v,size_t i){ VEC_REMOVE(&v->q,i); VEC_REMOVE(&v->at,i);}
static void tv_fire(struct tmr*t,int64_t now){ struct tview*v=CONTAINER_OF(t,struct tview,t); struct evts nw={0},old={0};
 for (unsigned s=0;s<v->p->n_steps;s++){ const struct tstep*st=(const void*)v->p->steps[s];
  if(st->k==TK_TIME){ for(size_t i=0;i<v->q.len;){ if(ex_after(st->e,v->v.env->ctx,v->at.ptr[i],1)<=now){evts_add(&old,v->q.ptr[i]);evt_drop(v->v.env->heap,v->q.ptr[i]);tv_rm(v,i);}else i++;}
    if(v->q.len) tmr_set(v->v.env->timers,&v->t,ex_after(st->e,v->v.env->ctx,v->at.ptr[0],1)); tv_sink(v,&nw,&old);}
  if(st->k==TK_TBATCH){ old=v->prev; nw=v->q; v->prev=(struct evts){0}; for(size_t i=0;i<nw.len;i++) evts_add(&v->prev,nw.ptr[i]); v->q=(struct evts){0}; VEC_CLEAR(&v->at); bool any=nw.len+old.len>0; int64_t d=ex_after(st->e,v->v.env->ctx,v->anchor,1); while(d<=now) d=ex_after(st->e,v->v.env->ctx,d,1); v->anchor=d-(ex_after(st->e,v->v.env->ctx,0,1)); if(any) tmr_set(v->v.env->timers,&v->t,d); tv_sink(v,&nw,&old);} }
}
static void tv_update(struct view*vv,struct evt**nw,size_t n,struct evt**od,size_t m){ struct tview*v=(struct tview*)vv; struct evts on={0},oo={0};
 for(size_t i=0;i<m;i++) for(size_t k=0;k<v->q.len;k++) if(v->q.ptr[k]==od[i]){evts_add(&oo,od[i]);evt_drop(v->v.env->heap,od[i]);tv_rm(v,k);break;}
 bool batch=false;
 for(size_t i=0;i<n;i++){ evts_add(&v->q,evt_keep(nw[i])); *VEC_PUSH(&v->at)=v->v.env->ctx->now; const struct tstep*f=(const void*)v->p->steps[0];
  if(f->k==TK_FIRST && v->q.len>1){ evt_drop(v->v.env->heap,nw[i]); tv_rm(v,v->q.len-1); continue;}
  if(f->k==TK_LBATCH||f->k==TK_TBATCH) batch=true; else evts_add(&on,nw[i]);
  if(f->k==TK_LBATCH && (int64_t)v->q.len>=val_to_long(tv_ev(v,f->e,nw[i]))){ struct evts a=v->q,b=v->prev; v->q=(struct evts){0};VEC_CLEAR(&v->at); v->prev=(struct evts){0}; for(size_t x=0;x<a.len;x++) evts_add(&v->prev,a.ptr[x]); tv_sink(v,&a,&b);} 
  if(f->k==TK_TBATCH && v->t.pos==0){ v->anchor=v->v.env->ctx->now; tmr_set(v->v.env->timers,&v->t,ex_after(f->e,v->v.env->ctx,v->anchor,1)); }
  for(unsigned s=0;s<v->p->n_steps;s++){ const struct tstep*st=(const void*)v->p->steps[s];
   if(st->k==TK_LENGTH) while((int64_t)v->q.len>val_to_long(tv_ev(v,st->e,nw[i]))){evts_add(&oo,v->q.ptr[0]);evt_drop(v->v.env->heap,v->q.ptr[0]);tv_rm(v,0);}
   if(st->k==TK_LAST) while(v->q.len>1){evts_add(&oo,v->q.ptr[0]);evt_drop(v->v.env->heap,v->q.ptr[0]);tv_rm(v,0);}
   if(st->k==TK_TIME && v->t.pos==0) tmr_set(v->v.env->timers,&v->t,ex_after(st->e,v->v.env->ctx,v->at.ptr[0],1));
   if(st->k==TK_UNIQUE) for(size_t k=0;k+1<v->q.len;k++){ bool same=true; for(int j=0;same&&j<st->nk;j++){ struct val a=tv_ev(v,st->keys[j],nw[i]),b=tv_ev(v,st->keys[j],v->q.ptr[k]); same=val_same(a,b);} if(same){evts_add(&oo,v->q.ptr[k]);evt_drop(v->v.env->heap,v->q.ptr[k]);tv_rm(v,k);break;} } } }
 if(!batch) tv_sink(v,&on,&oo); evts_done(&on); evts_done(&oo);}
static void tv_each(struct view*vv,void(*fn)(void*,struct evt*),void*a){struct tview*v=(struct tview*)vv; for(size_t i=0;i<v->q.len;i++) fn(a,v->q.ptr[i]);}
static struct evt*tv_prev(struct view*vv,const struct evt*of,int64_t n){struct tview*v=(struct tview*)vv; for(size_t i=0;i<v->q.len;i++) if(v->q.ptr[i]==of) return (int64_t)i>=n?v->q.ptr[i-(size_t)n]:NULL; return NULL;}
static void tv_free(struct view*vv){struct tview*v=(struct tview*)vv; tmr_cancel(v->v.env->timers,&v->t); for(size_t i=0;i<v->q.len;i++) evt_drop(v->v.env->heap,v->q.ptr[i]); for(size_t i=0;i<v->prev.len;i++) evt_drop(v->v.env->heap,v->prev.ptr[i]); mem_free(v);}
static const struct view_ops tvops={.update=tv_update,.each=tv_each,.prev=tv_prev,.free=tv_free};
W int view_plan(struct bind *b, const struct ast_stream *s, const struct etype *in, struct view_plan *ret, struct err *reterr){ static const char*const nm[]={"length","time","keepall","lastevent","unique","length_batch","time_batch","firstevent"}; ret->in=ret->out=in; ret->n_steps=s->n_views; if(!s->n_views) return 0; ret->steps=arena_array(b->a,s->n_views,sizeof(void*)); ret->has_window=true; struct bind_stream bs={.alias=s->as,.type=in,.num=b->scope->n_streams?b->scope->streams[0].num:0}; struct scope sc={.streams=&bs,.n_streams=1}; struct scope*sv=b->scope; b->scope=&sc; int rc=0;
 for(unsigned i=0;i<s->n_views&&!rc;i++){ struct tstep*t=ARENA_NEW(b->a,struct tstep); ret->steps[i]=&t->s; int k=-1; for(int j=0;j<8;j++) if(slice_eq(s->views[i].name,slice_str(nm[j]))) k=j; if(k<0||(s->views[i].n_args==0&&(k<2||k==5||k==6))){rc=bind_err(reterr,s->span,"no such window yet");break;} t->k=(enum tk)k; if(k==TK_UNIQUE){ t->nk=(int)s->views[i].n_args; for(int j=0;j<t->nk&&j<8&&!rc;j++) rc=bind_expr(b,s->views[i].args[j],&t->keys[j],reterr);} else if(k==TK_TIME||k==TK_TBATCH) rc=bind_period(b,s->views[i].args[0],&t->e,reterr); else if(k==TK_LENGTH||k==TK_LBATCH) rc=bind_expr(b,s->views[i].args[0],&t->e,reterr);} b->scope=sv; return rc;}
W struct view *view_new(const struct view_plan *p, struct view_env *env, view_sink *sink, void *arg){ struct tview*v=MEM_NEW(struct tview); v->v=(struct view){.ops=&tvops,.env=env,.sink=sink,.sink_arg=arg}; v->p=p; v->t.fire=tv_fire; v->t.rank=env->rank; v->t.inst=env->inst; return &v->v;}
W void view_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg){ if(v) v->ops->each(v,fn,arg);}
W void view_free(struct view *v){ if(v) v->ops->free(v);}
