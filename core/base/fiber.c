/* SPDX-License-Identifier: Apache-2.0
 *
 * See fiber.h. The first entry of a stack is by makecontext, every further change of stacks by
 * sigsetjmp without the mask of signals, because swapcontext would ask the kernel for it twice.
 * Sanitizers are told which stack is in use.
 */
#undef _FORTIFY_SOURCE /* it takes a jump to another stack for a mistake */
#include "core/base/fiber.h"

#include "core/base/attr.h"
#include "core/base/mem.h"

#include <assert.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK = 8 << 20 }; /* as that of a thread; only what is used takes memory */

struct fiber {
    char *stack; /* its lowest page is not to be touched */
    size_t page;
    sigjmp_buf mine, callers;
    ucontext_t entry;
    void (*work)(void *arg);
    void *arg;
    bool entered, busy;
    void *fake;               /* of the address sanitizer: the stack that is left, */
    const void *callers_base; /* and where the caller's lies */
    size_t callers_bytes;
    void *tsan, *callers_tsan;
};

/* ---- sanitizers ---- */

static void to_fiber(struct fiber *f, void **fake)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(fake, f->stack + f->page, STACK);
#endif
#ifdef __SANITIZE_THREAD__
    f->callers_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan, 0);
#endif
    (void)f;
    (void)fake;
}

static void from_fiber(struct fiber *f)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&f->fake, f->callers_base, f->callers_bytes);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(f->callers_tsan, 0);
#endif
    (void)f;
}

static void in_fiber(struct fiber *f)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(f->fake, &f->callers_base, &f->callers_bytes);
#endif
    (void)f;
}

static void in_caller(void *fake)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    (void)fake;
}

/* ---- changing stacks ---- */

static void leave(struct fiber *f)
{
    from_fiber(f);
    siglongjmp(f->callers, 1);
}

void fiber_rest(struct fiber *f)
{
    assert(f->busy);
    if (sigsetjmp(f->mine, 0) == 0) {
        leave(f);
    }
    in_fiber(f);
}

/* It never returns: work after work is done on the stack. */
static void run(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | (uintptr_t)low);
    in_fiber(f);
    for (;;) {
        f->work(f->arg);
        f->busy = false;
        if (sigsetjmp(f->mine, 0) == 0) {
            leave(f);
        }
        in_fiber(f);
    }
}

bool fiber_go_on(struct fiber *f)
{
    void *fake = NULL;
    assert(f->busy);
    if (sigsetjmp(f->callers, 0) == 0) {
        to_fiber(f, &fake);
        if (f->entered) {
            siglongjmp(f->mine, 1);
        }
        f->entered = true;
        (void)setcontext(&f->entry);
    }
    in_caller(fake);
    return !f->busy;
}

bool fiber_begin(struct fiber *f, void (*work)(void *arg), void *arg)
{
    assert(!f->busy);
    f->work = work;
    f->arg = arg;
    f->busy = true;
    return fiber_go_on(f);
}

/* ---- making ---- */

struct fiber *fiber_new(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *stack = mmap(NULL, page + STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(stack, page, PROT_NONE) != 0) { /* without it a deep stack writes over others */
        (void)munmap(stack, page + STACK);
        return NULL;
    }
    struct fiber *f = MEM_NEW(struct fiber);
    f->stack = stack;
    f->page = page;
    (void)getcontext(&f->entry);
    f->entry.uc_stack.ss_sp = stack + page;
    f->entry.uc_stack.ss_size = STACK;
    f->entry.uc_link = NULL;
    uintptr_t at = (uintptr_t)f;
    makecontext(&f->entry, (void (*)(void))run, 2, (unsigned)(at >> 32), (unsigned)at);
#ifdef __SANITIZE_THREAD__
    f->tsan = __tsan_create_fiber(0);
#endif
    return f;
}

void fiber_free(struct fiber *f)
{
    if (f == NULL) {
        return;
    }
    assert(!f->busy);
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(f->tsan);
#endif
    (void)munmap(f->stack, f->page + STACK);
    mem_free(f);
}
