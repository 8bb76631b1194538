--- Requests to the sandbox, by curl.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local token = require "sandbox.token"

local M = {}

local URL = os.getenv("PCAPI_SANDBOX_URL")
local CA = os.getenv("PCAPI_SANDBOX_CA")
local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local BOM = "\239\187\191"
local quote, shell = curl.quote, curl.shell

--- Makes `it` for specs that need the sandbox: without one they are pending.
function M.needing_sandbox(it, pending)
  return URL and it or function(name)
    pending(name .. " (PCAPI_SANDBOX_URL is not set: run this with sandbox/run)")
  end
end

--- Sends a request.
-- @tparam table how `url` or `path`, `token` (false for none), `ask` (X-Sandbox), `headers`, `args`
function M.fetch(how)
  local headers = {}
  if how.token ~= false then
    headers[1] = "Authorization: Bearer " .. (how.token or token.mint())
  end
  if how.ask then
    headers[#headers + 1] = "X-Sandbox: " .. how.ask
  end
  for _, text in ipairs(how.headers or {}) do
    headers[#headers + 1] = text
  end
  return curl.fetch { url = how.url or URL .. (how.path or PRINCIPALS), headers = headers,
                      args = how.args, discard = how.discard }
end

function M.ask(text, path)
  return M.fetch { ask = text, path = path }
end

function M.decode(response)
  return cjson.decode((response.body:gsub("^" .. BOM, "")))
end

function M.refusal(response)
  return { response.status, M.decode(response).code }
end

--- Counts the outcomes of requests that are sent at once over one connection: a status, "stalled"
-- for a response that takes a second, "cut" for half a response.
function M.at_once(asks)
  local words = { curl.COMMAND .. " -s -Z --parallel-max 300" }
  for at, text in ipairs(asks) do
    words[#words + 1] = table.concat({
      at > 1 and "--next -s" or "", "-o /dev/null --noproxy '*' --cacert " .. quote(CA),
      "-w '%{http_code} %{exitcode} %{time_total}\n' -H " .. quote("X-Sandbox: " .. text),
      "-H " .. quote("Authorization: Bearer " .. token.mint()), URL .. PRINCIPALS }, " ")
  end
  local outcomes = {}
  for status, exit, seconds in shell(table.concat(words, " ") .. " 2>/dev/null")
    :gmatch("(%d+) (%d+) (%S+)") do
    local outcome = exit ~= "0" and "cut" or tonumber(seconds) >= 1 and "stalled" or status
    outcomes[outcome] = (outcomes[outcome] or 0) + 1
  end
  return outcomes
end

function M.many(text, count)
  local texts = {}
  for at = 1, count do
    texts[at] = text
  end
  return texts
end

return M
