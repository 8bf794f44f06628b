/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * formats.c - the named rules for text: e-mail, URL, slug, currency, country.
 *
 * They refuse what cannot be right and leave the rest to the world: an address is proven by a message that arrives, not by a
 * grammar. All are ASCII. Sources: RFC 5321 section 4.5.3 (lengths), RFC 1123 section 2.1 (host names), RFC 3986, ISO 4217,
 * ISO 3166-1. */
#include "type.h"

static bool is_lower(char ch)  { return ch >= 'a' && ch <= 'z'; }
static bool is_digit(char ch)  { return ch >= '0' && ch <= '9'; }
static bool is_alnum(char ch)  { return is_lower(ch) || is_digit(ch) || (ch >= 'A' && ch <= 'Z'); }

static bool is_label(str s)
{
        if (!s.n || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
        for (size_t i = 0; i < s.n; i++)
                if (!is_alnum(s.p[i]) && s.p[i] != '-') return false;
        return true;
}

static bool is_host(str s, size_t labels_min)
{
        size_t n = 0;
        if (!s.n || s.n > 253) return false;
        for (str rest = s, label; rest.p && (label = str_split(&rest, '.'), true); n++)
                if (!is_label(label)) return false;
        return n >= labels_min;
}

static bool is_local_part(str s)
{
        if (!s.n || s.n > 64 || s.p[0] == '.' || s.p[s.n - 1] == '.') return false;
        for (size_t i = 0; i < s.n; i++) {
                if (!s.p[i] || (!is_alnum(s.p[i]) && !strchr(".!#$%&'*+-/=?^_`{|}~", s.p[i]))) return false;
                if (s.p[i] == '.' && s.p[i - 1] == '.') return false;
        }
        return true;
}

static bool is_email(str s)
{
        ptrdiff_t at = str_find(s, '@');
        if (at < 0 || s.n > 254) return false;
        return is_local_part(str_cut(s, 0, (size_t)at)) && is_host(str_cut(s, (size_t)at + 1, s.n), 2);
}

static bool is_port(str s)
{
        int64_t v;
        return s.n <= 5 && int_parse(s, &v) == 0 && v >= 1 && v <= 65535;
}

/* host or host:port; nobody's name and password, no IPv6 literal */
static bool is_authority(str s)
{
        ptrdiff_t colon = str_find(s, ':');
        if (colon < 0) return is_host(s, 1);
        return is_host(str_cut(s, 0, (size_t)colon), 1) && is_port(str_cut(s, (size_t)colon + 1, s.n));
}

static bool is_hex(char ch)
{
        return is_digit(ch) || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

static bool is_url(str s)
{
        bool tls = str_starts(s, STR("https://"));
        if (s.n > 2048 || (!tls && !str_starts(s, STR("http://")))) return false;
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] <= ' ' || s.p[i] >= 127 || strchr("\"<>\\^`{|}", s.p[i])) return false;
                if (s.p[i] == '%' && (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))) return false;
        }
        str rest = str_cut(s, tls ? 8 : 7, s.n);
        size_t n = 0;
        while (n < rest.n && !strchr("/?#", rest.p[n])) n++;
        return is_authority(str_cut(rest, 0, n));
}

static bool is_slug(str s)
{
        if (!s.n || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
        for (size_t i = 0; i < s.n; i++) {
                if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-') return false;
                if (s.p[i] == '-' && s.p[i - 1] == '-') return false;
        }
        return true;
}

/* The officially assigned codes of ISO 3166-1, two letters each, a string for each first letter. */
static const char countries[] =
        "ADAEAFAGAIALAMAOAQARASATAUAWAXAZ" "BABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ"
        "CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZ" "DEDJDKDMDODZ" "ECEEEGEHERESET" "FIFJFKFMFOFR"
        "GAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGY" "HKHMHNHRHTHU" "IDIEILIMINIOIQIRISIT" "JEJMJOJP"
        "KEKGKHKIKMKNKPKRKWKYKZ" "LALBLCLILKLRLSLTLULVLY" "MAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZ"
        "NANCNENFNGNINLNONPNRNUNZ" "OM" "PAPEPFPGPHPKPLPMPNPRPSPTPWPY" "QA" "RERORSRURW"
        "SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZ" "TCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZ" "UAUGUMUSUYUZ" "VAVCVEVGVIVNVU"
        "WFWS" "YEYT" "ZAZMZW";

static bool is_country(str s)
{
        for (size_t i = 0; s.n == 2 && i + 2 < sizeof countries; i += 2)
                if (!memcmp(countries + i, s.p, 2)) return true;
        return false;
}

const struct format format_email    = { "email", is_email, NULL, "must be an e-mail address", "ada@example.org" };
const struct format format_url      = { "uri", is_url, "^https?://", "must be an http or https URL", "https://shop.example/sweater" };
const struct format format_slug     = { "slug", is_slug, "^[a-z0-9]+(-[a-z0-9]+)*$",
                                        "must be lower-case letters, digits and single hyphens", "sweaters" };
const struct format format_currency = { "currency", money_is_currency, "^[A-Z]{3}$", "must be an ISO 4217 currency code", "EUR" };
const struct format format_country  = { "country", is_country, "^[A-Z]{2}$", "must be an ISO 3166-1 country code", "DE" };
