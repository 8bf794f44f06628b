/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_head.c - the head of a request or an answer, from bytes (RFC 9112 sections 2 to 6, RFC 9110 section 5).
 *
 * Two steps. find_end() looks line by line (memchr) for the empty line, and refuses bare LF and whatever grows too large; it goes on
 * where it stopped. Only a whole head is read, in one pass: names through a table that also lowers their case, values eight bytes at
 * a time. So each byte is looked at twice, by fast loops, and where the input was split can change nothing.
 * Names are copied to the arena in lower case (`in` may be read-only); values point into `in`.
 *
 * Decided here, where the RFC leaves room: one empty line before a request is skipped. HTTP/1.2 .. 1.9 are read as 1.1. A target may
 * hold any printable ASCII but # and \. An absolute target must name the same authority as Host. A request without Content-Length and
 * Transfer-Encoding has no body, but an HTTP/1.0 POST, PUT or PATCH without Content-Length gets 411: its body would have no end. */
#include "http1.h"
#include "http1_chars.h"

const struct http1_limits http1_defaults = { .line_max = 8192, .headers_max_bytes = 32768, .headers_max = 100, .body_max = 1048576 };

#define SAME(c)  [c] = (c)
#define LOWER(c) [c] = (c) | 0x20, [(c) | 0x20] = (c) | 0x20
const uint8_t http1_token[256] = {
        SAME('!'), SAME('#'), SAME('$'), SAME('%'), SAME('&'), SAME('\''), SAME('*'), SAME('+'), SAME('-'), SAME('.'),
        SAME('^'), SAME('_'), SAME('`'), SAME('|'), SAME('~'),
        SAME('0'), SAME('1'), SAME('2'), SAME('3'), SAME('4'), SAME('5'), SAME('6'), SAME('7'), SAME('8'), SAME('9'),
        LOWER('A'), LOWER('B'), LOWER('C'), LOWER('D'), LOWER('E'), LOWER('F'), LOWER('G'), LOWER('H'), LOWER('I'),
        LOWER('J'), LOWER('K'), LOWER('L'), LOWER('M'), LOWER('N'), LOWER('O'), LOWER('P'), LOWER('Q'), LOWER('R'),
        LOWER('S'), LOWER('T'), LOWER('U'), LOWER('V'), LOWER('W'), LOWER('X'), LOWER('Y'), LOWER('Z'),
};

/* What one reading of a head needs besides its result. */
struct reading {
        struct arena *arena;
        const struct http1_limits *limits;
        const char **why;
        const char *p, *end;            /* what is left of the head                                */
        bool saw_length, saw_coding, saw_host;
        bool chunked_last, other_coding, chunked_twice;
        bool says_close, says_keep_alive;
};

static int wrong(const char **why, int status, const char *sentence)
{
        *why = sentence;
        return -status;
}

/* ---- where the head ends ---------------------------------------------------------------------------------------- */

static ptrdiff_t too_large(bool first_line, const char **why)
{
        return first_line ? wrong(why, 414, "the request line is too long") : wrong(why, 431, "the header fields are too large");
}

/* Finds the empty line that ends the head.
 *   skip     bytes before the first line (an empty line a client sent too much)
 *   returns  bytes up to and with the empty line, 0 not there yet, or minus a status */
static ptrdiff_t find_end(const struct http1_limits *limits, str in, size_t skip, size_t *from, const char **why)
{
        size_t at = MAX(*from, skip);
        const char *before = at > skip ? memrchr(in.p + skip, '\n', at - skip) : NULL;
        size_t line = before ? (size_t)(before - in.p) + 1 : skip;              /* where the line that holds `at` begins */
        const char *first = memchr(in.p + skip, '\n', at - skip);
        size_t fields = first ? (size_t)(first - in.p) + 1 : 0;                  /* where the header section begins; 0: not known yet */

        for (;;) {
                const char *lf = at < in.n ? memchr(in.p + at, '\n', in.n - at) : NULL;
                size_t end = lf ? (size_t)(lf - in.p) : in.n;                   /* bytes of the line so far: [line, end) */
                if (end - line > limits->line_max + 1) return too_large(!fields, why);
                if (fields && end - fields + !!lf > limits->headers_max_bytes) return too_large(false, why);
                if (!lf) break;
                if (end == line || in.p[end - 1] != '\r') return wrong(why, 400, "a line of the head ends with a bare LF");
                if (end == line + 1 && fields) return (ptrdiff_t)end + 1;
                line = at = end + 1;
                if (!fields) fields = line;
        }
        *from = in.n;
        return 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* The first byte at or after p that is not text (see http1_is_text), or end. Eight at a time: in a word, a byte below 0x20 or equal
 * to 0x7f sets its high bit; the lowest one set is exact, whatever borrows did above it. */
static const char *text_end(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
        while (end - p >= 8) {
                uint64_t w, del;
                memcpy(&w, p, 8);
                del = w ^ (ones * 0x7f);
                uint64_t hits = (((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & highs;
                if (!hits) {
                        p += 8;
                        continue;
                }
                p += __builtin_ctzll(hits) / 8;
                if (*p != '\t') return p;
                p++;
        }
#endif
        while (p < end && http1_is_text((unsigned char)*p)) p++;
        return p;
}

static bool is_blank(char ch) { return ch == ' ' || ch == '\t'; }

/* uri-host [ ":" port ], loosely: the characters that RFC 3986 allows there and a port of digits. */
static bool is_authority(str s)
{
        size_t n = 0;
        if (s.n && s.p[0] == '[') {
                for (n = 1; n < s.n && s.p[n] != ']'; n++)
                        if (!strchr("0123456789abcdefABCDEF:.", s.p[n]) || !s.p[n]) return false;
                if (n == s.n || n == 1) return false;
                n++;
        } else {
                while (n < s.n && s.p[n] != ':' && (http1_token[(uint8_t)s.p[n]] || strchr("();,=", s.p[n]))) n++;
                if (n == 0) return false;
        }
        if (n == s.n) return true;
        if (s.p[n++] != ':') return false;
        if (s.n - n > 5) return false;
        for (; n < s.n; n++)
                if (s.p[n] < '0' || s.p[n] > '9') return false;
        return true;
}

static int content_length(struct reading *r, str value, struct http1_head *out)
{
        if (r->saw_length) return wrong(r->why, 400, "Content-Length appears twice");
        r->saw_length = true;
        if (value.n == 0) return wrong(r->why, 400, "Content-Length is empty");
        int64_t n = 0;
        for (size_t i = 0; i < value.n; i++) {
                if (value.p[i] < '0' || value.p[i] > '9') return wrong(r->why, 400, "Content-Length must be digits and nothing else");
                if (n <= INT64_MAX / 100) n = n * 10 + (value.p[i] - '0');      /* beyond that it only has to stay too large */
        }
        out->length = n;
        return 0;
}

/* One Transfer-Encoding field; several mean the same as one list (RFC 9110 section 5.3). */
static void transfer_encoding(struct reading *r, str value)
{
        r->saw_coding = true;
        for (str rest = value, part; rest.p && (part = str_split(&rest, ','), true);) {
                bool chunked = str_eq_nocase(str_trim(part, " \t"), STR("chunked"));
                if (r->chunked_last) r->chunked_twice = true;           /* something follows the coding that must be final */
                if (!chunked) r->other_coding = true;
                r->chunked_last = chunked;
        }
}

static void connection(struct reading *r, str value)
{
        for (str rest = value, part; rest.p && (part = str_split(&rest, ','), true);) {
                str word = str_trim(part, " \t");
                if (str_eq_nocase(word, STR("close"))) r->says_close = true;
                else if (str_eq_nocase(word, STR("keep-alive"))) r->says_keep_alive = true;
        }
}

/* The fields that decide where the message ends and what follows it. */
static int notice(struct reading *r, const struct header *h, struct http1_head *out)
{
        switch (h->name.n) {
        case 4:
                if (memcmp(h->name.p, "host", 4)) return 0;
                if (r->saw_host) return wrong(r->why, 400, "Host appears twice");
                r->saw_host = true;
                out->host = h->value;
                return 0;
        case 6:
                if (memcmp(h->name.p, "expect", 6) || out->status || out->version == 10) return 0;
                if (!str_eq_nocase(h->value, STR("100-continue"))) return wrong(r->why, 417, "the only expectation met here is 100-continue");
                out->expects_continue = true;
                return 0;
        case 10:
                if (!memcmp(h->name.p, "connection", 10)) connection(r, h->value);
                return 0;
        case 14:
                return memcmp(h->name.p, "content-length", 14) ? 0 : content_length(r, h->value, out);
        case 17:
                if (!memcmp(h->name.p, "transfer-encoding", 17)) transfer_encoding(r, h->value);
                return 0;
        default:
                return 0;
        }
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static bool table_grow(struct reading *r, struct headers *h)
{
        size_t cap = h->cap ? h->cap * 2 : 16;
        struct header *v = arena_grow(r->arena, h->v, h->cap * sizeof *v, cap * sizeof *v);
        if (!v) return false;
        h->v = v;
        h->cap = cap;
        return true;
}

/* One line at r->p. lower: where its name goes in lower case; there is room. returns the name's end there, or NULL with *status set. */
static char *field(struct reading *r, char *lower, struct header *h, int *status)
{
        const char *p = r->p;
        char *to = lower;
        for (uint8_t ch; (ch = http1_token[(uint8_t)*p]); p++) *to++ = (char)ch;        /* CR ends it at the latest */
        if (UNLIKELY(to == lower || *p != ':')) {
                *status = wrong(r->why, 400, is_blank(*r->p) ? "a header field is folded over two lines"
                                           : to > lower && is_blank(*p) ? "blanks stand between a header field's name and its colon"
                                           : "a header field's name is malformed");
                return NULL;
        }
        h->name = (str){ lower, (size_t)(to - lower) };
        p++;
        while (is_blank(*p)) p++;
        const char *stop = text_end(p, r->end);
        if (UNLIKELY(stop >= r->end - 1 || stop[0] != '\r' || stop[1] != '\n')) {
                *status = wrong(r->why, 400, "a header field's value holds a control character");
                return NULL;
        }
        r->p = stop + 2;
        while (stop > p && is_blank(stop[-1])) stop--;
        h->value = (str){ p, (size_t)(stop - p) };
        return to;
}

/* Every line from r->p to the empty one. */
static int fields(struct reading *r, struct http1_head *out)
{
        struct headers *h = &out->headers;
        char *lower = arena_alloc(r->arena, (size_t)(r->end - r->p));
        if (!lower) return wrong(r->why, 431, "the header fields are too large");
        while (*r->p != '\r' || r->p[1] != '\n') {
                if (h->n == r->limits->headers_max) return wrong(r->why, 431, "there are too many header fields");
                if (h->n == h->cap && !table_grow(r, h)) return wrong(r->why, 431, "the header fields are too large");
                int status = 0;
                struct header *one = &h->v[h->n];
                lower = field(r, lower, one, &status);
                if (!lower) return status;
                status = notice(r, one, out);
                if (status) return status;
                h->n++;
        }
        return 0;
}

/* ---- first lines ------------------------------------------------------------------------------------------------ */

/* "HTTP/1.1": eight bytes. returns 10, 11, 0 another version, -1 not a version */
static int version_of(const char *p, size_t n)
{
        if (n != 8 || memcmp(p, "HTTP/", 5) || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9') return -1;
        if (p[5] != '1') return 0;
        return p[7] == '0' ? 10 : 11;
}

/* Sets path and query; for an absolute target also host, which the Host field must then equal. */
static int target_parts(struct reading *r, struct http1_head *out)
{
        str t = out->target;
        for (size_t i = 0; i < t.n; i++)
                if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] >= 0x7f || t.p[i] == '#' || t.p[i] == '\\')
                        return wrong(r->why, 400, "the request target holds a character that must be percent-encoded");
        if (t.p[0] != '/') {
                if (str_eq(t, STR("*"))) {
                        out->path = t;
                        return out->method == OPTIONS || out->method == METHOD_OTHER ? 0 : wrong(r->why, 400, "only OPTIONS may ask for *");
                }
                if (out->method == METHOD_OTHER && is_authority(t)) {   /* CONNECT's form; it will get 501 */
                        out->path = t;
                        return 0;
                }
                size_t scheme = t.n > 7 && str_eq_nocase(str_cut(t, 0, 7), STR("http://")) ? 7
                              : t.n > 8 && str_eq_nocase(str_cut(t, 0, 8), STR("https://")) ? 8 : 0;
                if (!scheme) return wrong(r->why, 400, "the request target must begin with / or be an http URL");
                size_t n = scheme;
                while (n < t.n && t.p[n] != '/' && t.p[n] != '?') n++;
                out->host = str_cut(t, scheme, n);
                if (!is_authority(out->host)) return wrong(r->why, 400, "the request target's authority is malformed");
                t = str_cut(t, n, t.n);
        }
        const char *mark = t.n ? memchr(t.p, '?', t.n) : NULL;
        out->path = mark ? (str){ t.p, (size_t)(mark - t.p) } : t;
        if (mark) out->query = str_cut(t, (size_t)(mark - t.p) + 1, t.n);
        if (out->path.n == 0) out->path = STR("/");
        return 0;
}

/* method SP target SP version CR LF, each SP exactly one */
static int request_line(struct reading *r, struct http1_head *out)
{
        const char *start = r->p, *lf = memchr(start, '\n', (size_t)(r->end - start)), *p = start;
        while (http1_token[(uint8_t)*p]) p++;
        if (p == start || *p != ' ') return wrong(r->why, 400, "the request does not begin with a method");
        out->method_text = (str){ start, (size_t)(p - start) };
        out->method = method_of(out->method_text);
        const char *target = ++p;
        const char *space = memchr(p, ' ', (size_t)(lf - p));
        if (!space || space == target) return wrong(r->why, 400, "the request line must be a method, a target and a version");
        out->target = (str){ target, (size_t)(space - target) };
        out->version = version_of(space + 1, (size_t)(lf - 1 - (space + 1)));
        if (out->version < 0) return wrong(r->why, 400, "the request line must end with the version HTTP/1.1");
        if (out->version == 0) return wrong(r->why, 505, "this server speaks HTTP/1.1 and HTTP/1.0");
        r->p = lf + 1;
        return target_parts(r, out);
}

/* version SP three digits [ SP reason ] CR LF; servers that leave out the last SP with the reason are many, and it is harmless */
static int status_line(struct reading *r, struct http1_head *out)
{
        const char *p = r->p, *lf = memchr(p, '\n', (size_t)(r->end - p));
        size_t n = (size_t)(lf - 1 - p);
        if (n < 12 || p[8] != ' ' || (out->version = version_of(p, 8)) <= 0) return wrong(r->why, 502, "the answer does not begin with HTTP/1.1");
        for (int i = 9; i < 12; i++) {
                if (p[i] < '0' || p[i] > '9') return wrong(r->why, 502, "the answer's status is not three digits");
                out->status = out->status * 10 + (p[i] - '0');
        }
        if (out->status < 100 || (n > 12 && p[12] != ' ')) return wrong(r->why, 502, "the answer's status line is malformed");
        if (text_end(p, lf) != lf - 1) return wrong(r->why, 502, "the answer's reason holds a control character");
        r->p = lf + 1;
        return 0;
}

/* ---- the message as a whole ------------------------------------------------------------------------------------- */

static void lasting(const struct reading *r, struct http1_head *out)
{
        out->keep_alive = !r->says_close && (out->version == 11 || r->says_keep_alive);
}

/* What both directions forbid around Transfer-Encoding. RFC 9112 sections 6.1 and 6.3 */
static int coding(struct reading *r, struct http1_head *out)
{
        if (!r->saw_coding) return 0;
        if (r->saw_length) return wrong(r->why, 400, "Content-Length and Transfer-Encoding must not come together");
        if (out->version == 10) return wrong(r->why, 400, "HTTP/1.0 has no Transfer-Encoding");
        if (r->chunked_twice || !r->chunked_last) return wrong(r->why, 400, "Transfer-Encoding must end with chunked, once");
        if (r->other_coding) return wrong(r->why, 501, "the only transfer coding known here is chunked");
        out->chunked = true;
        out->length = -1;
        return 0;
}

/* host still holds the target's authority when from_target is there, else what Host said. */
static int host(struct reading *r, str from_target, struct http1_head *out)
{
        if (!r->saw_host && out->version == 11) return wrong(r->why, 400, "the Host field is missing");
        if (r->saw_host && !is_authority(out->host)) return wrong(r->why, 400, "the Host field is malformed");
        if (!from_target.p) return 0;
        if (r->saw_host && !str_eq_nocase(from_target, out->host)) return wrong(r->why, 400, "Host and the request target name different hosts");
        out->host = from_target;
        return 0;
}

static int request_rules(struct reading *r, str from_target, struct http1_head *out)
{
        TRY(host(r, from_target, out));
        TRY(coding(r, out));
        if (out->method == METHOD_OTHER) return wrong(r->why, 501, "this method is not known here");
        if (out->version == 10 && !r->saw_length && (out->method == POST || out->method == PUT || out->method == PATCH))
                return wrong(r->why, 411, "an HTTP/1.0 request with a body needs Content-Length");
        if (out->length > 0 && (uint64_t)out->length > r->limits->body_max) return wrong(r->why, 413, "the body is larger than this server takes");
        if (out->length == 0) out->expects_continue = false;
        lasting(r, out);
        return 0;
}

ptrdiff_t http1_request(struct arena *a, const struct http1_limits *limits, str in, size_t *from, struct http1_head *out, const char **why)
{
        size_t skip = in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 0;
        if (in.n == 0 || (in.n == 1 && in.p[0] == '\r')) return 0;
        if (in.n > skip && !http1_token[(uint8_t)in.p[skip]]) return wrong(why, 400, "the request does not begin with a method");
        ptrdiff_t n = find_end(limits, in, skip, from, why);
        if (n <= 0) return n;

        struct reading r = { .arena = a, .limits = limits, .why = why, .p = in.p + skip, .end = in.p + n };
        *out = (struct http1_head){ 0 };
        TRY(request_line(&r, out));
        str from_target = out->host;
        out->host = (str){ 0 };
        TRY(fields(&r, out));
        TRY(request_rules(&r, from_target, out));
        return n;
}

/* RFC 9112 section 6.3, for answers. */
static int response_rules(struct reading *r, enum method method, struct http1_head *out)
{
        TRY(coding(r, out));
        lasting(r, out);
        if (method == HEAD || out->status < 200 || out->status == 204 || out->status == 304) {
                out->length = 0;
                out->chunked = false;
        } else if (!r->saw_length && !r->saw_coding) {
                out->to_the_end = true;
                out->keep_alive = false;
                out->length = -1;
        } else if (out->length > 0 && (uint64_t)out->length > r->limits->body_max) {
                return wrong(r->why, 502, "the answer's body is too large");
        }
        return 0;
}

ptrdiff_t http1_response(struct arena *a, const struct http1_limits *limits, enum method method, str in, size_t *from,
                         struct http1_head *out, const char **why)
{
        if (in.n && in.p[0] != 'H') return wrong(why, 502, "the answer does not begin with HTTP/1.1");
        ptrdiff_t n = find_end(limits, in, 0, from, why);
        if (n == 0) return 0;
        if (n < 0) return -502;

        struct reading r = { .arena = a, .limits = limits, .why = why, .p = in.p, .end = in.p + n };
        *out = (struct http1_head){ 0 };
        if (status_line(&r, out) < 0 || fields(&r, out) < 0 || response_rules(&r, method, out) < 0) return -502;
        return n;
}
