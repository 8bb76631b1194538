--- Which tenants `--all-profiles` and `--tenants` mean, and the profile by which each of
-- them is asked.
-- @module pcapi.cli.tenant_list
local read_configuration = require("pcapi.settings.file").read
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local check = require "pcapi.check"
local profiles = require "pcapi.settings.profiles"
local visible = require("pcapi.text").visible

local M = {}

local LARGEST = 4 * 1024 * 1024 -- bytes of a list: a hundred thousand tenants

--- Takes a list of tenants apart: one a line; empty lines and comments (`#`) are nothing.
-- @tparam string text
-- @treturn[1] table array of texts, each once
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it
function M.parse(text)
  local read, why = input.lines(text)
  if not read then
    return nil, why
  end
  local lines, seen = {}, {}
  for line in read:gmatch "[^\n]+" do
    line = line:gsub("^#.*", ""):gsub("%s#.*", ""):match "^%s*(.-)%s*$"
    if line ~= "" and not seen[line] then
      seen[line] = true
      lines[#lines + 1] = line
    end
  end
  if #lines == 0 then
    return nil, "names no tenant"
  end
  return lines
end

-- The whole file; or nil, and what is wrong with it.
local function read(path)
  local file, why = io.stdin, nil
  if path ~= "-" then
    file, why = io.open(path, "rb")
  end
  local text
  if file then
    text, why = file:read(LARGEST + 1) -- nil also for an empty one
    if path ~= "-" then
      file:close()
    end
  end
  if not text and why then
    return nil, "cannot be read: " .. why:gsub("^.*: ", "")
  elseif text and #text > LARGEST then
    return nil, ("is larger than %d bytes, so it is no list of tenants"):format(LARGEST)
  end
  return M.parse(text or "")
end

local function lines_of(path)
  local lines, why = read(path)
  if not lines then
    exit.stop(exit.EXIT.usage, ("--tenants: %s %s"):format(
      path == "-" and "standard input" or visible(path), why))
  end
  return lines
end

-- One tenant for all of them is never meant, nor one client id for those that have theirs.
local function getenv(name)
  return name ~= "PCAPI_TENANT" and os.getenv(name) or nil
end

local function getenv_of_profile(name)
  return name ~= "PCAPI_CLIENT_ID" and getenv(name) or nil
end

-- A tenant as it is asked: what the arguments say of it alone wins over what they say.
local function tenant_of(chooser, name, own, env)
  own.label = name
  local has_profile = own.profile ~= nil
  local args = setmetatable(own, { __index = function(_, option)
    return not (has_profile and option == "client_id") and chooser.args[option] or nil
  end })
  local profile, err = connect.open(args, { getenv = env, file = chooser.file })
  return { name = name, args = args, profile = profile, err = err }
end

local function by_profile(chooser, profile, name)
  local tenant = tenant_of(chooser, name or profile, { profile = profile }, getenv_of_profile)
  if tenant.profile and not tenant.profile.settings.values.client_id then
    tenant = tenant_of(chooser, name or profile, { profile = profile }, getenv)
  end
  tenant.key = "profile " .. profile
  return tenant
end

-- Names of profiles by what their tenants are called, in lower case; and why that cannot
-- be told of one.
local function index_of(chooser)
  local names_of, trouble = {}, nil
  for _, name in ipairs(chooser.names) do
    local profile = by_profile(chooser, name).profile
    for _, tenant in ipairs(profile and profile:tenants() or {}) do
      local key = tenant:lower()
      names_of[key] = names_of[key] or {}
      table.insert(names_of[key], name)
    end
    if not trouble and (not profile or profile.store_error) then
      trouble = ("; that of profile %s cannot be told"):format(name)
    end
  end
  return names_of, trouble or ""
end

local function meant(chooser, name)
  local names = {}
  for _, profile in ipairs(chooser.names) do
    names[profile] = true
  end
  return check.suggest(name, names):match "^; did you mean .*" or ""
end

-- A tenant of no profile: a refresh token serves several, a kept sign-in does not.
local function other(chooser, name, trouble)
  local tenant = tenant_of(chooser, name, { tenant = name }, getenv)
  tenant.key = "tenant " .. name:lower()
  if tenant.profile and not tenant.profile.settings:value "refresh_token" then
    tenant.profile, tenant.err = nil, errors.new {
      kind = "sign_in_required",
      message = "no profile has this name or this tenant" .. meant(chooser, name) .. trouble,
      hint = "Run: pcapi login --profile NAME --tenant TENANT --client-id ID, or set "
        .. "PCAPI_REFRESH_TOKEN",
    }
  end
  return tenant
end

local function ambiguous(name, candidates)
  return { name = name, key = "tenant " .. name:lower(), err = errors.new {
    kind = "config", hint = "Put the name of one of them in the list in its place",
    message = "several profiles use this tenant: " .. table.concat(candidates, ", "),
  } }
end

local function listed(chooser)
  local is_profile, tenants = {}, {}
  local names_of, trouble
  for _, name in ipairs(chooser.names) do
    is_profile[name] = true
  end
  for i, line in ipairs(lines_of(chooser.args.tenants)) do
    if is_profile[line] then
      tenants[i] = by_profile(chooser, line)
    else
      if not names_of then
        names_of, trouble = index_of(chooser)
      end
      local names = names_of[line:lower()] or {}
      tenants[i] = #names == 0 and other(chooser, line, trouble)
        or #names == 1 and by_profile(chooser, names[1], line) or ambiguous(line, names)
    end
  end
  return tenants
end

local function all(chooser)
  local tenants = {}
  for i, name in ipairs(chooser.names) do
    tenants[i] = by_profile(chooser, name)
  end
  if #tenants == 0 then
    exit.fail(errors.new {
      kind = "sign_in_required", message = "there is no profile, so nobody is signed in",
      hint = "Run: pcapi login --profile NAME --tenant TENANT --client-id ID",
    })
  end
  return tenants
end

-- Each once, in an order that the file has no part in.
local function ordered(tenants)
  local once, seen = {}, {}
  for _, tenant in ipairs(tenants) do
    if not seen[tenant.key] then
      seen[tenant.key] = true
      once[#once + 1] = tenant
    end
  end
  table.sort(once, function(a, b)
    return a.name < b.name
  end)
  return once
end

--- Finds the tenants that the arguments mean. What is wrong with one of them is its own
-- matter; what is wrong with all of them ends the command.
-- @tparam table args
-- @treturn table array, sorted by name: `name` (as the list has it), `args` (its own),
-- and `profile`, or `err` that says why there is none
function M.choose(args)
  local file, err = read_configuration { getenv = getenv, path = args.config_file }
  local names
  if file then
    names, err = profiles.names { getenv = getenv, file = file }
  end
  if not names then
    exit.fail(err)
  end
  local chooser = { args = args, file = file, names = names }
  return ordered(args.tenants and listed(chooser) or all(chooser))
end

return M
