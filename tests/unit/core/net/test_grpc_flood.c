/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients that mean harm, or are very slow: each is ended with the code and the counter of its
 * kind, and a client that means well is served beside it.
 */
#include "grpc_rig.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALM = 11 /* ENHANCE_YOUR_CALM */ };

static void check_served(struct grpc_rig *g)
{
    struct grpc_client *c = grpc_rig_client(g, NULL);
    CHECK_EQ(GRPC_OK, grpc_rig_call(g, c, "Echo", SLICE("x")).status);
    grpc_client_free(c);
}

TEST(grpc_rapid_reset_is_ended)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    uint32_t stream = 1;
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    for (int i = 0; i < 2000; i++, stream += 2) {
        h2_out_head(o, stream, 4, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
        h2_out_message(o, stream, 0, 0, SLICE("x"));
        h2_out_frame(o, 3, 0, stream, "\0\0\0\10", 4);
        if (o->n > sizeof o->bytes / 2) {
            grpc_rig_send(&g, fd, o);
        }
    }
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "reset_flood", 3000));
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_RESET_FLOOD));
    CHECK(grpc_server_stats(g.server).calls < 700);
    check_served(&g);
    CHECK_EQ(0, grpc_server_stats(g.server).active);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

/* The server is made to reset the streams itself. */
TEST(grpc_resets_provoked_by_bad_frames_are_ended)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    uint32_t stream = 1;
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    for (int i = 0; i < 2000; i++, stream += 2) {
        h2_out_head(o, stream, 4, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
        h2_out_frame(o, 8, 0, stream, "\177\377\377\377", 4); /* a window above its maximum */
        if (o->n > sizeof o->bytes / 2) {
            grpc_rig_send(&g, fd, o);
        }
    }
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "reset_flood", 3000));
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_RESET_FLOOD));
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_continuation_flood_is_ended)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 0, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
    for (int i = 0; i < 1000; i++) {
        uint8_t field[64];
        size_t n = h2_out_field(field, "x-more", "and more");
        h2_out_frame(o, 9, 0, 1, field, n);
    }
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "continuation_flood", 3000));
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_CONTINUATION_FLOOD));
    grpc_rig_read(&g, fd, 3000);
    CHECK(g.closed);
    check_served(&g);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_a_head_in_few_continuations_is_fine)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 0, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    for (int i = 0; i < 8; i++) {
        uint8_t field[64];
        size_t n = h2_out_field(field, "x-more", "and more");
        h2_out_frame(o, 9, i == 7 ? 4 : 0, 1, field, n);
    }
    h2_out_message(o, 1, 1, 0, SLICE("x"));
    grpc_rig_send(&g, fd, o);
    CHECK_EQ(6, grpc_rig_frame(&g, fd, 0, 1, 3000).len);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_ping_flood_is_ended_and_sparse_pings_are_answered)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_frame(o, 6, 0, 0, "12345678", 8);
    grpc_rig_send(&g, fd, o);
    CHECK_SLICE("12345678", grpc_rig_frame(&g, fd, 6, 0, 3000));
    for (uint32_t i = 0; i < 30; i++) { /* between calls as many as one likes */
        h2_out_head(o, 1 + 2 * i, 4, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
        h2_out_message(o, 1 + 2 * i, 1, 0, SLICE("x"));
        grpc_rig_send(&g, fd, o);
        CHECK_EQ(6, grpc_rig_frame(&g, fd, 0, 1 + 2 * i, 3000).len);
        h2_out_frame(o, 6, 0, 0, "between!", 8);
    }
    CHECK(!g.closed);
    for (int i = 0; i < 5; i++) {
        h2_out_frame(o, 6, 0, 0, "12345678", 8);
    }
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "too_many_pings", 3000));
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_PING_FLOOD));
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

static void flood_with(uint8_t type, uint8_t flags, uint32_t stream, const char *payload, size_t n)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 4, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
    for (int i = 0; i < 10000; i++) {
        h2_out_frame(o, type, flags, stream, payload, n);
    }
    grpc_rig_send(&g, fd, o);
    if (!grpc_rig_goaway(&g, fd, CALM, "control_flood", 3000)) {
        test_fail(__FILE__, __LINE__, "frames of type %d go on", type);
    }
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_CONTROL_FLOOD));
    check_served(&g);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_frames_without_content_are_ended)
{
    flood_with(0, 0, 1, NULL, 0);          /* empty DATA */
    flood_with(0, 8, 1, "\3\0\0\0", 4);    /* DATA of padding only */
    flood_with(4, 0, 0, NULL, 0);          /* SETTINGS */
    flood_with(8, 0, 0, "\0\0\0\1", 4);    /* WINDOW_UPDATE */
    flood_with(2, 0, 1, "\0\0\0\0\20", 5); /* PRIORITY */
}

TEST(grpc_many_small_calls_are_no_flood)
{
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    for (int i = 0; i < 5000; i++) {
        CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    }
    CHECK_EQ(1, grpc_server_stats(g.server).connections_total);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_slow_heads_and_preambles_are_ended)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    struct h2_out *o = calloc(1, sizeof *o);
    conf.head_ms = 80;
    grpc_rig_start(&g, &conf, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 0, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "head_slow", 3000));
    close(fd);
    fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    o->n = 24; /* without SETTINGS */
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_goaway(&g, fd, CALM, "head_slow", 3000));
    CHECK_EQ(2, grpc_rig_refused(&g, GRPC_REASON_HEAD_SLOW));
    close(fd);
    /* A connection that is silent between calls is not slow. */
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_rig_step(&g, 250);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    CHECK_EQ(3, grpc_server_stats(g.server).connections_total);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_slow_messages_are_refused)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    struct h2_out *o = calloc(1, sizeof *o);
    conf.body_ms = 100;
    grpc_rig_start(&g, &conf, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 4, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    h2_out_frame(o, 0, 0, 1, "\0\0\1\0\0some", 9); /* 64 KiB announced */
    grpc_rig_send(&g, fd, o);
    grpc_rig_step(&g, 30);
    CHECK(g.used >= 65536);
    CHECK(grpc_rig_frame(&g, fd, 1, 1, 3000).len > 0);
    CHECK(slice_eq(grpc_rig_frame(&g, fd, 3, 1, 3000), SLICE("\0\0\0\0"))); /* NO_ERROR */
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_BODY_SLOW));
    CHECK_EQ(1, grpc_server_stats(g.server).answers[GRPC_DEADLINE_EXCEEDED]);
    CHECK_EQ(0, g.used);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_clients_that_do_not_read_are_dropped)
{
    enum { BIG = 4 << 20 };
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    struct h2_out *o = calloc(1, sizeof *o);
    char *big = calloc(1, BIG);
    int small = 4096;
    conf.write_ms = 200;
    grpc_rig_start(&g, &conf, NULL);
    int fd = grpc_rig_connect(&g);
    CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
    h2_out_preface(o);
    h2_out_frame(o, 4, 0, 0, "\0\4\177\377\377\377", 6); /* endless stream windows */
    h2_out_frame(o, 8, 0, 0, "\177\0\0\0", 4);           /* and that of the connection */
    h2_out_head(o, 1, 4, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
    h2_out_message(o, 1, 1, 0, SLICE("x"));
    grpc_rig_send(&g, fd, o);
    grpc_rig_step(&g, 30);
    CHECK_EQ(1, g.later_count);
    grpc_reply(g.later[0], slice_of(big, BIG));
    g.later_count = 0;
    grpc_rig_step(&g, 1000);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_REPLY_SLOW));
    CHECK_EQ(0, grpc_server_stats(g.server).connections);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
    free(big);
}

TEST(grpc_dead_peers_are_found_by_pings)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    struct h2_out *o = calloc(1, sizeof *o);
    conf.ping_ms = 50;
    conf.ping_ack_ms = 150;
    grpc_rig_start(&g, &conf, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL); /* answers pings */
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    int fd = grpc_rig_connect(&g); /* does not */
    h2_out_preface(o);
    grpc_rig_send(&g, fd, o);
    CHECK_EQ(8, grpc_rig_frame(&g, fd, 6, 0, 3000).len);
    grpc_rig_read(&g, fd, 2000);
    CHECK(g.closed);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_PEER_DEAD));
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    CHECK_EQ(2, grpc_server_stats(g.server).connections_total);
    close(fd);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    free(o);
}
