/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/crc64.h"

#include "tests/test.h"

/* Fingerprints of the primitive schemas, as the Avro project's own tests state them. */
TEST(crc64_names_the_primitive_schemas)
{
    CHECK(crc64_avro(SLICE("\"null\"")) == 7195948357588979594u);
    CHECK(crc64_avro(SLICE("\"boolean\"")) == (uint64_t)-6970731678124411036);
    CHECK(crc64_avro(SLICE("\"int\"")) == 8247732601305521295u);
    CHECK(crc64_avro(SLICE("\"string\"")) == (uint64_t)-8142146995180207161);
    CHECK(crc64_avro(SLICE("")) == 0xc15d213aa4d7a795u);
}
