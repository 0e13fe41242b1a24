/* SPDX-License-Identifier: Apache-2.0
 *
 * The wake-up fd of a bus client: an epoll fd over an eventfd (something happened) and a timerfd
 * (a timer is due), so that an event loop needs one fd for both. Any thread may signal; the owner
 * clears before he looks, so that no signal is lost. Signals coalesce: while one is pending another
 * costs one atomic read and no system call.
 */
#ifndef CORE_BUS_BUS_WAKE_H
#define CORE_BUS_BUS_WAKE_H

#include <stdatomic.h>
#include <stdint.h>

struct bus_wake {
    int epoll_fd, signal_fd, alarm_fd;
    _Atomic int pending;
    int64_t armed_ns; /* what alarm_fd is set to; INT64_MAX = not */
};

void bus_wake_init(struct bus_wake *w);
void bus_wake_done(struct bus_wake *w);
void bus_wake_signal(struct bus_wake *w);               /* @thread any */
void bus_wake_clear(struct bus_wake *w);                /* @thread owner */
void bus_wake_arm(struct bus_wake *w, int64_t mono_ns); /* INT64_MAX = never */
void bus_wake_sleep(struct bus_wake *w, int64_t timeout_ns);

#endif
