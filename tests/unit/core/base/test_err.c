/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"

#include "tests/test.h"

#include <string.h>

TEST(err_carries_code_message_span_and_context)
{
    struct err e;
    CHECK_EQ(-ERR_TOO_BIG, err_set(&e, ERR_TOO_BIG, "%d bytes", 7));
    err_span(&e, 3, 14, 2);
    err_flags(&e, ERR_FLAG_USER);
    CHECK_EQ(-ERR_TOO_BIG, err_wrap(&e, "rule %s", "x"));
    CHECK_STR("rule x: 7 bytes", e.msg);
    CHECK_EQ(3, e.line);
    CHECK_EQ(ERR_FLAG_USER, e.flags);
    CHECK_STR("TOO_BIG", err_name(-ERR_TOO_BIG));
    CHECK_STR("?", err_name(9999));
    CHECK_EQ(-ERR_IO, err_set(NULL, ERR_IO, "no one listens"));
}

TEST(err_cuts_long_messages)
{
    struct err e;
    char text[500];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, ERR_IO, "%s", text);
    CHECK_EQ(sizeof e.msg - 1, strlen(e.msg));
    err_wrap(&e, "%s", text);
    CHECK_EQ(sizeof e.msg - 1, strlen(e.msg));
}
