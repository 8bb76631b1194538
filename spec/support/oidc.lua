--- Starts the OpenID provider of spec/oidc, and uses its pages as a user does.
local cjson = require "cjson"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local node_server = require "spec.support.node_server"

local M = {}

--- A public client whose id looks like one of Entra; `pub` is another one.
M.CLIENT = "0b8e6a1c-1111-4222-8333-944455556666"

--- The secret of the client `sec`.
M.SECRET = "a+b/c=d&e%25~f"

local Provider = {}
Provider.__index = Provider

--- Starts a provider. It stops when this process ends.
-- @tparam ?table settings `life` of an access token and `device_life` of a device code
--   (seconds), `mfa` false for tokens without it, `certificates` of jwt_ps and jwt_rs (files)
-- @treturn table `url` for signing in, `tenant`, and the methods below
function M.start(settings)
  local argument = settings and next(settings) and cjson.encode(settings) or "{}"
  local server, words = node_server.start("spec/oidc/provider.mjs", argument)
  return setmetatable({ server = server, url = words[1], tenant = "oidc.example" }, Provider)
end

--- A provider that another process has started; it can be used, but not stopped.
-- @tparam string url
-- @treturn table as of @{start}
function M.at(url)
  return setmetatable({ url = url, tenant = "oidc.example" }, Provider)
end

--- Stops the provider, if it still runs.
function Provider:stop()
  if self.server then
    node_server.stop(self.server)
  end
end

--- Returns the requests to its token endpoint, in order.
-- @treturn {table} each with `grant_type`, `client_id` and `result`: ok, or the error
function Provider:requests()
  return cjson.decode(curl.fetch({ url = self.url .. "/requests" }).body)
end

-- Fetches an address like a browser and follows redirects on the same server. Returns the last
-- response, or a table with `left`, the address of another server.
local function go(self, jar, url, fields)
  for _ = 1, 10 do
    local args = { "-b", jar, "-c", jar }
    for name, value in pairs(fields or {}) do
      args[#args + 1] = "--data-urlencode"
      args[#args + 1] = name .. "=" .. value
    end
    local response = curl.fetch { url = url, args = args }
    local location = response.headers.location
    if not location then
      return response
    end
    url, fields = location:find("^/") and self.url .. location or location, nil
    if url:sub(1, #self.url + 1) ~= self.url .. "/" then
      return { left = url }
    end
  end
  error("the OpenID provider redirects without end", 0)
end

local function form_of(response)
  local action = response.body and response.body:match('<form[^>]* action="([^"]+)"')
  return action, action and response.body:match('name="prompt" value="(%w+)"')
end

-- Signs in and consents as long as a page asks for it.
local function walk(self, jar, response)
  for _ = 1, 5 do
    local action, prompt = form_of(response)
    if not prompt then
      return response
    end
    local url = action:find("^/") and self.url .. action or action
    response = go(self, jar, url, { prompt = prompt, login = "user", password = "any" })
  end
  return response
end

local function with_jar(visit)
  local jar = files.temporary()
  local ok, result = pcall(visit, jar)
  os.remove(jar)
  return ok and result or error(result, 0)
end

-- Enters a code on the verification page and presses a button.
local function enter(self, uri, user_code, button)
  return with_jar(function(jar)
    local xsrf = go(self, jar, uri).body:match('name="xsrf" value="([^"]+)"')
    local response = go(self, jar, uri, { xsrf = xsrf, user_code = user_code, [button] = "yes" })
    return walk(self, jar, response)
  end)
end

--- Approves a sign-in by device code.
function Provider:approve(verification_uri, user_code)
  local page = enter(self, verification_uri, user_code, "confirm")
  assert(page.status == 200 and page.body:find("Sign-in Success", 1, true), page.body)
end

--- Declines a sign-in by device code.
function Provider:deny(verification_uri, user_code)
  local page = enter(self, verification_uri, user_code, "abort")
  assert(page.body:find("The Sign-in request was interrupted", 1, true), page.body)
end

--- Signs in at the authorization endpoint.
-- @tparam string url
-- @treturn string the redirect URI with its query
function Provider:authorize(url)
  return with_jar(function(jar)
    local response = walk(self, jar, go(self, jar, url))
    return response.left or error("the OpenID provider sends no redirect: " .. response.body, 0)
  end)
end

return M
