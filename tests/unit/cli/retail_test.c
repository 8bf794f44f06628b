/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * retail_test.c - rows of a shop's books as orders and returns: what is a line, what is left out and why, and which order a cancellation belongs to. */
#include "test.h"
#include <unistd.h>
#include "retail.h"

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

struct book { struct arena *a; struct ctx c; struct retail r; char path[64]; };

static void book_done(struct book *b)
{
        retail_done(&b->r);
        arena_free(b->a);
        unlink(b->path);
}

static int book_read(struct book *b, const char *text, int limit)
{
        b->a = arena_new(16 << 20);
        b->c = (struct ctx){ .arena = b->a };
        snprintf(b->path, sizeof b->path, "/tmp/souk-retail.XXXXXX");
        int fd = mkstemp(b->path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
        return retail_read(&b->c, b->path, limit, &b->r);
}
#define BOOK(b, rows, limit) struct book b AUTO(book_done) = { 0 }; CHECK_OK(book_read(&b, HEADER rows, limit))

TEST(rows_of_an_invoice_are_an_order_and_the_rest_is_left_out_for_one_reason_each)
{
        BOOK(b, "1,A,Lamp,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
                "1,A,Lamp,2,2010-12-01 08:26:00,2.50,17850,United Kingdom\n"
                "2,B,\"Bowl, \"\"blue\"\"\",1,2010-12-01 08:28:00,0.001,17851,France\n"
                "3,A,,5,2010-12-01 08:30:00,1,,France\n"
                "4,A,,-5,2010-12-01 08:30:00,1,17850,France\n"
                "5,A,,5,2010-12-01 08:30:00,0,17850,France\n"
                "6,A,,5,2010-12-01 08:30:00,-1.5,17850,France\n"
                "7,A,,five,2010-12-01 08:30:00,1,17850,France\n"
                "8,A,,5,2010-13-01 08:30:00,1,17850,France\n"
                "9,A,,5,2010-12-01 08:30:00,1.2.3,17850,France\n"
                "10,A,,5\n"
                "C11,A,,-5,2010-12-01 08:30:00,1,,France\n", 0);

        CHECK_EQ(b.r.rows, 12);
        CHECK_EQ(b.r.n_orders, 2);
        CHECK_EQ(b.r.n_lines, 3);
        CHECK_EQ(b.r.total, 6 * 255 + 2 * 250);                         /* a tenth of a penny is none */
        CHECK_EQ(b.r.units, 9);
        CHECK_EQ(b.r.n_customers, 2);
        CHECK(!strcmp(b.r.products[0].name, "Lamp") && b.r.products[0].price == 255 && b.r.products[0].units == 8);
        CHECK(!strcmp(b.r.products[1].name, "Bowl, \"blue\"") && b.r.products[1].price == 1);
        CHECK_EQ(b.r.left_out[WITHOUT_CUSTOMER], 1);
        CHECK_EQ(b.r.left_out[WITHOUT_QUANTITY], 1);
        CHECK_EQ(b.r.left_out[WITHOUT_PRICE], 2);
        CHECK_EQ(b.r.left_out[BAD_ROW], 4);
        CHECK_EQ(b.r.left_out[CANCELS_WITHOUT_CUSTOMER], 1);
}

TEST(prices_are_rounded_half_up_to_a_penny)
{
        BOOK(b, "1,A,a,1,2010-12-01 08:00:00,0.005,1,x\n1,A,a,1,2010-12-01 08:00:00,0.0049,1,x\n1,A,a,1,2010-12-01 08:00:00,12,1,x\n1,A,a,1,2010-12-01 08:00:00,1.995,1,x\n", 0);

        CHECK_EQ(b.r.lines[0].price, 1);
        CHECK_EQ(b.r.lines[1].price, 0);
        CHECK_EQ(b.r.lines[2].price, 1200);
        CHECK_EQ(b.r.lines[3].price, 200);
}

TEST(a_cancellation_belongs_to_the_latest_order_that_has_enough_left_at_that_price)
{
        BOOK(b, "1,A,a,10,2010-12-01 08:00:00,1.00,7,x\n"
                "2,A,a,4,2010-12-02 08:00:00,1.00,7,x\n"
                "3,A,a,9,2010-12-03 08:00:00,2.00,7,x\n"
                "4,A,a,9,2010-12-03 09:00:00,1.00,8,x\n"
                "5,A,a,9,2010-12-09 08:00:00,1.00,7,x\n"
                "C6,A,a,-3,2010-12-04 08:00:00,1.00,7,x\n"              /* order 2 */
                "C7,A,a,-3,2010-12-05 08:00:00,1.00,7,x\n"              /* it has one left: order 1 */
                "C8,A,a,-8,2010-12-05 09:00:00,1.00,7,x\n"              /* none has 8 */
                "C9,A,a,-1,2010-12-05 10:00:00,3.00,7,x\n"              /* no such price */
                "C10,B,b,-1,2010-12-05 11:00:00,1.00,7,x\n"             /* no such product */
                "C11,A,a,-1,2010-12-05 11:00:00,1.00,9,x\n", 0);        /* no such customer */

        CHECK_EQ(b.r.n_returns, 2);
        CHECK_EQ(b.r.returned_rows, 2);
        CHECK_EQ(b.r.returned, 600);
        CHECK(!strcmp(b.r.orders[b.r.returns[0].order].invoice, "2") && b.r.returns[0].total == 300);
        CHECK(!strcmp(b.r.orders[b.r.returns[1].order].invoice, "1") && b.r.returns[1].total == 300);
        CHECK_EQ(b.r.left_out[CANCELS_NO_ORDER], 4);
}

TEST(rows_of_a_cancellation_are_one_return_and_may_take_from_several_lines)
{
        BOOK(b, "1,A,a,2,2010-12-01 08:00:00,1.00,7,x\n1,B,b,5,2010-12-01 08:00:00,3.00,7,x\n1,A,a,3,2010-12-01 08:00:00,1.00,7,x\n"
                "C2,A,a,-4,2010-12-04 08:00:00,1.00,7,x\nC2,B,b,-1,2010-12-04 08:00:00,3.00,7,x\n"
                "C3,B,b,-4,2010-12-04 08:01:00,3.00,7,x\n", 0);
        const struct retail_return *t = &b.r.returns[0];
        const struct retail_item *it = &b.r.items[t->first];

        CHECK_EQ(b.r.n_returns, 2);
        CHECK_EQ(t->n, 3);
        CHECK_EQ(t->total, 700);
        CHECK(it->line == 1 && it->quantity == 2);
        it = &b.r.items[it->next];
        CHECK(it->line == 3 && it->quantity == 2);
        it = &b.r.items[it->next];
        CHECK(it->line == 2 && it->quantity == 1 && it->next == -1);
        CHECK_EQ(b.r.left_out[CANCELS_NO_ORDER], 0);
}

TEST(with_a_limit_what_is_cancelled_later_is_left_out_and_nothing_else_changes)
{
        static const char rows[] = HEADER "1,A,a,5,2010-12-01 08:00:00,1.00,7,x\nC2,A,a,-1,2010-12-01 09:00:00,1.00,7,x\n2,A,a,5,2010-12-02 08:00:00,1.00,7,x\n"
                                   "3,A,a,5,2010-12-03 08:00:00,1.00,7,x\nC4,A,a,-1,2010-12-04 08:00:00,1.00,7,x\n";
        struct book part AUTO(book_done) = { 0 }, whole AUTO(book_done) = { 0 };

        CHECK_OK(book_read(&part, rows, 2));
        CHECK_OK(book_read(&whole, rows, 0));
        CHECK_EQ(part.r.n_orders, 2);
        CHECK_EQ(part.r.n_returns, 1);
        CHECK_EQ(part.r.left_out[BEYOND_LIMIT], 2);
        CHECK_EQ(whole.r.n_returns, 2);
        CHECK_EQ(whole.r.returns[0].order, part.r.returns[0].order);
        CHECK(!strcmp(whole.r.orders[1].key, part.r.orders[1].key));
        CHECK(strcmp(whole.r.orders[0].key, whole.r.orders[1].key) < 0);        /* keys lie in the order of time */
}

TEST(another_file_is_refused_by_the_column_it_lacks)
{
        struct book b AUTO(book_done) = { 0 };

        CHECK_EQ(book_read(&b, "InvoiceNo,StockCode\n1,A\n", 0), -INVALID_ARGUMENT);
        CHECK(memmem(b.c.fault.message.p, b.c.fault.message.n, "Description", 11) != NULL);
}

TEST_MAIN
