-- wrk -s post.lua URL -- create|invalid [verify|signed]
package.path = debug.getinfo(1, "S").source:match("@(.*/)") .. "?.lua;" .. package.path
local common = require("common")
local threads, next_request = {}, nil

function setup(thread) table.insert(threads, thread) end

function init(args)
  wrong = 0
  local json, list = { ["Content-Type"] = "application/json" }, {}
  math.randomseed(42)
  for i = 1, 500 do
    local body
    if args[1] == "invalid" then
      body = '{"name":"","email":"not-an-email","age":200,"sex":"unknown","balance":"10.00","city_id":1,"role_id":1}'
    else
      local sex = ({ "male", "female", "other" })[i % 3 + 1]
      body = string.format(
        '{"name":"New User %d","email":"new.user%d@example.com","age":%d,"sex":"%s","balance":"%d.%02d","city_id":%d,"role_id":%d}',
        i, i, math.random(0, 150), sex, math.random(0, 99999), math.random(0, 99),
        math.random(1, 100), math.random(1, 10))
    end
    list[i] = wrk.format("POST", "/users", common.headers(i, json), body)
  end
  next_request = common.cycle(list)
  if args[2] then
    response = common.verify(args[1] == "invalid" and 422 or 201, args[2] == "signed")
  end
end

function request() return next_request() end
function done(summary, latency) common.done(summary, latency, threads) end
