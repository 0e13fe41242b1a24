/* SPDX-License-Identifier: Apache-2.0
 *
 * What is large comes as huge pages, as far as the kernel has them.
 */
#include "core/base/mem.h"

#include "tests/test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether the mapping that has this address is to be of huge pages. */
static bool is_advised(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    bool within = false, advised = false;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            within = from <= (uintptr_t)p && (uintptr_t)p < to;
        }
        advised |= within && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") != NULL;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return advised;
}

static bool kernel_has_huge_pages(void)
{
    return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0;
}

TEST(huge_blocks_are_aligned_and_advised)
{
    char *p = mem_huge(MEM_HUGE + 1);
    CHECK_EQ(0, (uintptr_t)p % MEM_HUGE);
    memset(p, 1, 2 * (size_t)MEM_HUGE);
    CHECK(!kernel_has_huge_pages() || (is_advised(p) && is_advised(p + MEM_HUGE)));
    mem_free(p);
}

TEST(what_is_large_is_advised_and_what_is_small_is_not)
{
    enum { LARGE = 8 << 20 };
    char *small = mem_alloc(MEM_HUGE / 2), *p[3] = {mem_alloc(LARGE), mem_calloc(LARGE / 8, 8)};
    CHECK(!is_advised(small));
    p[2] = mem_realloc(mem_alloc(1), LARGE);
    for (int i = 0; i < 3; i++) {
        CHECK(!kernel_has_huge_pages() || is_advised(p[i] + LARGE / 2));
        mem_free(p[i]);
    }
    mem_free(small);
}
