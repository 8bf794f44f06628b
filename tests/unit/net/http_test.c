/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http_test.c - the words of HTTP: methods, reasons, fields, dates, Accept, URLs. */
#include "test.h"
#include "http.h"

TEST(every_method_is_known_by_its_name_and_case_counts)
{
        for (int m = GET; m < METHODS; m++) CHECK_EQ(method_of(str_of(method_name((enum method)m))), m);
        CHECK_EQ(method_of(STR("get")), METHOD_OTHER);
        CHECK_EQ(method_of(STR("")), METHOD_OTHER);
        CHECK_EQ(method_of(STR("TRACE")), METHOD_OTHER);
        assert_string_equal(method_name(METHOD_OTHER), "");
        assert_string_equal(method_name(METHODS), "");
}

TEST(statuses_have_their_registered_reasons)
{
        assert_string_equal(status_reason(404), "Not Found");
        assert_string_equal(status_reason(413), "Content Too Large");
        assert_string_equal(status_reason(599), "");
}

TEST(fields_are_found_counted_and_searched_for_tokens)
{
        struct header v[] = { { STR("via"), STR("a") }, { STR("connection"), STR("x , Keep-Alive") }, { STR("via"), STR("b") }, { STR("connection"), STR("close") } };
        struct headers h = { .v = v, .n = COUNT(v) };
        CHECK_STR(header_get(&h, "via"), "a");
        CHECK(header_get(&h, "vi").p == NULL);
        CHECK_EQ(header_count(&h, "via"), 2);
        CHECK_EQ(header_count(&h, "date"), 0);
        CHECK(header_has_token(&h, "connection", "keep-alive"));
        CHECK(header_has_token(&h, "connection", "close"));
        CHECK(!header_has_token(&h, "connection", "keep"));
        CHECK(!header_has_token(&h, "via", "close"));
}

TEST(tokens_and_values_hold_only_what_they_may)
{
        CHECK(is_token(STR("X-Y_z!#$%&'*+.^`|~09")));
        CHECK(!is_token(STR("")));
        CHECK(!is_token(STR("a b")));
        CHECK(!is_token(STR("a:")));
        CHECK(!is_token(STR("a\0b")));
        CHECK(is_field_value(STR("a\tb c\xff")));
        CHECK(!is_field_value(STR("a\rb")));
        CHECK(!is_field_value(STR("a\nb")));
        CHECK(!is_field_value(STR("a\0b")));
}

TEST(dates_are_imf_fixdates)
{
        CHECK_STR(http_date((when){ 784111777000000 }), "Sun, 06 Nov 1994 08:49:37 GMT");
        CHECK_STR(http_date((when){ 784111777999999 }), "Sun, 06 Nov 1994 08:49:37 GMT");
        CHECK_STR(http_date((when){ 1795507767000000 }), "Tue, 24 Nov 2026 08:09:27 GMT");
        CHECK_STR(http_date((when){ 0 }), "Thu, 01 Jan 1970 00:00:00 GMT");
        CHECK_STR(http_date((when){ -1 }), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(accept_is_weighed_by_its_closest_range)
{
        str json = STR("application/json");
        CHECK_EQ(accept_quality((str){ 0 }, json), 1000);
        CHECK_EQ(accept_quality(STR(""), json), 1000);
        CHECK_EQ(accept_quality(STR("*/*"), json), 1000);
        CHECK_EQ(accept_quality(STR("text/html"), json), 0);
        CHECK_EQ(accept_quality(STR("text/html, application/JSON;q=0.25"), json), 250);
        CHECK_EQ(accept_quality(STR("application/*;q=0.5, */*;q=0.1"), json), 500);
        CHECK_EQ(accept_quality(STR("application/json;q=0, */*"), json), 0);
        CHECK_EQ(accept_quality(STR("application/json ; charset=utf-8 ; Q=0.7"), STR("application/json; charset=utf-8")), 700);
        CHECK_EQ(accept_quality(STR("application/*"), STR("applicationx/json")), 0);
        CHECK_EQ(accept_quality(STR("application/json;q=abc"), json), 1000);
        CHECK_EQ(accept_quality(STR("application/json;q=1.000"), json), 1000);
        CHECK_EQ(accept_quality(STR("application/json;q=0.001"), json), 1);
}

TEST(urls_are_taken_apart)
{
        struct url u;
        CHECK_OK(url_parse(STR("http://shop.example:8080/a?b"), &u));
        CHECK_STR(u.host, "shop.example");
        CHECK_EQ(u.port, 8080);
        CHECK_STR(u.path, "/a?b");
        CHECK_OK(url_parse(STR("HTTP://h"), &u));
        CHECK_EQ(u.port, 80);
        CHECK_STR(u.path, "/");
        CHECK_OK(url_parse(STR("http://[::1]:9/x"), &u));
        CHECK_STR(u.host, "::1");
        CHECK_EQ(u.port, 9);
}

TEST(what_is_not_an_http_url_is_refused)
{
        struct url u = { .port = 7 };
        static const char *bad[] = { "", "http://", "http:///x", "h:80", "ftp://h/", "http://h:0/", "http://h:65536/", "http://h:/", "http://h:x/", "http://u@h/", "http://h/a b",
                                     "http://h/#f", "http://h\r\n/", "http://[::1/", "http://[::1]x/", "http://h?q" };
        for (size_t i = 0; i < COUNT(bad); i++)
                if (url_parse(str_of(bad[i]), &u) != -INVALID_ARGUMENT) cm_fail_msg("%s is taken", bad[i]);
        CHECK_EQ(url_parse(STR("https://h/"), &u), -UNIMPLEMENTED);
        CHECK_EQ(u.port, 7);
}
TEST_MAIN
