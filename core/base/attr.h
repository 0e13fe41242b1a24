/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiler attributes and small macros the project uses, each behind one name, so that a
 * compiler without them needs one edit.
 */
#ifndef CORE_BASE_ATTR_H
#define CORE_BASE_ATTR_H

/* The result must be looked at: every fallible function carries it. */
#define NODISCARD            __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, ap) __attribute__((format(printf, fmt, ap)))
#define COLD                 __attribute__((cold, noinline))
#define ALWAYS_INLINE        __attribute__((always_inline))
#define LIKELY(x)            __builtin_expect(!!(x), 1)
#define UNLIKELY(x)          __builtin_expect(!!(x), 0)
/* Into this function only what is ALWAYS_INLINE is inlined: for a loop whose variables must stay in
 * registers. */
#ifdef __clang__
#define INLINES_LITTLE
#else
#define INLINES_LITTLE                                                                             \
    __attribute__((optimize("no-inline-functions", "no-inline-small-functions",                    \
                            "no-inline-functions-called-once")))
#endif

/* Marks one of the few variables that belong to the whole process (the logger, the allocation
 * counter). Everything else is passed as a parameter; a lint holds that. */
#define PROCESS_WIDE

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* The struct that contains `member`, from a pointer to the member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
