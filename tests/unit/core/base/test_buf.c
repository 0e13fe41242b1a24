/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/buf.h"

#include "core/base/mem.h"
#include "tests/test.h"

#include <stdlib.h>
#include <unistd.h>

TEST(buf_grows_to_its_limit_and_remembers_a_refusal)
{
    struct buf b;
    buf_init(&b, 100);
    for (int i = 0; i < 10; i++) {
        CHECK(buf_add_str(&b, "0123456789"));
    }
    CHECK(!buf_failed(&b));
    CHECK(!buf_add_byte(&b, 'x'));
    CHECK(buf_failed(&b));
    CHECK_EQ(100, b.len);
    buf_clear(&b);
    CHECK(!buf_failed(&b) && buf_add_str(&b, "again"));
    CHECK_STR("again", buf_cstr(&b));
    buf_done(&b);
}

TEST(buf_formats_and_drops)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK(buf_addf(&b, "%s=%d", "answer", 42));
    CHECK_SLICE("answer=42", buf_slice(&b));
    buf_drop(&b, 7);
    CHECK_SLICE("42", buf_slice(&b));
    buf_done(&b);
}

TEST(buf_refuses_when_tortured)
{
    struct buf b;
    buf_init(&b, 1000);
    mem_refuse_at(1);
    CHECK(!buf_add_str(&b, "x"));
    CHECK(buf_failed(&b));
    buf_clear(&b);
    CHECK(buf_add_str(&b, "x"));
    buf_done(&b);
}

TEST(buf_takes_nothing_into_an_empty_buffer)
{
    struct buf b;
    buf_init(&b, 8);
    CHECK(buf_add_slice(&b, SLICE("")) && buf_add_slice(&b, SLICE_NONE));
    CHECK(buf_room(&b, 0) != NULL && buf_room(&b, 8) != NULL && buf_room(&b, 9) == NULL);
    buf_clear(&b);
    CHECK(buf_add_str(&b, "12345678") && b.len == 8 && buf_room(&b, 0) != NULL);
    buf_done(&b);
}

static void put_file(const char *path, size_t n)
{
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    for (size_t i = 0; f != NULL && i < n; i++) {
        (void)fputc('a' + (int)(i % 26), f);
    }
    CHECK(f != NULL && fclose(f) == 0);
}

TEST(buf_reads_files_up_to_its_limit)
{
    char path[] = "/tmp/kaiju-buf-XXXXXX";
    struct buf b;
    struct err err;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && close(fd) == 0);
    buf_init(&b, 100000);
    put_file(path, 100000);
    CHECK_OK(buf_read_file(&b, path, &err), err);
    CHECK_EQ(100000, b.len);
    CHECK_EQ('a' + 99999 % 26, b.ptr[99999]);
    buf_clear(&b);
    put_file(path, 100001);
    CHECK_EQ(-ERR_TOO_BIG, buf_read_file(&b, path, &err));
    CHECK_HAS("larger than 100000 bytes", err.msg);
    CHECK_HAS(path, err.msg);
    buf_clear(&b);
    put_file(path, 0);
    CHECK_OK(buf_read_file(&b, path, &err), err);
    CHECK_EQ(0, b.len);
    CHECK(unlink(path) == 0);
    CHECK_EQ(-ERR_IO, buf_read_file(&b, path, &err));
    CHECK_EQ(-ERR_IO, buf_read_file(&b, "/tmp", &err));
    CHECK_STR("/tmp: Is a directory", err.msg);
    buf_done(&b);
}
