--- A transport without network and without a clock of its own: it gives scripted
-- answers in their order, records what was sent, and sleeping moves its clock.
--
-- An answer is a table: `status` (200), `reason`, `headers` (names in lower case)
-- and `body`; or `kind` and `message` for a failure of the network. `takes` is
-- how many seconds go by, and `timing` is given to who asks for it. A function of the
-- request may stand for it.
local errors = require "pcapi.error"

local M = {}

--- 2024-02-03T07:08:09Z, the wall clock of the clients made here.
M.NOW = 1706944089

--- Looks like a token and is found wherever it should not be.
M.TOKEN = "eyJSECRET.SECRETpayload-_.SECRETsignature"

local Fake = {}
Fake.__index = Fake

function M.new(answers)
  return setmetatable({
    answers = answers or {}, sent = {}, slept = {}, time = 1000, closed = 0,
  }, Fake)
end

-- The fields of a form (application/x-www-form-urlencoded).
local function form_of(body)
  local form = {}
  for name, value in body:gmatch "([^&=]+)=([^&]*)" do
    form[name] = value:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  return form
end

-- What was sent, with its header lines also as a table in lower case, and a form as
-- one, too. A header that is there twice is a list of both.
local function record(request)
  local sent = { header = {} }
  for name, value in pairs(request) do
    sent[name] = value
  end
  for _, line in ipairs(request.headers) do
    local name, value = line:match("^([^:]+): (.*)$")
    local first = sent.header[name:lower()]
    sent.header[name:lower()] = first and first .. ", " .. value or value
  end
  if sent.header["content-type"] == "application/x-www-form-urlencoded" then
    sent.form = form_of(sent.body)
  end
  return sent
end

function Fake:send(request)
  self.sent[#self.sent + 1] = record(request)
  local answer = self.answers[#self.sent]
  if type(answer) == "function" then
    answer = answer(self.sent[#self.sent])
  end
  assert(answer, "the fake transport has no answer to request " .. #self.sent)
  self.time = self.time + (answer.takes or 0)
  if answer.kind then
    return nil, errors.new { kind = answer.kind, message = answer.message or "it broke",
                             timing = request.timing and answer.timing or nil }
  end
  local headers = {}
  for name, value in pairs(answer.headers or {}) do
    headers[name] = value
  end
  return {
    timing = request.timing and answer.timing or nil,
    status = answer.status or 200, reason = answer.reason or "", version = 1.1,
    headers = headers, body = answer.body or "",
  }
end

function Fake:sleep(seconds)
  self.slept[#self.slept + 1] = seconds
  self.time = self.time + seconds
end

function Fake:now()
  return self.time
end

function Fake:close()
  self.closed = self.closed + 1
end

--- A client over a fake transport.
-- @tparam table answers
-- @tparam[opt] table options more for `pcapi.new`; "none" for no token
-- @treturn pcapi.client
-- @treturn table the transport
function M.client(answers, options)
  local transport = M.new(answers)
  local all = {
    token = M.TOKEN, transport = transport,
    clock = function() return M.NOW end,
    random = function() return 0 end,
  }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  all.token = all.token ~= "none" and all.token or nil
  return require("pcapi").new(all), transport
end

return M
