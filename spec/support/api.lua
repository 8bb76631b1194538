--- Sends requests to the sandbox's API by curl.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local token = require "sandbox.token"

local M = {}

local URL = os.getenv("PCAPI_SANDBOX_URL")
local CA = os.getenv("PCAPI_SANDBOX_CA")
local PRINCIPALS = "/v1/nonMfaCompliantPartnerPrincipals"
local BOM = "\239\187\191"
local quote, shell = curl.quote, curl.shell

--- Returns an `it` for specs that need the sandbox. Without a sandbox they are pending.
function M.needing_sandbox(it, pending)
  return URL and it or function(name)
    pending(name .. " (PCAPI_SANDBOX_URL is not set: run the specs with sandbox/run)")
  end
end

--- Sends a request.
-- @tparam table how `url` or `path`, `token` (false for none), `settings` (X-Sandbox), `headers`,
--   `args` for curl
function M.fetch(how)
  local headers = {}
  if how.token ~= false then
    headers[1] = "Authorization: Bearer " .. (how.token or token.mint())
  end
  if how.settings then
    headers[#headers + 1] = "X-Sandbox: " .. how.settings
  end
  for _, text in ipairs(how.headers or {}) do
    headers[#headers + 1] = text
  end
  return curl.fetch { url = how.url or URL .. (how.path or PRINCIPALS), headers = headers,
                      args = how.args, discard = how.discard }
end

--- Sends a request with these settings.
function M.fetch_with(settings, path)
  return M.fetch { settings = settings, path = path }
end

function M.decode(response)
  return cjson.decode((response.body:gsub("^" .. BOM, "")))
end

function M.refusal(response)
  return { response.status, M.decode(response).code }
end

--- Sends requests at once over one connection and counts their outcomes: a status, "stalled" for a
-- response that takes a second, "cut" for half a response.
-- @tparam {string} texts settings of each request
function M.at_once(texts)
  local words = { curl.COMMAND .. " -s -Z --parallel-max 300" }
  for at, text in ipairs(texts) do
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

--- Repeats settings for @{at_once}.
function M.many(text, count)
  local texts = {}
  for at = 1, count do
    texts[at] = text
  end
  return texts
end

return M
