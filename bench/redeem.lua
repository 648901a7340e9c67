-- wrk's load of redemptions: a random shopper asks for one of the rewards, each request with a key of its own.
-- TOKENS names a file of one access token a line; REWARDS are the rewards' ids, blank between them.
local tokens, rewards = {}, {}
for line in io.lines(os.getenv("TOKENS")) do
  tokens[#tokens + 1] = line
end
for id in string.gmatch(os.getenv("REWARDS"), "%S+") do
  rewards[#rewards + 1] = id
end
local run = os.getenv("RUN")
local count = 0

function init()
  math.randomseed(os.time())
end

function request()
  count = count + 1
  local headers = {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)],
    ["Idempotency-Key"] = run .. "-" .. count,
  }
  local body = string.format('{"reward_id":"%s","quantity":1}', rewards[math.random(#rewards)])
  return wrk.format("POST", "/v1/redemptions", headers, body)
end
