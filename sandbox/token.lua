--- Makes and reads the sandbox's access tokens: JWTs without a valid signature. Print one by:
--
--     lua5.4 sandbox/token.lua scenario=throttled amr=pwd exp=+60
--
-- Runs on Lua 5.1 to 5.4, on LuaJIT and in nginx.
local cjson = require "cjson"

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local SIGNATURE = "sandbox"

--- The tenant of the default token.
M.TENANT = "9d9f3c52-5a64-4b2c-8c35-0e6d2f1b7a10"

-- 5.1 has no bit operators and LuaJIT no integers, hence the arithmetic.
local function base64url(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 1, c and 4 or b and 3 or 2 do
      local digit = math.floor(n / 64 ^ (4 - place)) % 64
      out[#out + 1] = ALPHABET:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(out)
end

local function unbase64url(text)
  local out, n, digits = {}, 0, 0
  for char in text:gmatch(".") do
    local digit = ALPHABET:find(char, 1, true)
    if not digit then
      return nil
    end
    n, digits = n * 64 + digit - 1, digits + 1
    if digits == 4 then
      out[#out + 1] = string.char(math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
      n, digits = 0, 0
    end
  end
  if digits == 2 then
    out[#out + 1] = string.char(math.floor(n / 16))
  elseif digits == 3 then
    out[#out + 1] = string.char(math.floor(n / 1024), math.floor(n / 4) % 256)
  end
  return digits ~= 1 and table.concat(out) or nil
end

-- Makes each token unique, without use of math.random, whose seed may be the same.
local function unique()
  local source = assert(io.open("/dev/urandom", "rb"))
  local bytes = source:read(16)
  source:close()
  return base64url(bytes)
end

local function default_claims()
  local now = os.time()
  return {
    aud = "https://api.partnercenter.microsoft.com",
    iss = "https://sts.windows.net/" .. M.TENANT .. "/",
    iat = now, nbf = now, exp = now + 3600,
    amr = { "pwd", "mfa" },
    appid = "2f6c1a7e-41d3-4f0e-9b0a-6d5f3f0c9e21", appidacr = "0",
    oid = "b1d8f5a4-7c0e-4a55-93a6-1f2e7d6c5b40",
    scp = "user_impersonation",
    tid = M.TENANT, uti = unique(),
    upn = "admin@fabrikam.example", unique_name = "admin@fabrikam.example",
    ver = "1.0",
  }
end

--- Makes a token.
-- @tparam ?table claims override the defaults; false removes a claim
-- @treturn string
function M.mint(claims)
  local all = default_claims()
  for name, value in pairs(claims or {}) do
    all[name] = value or nil
  end
  return table.concat({ base64url('{"typ":"JWT","alg":"RS256","kid":"sandbox"}'),
                        base64url(cjson.encode(all)), SIGNATURE }, ".")
end

--- Reads a token.
-- @tparam string token
-- @treturn[1] table claims
-- @treturn[2] nil not a token of this sandbox
function M.read(token)
  local payload = token:match("^[%w_-]+%.([%w_-]+)%." .. SIGNATURE .. "$")
  local text = payload and unbase64url(payload)
  local ok, claims = pcall(cjson.decode, text)
  return ok and type(claims) == "table" and claims or nil
end

local LISTS = { amr = true, roles = true }
local TIMES = { exp = true, nbf = true, iat = true }

local function claim(argument)
  local name, value = argument:match("^([%w_]+)=(.*)$")
  if not name then
    error("token.lua: not a claim: " .. argument .. " (name=value, or name=false to leave out)", 0)
  elseif value == "false" then
    return name, false
  elseif LISTS[name] then
    local list = {}
    for item in value:gmatch("[^,]+") do
      list[#list + 1] = item
    end
    return name, list
  elseif TIMES[name] and tonumber(value) then
    return name, tonumber(value) + (value:find("^[+-]") and os.time() or 0)
  end
  return name, value
end

--- Makes a token from claims on a command line.
-- @tparam table arguments name=value each. `false` removes a claim. amr and roles are lists with
--   commas. In exp, nbf and iat, +60 and -60 are seconds from now.
function M.mint_from(arguments)
  local claims = {}
  for _, argument in ipairs(arguments) do
    local name, value = claim(argument)
    claims[name] = value
  end
  return M.mint(claims)
end

-- `require` passes the name of the module, the shell an argument or nothing
if arg and arg[0] and arg[0]:find("token%.lua$") and ... ~= "sandbox.token" then
  print(M.mint_from(arg))
end

return M
