--- The types of channels, one module each.
--
-- A module returns a table:
--
-- - `settings`: array of settings, each a table of `name`, `about`, `is_secret`, `is_required`,
--   `is_path`, `default`, and `check`, a function that takes the text and returns the value, or nil
--   and what is wrong;
-- - `is_complete`: the channel gets all rows, in several digests if there are many;
-- - `messages`: function of a digest (see `pcapi.notify.digest`) and the values of the settings;
--   returns an array of messages, each with an `id`, the same at each try. Pure;
-- - `deliver`: function of a message, the values of the settings, and a context: `fetch` (sends a
--   request, see `pcapi.notify.post`), `run` (see `pcapi.cli.notify_context`), `now` and `sleep`.
--   Returns true, or nil and a `pcapi.error`, which may have `retry_after` (seconds), `is_final`
--   (the same message will be refused again) and `stops_channel` (no message will be accepted any
--   more).
-- @module pcapi.notify.channels
local M = {}

--- All types.
M.names = { "mail", "teams", "slack", "webhook", "pagerduty", "jsonl" }

-- Types whose module has another name: `jsonl` would be taken for the format.
local MODULE = { jsonl = "lines_file" }

--- Loads a type.
-- @tparam string name
-- @treturn ?table nil if there is none of that name
function M.load(name)
  for _, each in ipairs(M.names) do
    if each == name then
      return require("pcapi.notify.channels." .. (MODULE[name] or name))
    end
  end
end

return M
