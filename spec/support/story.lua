--- Tells stories to the sandbox and reads their lists by curl.
local token = require "sandbox.token"
local api = require "spec.support.api"
local sandbox = os.getenv("PCAPI_SANDBOX_URL") and require "spec.support.sandbox"

local M = {}

local PATHS = { principals = "/v1/nonMfaCompliantPartnerPrincipals",
                adoption = "/v1/applicationmfaadoptionstatus", requests = "/v1/partnerRequests" }

M.PATHS = PATHS

local Story = {}
Story.__index = Story

--- Tells a story to the sandbox.
-- @tparam string text
-- @tparam ?string|number now
-- @treturn table `label`, and the methods below
function M.tell(text, now)
  return setmetatable({ label = sandbox.story(text, now) }, Story)
end

--- Sets its time.
-- @return itself
function Story:at(now)
  sandbox.set_clock(self.label, now)
  return self
end

--- Sends a request for a list.
-- @tparam string list principals, adoption or requests
-- @tparam ?string more settings
-- @tparam ?table claims of the token
-- @treturn table a response
function Story:fetch(list, more, claims)
  return api.fetch { path = PATHS[list], token = token.mint(claims),
                     settings = "story=" .. self.label .. "; " .. (more or "") }
end

--- Returns the records of a list; parameters as of @{fetch}.
function Story:records(list, more, claims)
  local body = api.decode(self:fetch(list, more, claims))
  return body.items or body.Items or body -- PascalCase is a setting
end

--- Returns the values of a field of a list, in order.
function Story:values(list, field, more, claims)
  local values = {}
  for at, record in ipairs(self:records(list, more, claims)) do
    values[at] = record[field]
  end
  return values
end

--- Returns the upns of the users in order.
function Story:upns(more, claims)
  return self:values("principals", "upn", more, claims)
end

return M
