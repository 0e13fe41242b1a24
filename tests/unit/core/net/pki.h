/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for the tests of TLS, made by the openssl command for this run in the test's own
 * directory: an authority, a server's (for 127.0.0.1), a client's (CN and DNS name "client"), and
 * another authority that nobody should believe. Valid for two days; no key is ever kept.
 */
#ifndef TESTS_UNIT_CORE_NET_PKI_H
#define TESTS_UNIT_CORE_NET_PKI_H

struct pki {
    char dir[300];
    char ca[400], server[400], server_key[400], client[400], client_key[400], other_ca[400];
};

void pki_make(struct pki *p);

#endif
