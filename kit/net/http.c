/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http.c - the words of HTTP: tables of methods and statuses, looking into header fields, dates, Accept, URLs.
 *
 * Nothing here reads a socket or allocates. The only state is the text of the present second, one a thread. */
#include <time.h>
#include "http.h"

static const str method_names[METHODS] = {
        [METHOD_OTHER] = { "", 0 }, [GET] = { "GET", 3 }, [HEAD] = { "HEAD", 4 }, [POST] = { "POST", 4 }, [PUT] = { "PUT", 3 },
        [PATCH] = { "PATCH", 5 }, [DELETE] = { "DELETE", 6 }, [OPTIONS] = { "OPTIONS", 7 },
};

const char *method_name(enum method m)
{
        return m < METHODS ? method_names[m].p : "";
}

enum method method_of(str name)
{
        for (int m = GET; m < METHODS; m++)
                if (str_eq(name, method_names[m])) return (enum method)m;
        return METHOD_OTHER;
}

/* The IANA registry of status codes, as far as this program or its peers use them. */
const char *status_reason(int status)
{
        switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 103: return "Early Hints";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 203: return "Non-Authoritative Information";
        case 204: return "No Content";
        case 205: return "Reset Content";
        case 206: return "Partial Content";
        case 300: return "Multiple Choices";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 407: return "Proxy Authentication Required";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 425: return "Too Early";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 451: return "Unavailable For Legal Reasons";
        case 499: return "Client Closed Request";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default:  return "";
        }
}

/* ---- fields ----------------------------------------------------------------------------------------------------- */

str header_get(const struct headers *h, const char *name)
{
        str want = str_of(name);
        for (size_t i = 0; i < h->n; i++)
                if (str_eq(h->v[i].name, want)) return h->v[i].value;
        return (str){ 0 };
}

size_t header_count(const struct headers *h, const char *name)
{
        size_t n = 0;
        str want = str_of(name);
        for (size_t i = 0; i < h->n; i++) n += str_eq(h->v[i].name, want);
        return n;
}

bool header_has_token(const struct headers *h, const char *name, const char *token)
{
        str want = str_of(name), word = str_of(token);
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, want)) continue;
                for (str rest = h->v[i].value, part; rest.p && (part = str_split(&rest, ','), true);)
                        if (str_eq_nocase(str_trim(part, " \t"), word)) return true;
        }
        return false;
}

static bool is_tchar(unsigned char ch)
{
        return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
               (ch && strchr("!#$%&'*+-.^_`|~", ch));
}

bool is_token(str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!is_tchar((unsigned char)s.p[i])) return false;
        return s.n > 0;
}

bool is_field_value(str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0) return false;
        return true;
}

/* ---- dates: RFC 9110 section 5.6.7 ------------------------------------------------------------------------------ */

enum { DATE_BYTES = 29 };

static void two_digits(char *at, int v)
{
        at[0] = (char)('0' + v / 10 % 10);
        at[1] = (char)('0' + v % 10);
}

static void date_write(int64_t second, char out[DATE_BYTES])
{
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct tm tm;
        time_t t = (time_t)second;
        gmtime_r(&t, &tm);
        memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", DATE_BYTES);
        memcpy(out, days + 3 * tm.tm_wday, 3);
        two_digits(out + 5, tm.tm_mday);
        memcpy(out + 8, months + 3 * tm.tm_mon, 3);
        two_digits(out + 12, (tm.tm_year + 1900) / 100);
        two_digits(out + 14, (tm.tm_year + 1900) % 100);
        two_digits(out + 17, tm.tm_hour);
        two_digits(out + 20, tm.tm_min);
        two_digits(out + 23, tm.tm_sec);
}

str http_date(when t)
{
        static _Thread_local struct { int64_t second; char text[DATE_BYTES]; } cached = { .second = INT64_MIN };
        int64_t second = t.us / 1000000 - (t.us % 1000000 < 0);
        if (second != cached.second) {
                date_write(second, cached.text);
                cached.second = second;
        }
        return (str){ cached.text, DATE_BYTES };
}

/* ---- Accept ------------------------------------------------------------------------------------------------------ */

int qvalue(str s)
{
        if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.')) return 1000;
        int q = (s.p[0] - '0') * 1000, unit = 100;
        for (size_t i = 2; i < s.n; i++, unit /= 10) {
                if (s.p[i] < '0' || s.p[i] > '9') return 1000;
                q += (s.p[i] - '0') * unit;
        }
        return MIN(q, 1000);
}

/* How closely a range names the type: 3 exactly, 2 type/ *, 1 * / *, 0 not at all. */
static int range_fits(str range, str type)
{
        if (str_eq(range, STR("*/*"))) return 1;
        if (str_eq_nocase(range, type)) return 3;
        ptrdiff_t slash = str_find(type, '/');
        bool any_subtype = range.n >= 2 && range.p[range.n - 1] == '*' && range.p[range.n - 2] == '/';
        return any_subtype && slash >= 0 && str_eq_nocase(str_cut(range, 0, range.n - 1), str_cut(type, 0, (size_t)slash + 1)) ? 2 : 0;
}

/* The closest range decides, not the best q: "text/html;q=0, * / *" refuses HTML. Parameters other than q are not compared. */
int accept_quality(str accept, str type)
{
        if (!accept.p || str_is_empty(str_trim(accept, " \t,"))) return 1000;
        str params = type;
        str bare = str_trim(str_split(&params, ';'), " \t");
        int best_fit = 0, best_q = 0;
        for (str rest = accept, part; rest.p && (part = str_split(&rest, ','), true);) {
                str range = str_trim(str_split(&part, ';'), " \t");
                int q = 1000, fit = range_fits(range, bare);
                for (str param; part.p && (param = str_trim(str_split(&part, ';'), " \t"), true);)
                        if (param.n > 2 && (param.p[0] | 0x20) == 'q' && param.p[1] == '=') q = qvalue(str_cut(param, 2, param.n));
                if (fit > best_fit) best_fit = fit, best_q = q;
                else if (fit && fit == best_fit) best_q = MAX(best_q, q);
        }
        return best_q;
}

/* ---- URLs: RFC 3986, http only ---------------------------------------------------------------------------------- */

static int port_parse(str s, int *out)
{
        int64_t port = 0;
        if (s.n > 5 || int_parse(s, &port) < 0 || port < 1 || port > 65535) return -INVALID_ARGUMENT;
        *out = (int)port;
        return 0;
}

static bool is_host(str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || strchr("/?#@[]\\", s.p[i])) return false;
        return s.n > 0;
}

static bool is_path(str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == '#' || s.p[i] == '\\') return false;
        return true;
}

int url_parse(str text, struct url *out)
{
        if (text.n >= 8 && str_eq_nocase(str_cut(text, 0, 8), STR("https://"))) return -UNIMPLEMENTED;
        if (text.n < 8 || !str_eq_nocase(str_cut(text, 0, 7), STR("http://"))) return -INVALID_ARGUMENT;
        str rest = str_cut(text, 7, text.n);
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
        str authority = str_cut(rest, 0, n);
        struct url u = { .port = 80, .path = str_cut(rest, n, rest.n) };
        if (u.path.n == 0) u.path = STR("/");
        if (u.path.p[0] != '/' || !is_path(u.path)) return -INVALID_ARGUMENT;

        if (authority.n && authority.p[0] == '[') {             /* an IPv6 address: the host is given without brackets */
                ptrdiff_t end = str_find(authority, ']');
                if (end < 0) return -INVALID_ARGUMENT;
                u.host = str_cut(authority, 1, (size_t)end);
                authority = str_cut(authority, (size_t)end + 1, authority.n);
                if (authority.n && (authority.p[0] != ':' || port_parse(str_cut(authority, 1, authority.n), &u.port) < 0)) return -INVALID_ARGUMENT;
        } else {
                u.host = str_split(&authority, ':');
                if (authority.p && port_parse(authority, &u.port) < 0) return -INVALID_ARGUMENT;
        }
        if (!is_host(u.host)) return -INVALID_ARGUMENT;
        *out = u;
        return 0;
}
