/* SPDX-License-Identifier: Apache-2.0
 *
 * See pki.h.
 */
#include "pki.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

static const char script[] =
    "cd '%s' && exec >/dev/null 2>&1\n"
    "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
    "-subj \"/CN=$1\" -keyout $1.key -out $1.pem; }\n"
    "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$1\" "
    "-keyout $1.key -out $1.csr && printf 'subjectAltName=%%s\\n' \"$2\" >$1.ext && "
    "openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    "-extfile $1.ext -out $1.pem; }\n"
    "ca ca && ca other && leaf server IP:127.0.0.1 && leaf client DNS:client\n";

void pki_make(struct pki *p)
{
    char command[2000];
    snprintf(p->dir, sizeof p->dir, "%s", test_tmpdir());
    snprintf(command, sizeof command, script, p->dir);
    CHECK_EQ(0, system(command));
    snprintf(p->ca, sizeof p->ca, "%s/ca.pem", p->dir);
    snprintf(p->other_ca, sizeof p->other_ca, "%s/other.pem", p->dir);
    snprintf(p->server, sizeof p->server, "%s/server.pem", p->dir);
    snprintf(p->server_key, sizeof p->server_key, "%s/server.key", p->dir);
    snprintf(p->client, sizeof p->client, "%s/client.pem", p->dir);
    snprintf(p->client_key, sizeof p->client_key, "%s/client.key", p->dir);
}
