/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * seed.h - products that read like a shop's, made up: the same for the same seed and number, whatever else is made. Private to catalog. */
#ifndef SEED_H
#define SEED_H
#include "product.h"

/* The n-th product (from 0) of this seed. Its texts lie in `a`. *id is a UUIDv7 of a fixed day, rising with n. Pure.
 * sku and id are unique for n below 1,000,000. */
void seed_product(struct arena *a, int64_t seed, int32_t n, uid *id, struct product_draft *out);
#endif
