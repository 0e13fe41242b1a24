/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/vec.h"

#include "tests/test.h"

TEST(vec_grows_zeroed_and_removes_in_order)
{
    VEC(int) v = {0};
    for (int i = 0; i < 100; i++) {
        int *slot = VEC_PUSH(&v);
        CHECK_EQ(0, *slot);
        *slot = i;
    }
    VEC_REMOVE(&v, 10);
    CHECK_EQ(99, v.len);
    CHECK_EQ(11, v.ptr[10]);
    CHECK_EQ(99, *VEC_LAST(&v));
    int sum = 0;
    VEC_EACH (&v, it) {
        sum += *it;
    }
    CHECK_EQ(4950 - 10, sum);
    VEC_DONE(&v);
}
