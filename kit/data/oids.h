/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * oids.h - numbers of PostgreSQL's own types, which never change (src/include/catalog/pg_type.dat), and its epoch. For kit/data only. */
#ifndef OIDS_H
#define OIDS_H
#include <stdint.h>

enum {
        OID_BOOL = 16, OID_BYTEA = 17, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25, OID_OID = 26,
        OID_JSON = 114, OID_FLOAT4 = 700, OID_FLOAT8 = 701, OID_UNKNOWN = 705, OID_INT4_ARRAY = 1007, OID_TEXT_ARRAY = 1009,
        OID_INT8_ARRAY = 1016, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_TIMESTAMP = 1114, OID_TIMESTAMPTZ = 1184, OID_NUMERIC = 1700,
        OID_UUID = 2950, OID_UUID_ARRAY = 2951, OID_JSONB = 3802, OID_XID8 = 5069,
};
static const int64_t PG_EPOCH_US = INT64_C(946684800000000);    /* 2000-01-01, in microseconds since 1970 */
#endif
