--- The one error object. Whatever the world can do to a call comes back as
-- `nil, err` with such an object; a caller's mistake raises instead.
--
-- Branch on `err.kind`: the set below is frozen and versioned. `err.message`
-- and `err.hint` are for people and may change at any time.
--
-- @classmod pcapi.error
-- @field kind one of @{kinds}
-- @field message what happened
-- @field[opt] hint the next step
-- @field[opt] status HTTP status, a number
-- @field[opt] code the service's own code, a string
-- @field[opt] request_id MS-RequestId of the call
-- @field[opt] correlation_id MS-CorrelationId of the call
-- @field[opt] claims JSON text of the claims that a new sign-in is to satisfy
-- @field[opt] oauth_error what the sign-in service calls it (RFC 6749 §5.2); `code` is
-- then its AADSTS number, where it has one
-- @field[opt] retry_after seconds that the service asks to wait, a day at most
-- @field[opt] problem the `type` of problem details (RFC 9457), an address
-- @field[opt] page the number of the page that failed, from 2, where others came before it
-- @field[opt] cause the error beneath this one
local url = require "pcapi.url"

local M = {}

--- Every kind, and what it means.
-- @table kinds
M.kinds = {
  mfa_required = "the token was born without MFA; only a new sign-in helps",
  unauthorized = "the token is missing, expired or not for this service",
  sign_in_required = "nobody is signed in, or the sign-in has ended; a person has to sign in",
  consent_required = "the application is not registered or consented for this",
  invalid_client = "the application's secret or certificate is not accepted",
  forbidden = "the signed-in user may not ask this",
  not_found = "the service does not know the address",
  bad_request = "the service does not accept the request",
  throttled = "too many requests",
  timeout = "the deadline of the call is over",
  network = "no name, no connection, or it broke",
  tls = "the server could not be verified",
  server = "the service failed",
  protocol = "the answer makes no sense: not JSON, a wrong shape, too large",
  config = "a setting cannot be used",
  stopped = "the run of tasks was stopped before this was done",
  store = "the place where tokens are kept cannot be read or written",
}

local LONGEST = 2048 -- bytes of a message
local LONGEST_FACT = 128 -- bytes of what is in FACTS
local FACTS = { "code", "oauth_error", "request_id", "correlation_id" }
local LONGEST_LINE = 2 * LONGEST -- bytes of an error as text: message, facts and next step

-- Members of JSON, and of a form, that hold a secret whatever it looks like.
local SECRETS = { "access_token", "refresh_token", "id_token", "device_code", "client_secret",
                  "client_assertion", "code_verifier" }

-- Hides what stands behind the name of a secret.
local function without_secrets(said)
  for _, name in ipairs(SECRETS) do
    if said:find(name, 1, true) then
      said = said:gsub("(%f[%w_]" .. name .. '\\?"%s*:%s*\\?")[^"\\]+', "%1[hidden]")
      said = said:gsub("(%f[%w_]" .. name .. "=)[^&%s]+", "%1[hidden]")
    end
  end
  return said
end

--- Cuts a text that is too long, with an ellipsis at its end. No character is cut in two,
-- nor what may be the name and password of a proxy, which could then not be found.
-- @tparam string text
-- @tparam number longest bytes that stay at most
-- @treturn string
function M.shorten(text, longest)
  if #text <= longest then
    return text
  end
  return text:sub(1, longest):gsub("[\192-\255]?[\128-\191]*$", "")
    :gsub("(://)[^%s/'\"@]*$", "%1") .. "…"
end

--- Makes harmless what a server or a proxy says: it may hold a token that it was sent, and
-- bytes that move a terminal's cursor.
-- @tparam string said
-- @tparam[opt=2048] number longest bytes that stay at most
-- @treturn string
function M.harmless(said, longest)
  longest = longest or LONGEST
  -- before the cut, which could take the @ away
  said = M.shorten(url.hide_users(said:sub(1, 4 * longest)), longest)
  said = said:gsub("%f[%w_%-]eyJ[%w_%-]+%.?[%w_%-]*%.?[%w_%-]*", "[token]")
  said = said:gsub("([Bb]earer%s+)[%w%-%._~%+/=]+", function(scheme)
    return scheme .. "[token]"
  end)
  said = without_secrets(said)
  -- loaded late: who meets no error need not load it
  return M.shorten(require("pcapi.text").visible(said), longest) -- escapes are longer
end

local Error = {}
Error.__index = Error
Error.__name = "pcapi.error"

function Error:__tostring()
  local facts = {}
  -- an id that never reached the service helps nobody
  for _, fact in ipairs { { "HTTP ", self.status }, { "code ", self.code },
                          { "request id ", self.status and self.request_id } } do
    if fact[2] then
      facts[#facts + 1] = fact[1] .. tostring(fact[2])
    end
  end
  local text = self.kind .. ": " .. self.message
  if #facts > 0 then
    text = text .. " (" .. table.concat(facts, ", ") .. ")"
  end
  if self.hint then
    text = text .. ". " .. self.hint
  end
  return M.harmless(text, LONGEST_LINE)
end

--- Adds to the fields of an error what only the program knows that the library runs in;
-- `pcapi.nginx` sets it.
function M.explain() end

--- Makes an error object of its fields; messages, codes and ids are made safe to print.
-- @tparam table fields `kind` and `message` at least
-- @treturn pcapi.error the same table
function M.new(fields)
  assert(M.kinds[fields.kind], "unknown kind of error")
  fields.message = M.harmless(fields.message)
  for _, name in ipairs(FACTS) do
    local fact = fields[name]
    if type(fact) == "string" and (#fact > LONGEST_FACT or fact:find "[^%w%-_]") then
      fields[name] = M.harmless(fact, LONGEST_FACT)
    end
  end
  M.explain(fields)
  return setmetatable(fields, Error)
end

--- Returns nil and a new error; for `return errors.fail { kind = …, message = … }`.
-- @tparam table fields as for @{new}
-- @treturn nil
-- @treturn pcapi.error
function M.fail(fields)
  return nil, M.new(fields)
end

--- Whether a raised value is Ctrl-C, for which Lua has no error object.
-- @param failure anything
-- @treturn boolean
function M.is_interruption(failure)
  return type(failure) == "string" and failure:find("interrupted!", 1, true) ~= nil
end

--- Whether a value is an error object of pcapi.
-- @param value anything
-- @treturn boolean
function M.is(value)
  return getmetatable(value) == Error
end

return M
