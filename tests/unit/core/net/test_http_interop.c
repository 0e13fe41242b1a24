/* SPDX-License-Identifier: Apache-2.0
 *
 * Our client against other people's servers (Python's http.server, openssl s_server) and our server
 * against another client (curl): what both sides of our own code might agree on by mistake.
 */
#include "asker.h"
#include "child.h"
#include "pki.h"

#include "core/net/tls.h"
#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

/* GET /sized, /chunked, /to-the-end; POST answers the length and the sum of the body's bytes. */
static const char python_server[] =
    "import http.server, sys\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    protocol_version = sys.argv[1]\n"
    "    def log_message(self, *a): pass\n"
    "    def answer(self, body):\n"
    "        self.send_response(200)\n"
    "        self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def do_HEAD(self):\n"
    "        self.send_response(200)\n"
    "        self.send_header('Content-Length', '12345')\n"
    "        self.end_headers()\n"
    "    def do_GET(self):\n"
    "        if self.path == '/sized':\n"
    "            self.answer(b'p' * 100000)\n"
    "        elif self.path == '/chunked':\n"
    "            self.send_response(200)\n"
    "            self.send_header('Transfer-Encoding', 'chunked')\n"
    "            self.end_headers()\n"
    "            for i in range(100):\n"
    "                self.wfile.write(b'3e8;part=%d\\r\\n' % i + b'c' * 1000 + b'\\r\\n')\n"
    "            self.wfile.write(b'0\\r\\nX-Sum: 1\\r\\n\\r\\n')\n"
    "        elif self.path == '/to-the-end':\n"
    "            self.send_response(200)\n"
    "            self.end_headers()\n"
    "            self.wfile.write(b'e' * 50000)\n"
    "            self.close_connection = True\n"
    "        else:\n"
    "            self.send_error(404)\n"
    "    def body(self):\n"
    "        if self.headers.get('Transfer-Encoding') != 'chunked':\n"
    "            return self.rfile.read(int(self.headers['Content-Length']))\n"
    "        out = b''\n"
    "        while True:\n"
    "            n = int(self.rfile.readline(), 16)\n"
    "            out += self.rfile.read(n)\n"
    "            self.rfile.readline()\n"
    "            if n == 0: return out\n"
    "    def do_POST(self):\n"
    "        b = self.body()\n"
    "        self.answer(b'%d %d' % (len(b), sum(b)))\n"
    "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
    "print('port', s.server_address[1], flush=True)\n"
    "s.serve_forever()\n";

static void check_get(struct rig *g, struct http_client *c, unsigned port, const char *path,
                      unsigned status, size_t len)
{
    struct asked a = {0};
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    asker_ask(g, c, &(struct http_call_spec){.url = url}, &a);
    CHECK_OK(-(int)a.err.code, a.err);
    CHECK_EQ(status, a.status);
    CHECK(len == SIZE_MAX || a.body.len == len);
    asker_done(&a);
}

static void check_python(const char *version, uint64_t connections)
{
    struct rig g;
    struct child server;
    struct asked a = {.to_send = 1 << 20};
    char url[100];
    rig_start(&g, NULL, NULL);
    const char *const argv[] = {"python3", "-c", python_server, version, NULL};
    child_start(&server, argv, test_tmpdir());
    unsigned port = child_number(&g, &server, "port ", 30000);
    CHECK(port > 0);
    struct http_client *c = http_client_new(g.loop, NULL);
    check_get(&g, c, port, "/sized", 200, 100000);
    if (strcmp(version, "HTTP/1.1") == 0) {
        check_get(&g, c, port, "/chunked", 200, 100000);
    }
    check_get(&g, c, port, "/nothing", 404, SIZE_MAX);
    check_get(&g, c, port, "/to-the-end", 200, 50000);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    asker_ask(&g, c, &(struct http_call_spec){.url = url, .method = HTTP_HEAD}, &a);
    CHECK_EQ(200, a.status);
    CHECK_EQ(0, a.body.len);
    asker_done(&a);
    struct http_call_spec post = {.url = url, .method = HTTP_POST, .body = SLICE("abc")};
    asker_ask(&g, c, &post, &a);
    CHECK_SLICE("3 294", buf_slice(&a.body));
    asker_done(&a);
    struct http_call_spec stream = {.url = url, .method = HTTP_POST, .stream = true};
    a.to_send = 1 << 20;
    asker_start(c, &stream, &a);
    asker_feed(&a);
    asker_wait(&g, &a, 30000);
    CHECK_SLICE("1048576 120586240", buf_slice(&a.body));
    asker_done(&a);
    CHECK_EQ(connections, http_client_stats(c).connected);
    http_client_free(c);
    child_stop(&server);
    rig_stop(&g);
}

TEST(http_client_against_python_http11)
{
    /* 404 and the answer without a length close theirs. */
    check_python("HTTP/1.1", 3);
}

TEST(http_client_against_python_http10)
{
    check_python("HTTP/1.0", 6);
}

static unsigned ask_tls(struct rig *g, const struct tls_conf *conf, unsigned port, struct err *err)
{
    struct asked a = {0};
    struct http_client_conf client = http_client_conf_default();
    char url[100];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", port);
    CHECK_OK(tls_client_new(conf, &client.tls, err), *err);
    struct http_client *c = http_client_new(g->loop, &client);
    tls_unref(client.tls);
    asker_ask(g, c, &(struct http_call_spec){.url = url}, &a);
    *err = a.err;
    if (a.err.code == ERR_OK) {
        CHECK_HAS("Protocol", buf_cstr(&a.body)); /* s_server tells about the session */
    }
    http_client_free(c);
    asker_done(&a);
    return a.status;
}

static void check_s_server(const char *version)
{
    struct pki p;
    struct rig g;
    struct child server;
    struct err err = {0};
    pki_make(&p);
    rig_start(&g, NULL, NULL);
    const char *const argv[] = {
        "openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
        "-cert",   p.server,   "-key",    p.server_key,  "-CAfile",
        p.ca,      "-Verify",  "2",       version,       "-verify_return_error",
        NULL};
    child_start(&server, argv, p.dir);
    unsigned port = child_number(&g, &server, "ACCEPT 127.0.0.1:", 30000);
    CHECK(port > 0);
    struct tls_conf with = {.ca_file = p.ca, .cert_file = p.client, .key_file = p.client_key};
    CHECK_EQ(200, ask_tls(&g, &with, port, &err));
    CHECK_OK(-(int)err.code, err);
    CHECK_EQ(0, ask_tls(&g, &(struct tls_conf){.ca_file = p.ca}, port, &err));
    CHECK(err.code == ERR_DENIED || err.code == ERR_CLOSED);
    with.ca_file = p.other_ca;
    CHECK_EQ(0, ask_tls(&g, &with, port, &err));
    CHECK_EQ(ERR_DENIED, err.code);
    CHECK_HAS("certificate", err.msg);
    child_stop(&server);
    rig_stop(&g);
}

TEST(http_client_against_openssl_tls12_with_certificates)
{
    check_s_server("-tls1_2");
}

TEST(http_client_against_openssl_tls13_with_certificates)
{
    check_s_server("-tls1_3");
}

enum { ANY_ERROR = -1 };

/* Runs curl with these arguments (NULL at the end); its output must be `want`. */
static void check_curl(struct rig *g, const char *dir, int status, const char *want,
                       const char *const args[])
{
    const char *argv[40] = {"curl", "-sS", "--max-time", "20", "--noproxy", "*"};
    size_t n = 6;
    struct child curl;
    struct buf out;
    for (size_t i = 0; args[i] != NULL; i++) {
        argv[n++] = args[i];
    }
    CHECK(n < ARRAY_LEN(argv));
    child_start(&curl, argv, dir);
    int got = child_wait(g, &curl, 30000);
    buf_init(&out, 16 << 20);
    child_read(curl.out, &out);
    if (want != NULL) {
        CHECK_STR(want, buf_cstr(&out));
    }
    CHECK(status == ANY_ERROR ? got > 0 : got == status);
    buf_done(&out);
}

#define CURL(g_, dir_, status_, want_, ...)                                                        \
    check_curl(g_, dir_, status_, want_, (const char *const[]){__VA_ARGS__, NULL})

static void write_file(const char *path, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL);
    for (size_t i = 0; i < n; i++) {
        fputc((int)((i * 2654435761u) >> 24 & 0xff), f);
    }
    CHECK_EQ(0, fclose(f));
}

static void check_same(const char *a, const char *b)
{
    struct buf x, y;
    buf_init(&x, 16 << 20);
    buf_init(&y, 16 << 20);
    child_read(a, &x);
    child_read(b, &y);
    CHECK(x.len > 0 && slice_eq(buf_slice(&x), buf_slice(&y)));
    buf_done(&x);
    buf_done(&y);
}

TEST(http_server_against_curl)
{
    struct rig g;
    const char *dir = test_tmpdir();
    char in[300], back[300], echo[100], hello[100], data[400];
    rig_start(&g, NULL, NULL);
    snprintf(in, sizeof in, "%s/in", dir);
    snprintf(back, sizeof back, "%s/back", dir);
    snprintf(data, sizeof data, "@%s", in);
    snprintf(hello, sizeof hello, "%s", asker_url(&g, "/hello"));
    snprintf(echo, sizeof echo, "%s", asker_url(&g, "/echo"));
    write_file(in, 3 << 20);
    CURL(&g, dir, 0, "hello\n1 hello\n0 ", "-w", "%{num_connects} ", hello, hello);
    CURL(&g, dir, 0, "200 6 ", "-I", "-o", "/dev/null", "-w",
         "%{http_code} %header{content-length} ", hello);
    CURL(&g, dir, 0, "404 application/problem+json", "-o", "/dev/null", "-w",
         "%{http_code} %{content_type}", asker_url(&g, "/nothing"));
    /* curl asks for "100 Continue" before so large a body, and sends the second one in chunks. */
    CURL(&g, dir, 0, "200 3145728", "--data-binary", data, "-H", "Content-Type: x/y", "-o", back,
         "-w", "%{http_code} %{size_download}", echo);
    check_same(in, back);
    CURL(&g, dir, 0, "200 3145728", "--data-binary", data, "-H", "Transfer-Encoding: chunked", "-o",
         back, "-w", "%{http_code} %{size_download}", echo);
    check_same(in, back);
    CURL(&g, dir, 0, "413", "--data-binary", data, "-o", "/dev/null", "-w", "%{http_code}",
         asker_url(&g, "/whole"));
    CURL(&g, dir, 0, "hello\n", "-0", hello);
    CURL(&g, dir, 0, "200 50000", "-o", back, "-w", "%{http_code} %{size_download}",
         asker_url(&g, "/chunks?n=50"));
    rig_stop(&g);
}

TEST(http_server_against_curl_with_certificates)
{
    struct pki p;
    struct rig g;
    struct err err = {0};
    struct tls_ctx *ctx;
    char url[100], sock[400], path[420];
    pki_make(&p);
    struct tls_conf conf = {.cert_file = p.server,
                            .key_file = p.server_key,
                            .ca_file = p.ca,
                            .verify = TLS_VERIFY_REQUIRE};
    CHECK_OK(tls_server_new(&conf, &ctx, &err), err);
    rig_start(&g, NULL, ctx);
    snprintf(sock, sizeof sock, "%s/s", p.dir);
    snprintf(path, sizeof path, "unix:%s", sock);
    CHECK_OK(http_server_listen(g.server, &(struct http_listen){.addr = path}, &err), err);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/hello", http_server_port(g.server, 0));
    CURL(&g, p.dir, 0, "hello\n1 hello\n0 ", "--cacert", p.ca, "--cert", p.client, "--key",
         p.client_key, "-w", "%{num_connects} ", url, url);
    CURL(&g, p.dir, 0, "hello\n", "--tls-max", "1.2", "--cacert", p.ca, "--cert", p.client, "--key",
         p.client_key, url);
    /* No certificate: an alert, which curl meets while it sends or while it reads. */
    CURL(&g, p.dir, ANY_ERROR, NULL, "--cacert", p.ca, url);
    CHECK_EQ(3, http_server_stats(g.server).requests);
    CURL(&g, p.dir, 60, NULL, "--cacert", p.other_ca, url); /* curl does not believe ours */
    CURL(&g, p.dir, 35, NULL, "--tls-max", "1.1", "--cacert", p.ca, url);
    CURL(&g, p.dir, 0, "hello\n", "--unix-socket", sock, "http://kaiju/hello");
    rig_stop(&g);
    tls_unref(ctx);
}
