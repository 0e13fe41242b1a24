/* SPDX-License-Identifier: Apache-2.0
 *
 * http and https URLs, cut into what a client needs. Credentials in a URL are refused: they end up
 * in logs. The fragment is cut off.
 */
#ifndef CORE_NET_URL_H
#define CORE_NET_URL_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum { URL_MAX = 8000, URL_HOST_MAX = 255 };

struct url {
    bool tls;
    struct slice host;   /* without brackets */
    struct slice target; /* path and query; "/" if the URL has none */
    uint16_t port;
    bool v6;           /* host is an IPv6 address */
    bool default_port; /* of the scheme */
};

/* The slices point into text. */
int url_parse(struct slice text, struct url *ret_url, struct err *reterr) NODISCARD;

#endif
