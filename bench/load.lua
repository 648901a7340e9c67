-- wrk's load: one activity, or a batch of them, of random customers. ACTIVITIES and LINES say how many;
-- ACTIVITIES 0 is the single route. Every activity has an id of its own.
local activities = tonumber(os.getenv("ACTIVITIES"))
local lines = tonumber(os.getenv("LINES"))
local members = tonumber(os.getenv("MEMBERS"))
local run = os.getenv("RUN")
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function activity(id)
  local parts = {}
  for line = 1, lines do
    parts[line] = string.format(
      '{"id":"%d","sku":"A-%d","name":"Product %d","category":"produce","quantity":2,"total":%d}',
      line, line, line, 100 + math.random(900))
  end
  return string.format(
    '{"id":"%s","kind":"purchase","occurred_at":"%s","member":{"ref":"c%d"},"currency":"EUR","channel":"web",' ..
    '"completed":true,"lines":[%s]}',
    id, os.date("!%Y-%m-%dT%H:%M:%SZ"), math.random(0, members - 1), table.concat(parts, ","))
end

local count = 0
local path = activities == 0 and "/v1/activities" or "/v1/activities/batch"

function init()
  math.randomseed(os.time() + number * 7919)
end

local function next_id()
  count = count + 1
  return run .. "-" .. number .. "-" .. count
end

function request()
  local body
  if activities == 0 then
    body = activity(next_id())
  else
    local many = {}
    for place = 1, activities do
      many[place] = activity(next_id())
    end
    body = '{"activities":[' .. table.concat(many, ",") .. "]}"
  end
  return wrk.format("POST", path, {["Content-Type"] = "application/json", ["Authorization"] = os.getenv("KEY")}, body)
end
