--- Helpers of the generators: a seed that is printed, a limit of time or of cases, and random
-- choices.
local core = require "pcapi.core"

local M = {}

--- Begins. The environment sets the limit, SECONDS_LEFT or a COUNT of cases, and the SEED to repeat
-- a run.
-- @tparam string name of the generator
function M.begin(name)
  M.name, M.count, M.findings = name, 0, 0
  M.seed = tonumber(os.getenv "SEED") or os.time() * 1000 % 2 ^ 31
  M.most = tonumber(os.getenv "COUNT") or math.huge
  M.latest = core.now() + (tonumber(os.getenv "SECONDS_LEFT") or 10)
  if M.most < math.huge then
    M.latest = math.huge
  end
  math.randomseed(M.seed)
  print(("%s: SEED=%d"):format(name, M.seed))
end

--- Tests whether another case should run.
function M.goes_on()
  return M.count < M.most and core.now() < M.latest
end

--- Counts a case.
function M.count_case(cases)
  M.count = M.count + (cases or 1)
end

--- Reports a finding.
-- @tparam string what
-- @tparam string input is stored in build/fuzz/found
function M.find(what, input)
  M.findings = M.findings + 1
  local path = ("build/fuzz/found/%s-%d-%d"):format(M.name, M.seed, M.count)
  local file = io.open(path, "wb")
  if file then
    file:write(input)
    file:close()
  end
  print(("does not hold: %s\n  input: %s"):format(what, path))
end

--- Prints the number of cases, and exits: with status 1 after a finding.
function M.finish()
  print(("stat::number_of_executed_units: %d"):format(M.count))
  os.exit(M.findings > 0 and 1 or 0)
end

--- Returns a random element.
function M.one(list)
  return list[math.random(#list)]
end

--- Returns true once in so many calls.
function M.rarely(times)
  return math.random(times) == 1
end

--- Returns random bytes, at most so many.
function M.bytes(most)
  local all = {}
  for i = 1, math.random(0, most) do
    all[i] = string.char(math.random(0, 255))
  end
  return table.concat(all)
end

local MUTATIONS = {
  function(text, at) return text:sub(1, at - 1) end, -- cut
  function(text, at) return text:sub(1, at - 1) .. text:sub(at + 1) end,
  function(text, at) return text:sub(1, at) .. text:sub(at) end,
  function(text, at) return text:sub(1, at - 1) .. string.char(math.random(0, 255))
    .. text:sub(at + 1) end,
  function(text, at) return text:sub(1, at - 1) .. M.one { "\r\n", "\n", "\r", " ", "\t", ":", ",",
    ";", "\0", "0", "-", "\255", "\r\n\r\n", "\r\n " } .. text:sub(at) end,
  function(text, at)
    local last = math.random(at, #text)
    return text:sub(1, at - 1) .. text:sub(last + 1)
  end,
}

--- Returns a text with some mutations.
function M.mutate(text)
  for _ = 1, math.random(3) do
    if #text > 0 then
      text = M.one(MUTATIONS)(text, math.random(#text))
    end
  end
  return text
end

return M
