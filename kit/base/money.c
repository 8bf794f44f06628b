/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * money.c - amounts in minor units, and the currencies of ISO 4217.
 *
 * Never a floating point: an amount is an integer of the currency's smallest unit, and every sum is checked. Pure. */
#include "digits.h"

/* The current alphabetic codes that have a minor unit (so no metals, no units of account, no test codes), sorted; the fourth character is the number
 * of decimals. As it stands in 2026: with XAD, XCG (for ANG) and ZWG (for ZWL), without BGN. */
static const char currencies[][4] = {
        "AED2", "AFN2", "ALL2", "AMD2", "AOA2", "ARS2", "AUD2", "AWG2", "AZN2", "BAM2", "BBD2", "BDT2", "BHD3", "BIF0", "BMD2",
        "BND2", "BOB2", "BOV2", "BRL2", "BSD2", "BTN2", "BWP2", "BYN2", "BZD2", "CAD2", "CDF2", "CHE2", "CHF2", "CHW2", "CLF4",
        "CLP0", "CNY2", "COP2", "COU2", "CRC2", "CUP2", "CVE2", "CZK2", "DJF0", "DKK2", "DOP2", "DZD2", "EGP2", "ERN2", "ETB2",
        "EUR2", "FJD2", "FKP2", "GBP2", "GEL2", "GHS2", "GIP2", "GMD2", "GNF0", "GTQ2", "GYD2", "HKD2", "HNL2", "HTG2", "HUF2",
        "IDR2", "ILS2", "INR2", "IQD3", "IRR2", "ISK0", "JMD2", "JOD3", "JPY0", "KES2", "KGS2", "KHR2", "KMF0", "KPW2", "KRW0",
        "KWD3", "KYD2", "KZT2", "LAK2", "LBP2", "LKR2", "LRD2", "LSL2", "LYD3", "MAD2", "MDL2", "MGA2", "MKD2", "MMK2", "MNT2",
        "MOP2", "MRU2", "MUR2", "MVR2", "MWK2", "MXN2", "MXV2", "MYR2", "MZN2", "NAD2", "NGN2", "NIO2", "NOK2", "NPR2", "NZD2",
        "OMR3", "PAB2", "PEN2", "PGK2", "PHP2", "PKR2", "PLN2", "PYG0", "QAR2", "RON2", "RSD2", "RUB2", "RWF0", "SAR2", "SBD2",
        "SCR2", "SDG2", "SEK2", "SGD2", "SHP2", "SLE2", "SOS2", "SRD2", "SSP2", "STN2", "SVC2", "SYP2", "SZL2", "THB2", "TJS2",
        "TMT2", "TND3", "TOP2", "TRY2", "TTD2", "TWD2", "TZS2", "UAH2", "UGX0", "USD2", "USN2", "UYI0", "UYU2", "UYW4", "UZS2",
        "VED2", "VES2", "VND0", "VUV0", "WST2", "XAD2", "XAF0", "XCD2", "XCG2", "XOF0", "XPF0", "YER2", "ZAR2", "ZMW2", "ZWG2",
};
static const uint32_t powers[] = { 1, 10, 100, 1000, 10000 };

static uint32_t key(const char c[3])
{
        return (uint32_t)(uint8_t)c[0] << 16 | (uint32_t)(uint8_t)c[1] << 8 | (uint8_t)c[2];
}

static int decimals(const char code[3])
{
        size_t low = 0, high = COUNT(currencies);
        uint32_t want = key(code);
        while (low < high) {
                size_t mid = (low + high) / 2;
                uint32_t here = key(currencies[mid]);
                if (here == want) return currencies[mid][3] - '0';
                if (here < want) low = mid + 1;
                else high = mid;
        }
        return -1;
}

bool money_is_currency(str code)
{
        return code.n == 3 && decimals(code.p) >= 0;
}

int money_decimals(const char cur[4])
{
        return decimals(cur);
}

static bool is_absent(money m) { return !m.cur[0] && !m.minor; }

int money_add(money a, money b, money *out)
{
        money sum = is_absent(a) ? b : a;
        if (!is_absent(a) && !is_absent(b) && memcmp(a.cur, b.cur, 3) != 0) return -INVALID_ARGUMENT;
        if (__builtin_add_overflow(a.minor, b.minor, &sum.minor)) return -OUT_OF_RANGE;
        *out = sum;
        return 0;
}

int money_times(money a, int64_t n, money *out)
{
        money product = a;
        if (__builtin_mul_overflow(a.minor, n, &product.minor)) return -OUT_OF_RANGE;
        *out = product;
        return 0;
}

int money_parse(str decimal, const char cur[4], money *out)
{
        int places = decimals(cur);
        if (places < 0) return -INVALID_ARGUMENT;
        str frac = decimal, whole = str_split(&frac, '.');
        bool has_point = frac.p, negative = whole.n && whole.p[0] == '-';
        if (has_point && (frac.n == 0 || frac.n > (size_t)places || frac.p[0] == '-')) return -INVALID_ARGUMENT;
        int64_t units, part = 0;
        int r = int_parse(whole, &units);
        if (has_point && int_parse(frac, &part) < 0) return -INVALID_ARGUMENT;
        TRY(r);
        for (size_t i = frac.n; i < (size_t)places; i++) part *= 10;
        money m = { 0 };
        memcpy(m.cur, cur, 3);
        if (__builtin_mul_overflow(units, (int64_t)powers[places], &m.minor)) return -OUT_OF_RANGE;
        if (__builtin_add_overflow(m.minor, negative ? -part : part, &m.minor)) return -OUT_OF_RANGE;
        *out = m;
        return 0;
}

size_t money_format(money m, char out[40])
{
        int places = MAX(decimals(m.cur), 0);
        uint64_t v = magnitude(m.minor), part = v % powers[places];
        char *p = out;
        if (m.minor < 0) *p++ = '-';
        p += put_u64(p, v / powers[places]);
        if (places) {
                *p = '.';
                for (int i = places; i > 0; i--, part /= 10) p[i] = (char)('0' + part % 10);
                p += 1 + places;
        }
        if (m.cur[0]) {
                *p++ = ' ';
                p = mempcpy(p, m.cur, strnlen(m.cur, 3));
        }
        *p = '\0';
        return (size_t)(p - out);
}
