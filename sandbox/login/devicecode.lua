--- Serves the endpoint that issues device codes.
local errors = require "sandbox.login.errors"
local form = require "sandbox.login.form"
local json = require "sandbox.json"
local sealed = require "sandbox.login.sealed"
local target_of = require "sandbox.login.target"

local LIFE = 900
local LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

local function user_code()
  local code = {}
  for at = 1, 9 do
    local letter = math.random(#LETTERS)
    code[at] = LETTERS:sub(letter, letter)
  end
  return table.concat(code)
end

--- Responds to a request for a device code.
return function(call)
  if form.is_refused(call) or form.play(call) then
    return
  end
  local target, code, how = target_of.read(call)
  if not target then
    return errors.refuse(call, code, how)
  end
  local shown, page = user_code(), call.url:gsub("devicecode$", "deviceauth")
  local function number(value)
    return call.version == 1 and ("%d"):format(value) or value
  end
  errors.send(call, 200, json.object({
    "user_code", shown,
    "device_code", sealed.seal("device code", {
      client_id = call.parameters.client_id, scope = call.parameters.scope,
      resource = call.parameters.resource, expires = ngx.time() + LIFE }),
    call.version == 1 and "verification_url" or "verification_uri", page,
    "expires_in", number(LIFE), "interval", number(call.settings.interval or 1),
    "message", ("To sign in, use a web browser to open the page %s and enter the code %s to "
      .. "authenticate."):format(page, shown) }, {}))
end
