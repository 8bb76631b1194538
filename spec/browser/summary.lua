-- Writes a summary file: lua summary.lua, with JSON on standard input: `path`, `now`, and `runs` as
-- `spec.support.summaries` takes them; `exceptions` of a run is the text of their file.
local cjson = require "cjson"
local exceptions = require "pcapi.history.exceptions"
local folder = require "spec.support.folder"
local summaries = require "spec.support.summaries"

local given = cjson.decode(io.read "*a")
for _, run in ipairs(given.runs) do
  run.exceptions = run.exceptions and assert(exceptions.parse(run.exceptions, run.at))
end
summaries.write(given.path, given.runs, given.now)
folder.remove()
