/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/intern.h"

#include "tests/test.h"

#include <stdio.h>

TEST(intern_gives_equal_strings_one_id)
{
    struct intern *t = intern_new(10000, 1 << 20);
    char text[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            int n = snprintf(text, sizeof text, "k8s.label.%d", i);
            CHECK_EQ(i + 1, intern_id(t, slice_of(text, (size_t)n)));
        }
    }
    CHECK_EQ(5000, intern_count(t));
    CHECK_SLICE("k8s.label.7", intern_text(t, 8));
    CHECK_EQ(0, intern_find(t, SLICE("absent")));
    CHECK(intern_text(t, 0).ptr == NULL);
    intern_free(t);
}

TEST(intern_answers_none_at_its_limits)
{
    struct intern *t = intern_new(2, 10);
    CHECK_EQ(1, intern_id(t, SLICE("12345678")));
    CHECK_EQ(0, intern_id(t, SLICE("123")));
    CHECK_EQ(2, intern_id(t, SLICE("12")));
    CHECK_EQ(0, intern_id(t, SLICE("")));
    CHECK_EQ(1, intern_id(t, SLICE("12345678")));
    intern_free(t);
}
