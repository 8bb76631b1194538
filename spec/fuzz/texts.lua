--- Makes JSON texts, half of them by a strict grammar, and holds the reader against lua-cjson; see
-- helper/json_texts.c.
local json_texts = require "json_texts"
local random = require "spec.fuzz.random"

local ROUND = 2000 -- texts

local strict, accepted = 0, 0

random.begin "texts"
while random.goes_on() do
  local count, from_strict, as_json = json_texts.run(math.random(2 ^ 31 - 1),
    math.min(ROUND, random.most - random.count), 3600)
  if not count then
    random.find(from_strict, as_json)
    random.count_case()
  else
    random.count_case(math.floor(count))
    strict, accepted = strict + from_strict, accepted + as_json
  end
end
print(("texts: %d of %d by the strict grammar, %d are JSON"):format(strict, random.count, accepted))
if strict * 2 < random.count and random.findings == 0 then
  random.find("half of the texts are made by the strict grammar", "")
end
random.finish()
