/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * when.c - instants as RFC 3339 text, and the Gregorian calendar under them.
 *
 * Days are counted in eras of 400 years that begin on 1 March, so the leap day is a year's last and months need no table
 * (the arithmetic of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms"). Pure; years 0000 to 9999 are read. */
#include "digits.h"

#define US_A_SECOND 1000000ll
#define S_A_DAY     86400ll
#define DAYS_AN_ERA 146097
#define ERA_BEGINS  719468              /* days from 0000-03-01 to 1970-01-01 */

struct date { int64_t year; unsigned month, day; };

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static struct date date_of(int64_t days)
{
        days += ERA_BEGINS;
        int64_t era = floor_div(days, DAYS_AN_ERA);
        unsigned d = (unsigned)(days - era * DAYS_AN_ERA);
        unsigned year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
        unsigned of_year = d - (365 * year + year / 4 - year / 100);
        unsigned m = (5 * of_year + 2) / 153;                           /* 0 is March */
        unsigned month = m < 10 ? m + 3 : m - 9;
        return (struct date){ era * 400 + year + (month <= 2), month, of_year - (153 * m + 2) / 5 + 1 };
}

static int64_t days_of(struct date t)
{
        int64_t y = t.year - (t.month <= 2), era = floor_div(y, 400);
        unsigned year = (unsigned)(y - era * 400), m = t.month > 2 ? t.month - 3 : t.month + 9;
        return era * DAYS_AN_ERA + (365 * year + year / 4 - year / 100 + (153 * m + 2) / 5 + t.day - 1) - ERA_BEGINS;
}

static unsigned days_in(int64_t year, unsigned month)
{
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        return days[month - 1] + (month == 2 && leap);
}

/* n digits at s.p[at]; -1 when one is none. The caller has checked that they are there. */
static int number(str s, size_t at, size_t n)
{
        int v = 0;
        for (size_t i = at; i < at + n; i++) {
                if (s.p[i] < '0' || s.p[i] > '9') return -1;
                v = v * 10 + (s.p[i] - '0');
        }
        return v;
}

static bool between(int v, int least, int most) { return v >= least && v <= most; }

/* ".123": up to six digits after a point, at *at, which is moved behind them. Microseconds, or -1. */
static int fraction(str s, size_t *at)
{
        size_t i = *at, n = 0;
        if (i == s.n || s.p[i] != '.') return 0;
        while (i + 1 + n < s.n && s.p[i + 1 + n] >= '0' && s.p[i + 1 + n] <= '9') n++;
        if (!between((int)MIN(n, 7u), 1, 6)) return -1;
        int us = number(s, i + 1, n);
        for (size_t k = n; k < 6; k++) us *= 10;
        *at = i + 1 + n;
        return us;
}

/* "Z", "z" or "+hh:mm" as the rest of s: seconds east of UTC. False when it is neither. */
static bool offset(str s, size_t at, int *ret_seconds)
{
        if (s.n == at + 1 && (s.p[at] | 32) == 'z') {
                *ret_seconds = 0;
                return true;
        }
        if (s.n != at + 6 || (s.p[at] != '+' && s.p[at] != '-') || s.p[at + 3] != ':') return false;
        int hour = number(s, at + 1, 2), minute = number(s, at + 4, 2);
        if (!between(hour, 0, 23) || !between(minute, 0, 59)) return false;
        *ret_seconds = (hour * 3600 + minute * 60) * (s.p[at] == '-' ? -1 : 1);
        return true;
}

int when_parse(str s, when *out)
{
        if (s.n < 20 || s.p[4] != '-' || s.p[7] != '-' || (s.p[10] | 32) != 't' || s.p[13] != ':' || s.p[16] != ':')
                return -INVALID_ARGUMENT;
        int year = number(s, 0, 4), month = number(s, 5, 2), day = number(s, 8, 2);
        int hour = number(s, 11, 2), minute = number(s, 14, 2), second = number(s, 17, 2);
        if (year < 0 || !between(month, 1, 12) || !between(day, 1, (int)days_in(year, (unsigned)month))) return -INVALID_ARGUMENT;
        if (!between(hour, 0, 23) || !between(minute, 0, 59) || !between(second, 0, 60)) return -INVALID_ARGUMENT;
        size_t at = 19;
        int us = fraction(s, &at), east;
        if (us < 0 || at >= s.n || !offset(s, at, &east)) return -INVALID_ARGUMENT;

        int64_t t = days_of((struct date){ year, (unsigned)month, (unsigned)day }) * S_A_DAY + hour * 3600 + minute * 60 + second - east;
        struct date utc = date_of(floor_div(t, S_A_DAY));
        /* A leap second ends a month of UTC; it is folded into the second after it, as PostgreSQL does. */
        if (second == 60 && (t % S_A_DAY != 0 || utc.day != 1)) return -INVALID_ARGUMENT;
        if (utc.year < 0 || utc.year > 9999) return -OUT_OF_RANGE;
        out->us = t * US_A_SECOND + us;
        return 0;
}

/* Years outside of RFC 3339's four digits are written as ISO 8601 expands them: a sign and six digits. */
static char *put_year(char *p, int64_t year)
{
        if (LIKELY(year >= 0 && year <= 9999)) {
                put_4(p, (unsigned)year);
                return p + 4;
        }
        unsigned y = (unsigned)magnitude(year);
        *p = year < 0 ? '-' : '+';
        put_2(p + 1, y / 10000);
        put_4(p + 3, y % 10000);
        return p + 7;
}

size_t when_format(when t, char out[32])
{
        int64_t seconds = floor_div(t.us, US_A_SECOND), days = floor_div(seconds, S_A_DAY);
        int64_t rest = t.us % US_A_SECOND;
        unsigned us = (unsigned)(rest < 0 ? rest + US_A_SECOND : rest), s = (unsigned)(seconds - days * S_A_DAY);
        struct date date = date_of(days);
        char *p = put_year(out, date.year);
        memcpy(p, "-00-00T00:00:00", 15);
        put_2(p + 1, date.month);
        put_2(p + 4, date.day);
        put_2(p + 7, s / 3600);
        put_2(p + 10, s / 60 % 60);
        put_2(p + 13, s % 60);
        p += 15;
        if (us) {
                *p = '.';
                put_2(p + 1, us / 10000);
                put_4(p + 3, us % 10000);
                p += 7;
        }
        memcpy(p, "Z", 2);
        return (size_t)(p + 1 - out);
}

int when_year(when t)
{
        return (int)date_of(floor_div(t.us, US_A_SECOND * S_A_DAY)).year;
}
