-- wrk -s get.lua URL -- PATH_TEMPLATE IDS [verify|signed] [pause=MS] [bearer=FILE]
-- %d in the template becomes 1..IDS at random; each connection pauses that long between an answer
-- and its next request, on average; the lines of FILE are tokens, which requests bring in turn
package.path = debug.getinfo(1, "S").source:match("@(.*/)") .. "?.lua;" .. package.path
local common = require("common")
local threads, next_request = {}, nil

function setup(thread) table.insert(threads, thread) end

function init(args)
  wrong = 0
  local template, ids, list = args[1], tonumber(args[2] or "0"), {}
  local tokens = {}
  for i = 3, #args do
    local file = args[i]:match("^bearer=(.+)$")
    if file then
      for line in io.lines(file) do table.insert(tokens, line) end
    end
  end
  math.randomseed(42)
  for i = 1, 2000 do
    local path = ids > 0 and string.format(template, math.random(1, ids)) or template
    local more = #tokens > 0 and { Authorization = "Bearer " .. tokens[i % #tokens + 1] } or {}
    list[i] = wrk.format("GET", path, common.headers(i, more))
  end
  next_request = common.cycle(list)
  for i = 3, #args do
    local pause = tonumber(args[i]:match("^pause=(%d+)$"))
    if pause then
      delay = function() return math.random(0, 2 * pause) end
    elseif not args[i]:match("^bearer=") then
      response = common.verify(200, args[i] == "signed")
    end
  end
end

function request() return next_request() end
function done(summary, latency) common.done(summary, latency, threads) end
