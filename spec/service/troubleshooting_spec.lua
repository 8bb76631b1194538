--- docs/troubleshooting.md: the command prints each message as the page quotes it, and the page has
-- each number below the kind of error that the number gets.
local files = require "spec.support.files"
local homes = require "spec.support.home"
local refusal = require "pcapi.auth.refusal"
local sandbox = require "spec.support.sandbox"

local PAGE = "docs/troubleshooting.md"

-- Heading and quoted message of each section that has one.
local sections = {}
for heading, text in files.slurp(PAGE):gmatch "\n##+ ([^\n]+)\n\n```text\n([^\n]+)\n```" do
  sections[#sections + 1] = { heading = heading, message = text }
end

local home

setup(function()
  home = homes.new()
  home:sign_in()
end)

teardown(function()
  home:remove()
end)

local function list_with(environment)
  return function()
    return home:run({ "--timeout", "2", "non-mfa" }, environment)
  end
end

local function list_with_token(claims, environment)
  return list_with(sandbox.merged({ PCAPI_TOKEN = sandbox.token(claims) }, environment))
end

local function list_at(name)
  return list_with_token({}, { PCAPI_BASE_URL = sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL") })
end

-- A folder for PCAPI_STORE with a file, both with these modes.
local function list_with_store(mode, text)
  return function()
    home:write("store/default.json", text)
    os.execute(("cd %s && chmod %s store && chmod 600 store/default.json"):format(home.path, mode))
    return home:run({ "non-mfa" }, { PCAPI_STORE = home.path .. "/store" })
  end
end

-- Whether a folder can be mounted read-only, for one command alone.
local can_mount = os.execute "unshare -rm true 2>/dev/null"
can_mount = can_mount == true or can_mount == 0 -- Lua 5.1 returns the status

-- The token has to be renewed.
local function list_with_read_only_store()
  home:login_by_browser "life=1"
  os.execute "sleep 1.1"
  local store = home.path .. "/.local/state/pcapi"
  return home:shell(("unshare -rm sh -c 'mount --bind %s %s && mount -o remount,ro,bind %s && "
    .. "pcapi non-mfa'"):format(store, store, store))
end

local PROVOKE = {
  ["900421: MFA is required"] = list_with_token { amr = { "pwd" } },
  ["403: which role the user needs"] = list_with_token { scenario = "forbidden" },
  ["401: the token has expired, or is for another service"] =
    list_with_token { aud = "https://graph.microsoft.com" },
  ["429: throttled, too many requests"] = list_with_token { scenario = "throttled-for-good" },
  ["404: not found"] = list_with_token { scenario = "status=404" },
  ["A response that is not JSON"] = list_with_token { scenario = "body=html" },
  ["The request timed out"] = list_with_token { scenario = "delay=9" },
  ["The response is larger than allowed"] = list_with_token({}, { PCAPI_MAX_BODY = "100" }),
  ["Unknown CA: a proxy decrypts TLS"] = list_at "UNTRUSTED",
  ["The certificate has expired or is not yet valid"] = list_at "EXPIRED",
  ["The certificate is for another host"] = list_at "OTHER_HOST",
  ["The CA file cannot be read"] = list_with_token({}, { PCAPI_CA_FILE = "/nonexistent" }),
  ["Clock"] = function()
    return home:run({ "doctor" }, { PCAPI_LOGIN_URL = homes.login_url "skew=600" })
  end,
  ["Proxy"] = list_with_token({}, { https_proxy = sandbox.env "PCAPI_SANDBOX_CLOSED_URL",
                                   no_proxy = "" }),
  ["The host name could not be resolved"] =
    list_with_token({}, { PCAPI_BASE_URL = "https://nowhere.invalid" }),
  ["Not signed in, although you signed in before"] = function()
    return home:run { "--profile", "other", "non-mfa" }
  end,
  ["The store is open to other users"] = list_with_store("755", "{}"),
  ["The stored sign-in cannot be read"] = list_with_store("700", "{"),
  ["The store is read-only"] = list_with_read_only_store,
  ["There is no home folder"] = list_with { HOME = false },
  ["A channel fails"] = function()
    home:write("config", "[notify ops]\ntype = webhook\n")
    return home:run({ "--config", home.path .. "/config", "watch", "--notify" },
      { PCAPI_TOKEN = sandbox.token(), PCAPI_NOTIFY_OPS_URL = sandbox.url .. "/nowhere" })
  end,
  ["A secret of a channel is missing"] = function()
    home:write("config", "[notify ops]\ntype = teams\n")
    return home:run { "--config", home.path .. "/config", "notify", "test", "ops" }
  end,
  ["module 'pcapi' not found"] = function()
    return home:shell("lua5.4 -e 'require \"pcapi\"'", { LUA_PATH = "./?.lua" })
  end,
}

local function provoke(heading)
  local number = heading:match "^AADSTS(%d+)"
  if not number then
    return assert(PROVOKE[heading], "teach this spec how to provoke: " .. heading)()
  end
  return home:login_by_browser("aadsts=" .. number, "--profile", "of" .. number)
end

-- A pattern for a quoted message: "…" is any text.
local function pattern_of(message)
  return (message:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("…", ".-"))
end

-- Numbers that a heading has in common.
local function numbers_in(text)
  local found = {}
  for number in text:gmatch "%f[%d]%d%d%d%d%d+%f[%D]" do
    found[#found + 1] = number
  end
  return found
end

local function kind_of(number)
  return (refusal.classify { code = "any", error_codes = { tonumber(number) } })
end

describe(PAGE, function()
  it("quotes messages", function()
    assert.is_true(#sections > 30, #sections .. " sections")
  end)

  for _, section in ipairs(sections) do
    local test = (can_mount or section.heading ~= "The store is read-only") and it or pending
    test("quotes what the command prints: " .. section.heading, function()
      local result = provoke(section.heading)
      assert.is_true(result.status ~= 0)
      local printed = result.err .. result.out
      assert.truthy(printed:find(pattern_of(section.message)),
        ("%s\n\nprinted:\n%s"):format(section.message, printed))
    end)
  end

  for heading in files.slurp(PAGE):gmatch "\n### (AADSTS%d[^\n]+)" do
    it("has one kind of error below the heading " .. heading, function()
      local text = files.slurp(PAGE)
      local from, to = text:find("### " .. heading, 1, true)
      local section = text:sub(from, (text:find("\n##", to, true)))
      local kind = section:match "pcapi: ([%l_]+): sign%-in"
      for _, number in ipairs(numbers_in(section)) do
        assert.equal(kind, kind_of(number), number)
      end
    end)
  end

  it("has each number in the table in the row of its kind", function()
    local count = 0
    for kind, numbers in files.slurp(PAGE):gmatch "\n| `([%l_]+)` | [^|]+ | ([^|]+) |" do
      for _, number in ipairs(numbers_in(numbers)) do
        assert.equal(kind, kind_of(number), number)
        count = count + 1
      end
    end
    assert.is_true(count > 70, count .. " numbers")
  end)
end)
