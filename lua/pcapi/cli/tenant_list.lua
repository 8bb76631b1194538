--- Finds the tenants for `--all-profiles` and `--tenants`, and the profile of each.
-- @module pcapi.cli.tenant_list
local check = require "pcapi.check"
local connect = require "pcapi.cli.connect"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local input = require "pcapi.input"
local is_tenant = require("pcapi.cli.options").is_tenant
local profiles = require "pcapi.settings.profiles"
local read_configuration = require("pcapi.settings.config_file").read
local visible = require("pcapi.text").visible

local M = {}

local LARGEST = 4 * 1024 * 1024 -- bytes of a list: a hundred thousand tenants

--- Parses a list of tenants, one per line. Blank lines and comments (`#`) are ignored.
-- @tparam string text
-- @treturn[1] table array of `name` and `line` (its number), without duplicates
-- @treturn[2] nil
-- @treturn[2] string why it is not a list, without a subject
function M.parse(text)
  local read, why = input.lines(text)
  if not read then
    return nil, why
  end
  local found, seen, number = {}, {}, 0
  for line in (read .. "\n"):gmatch "(.-)\n" do
    local name = line:gsub("^#.*", ""):gsub("%s#.*", ""):match "^%s*(.-)%s*$"
    number = number + 1
    if name ~= "" and not seen[name] then
      seen[name] = true
      found[#found + 1] = { name = name, line = number }
    end
  end
  if #found == 0 then
    return nil, "names no tenant"
  end
  return found
end

-- The tenants in a file; or nil and a message without a subject.
local function read(path)
  local file, why = io.stdin, nil
  if path ~= "-" then
    file, why = io.open(path, "rb")
  end
  local text
  if file then
    text, why = file:read(LARGEST + 1) -- nil also for an empty file
    if path ~= "-" then
      file:close()
    end
  end
  if not text and why then
    return nil, "cannot be read: " .. why:gsub("^.*: ", "")
  elseif text and #text > LARGEST then
    return nil, ("is larger than %d bytes, too large for a list of tenants"):format(LARGEST)
  end
  return M.parse(text or "")
end

local function entries_of(path)
  local entries, why = read(path)
  if not entries then
    exit.stop(exit.EXIT.usage, ("--tenants: %s %s"):format(
      path == "-" and "standard input" or visible(path), why))
  end
  return entries
end

-- PCAPI_TENANT names one tenant, so it does not count for several. PCAPI_CLIENT_ID counts only
-- for a profile without a client id.
local function getenv(name)
  return name ~= "PCAPI_TENANT" and os.getenv(name) or nil
end

local function getenv_of_profile(name)
  return name ~= "PCAPI_CLIENT_ID" and getenv(name) or nil
end

-- A tenant with arguments of its own, which override those of the command.
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

-- The names of profiles by the names of their tenants, in lower case; and a remark on a profile
-- whose tenant is unknown.
local function index_of(chooser)
  local names_of, remark = {}, nil
  for _, name in ipairs(chooser.names) do
    local profile = by_profile(chooser, name).profile
    for _, tenant in ipairs(profile and profile:tenants() or {}) do
      local key = tenant:lower()
      names_of[key] = names_of[key] or {}
      table.insert(names_of[key], name)
    end
    if not remark and (not profile or profile.store_error) then
      remark = ("; the tenant of profile %s is unknown"):format(name)
    end
  end
  return names_of, remark or ""
end

local function suggestion(chooser, name)
  local names = {}
  for _, profile in ipairs(chooser.names) do
    names[profile] = true
  end
  return check.near(name, names)
end

-- A tenant without a profile. A refresh token can serve several tenants, a stored sign-in cannot.
local function without_profile(chooser, entry, remark)
  local name, near = entry.name, suggestion(chooser, entry.name)
  local tenant = tenant_of(chooser, name, { tenant = name }, getenv)
  tenant.key = "tenant " .. name:lower()
  if not is_tenant(name) then
    tenant.profile, tenant.err = nil, errors.new {
      kind = "config", hint = "Correct the list: one profile, or one ID or domain, per line",
      message = ("line %d is neither a profile nor the ID or domain of a tenant%s"):format(
        entry.line, near),
    }
  elseif tenant.profile and not tenant.profile.settings:value "refresh_token" then
    tenant.profile, tenant.err = nil, errors.new {
      kind = "sign_in_required",
      message = ("no profile has this name or tenant (line %d)%s%s"):format(entry.line, near,
        remark),
      hint = "Run: pcapi login --profile NAME --tenant TENANT --client-id ID, or set "
        .. "PCAPI_REFRESH_TOKEN",
    }
  end
  return tenant
end

local function ambiguous(entry, candidates)
  return { name = entry.name, key = "tenant " .. entry.name:lower(), err = errors.new {
    kind = "config", hint = "Replace it in the list with the name of one profile",
    message = ("several profiles use this tenant (line %d): %s"):format(entry.line,
      table.concat(candidates, ", ")),
  } }
end

local function listed(chooser)
  local is_profile, tenants = {}, {}
  local names_of, remark
  for _, name in ipairs(chooser.names) do
    is_profile[name] = true
  end
  for i, entry in ipairs(entries_of(chooser.args.tenants)) do
    if is_profile[entry.name] then
      tenants[i] = by_profile(chooser, entry.name)
    else
      if not names_of then
        names_of, remark = index_of(chooser)
      end
      local names = names_of[entry.name:lower()] or {}
      tenants[i] = #names == 0 and without_profile(chooser, entry, remark)
        or #names == 1 and by_profile(chooser, names[1], entry.name) or ambiguous(entry, names)
    end
  end
  return tenants
end

local function all(chooser)
  local tenants = {}
  for i, name in ipairs(chooser.names) do
    tenants[i] = by_profile(chooser, name)
  end
  return tenants
end

-- Without duplicates, and in the same order whatever the order of the list.
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

local function new_chooser(args)
  local file, err = read_configuration { getenv = getenv, path = args.config_file }
  local names
  if file then
    names, err = profiles.names { getenv = getenv, file = file }
  end
  if not names then
    exit.fail(err)
  end
  return { args = args, file = file, names = names }
end

--- All profiles: those of the configuration file, and those with a stored sign-in. An error that
-- affects all of them ends the command.
-- @tparam table args
-- @treturn table array as of @{choose}; empty if there is no profile
function M.profiles(args)
  return ordered(all(new_chooser(args)))
end

--- Finds the tenants that the arguments select. An error that affects all of them ends the
-- command.
-- @tparam table args
-- @treturn table array, sorted by name: `name` (from the list), `args` (the tenant's own), and
-- `profile`, or `err` if it cannot be used
function M.choose(args)
  if args.tenants then
    return ordered(listed(new_chooser(args)))
  end
  local tenants = M.profiles(args)
  if #tenants == 0 then
    exit.fail(errors.new {
      kind = "sign_in_required", message = "no profile exists, so no user is signed in",
      hint = "Run: pcapi login --profile NAME --tenant TENANT --client-id ID",
    })
  end
  return tenants
end

return M
