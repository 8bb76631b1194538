--- Serves the authorization endpoint, which approves every sign-in without a page.
local errors = require "sandbox.login.errors"
local guid = require "sandbox.guid"
local sealed = require "sandbox.login.sealed"
local target_of = require "sandbox.login.target"

local LIFE = 600 -- seconds that a code is valid
local PAGE = "<html><head><title>Sign in to your account</title></head><body>%s</body></html>\n"

local function is_loopback(uri)
  local host = uri:match("^http://([^/:?#]+)")
  return (host == "localhost" or host == "127.0.0.1") and not uri:find("#", 1, true)
end

-- Some errors are shown on a page, as there is no valid address to redirect the browser to.
local function refuse_on_page(call)
  local parameters = call.parameters
  local code, words
  if call.method ~= "GET" then
    code, words = 900561, { verb = "GET" }
  elseif call.twice then
    code, words = 9000411, { name = call.twice }
  elseif not parameters.client_id then
    code, words = 900144, { name = "client_id" }
  elseif not parameters.redirect_uri or not is_loopback(parameters.redirect_uri) then
    code = 50011
  end
  if code then
    local _, text = errors.describe(call, code, words)
    errors.send(call, 400, PAGE:format((text:gsub("[<&]", { ["<"] = "&lt;", ["&"] = "&amp;" }))),
                "text/html")
  end
  return code ~= nil
end

-- The error that the redirect contains in place of a code, or nil.
local function fault_of(call)
  local parameters = call.parameters
  if parameters.response_type ~= "code" then
    return 700054, { name = parameters.response_type or "" }
  elseif (parameters.response_mode or "query") ~= "query" then
    return 70007, { name = parameters.response_mode }
  elseif call.version == 2 and parameters.resource then
    return 901002
  elseif parameters.code_challenge
    and (parameters.code_challenge_method ~= "S256" or #parameters.code_challenge ~= 43) then
    return 50147
  end
  if call.version == 2 then -- version 1 may leave the resource to the token request
    local _, code, how = target_of.read(call)
    if code then
      return code, how and how.words
    end
  end
  return call.settings.deny and 65004 or nil
end

local function redirect(call, arguments)
  local uri = call.parameters.redirect_uri
  if uri:find("^http://[^/?]+$") then -- Entra adds the missing path
    uri = uri .. "/"
  end
  arguments.state = call.parameters.state
  ngx.status = 302
  ngx.header.location = uri .. (uri:find("?", 1, true) and "&" or "?")
    .. ngx.encode_args(arguments)
  ngx.header.content_length = 0
end

--- Redirects the browser back to the client.
return function(call)
  if refuse_on_page(call) then
    return
  end
  local parameters = call.parameters
  local code, words = fault_of(call)
  if code then
    local name, description = errors.describe(call, code, words)
    return redirect(call, { error = name, error_description = description })
  end
  redirect(call, { session_state = guid.make(), code = sealed.seal("code", {
    client_id = parameters.client_id, redirect_uri = parameters.redirect_uri,
    challenge = parameters.code_challenge, scope = parameters.scope,
    resource = parameters.resource, expires = ngx.time() + LIFE }) })
end
