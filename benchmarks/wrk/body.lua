-- wrk -s body.lua URL -- PATH FILE [verify|signed]     (POST of what FILE holds)
package.path = debug.getinfo(1, "S").source:match("@(.*/)") .. "?.lua;" .. package.path
local common = require("common")
local threads, next_request = {}, nil

function setup(thread) table.insert(threads, thread) end

function init(args)
  wrong = 0
  local file, list = assert(io.open(args[2], "rb")), {}
  local body = file:read("*a")
  file:close()
  math.randomseed(42)
  for i = 1, 20 do
    local headers = common.headers(i, { ["Content-Type"] = "application/json" })
    list[i] = wrk.format("POST", args[1], headers, body)
  end
  next_request = common.cycle(list)
  if args[3] then response = common.verify(200, args[3] == "signed") end
end

function request() return next_request() end
function done(summary, latency) common.done(summary, latency, threads) end
