/* SPDX-License-Identifier: Apache-2.0
 *
 * core/event/prop.h: the table is sorted, every own key is reserved, nothing else is.
 */
#include "core/event/prop.h"
#include "core/event/rec.h"
#include "tests/test.h"

TEST(prop_keys_are_sorted_and_have_docs)
{
    for (int i = 0; i < PROP_COUNT; i++) {
        CHECK(i == 0 || slice_cmp(prop_keys[i - 1], prop_keys[i]) < 0);
        CHECK(prop_doc((enum prop)i)[0] != '\0');
    }
}

TEST(prop_reserves_own_keys_and_the_escape_and_nothing_else)
{
    static const char *const free_keys[] = {"",    "a",          "http.route",     "names", "nam",
                                            "zzz", "attributes", "attribute.name", "Name"};
    for (int i = 0; i < PROP_COUNT; i++) {
        CHECK(prop_reserved(prop_keys[i]));
    }
    CHECK(prop_reserved(SLICE("attributes.")));
    CHECK(prop_reserved(SLICE("attributes.name")));
    for (size_t i = 0; i < ARRAY_LEN(free_keys); i++) {
        CHECK(!prop_reserved(slice_str(free_keys[i])));
    }
}

TEST(prop_types_have_names_and_kinds)
{
    CHECK_SLICE("ExceptionEvent", prop_type_names[PROP_TYPE_EXCEPTION]);
    CHECK_EQ(REC_LOG, prop_type_kinds[PROP_TYPE_EXCEPTION]);
    CHECK_EQ(REC_SPAN, prop_type_kinds[PROP_TYPE_EXEMPLAR]);
    CHECK_EQ(REC_KUBE, prop_type_kinds[PROP_TYPE_KUBE]);
}
