-- Shared by every workload: the headers of each request, what the warm-up looks at, and one
-- machine-readable line at the end of a run.
local M = {}

-- What a browser behind a traced gateway sends. One trace in ten is sampled by the caller.
function M.headers(number, more)
  local function hex(digits)
    local text = ""
    for _ = 1, digits / 4 do text = text .. string.format("%04x", math.random(0, 65535)) end
    return text
  end
  local sampled = number % 10 == 0 and "01" or "00"
  local headers = {
    ["Origin"] = "https://app.example.com",
    ["traceparent"] = "00-a" .. hex(28) .. "000-b" .. hex(12) .. "000-" .. sampled,
  }
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

-- cycle through requests prepared before the run
function M.cycle(list)
  local i, n = 0, #list
  return function()
    i = i + 1
    if i > n then i = 1 end
    return list[i]
  end
end

-- Return a function that counts in the global `wrong`: each answer with another status, and (with
-- "signed") without an id of its own or without the header that lets the browser read it.
-- wrk gives the headers to no run that does not ask for them, as that costs it time.
function M.verify(expected, signed)
  local seen = {}
  return function(status, headers)
    local found = {}
    for name, value in pairs(headers) do found[name:lower()] = value end
    local id = found["x-request-id"]
    if status ~= expected then
      wrong = wrong + 1
    elseif signed and (not id or seen[id] or not found["access-control-allow-origin"]) then
      wrong = wrong + 1
    end
    if id then seen[id] = true end
  end
end

function M.done(summary, latency, threads)
  local e, sum, parts = summary.errors, 0, {}
  for i = 1, #latency do
    local microseconds, count = latency(i)
    parts[i] = string.format("[%d,%d]", microseconds, count)
  end
  for _, thread in ipairs(threads) do sum = sum + thread:get("wrong") end
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,' ..
    '"timeout":%d,"status":%d,"wrong":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d,' ..
    '"latencies":[%s]}\n',
    summary.requests, summary.duration, summary.bytes, e.connect, e.read, e.write,
    e.timeout, e.status, sum, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency.max, table.concat(parts, ",")))
end

return M
