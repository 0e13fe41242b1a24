/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/http_server.h"

#include "rig.h"
#include "tests/test.h"

#include <unistd.h>

TEST(http_server_answers_and_keeps_the_connection)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    for (int i = 0; i < 3; i++) {
        rig_send_str(&g, fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(rig_read_until(&g, fd, "hello\n", 1000));
        CHECK_EQ(200, rig_status(&g));
        CHECK_HAS("\r\nContent-Length: 6\r\n", buf_cstr(&g.got));
        CHECK_HAS("\r\nX-Rig: yes\r\n", buf_cstr(&g.got));
        CHECK_HAS("\r\nDate: ", buf_cstr(&g.got));
    }
    CHECK_EQ(1, http_server_stats(g.server)->accepted);
    CHECK_EQ(3, http_server_stats(g.server)->requests);
    CHECK_EQ(3, http_server_stats(g.server)->answers[2]);
    close(fd);
    rig_step(&g, 20);
    CHECK_EQ(0, http_server_stats(g.server)->connections);
    rig_stop(&g);
}
