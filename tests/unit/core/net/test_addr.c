/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/addr.h"

#include "tests/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_round(const char *in, const char *out)
{
    struct addr a;
    struct err err = {0};
    char text[ADDR_TEXT_BYTES];
    CHECK_OK(addr_parse(slice_str(in), &a, &err), err);
    CHECK_STR(out, addr_text(&a, text));
}

TEST(addr_reads_every_form)
{
    check_round("127.0.0.1:8080", "127.0.0.1:8080");
    check_round("0.0.0.0:0", "0.0.0.0:0");
    check_round("[::1]:9", "[::1]:9");
    check_round("localhost:65535", "127.0.0.1:65535");
    check_round(":80", "[::]:80");
    check_round("*:80", "[::]:80");
    check_round("unix:/tmp/x.sock", "unix:/tmp/x.sock");
}

TEST(addr_refuses_what_it_cannot_mean)
{
    static const char *const bad[] = {"",
                                      "8080",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "1.2.3.4:x",
                                      "1.2.3.4:65536",
                                      "::1:80",
                                      "[127.0.0.1]:80",
                                      "example.com:80",
                                      "unix:",
                                      "1.2.3:80",
                                      "[::1]80",
                                      "127.0.0.1:-1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct addr a;
        struct err err = {0};
        CHECK_EQ(-ERR_SYNTAX, addr_parse(slice_str(bad[i]), &a, &err));
        CHECK(err.msg[0] != '\0');
    }
    char path[300];
    memset(path, 'a', sizeof path);
    memcpy(path, "unix:", 5);
    struct addr a;
    CHECK_EQ(-ERR_SYNTAX, addr_parse(slice_of(path, sizeof path), &a, NULL));
}

TEST(addr_listens_and_tells_the_port)
{
    struct addr a;
    struct err err = {0};
    int fd, second;
    CHECK_OK(addr_parse(SLICE("127.0.0.1:0"), &a, &err), err);
    CHECK_OK(addr_listen(&a, NULL, &fd, &err), err);
    struct addr real = addr_of_fd(fd);
    CHECK(addr_port(&real) > 0);
    CHECK_EQ(-ERR_EXISTS, addr_listen(&real, NULL, &second, &err));
    CHECK_HAS("127.0.0.1:", err.msg);
    CHECK_HAS("in use", err.msg);
    close(fd);
    const struct addr_listen_opts shared = {.reuseport = true};
    CHECK_OK(addr_listen(&real, &shared, &fd, &err), err);
    CHECK_OK(addr_listen(&real, &shared, &second, &err), err);
    close(fd);
    close(second);
}

TEST(addr_replaces_a_stale_unix_socket_only)
{
    char text[128];
    struct addr a;
    struct err err = {0};
    struct stat st;
    int fd, second;
    snprintf(text, sizeof text, "unix:%s/s", test_tmpdir());
    CHECK_OK(addr_parse(slice_str(text), &a, &err), err);
    CHECK_OK(addr_listen(&a, NULL, &fd, &err), err);
    CHECK_EQ(0, stat(text + 5, &st));
    CHECK_EQ(0600, st.st_mode & 0777);
    CHECK_EQ(-ERR_EXISTS, addr_listen(&a, NULL, &second, &err)); /* somebody accepts there */
    close(fd);
    CHECK_OK(addr_listen(&a, NULL, &fd, &err), err);
    close(fd);
    unlink(text + 5);
    FILE *f = fopen(text + 5, "w");
    CHECK(f != NULL);
    fclose(f);
    CHECK_EQ(-ERR_EXISTS, addr_listen(&a, NULL, &fd, &err)); /* a file is nobody's socket */
}
