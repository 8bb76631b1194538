--- Stores tokens in files, one per account: mode 0600 in a folder of mode 0700. Looser modes,
-- symbolic links and files of other users are rejected. A file is replaced completely or not
-- at all. Processes lock one another out with flock(2), which the kernel releases when a
-- process is killed.
--
-- For its functions see `pcapi.auth.store.memory`. `names` omits accounts whose names are so
-- long that the names of their files end in a hash (200 bytes, percent-encoded).
-- @module pcapi.auth.store.file
local core = require "pcapi.core"
local errors = require "pcapi.error"
local url = require "pcapi.url"

local M = {}

local File = {}
File.__index = File
File.__name = "pcapi.auth.store.file"

--- The folder of the tokens: `$XDG_STATE_HOME/pcapi`, or `~/.local/state/pcapi`. Tokens are
-- state by the XDG Base Directory Specification: made by the program, and not worth copying
-- to another machine.
-- @tparam function getenv as os.getenv
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string no home directory is known
function M.directory(getenv)
  local state, home = getenv "XDG_STATE_HOME", getenv "HOME"
  if state and state:find "^/" then -- a relative path is to be ignored, as XDG demands
    return state .. "/pcapi"
  elseif home and home:find "^/" then
    return home .. "/.local/state/pcapi"
  end
  return nil, "there is no HOME, so no folder for tokens; set HOME, XDG_STATE_HOME or "
    .. "PCAPI_STORE, or give a folder"
end

-- Makes an error of what a function of the core returned.
local function checked(value, why, remedy)
  if value == nil and why then
    return errors.fail { kind = "store", message = "the token store: " .. why, hint = remedy,
                         cause = why }
  end
  return value
end

-- A call that failed after more than SLOW seconds was to a share whose server is away, and the next
-- ones would wait as long. So they fail at once, for REST seconds.
local SLOW, REST = 5, 60

-- Of each folder whose last call was slow: `ends`, and what the call returned.
local lost = {}

-- Calls a function of the core with the folder. Returns its value, or nil and an error.
local function call(self, act, ...)
  local began, last = core.now(), lost[self.directory]
  if last and began < last.ends then
    return checked(nil, last.why, last.remedy)
  end
  local value, why, remedy = act(self.directory, ...)
  local ended = core.now()
  lost[self.directory] = value == nil and why and ended - began > SLOW
    and { ends = ended + REST, why = why, remedy = remedy } or nil
  return checked(value, why, remedy)
end

--- Makes a store. Nothing is read or written yet; the folder is made when needed.
-- @tparam string directory
-- @treturn table a store
function M.new(directory)
  return setmetatable({ directory = directory }, File)
end

local LONGEST = 200 -- bytes; file systems take 255, and a lock's name is longer

-- Any text can name an account. The name of the file must neither leave the folder nor equal
-- that of a lock, which begins with a dot. A long name ends in its hash, after characters that
-- no escaped name has.
local function name_of(account)
  local name = url.escape(account)
  if #name > LONGEST then
    name = name:sub(1, LONGEST / 2) .. "%~" .. core.base64url(core.sha256(account))
  end
  return name .. ".json"
end

-- The account of a file's name; nil for any other file, and for a name that ends in a hash.
local function account_of(name)
  local account = name:gsub("%.json$", ""):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  return name_of(account) == name and account or nil
end

--- The path of an account's file.
-- @tparam string account
-- @treturn string
function File:path(account)
  return self.directory .. "/" .. name_of(account)
end

function File:get(account)
  return call(self, core.file_read, name_of(account))
end

local LARGEST = 1024 * 1024 -- bytes that file_replace takes

function File:set(account, text)
  if text == nil then
    return call(self, core.file_remove, name_of(account))
  elseif #text > LARGEST then
    return checked(nil, "the tokens are too long for " .. self:path(account),
      "Sign in again, for fewer services")
  end
  return call(self, core.file_replace, name_of(account), text)
end

function File:names()
  local files, err = call(self, core.file_list)
  if not files then
    return nil, err
  end
  local accounts = {}
  for _, name in ipairs(files) do
    accounts[#accounts + 1] = account_of(name)
  end
  return accounts
end

function File:lock(account)
  local lock, err = call(self, core.file_lock, name_of(account))
  if not lock then
    return nil, err
  end
  return function()
    lock:release()
  end
end

function File:__tostring()
  return self.directory
end

return M
