--- Resolves settings for specs from a configuration file, flags and environment variables.
local assert = require "luassert"
local errors = require "pcapi.error"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local resolve = require "pcapi.settings.resolve"

local M = {}

--- Makes an os.getenv for an environment with these variables only.
-- @tparam ?table variables
-- @treturn function
function M.env(variables)
  return function(name)
    return (variables or {})[name]
  end
end

--- Resolves the settings of a profile.
-- @tparam ?string text of a configuration file, which is written
-- @tparam ?table how `flags`, `profile`, `env` (variables)
-- @return as `pcapi.settings.resolve`
function M.resolve(text, how)
  how = how or {}
  return resolve.resolve {
    path = text and folder.write(folder.new() .. "/config", text), flags = how.flags,
    profile = how.profile, getenv = M.env(how.env),
  }
end

--- Returns the error of resolving settings.
-- @tparam ?string text
-- @tparam ?table how as for @{resolve}
-- @treturn pcapi.error
function M.error_of(text, how)
  local settings, err = M.resolve(text, how)
  assert.is_nil(settings)
  assert.is_true(errors.is(err))
  assert.equal("config", err.kind)
  assert.is_false(holds(err, "SECRET"))
  return err
end

return M
