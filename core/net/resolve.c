/* SPDX-License-Identifier: Apache-2.0
 *
 * See resolve.h. A lookup is owned by two: the thread, which fills it in and writes the eventfd,
 * and the loop's side, which reads it. Whoever comes last frees it, so that a lookup that hangs can
 * be cancelled and forgotten.
 */
#include "core/net/resolve.h"

#include "core/base/mem.h"
#include "core/net/loop.h"

#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Threads now looking up. */
PROCESS_WIDE
static _Atomic unsigned running;

struct resolve {
    _Atomic unsigned owners;
    int done_fd;
    char *host;
    uint16_t port;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;
    int rc; /* of getaddrinfo */
    struct loop_fd *watch;
    void (*fn)(void *arg, const struct addr *addrs, size_t n, const struct err *err);
    void *arg;
};

static void disown(struct resolve *r)
{
    if (atomic_fetch_sub_explicit(&r->owners, 1, memory_order_acq_rel) == 1) {
        close(r->done_fd);
        mem_free(r->host);
        mem_free(r);
    }
}

static void *look_up(void *arg)
{
    struct resolve *r = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", r->port);
    r->rc = getaddrinfo(r->host, port, &hints, &list);
    for (struct addrinfo *a = r->rc == 0 ? list : NULL; a != NULL; a = a->ai_next) {
        if (r->n < RESOLVE_ADDRS_MAX && a->ai_addrlen <= sizeof r->addrs[0].u) {
            struct addr *to = &r->addrs[r->n++];
            memcpy(&to->u, a->ai_addr, a->ai_addrlen);
            to->len = a->ai_addrlen;
        }
    }
    if (list != NULL) {
        freeaddrinfo(list);
    }
    uint64_t one = 1;
    ssize_t put = write(r->done_fd, &one, sizeof one);
    (void)put;
    disown(r);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void on_done(void *arg, unsigned what)
{
    struct resolve *r = arg;
    struct err err = {0};
    uint64_t n;
    ssize_t got = read(r->done_fd, &n, sizeof n);
    (void)got;
    (void)what;
    loop_fd_free(r->watch);
    r->watch = NULL;
    if (r->rc != 0 || r->n == 0) {
        err_set(&err, r->rc == EAI_NONAME ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "host '%s': %s",
                r->host, r->rc != 0 ? gai_strerror(r->rc) : "no address");
        r->fn(r->arg, NULL, 0, &err);
    } else {
        r->fn(r->arg, r->addrs, r->n, NULL);
    }
    disown(r);
}

/* Signals are for the loop's thread. */
static int start_thread(struct resolve *r)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, &attr, look_up, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

int resolve_start(struct loop *l, const char *host, uint16_t port,
                  void (*fn)(void *arg, const struct addr *addrs, size_t n, const struct err *err),
                  void *arg, struct resolve **ret_resolve, struct err *reterr)
{
    assert(l != NULL && host != NULL && fn != NULL);
    if (atomic_fetch_add(&running, 1) >= RESOLVE_AT_ONCE) {
        atomic_fetch_sub(&running, 1);
        return err_set(reterr, ERR_LIMIT, "host '%s': %d lookups are under way", host,
                       RESOLVE_AT_ONCE);
    }
    struct resolve *r = MEM_NEW(struct resolve);
    atomic_init(&r->owners, 2);
    r->host = mem_dup(host, strlen(host));
    r->port = port;
    r->fn = fn;
    r->arg = arg;
    r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->done_fd < 0 || start_thread(r) != 0) {
        atomic_store(&r->owners, 1);
        atomic_fetch_sub(&running, 1);
        int rc = err_set(reterr, ERR_LIMIT, "host '%s': no thread or descriptor left", host);
        disown(r);
        return rc;
    }
    r->watch = loop_fd_new(l, r->done_fd, LOOP_READ, on_done, r);
    *ret_resolve = r;
    return 0;
}

void resolve_cancel(struct resolve *r)
{
    if (r != NULL) {
        loop_fd_free(r->watch);
        r->watch = NULL;
        disown(r);
    }
}
