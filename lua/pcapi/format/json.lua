--- Writes records as one JSON array (RFC 8259), one record per line.
--
-- `pcapi.format` describes the options, null and the escapes.
-- @module pcapi.format.json
local json_value = require "pcapi.format.json_value"
local writer = require "pcapi.format.writer"

local put = writer.put

local M = writer.format {
  kind = "json",
  begin = function(self)
    json_value.begin(self)
    put(self, "[")
  end,
  record = function(self, record)
    put(self, self.count > 1 and ",\n  " or "\n  ")
    return json_value.put_record(self, record)
  end,
  finish = function(self)
    put(self, self.count > 0 and "\n]\n" or "]\n")
  end,
}

M.compact = json_value.compact

return M
