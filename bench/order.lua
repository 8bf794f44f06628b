-- SPDX-License-Identifier: Apache-2.0
-- order.lua - what wrk sends in the rounds of orders: buyers in turn, each order with a new UUIDv7 as its key.
--     wrk -s order.lua URL -- TOKENS PRODUCTS       files, a line each
-- One product: one unit of it an order. More: baskets of 1 to 3 lines, every number of lines as often, each of 1 or 2 units of another product.
local ffi = require("ffi")
ffi.cdef [[typedef struct { long s, us; } bench_time; int gettimeofday(bench_time *t, void *zone);]]
local now, threads, random, format = ffi.new("bench_time"), 0, math.random, string.format
local first, last, units, n = {}, nil, {}, 0

function setup(thread)
        threads = threads + 1
        thread:set("id", threads)
end

local function sized(body)
        return "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function init(args)
        for token in io.lines(args[1]) do
                first[#first + 1] = "POST /v1/orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. token .. "\r\nIdempotency-Key: "
        end
        for product in io.lines(args[2]) do units[#units + 1] = '{"product_id":"' .. product .. '","quantity":' end
        if #units == 1 then last = sized('{"items":[' .. units[1] .. "1}]}") end
        ffi.C.gettimeofday(now, nil)
        math.randomseed(tonumber(now.us) + 1000003 * id)
end

local function uuid7()                  -- RFC 9562 section 5.7
        ffi.C.gettimeofday(now, nil)
        local ms = tonumber(now.s) * 1000 + math.floor(tonumber(now.us) / 1000)
        return format("%08x-%04x-7%03x-%04x-%04x%08x", math.floor(ms / 65536), ms % 65536, n % 4096,
                      0x8000 + random(0, 0x3fff), random(0, 0xffff), random(0, 0x7fffffff))
end

local function basket()                 -- lines a third of the catalogue apart, so no product twice
        local at, step, body = random(#units) - 1, math.floor(#units / 3), '{"items":['
        for line = 1, random(3) do
                body = body .. (line > 1 and "," or "") .. units[(at + line * step) % #units + 1] .. random(2) .. "}"
        end
        return sized(body .. "]}")
end

function request()
        n = n + 1
        return first[n % #first + 1] .. uuid7() .. (last or basket())
end
