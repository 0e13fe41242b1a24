/* SPDX-License-Identifier: Apache-2.0
 *
 * The budget: its limit, and the shares above half of it.
 */
#include "ingest/budget.h"

#include "tests/test.h"

TEST(budget_holds_its_limit)
{
    struct budget b;
    budget_init(&b, 1000);
    CHECK(budget_take(&b, 1000, 0));
    CHECK(!budget_take(&b, 1, 0));
    CHECK_EQ(1, b.refused);
    budget_give(&b, 1000);
    CHECK_EQ(0, b.used);
    CHECK_EQ(1000, b.peak);
    CHECK(!budget_take(&b, SIZE_MAX, 0));
}

TEST(budget_shares_when_it_is_crowded)
{
    struct budget b;
    budget_init(&b, 8000);
    CHECK(budget_take(&b, 2000, 0));
    CHECK(budget_take(&b, 2000, 2000)); /* up to half: no questions */
    CHECK(!budget_take(&b, 1, 4000));   /* above: an eighth for those who hold something */
    CHECK(budget_take(&b, 600, 0));     /* others still get in, even for more than a share */
    CHECK(budget_take(&b, 400, 600));
    CHECK(!budget_take(&b, 1, 1000));
    CHECK(budget_take(&b, 1500, 0));
}
