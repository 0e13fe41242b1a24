/* SPDX-License-Identifier: Apache-2.0
 *
 * See flow.h. To add a flow: its steps, its row in flow_all (weights add up to 100), and
 * FLOW_COUNT.
 */
#include "loadgen/flow.h"

#include <assert.h>

#define ROOT(name, ms)                0, STEP_ROOT, SERVICE_FRONTEND, name, "http", ms, false, false
#define CALL(depth, id, name, ms)     depth, STEP_CALL, SERVICE_##id, name, "grpc", ms, false, false
#define BESIDE(depth, id, name, ms)   depth, STEP_CALL, SERVICE_##id, name, "grpc", ms, false, true
#define PRODUCT(depth, id, name, ms)  depth, STEP_CALL, SERVICE_##id, name, "grpc", ms, true, false
#define DB(depth, id, name, sys, ms)  depth, STEP_DB, SERVICE_##id, name, sys, ms, false, false
#define WORK(depth, id, name, ms)     depth, STEP_WORK, SERVICE_##id, name, "", ms, false, false
#define HTTP(depth, id, name, to, ms) depth, STEP_EXTERNAL, SERVICE_##id, name, to, ms, false, false
#define SEND(depth, id, name, ms)     depth, STEP_PUBLISH, SERVICE_##id, name, "kafka", ms, false, false
#define PROCESS(depth, id, name, ms)                                                               \
    depth, STEP_CONSUME, SERVICE_##id, name, "kafka", ms, false, false

static const struct step home[] = {
    {ROOT("GET /", 3)},
    {CALL(1, CATALOG, "shop.Catalog/ListProducts", 2)},
    {DB(2, CATALOG, "SELECT products", "postgresql", 4)},
    {BESIDE(1, RECOMMEND, "shop.Recommendations/List", 5)},
    {PRODUCT(2, CATALOG, "shop.Catalog/GetProduct", 1)},
    {BESIDE(1, ADS, "shop.Ads/GetAds", 2)},
};

static const struct step product[] = {
    {ROOT("GET /product/{id}", 2)},
    {PRODUCT(1, CATALOG, "shop.Catalog/GetProduct", 1)},
    {DB(2, CATALOG, "SELECT products", "postgresql", 2)},
    {CALL(1, RECOMMEND, "shop.Recommendations/List", 5)},
    {PRODUCT(2, CATALOG, "shop.Catalog/GetProduct", 1)},
};

static const struct step add_to_cart[] = {
    {ROOT("POST /cart", 2)},
    {CALL(1, AUTH, "shop.Auth/Check", 1)},
    {PRODUCT(1, CATALOG, "shop.Catalog/GetProduct", 1)},
    {CALL(1, CART, "shop.Cart/AddItem", 1)},
    {DB(2, CART, "HMSET cart", "redis", 0.6)},
};

static const struct step view_cart[] = {
    {ROOT("GET /cart", 2)},
    {CALL(1, AUTH, "shop.Auth/Check", 1)},
    {CALL(1, CART, "shop.Cart/GetCart", 1)},
    {DB(2, CART, "HGET cart", "redis", 0.5)},
};

static const struct step checkout[] = {
    {ROOT("POST /checkout", 3)},
    {CALL(1, AUTH, "shop.Auth/Check", 1)},
    {CALL(1, CHECKOUT, "shop.Checkout/PlaceOrder", 4)},
    {CALL(2, CART, "shop.Cart/GetCart", 1)},
    {DB(3, CART, "HGET cart", "redis", 0.5)},
    {PRODUCT(2, CATALOG, "shop.Catalog/GetProduct", 1)},
    {BESIDE(2, SHIPPING, "shop.Shipping/GetQuote", 3)},
    {WORK(2, CHECKOUT, "price order", 1)},
    {CALL(2, PAYMENT, "shop.Payment/Charge", 3)},
    {HTTP(3, PAYMENT, "POST /v1/charges", "api.bank.example", 15)},
    {SEND(2, CHECKOUT, "send orders", 1)},
    {PROCESS(3, ORDERS, "process orders", 5)},
    {CALL(4, INVENTORY, "shop.Inventory/Reserve", 2)},
    {DB(5, INVENTORY, "UPDATE stock", "postgresql", 3)},
    {DB(4, ORDERS, "INSERT orders", "postgresql", 3)},
    {CALL(4, EMAIL, "shop.Email/Confirm", 6)},
};

const struct flow flow_all[FLOW_COUNT] = {
    {"GET", "/", 30, home, ARRAY_LEN(home), 10},
    {"GET", "/product/{id}", 40, product, ARRAY_LEN(product), 8},
    {"POST", "/cart", 14, add_to_cart, ARRAY_LEN(add_to_cart), 8},
    {"GET", "/cart", 8, view_cart, ARRAY_LEN(view_cart), 6},
    {"POST", "/checkout", 8, checkout, ARRAY_LEN(checkout), 24},
};

const struct flow *flow_pick(struct rng *rng)
{
    int at = (int)rng_below(rng, 100);
    for (size_t i = 0; i < FLOW_COUNT; i++) {
        at -= flow_all[i].weight;
        if (at < 0) {
            return &flow_all[i];
        }
    }
    assert(at < 0); /* the weights add up to 100 */
    return &flow_all[0];
}

double flow_spans_per_request(void)
{
    double spans = 0;
    for (size_t i = 0; i < FLOW_COUNT; i++) {
        spans += flow_all[i].weight / 100.0 * (double)flow_all[i].span_count;
    }
    return spans;
}
