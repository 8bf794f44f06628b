/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * retail_fuzz.c - any bytes behind the Online Retail file's header: every row is accounted for, no order gives back more than it took.
 *
 * The first byte is the limit of orders. The sums that a replay is measured by are computed again here from the arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hash.h"
#include "retail.h"

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
enum { FILE_MAX = 20000 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void must(bool holds)
{
        if (!holds) abort();
}

/* A reading tells of its progress on stderr: not here. libFuzzer and the sanitizers have their own way to the descriptor. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc;
        (void)argv;
        crypto_start();
        stderr = fopen("/dev/null", "we");
        return 0;
}

static void orders_add_up(const struct retail *r)
{
        int64_t total = 0, units = 0;
        int32_t lines = 0;
        for (int32_t o = 0; o < r->n_orders; o++) {
                int64_t sum = 0;
                int32_t n = 0;
                for (int32_t i = r->orders[o].first; i >= 0; i = r->lines[i].next, n++) {
                        const struct retail_line *l = &r->lines[i];
                        must(i < r->n_lines && l->quantity > 0 && l->left >= 0 && l->left <= l->quantity && l->price >= 0);
                        sum += l->price * l->quantity;
                        units += l->quantity;
                }
                must(n == r->orders[o].n && sum == r->orders[o].total && r->orders[o].customer < r->n_customers);
                total += sum;
                lines += n;
        }
        must(lines == r->n_lines && total == r->total && units == r->units);
}

static void returns_add_up(const struct retail *r)
{
        int64_t returned = 0, units = 0, left = 0;
        for (int32_t t = 0; t < r->n_returns; t++) {
                int64_t sum = 0;
                for (int32_t i = r->returns[t].first; i >= 0; i = r->items[i].next) {
                        must(i < r->n_items && r->items[i].line >= 1 && r->items[i].quantity > 0);
                        units += r->items[i].quantity;
                }
                sum = r->returns[t].total;
                must(sum >= 0);
                returned += sum;
        }
        for (int32_t i = 0; i < r->n_lines; i++) left += r->lines[i].left;
        must(returned == r->returned && left + units == r->units);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct arena *a;
        char path[64];
        struct retail r;
        int64_t left_out = 0;
        if (n < 1 || n > FILE_MAX) return 0;
        if (!a) a = arena_new(1 << 20);
        arena_reset(a);
        struct ctx c = { .arena = a };
        int fd = memfd_create("retail", 0);
        must(fd >= 0 && write(fd, HEADER, sizeof HEADER - 1) == sizeof HEADER - 1 && (n == 1 || write(fd, data + 1, n - 1) == (ssize_t)(n - 1)));
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        must(retail_read(&c, path, data[0] % 8, &r) == 0);
        for (int i = 0; i < LEFT_OUT; i++) left_out += r.left_out[i];
        must(r.n_lines + r.returned_rows + left_out == r.rows);
        must(data[0] % 8 == 0 || r.n_orders <= data[0] % 8);
        orders_add_up(&r);
        returns_add_up(&r);
        retail_done(&r);
        close(fd);
        return 0;
}
