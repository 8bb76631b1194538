--- Records as JSON lines: one object a line, for tools that read as they go.
--
-- Each line is what `pcapi.format.json` writes for the record.
-- @module pcapi.format.jsonl

local json = require("pcapi.format.json")

local jsonl = {}

--- Writes records as JSON lines; nothing for none.
-- @tparam table list the records: the array part, whatever else the table has
-- @tparam[opt] table options
-- @tparam[opt] {string,...} options.columns the fields that come first, in this
--   order; the others follow sorted
-- @tparam[opt=false] boolean options.empty_array writes an empty nested table as
--   `[]` instead of `{}`
-- @treturn string the whole output, each line with its end
-- @raise as `pcapi.format.json.encode`
function jsonl.encode(list, options)
  local records, message = json.join(list, options, "\n")
  if not records then
    error(message, 2)
  end
  return records == "" and "" or records .. "\n"
end

return jsonl
