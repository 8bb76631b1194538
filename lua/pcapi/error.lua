--- The error object. A runtime failure returns `nil, err` with this object. Wrong use of a
-- function raises a text instead.
--
-- Branch on `err.kind`: the set of kinds is fixed and versioned. `err.message` and `err.hint` are
-- for people, and may change in any version. `tostring(err)` joins them, and shows no secret.
--
-- @module pcapi.error
local url = require "pcapi.url"

local M = {}

--- The fields of an error.
-- @table fields
-- @tfield string kind one of @{kinds}
-- @tfield string message what happened
-- @tfield ?string hint the next step
-- @tfield ?number status HTTP status
-- @tfield ?string code the service's code for the error
-- @tfield ?string request_id MS-RequestId of the call
-- @tfield ?string correlation_id MS-CorrelationId of the call
-- @tfield ?string claims JSON of the claims that a new sign-in must satisfy
-- @tfield ?string oauth_error the sign-in service's name for the error (RFC 6749 §5.2); `code`
-- is then its AADSTS number, if it has one
-- @tfield ?number retry_after seconds that the service asks to wait, a day at most
-- @tfield ?string problem the `type` of problem details (RFC 9457), an address
-- @tfield ?number page the page of a list that failed, from 2
-- @tfield ?table timing as for a response of `pcapi.http.curl`, if the request asked for it
-- @tfield ?table certificate of kind tls: the certificate that was refused, if it is known:
-- `subject`, `issuer`, `hosts` (texts), `not_before`, `not_after` (UTC epoch seconds), `is_ca`,
-- `is_of_proxy` (booleans)
-- @tfield ?any cause the error that caused this one

--- Every kind, and what it means.
-- @table kinds
M.kinds = {
  mfa_required = "the token was issued without MFA; only a new sign-in helps",
  unauthorized = "the token is missing, expired or for another service",
  sign_in_required = "not signed in, or the sign-in has ended; a user must sign in",
  consent_required = "the application is not registered or has no consent",
  invalid_client = "the application's secret or certificate is not accepted",
  forbidden = "the signed-in user lacks a permission",
  not_found = "the service does not know the address",
  bad_request = "the service refuses the request",
  throttled = "too many requests",
  timeout = "the deadline of the call has passed",
  network = "the host was not found, or the connection failed",
  tls = "the server could not be verified",
  server = "the service failed",
  protocol = "the response cannot be used: not JSON, a wrong shape, too large",
  config = "a setting cannot be used",
  stopped = "the run of tasks was stopped before this task was done",
  store = "the token store or the history cannot be read or written",
}

local LONGEST = 2048 -- bytes of a message
local LONGEST_FACT = 128 -- bytes of each of FACTS
local FACTS = { "code", "oauth_error", "request_id", "correlation_id" }
local LONGEST_LINE = 2 * LONGEST -- bytes of an error as text: message, facts and hint

-- Members of JSON and of a form whose value is a secret.
local SECRETS = { "access_token", "refresh_token", "id_token", "device_code", "client_secret",
                  "client_assertion", "code_verifier" }

-- Hides the value behind each name of a secret.
local function without_secrets(text)
  for _, name in ipairs(SECRETS) do
    if text:find(name, 1, true) then
      text = text:gsub("(%f[%w_]" .. name .. '\\?"%s*:%s*\\?")[^"\\]+', "%1[hidden]")
      text = text:gsub("(%f[%w_]" .. name .. "=)[^&%s]+", "%1[hidden]")
    end
  end
  return text
end

--- Cuts a text that is too long, and adds an ellipsis. It does not cut within a character, nor
-- within what may be the user name and password of a proxy: half of them would not be recognised
-- and hidden.
-- @local
-- @tparam string text
-- @tparam number longest the most bytes to leave
-- @treturn string
function M.shorten(text, longest)
  if #text <= longest then
    return text
  end
  return text:sub(1, longest):gsub("[\192-\255]?[\128-\191]*$", "")
    :gsub("(://)[^%s/'\"@]*$", "%1") .. "…"
end

--- Makes a text of a server or a proxy safe to print: it may repeat a token, or hold bytes that
-- move a terminal's cursor.
-- @local
-- @tparam string text
-- @tparam[opt=2048] number longest the most bytes to leave
-- @treturn string
function M.harmless(text, longest)
  longest = longest or LONGEST
  -- before the cut, which could remove the @
  text = M.shorten(url.hide_users(text:sub(1, 4 * longest)), longest)
  text = text:gsub("%f[%w_%-]eyJ[%w_%-]+%.?[%w_%-]*%.?[%w_%-]*", "[token]")
  text = text:gsub("([Bb]earer%s+)[%w%-%._~%+/=]+", function(scheme)
    return scheme .. "[token]"
  end)
  text = without_secrets(text)
  -- loaded here: a program without errors does not need it
  return M.shorten(require("pcapi.text").visible(text), longest) -- escapes are longer
end

local Error = {}
Error.__index = Error
Error.__name = "pcapi.error"

function Error:__tostring()
  local facts = {}
  -- the service does not know the id of a request that never reached it
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

--- Adds to the fields of an error what depends on the host program. `pcapi.nginx` replaces it.
-- @local
-- @tparam table fields changed in place
function M.explain() end

--- How the user of this program sets an option: name of the option to words. A hint writes an
-- option as `{timeout}`; without an entry here that becomes `timeout`. The command fills it.
-- @local
M.settings = {}

--- Replaces the options in a hint by the words of @{settings}.
-- @local
-- @tparam string hint
-- @treturn string
function M.hint(hint)
  return (hint:gsub("{([%l_]+)}", function(name)
    return M.settings[name] or name
  end))
end

--- Makes an error object. Message, codes and ids become safe to print.
-- @tparam table fields at least `kind` and `message`; it becomes the object
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
  if type(fields.hint) == "string" then -- an error may come from the caller's own code
    fields.hint = M.hint(fields.hint)
  end
  M.explain(fields)
  return setmetatable(fields, Error)
end

--- Returns nil and a new error; for `return errors.fail { kind = …, message = … }`.
-- @local
-- @tparam table fields as for @{new}
-- @treturn nil
-- @treturn pcapi.error
function M.fail(fields)
  return nil, M.new(fields)
end

--- Tests whether a raised value means Ctrl-C, for which Lua has no error object.
-- @local
-- @param failure anything
-- @treturn boolean
function M.is_interruption(failure)
  return type(failure) == "string" and failure:find("interrupted!", 1, true) ~= nil
end

--- Tests whether a value is an error object of pcapi.
-- @param value anything
-- @treturn boolean
function M.is(value)
  return getmetatable(value) == Error
end

return M
