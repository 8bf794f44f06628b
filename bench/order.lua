-- SPDX-License-Identifier: Apache-2.0
-- order.lua - what wrk sends in the order rounds: one unit of one product, buyers in turn, each order with a new UUIDv7 as its key.
--     wrk -s order.lua URL -- PRODUCT TOKEN...
local ffi = require("ffi")
ffi.cdef [[typedef struct { long s, us; } bench_time; int gettimeofday(bench_time *t, void *zone);]]
local now, threads = ffi.new("bench_time"), 0
local first, last, n = {}, nil, 0

function setup(thread)
        threads = threads + 1
        thread:set("id", threads)
end

function init(args)
        local body = '{"items":[{"product_id":"' .. args[1] .. '","quantity":1}]}'
        for i = 2, #args do
                first[#first + 1] = "POST /v1/orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. args[i] .. "\r\nIdempotency-Key: "
        end
        last = "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
        ffi.C.gettimeofday(now, nil)
        math.randomseed(tonumber(now.us) + 1000003 * id)
end

local function uuid7()                  -- RFC 9562 section 5.7
        ffi.C.gettimeofday(now, nil)
        local ms = tonumber(now.s) * 1000 + math.floor(tonumber(now.us) / 1000)
        return string.format("%08x-%04x-7%03x-%04x-%04x%08x", math.floor(ms / 65536), ms % 65536, n % 4096,
                             0x8000 + math.random(0, 0x3fff), math.random(0, 0xffff), math.random(0, 0x7fffffff))
end

function request()
        n = n + 1
        return first[n % #first + 1] .. uuid7() .. last
end
