--- Writes records as JSON Lines: one object per line, as `pcapi.format.json` writes it.
-- @module pcapi.format.jsonl
local json_value = require "pcapi.format.json_value"
local writer = require "pcapi.format.writer"

return writer.format {
  kind = "jsonl",
  begin = json_value.begin,
  record = function(self, record)
    local message = json_value.put_record(self, record)
    writer.put(self, "\n")
    return message
  end,
}
