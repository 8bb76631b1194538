--- Writes records as CSV, JSON, JSON Lines, a table, or in a format of your own.
--
--     local csv = pcapi.format.get "csv"
--     io.write(csv.encode(users, { columns = { "upn", "objectId" } }))
--
-- A writer writes rows as they come, here those of many tenants into one file:
--
--     local file = assert(io.open("users.csv", "wb"))
--     local writer = csv.open(function(text)
--       return file:write(text)
--     end, { columns = { "tenant", "upn" } })
--     pcapi.each_tenant(names, function(client, name)
--       local users = assert(client.security:non_mfa_principals())
--       for _, user in ipairs(users) do
--         user.tenant = name
--       end
--       return writer:rows(users)
--     end)
--     assert(writer:close())
--
-- A writer calls that function with pieces of text: at most about 64 KiB, or one row that is
-- longer. No row is split between two pieces. So many records need little memory for their text.
--
-- **csv** is CSV by RFC 4180: a header row, commas, lines that end with CRLF, no byte order mark.
-- It is safe to open in a spreadsheet: a text that would be read as a formula begins with `'`,
-- also if blanks precede the formula (OWASP, CSV injection). Numbers are written as they are.
-- TAB, LF and CR stay as they are, in quotes.
--
-- **json** is one array, one record per line; **jsonl** is JSON Lines, one record per line. Both
-- write every field of a record: first those of `columns`, in their order, then the others,
-- sorted by name. A nested table is an array if its keys are 1 to n, else an object. Numbers
-- read back as the same number.
--
-- **table** aligns columns for people at a terminal: numbers to the right, all else to the left.
-- It writes nothing if there are no records.
--
-- A missing value, null, NaN or an infinity is an empty cell in csv and `-` in a table; in JSON a
-- missing field is left out and the others are `null`. Booleans are `true` and `false`, in a
-- table `yes` and `no`. A nested table in a cell is compact JSON.
--
-- No output can move a terminal's cursor or hide text. Control characters, invisible characters
-- and bytes that are not UTF-8 are written as `\x1b`, `\u{202e}` and `\xff`; in JSON as `\u001b`,
-- `\u202e` and U+FFFD. Joiners that belong to a name stay (`pcapi.text`).
-- @module pcapi.format
local M = {}

local formats, names = {}, { "table", "json", "jsonl", "csv" }

--- A format. `register` takes one, `get` returns one.
-- @table format
-- @field encode function of a list and options; returns the whole text. It raises for wrong
-- options, and for values that are not data, such as functions or a table that contains itself
-- @field open function of a function `write` and options; returns a writer, which has two
-- methods. `writer:rows(list)` writes records and may be called often; `writer:close()` writes
-- what must follow them. Both return true, or nil and the error of `write`; they raise as
-- `encode` does. `write` takes a text and returns a true value, or nil and an error
-- @field needs_all true if the writer writes nothing before `close`, because it needs all
-- records
-- @field selects true if the format has the options `only_columns` and `shown`; to any other, the
-- command passes records that are changed accordingly
-- @field for_people true if the command passes it readable values and the width of the terminal,
-- and reports the number of records

--- Options of `encode` and `open`. A format ignores the options that it does not have.
-- @table options
-- @field columns array of field names: the columns of csv and table, which need it; in JSON the
-- fields that come first. They are fixed when a writer is opened
-- @field only_columns json, jsonl: true leaves out the fields that `columns` does not name
-- @field empty_array json, jsonl: true writes an empty nested table as `[]`, not as `{}`
-- @field titles table: maps a field to its title, if that is not the field's name
-- @field width table: terminal columns. Lines are made to fit by the steps of `narrow`, then by
-- cutting titles, then by cutting the widest column, with an ellipsis. Text keeps at least 4
-- columns, a number all its digits. Without it nothing is cut
-- @field narrow table: array of steps, each a field and a number of columns. The first step is done
-- first, and no step more than needed: the column of the field is cut until the lines fit, but not
-- below that number (two more with `ascii`); with 0 it is left out. So
-- `{ { "objectId", 9 }, { "objectId", 0 } }` keeps the other columns whole while the ids can be cut
-- @field ascii table: true marks cuts by three dots, for a terminal that does not show UTF-8
-- @field shown table: maps a field to a function of its value, which returns what is shown in its
-- place; nil or false: the value itself
-- @field color table: true makes the header bold, and colours cells by their `state`
-- @field state table: maps a field to a function of its value (as `shown` returns it) and the
-- record, which returns `"bad"` (red), `"warning"` (yellow), `"good"` (green) or nil

local function is_known(name)
  for _, known in ipairs(names) do
    if known == name then
      return true
    end
  end
  return false
end

--- The names of the formats.
-- @treturn {string,...} the built-in ones first, then the registered ones
function M.names()
  local list = {}
  for i, name in ipairs(names) do
    list[i] = name
  end
  return list
end

--- Finds a format.
-- @tparam string name
-- @treturn[1] table the format
-- @treturn[2] nil
-- @treturn[2] string the message, with the names of the formats there are
function M.get(name)
  if not is_known(name) then
    return nil, ("there is no format '%s'; there are: %s"):format(tostring(name),
      table.concat(names, ", "))
  end
  formats[name] = formats[name] or require("pcapi.format." .. name)
  return formats[name]
end

-- Both functions of a format, where one of them can stand for the other.

local function encode_by(open)
  return function(list, options)
    local texts = {}
    local writer = open(function(text)
      texts[#texts + 1] = text
      return true
    end, options)
    assert(writer:rows(list))
    assert(writer:close())
    return table.concat(texts)
  end
end

local function open_by(encode)
  return function(write, options)
    local all, writer = {}, {}
    function writer.rows(_, list)
      for _, record in ipairs(list) do
        all[#all + 1] = record
      end
      return true
    end
    function writer.close()
      return write(encode(all, options))
    end
    return writer
  end
end

--- Adds a format. In the same process, the command accepts it as an output format, too.
-- @usage pcapi.format.register("count", {
--   encode = function(list) return #list .. "\n" end,
-- })
-- @tparam string name lower-case letters, digits, `_` and `-`
-- @tparam table format with `encode`, `open` or both. If `encode` is missing, `open` is used for
-- it; if `open` is missing, its writer collects all records for `encode`
-- @raise if the name is taken or not allowed, and if the format has neither function
function M.register(name, format)
  if type(name) ~= "string" or not name:find "^%l[%l%d_-]*$" then
    error("format.register takes a name of lower-case letters, digits, _ and -", 2)
  elseif is_known(name) then
    error(("format.register: there is a format '%s' already"):format(name), 2)
  elseif type(format) ~= "table"
    or type(format.encode) ~= "function" and type(format.open) ~= "function" then
    error(("format.register: the format '%s' needs a function encode or open"):format(name), 2)
  end
  names[#names + 1] = name
  formats[name] = {
    encode = format.encode or encode_by(format.open),
    open = format.open or open_by(format.encode),
    needs_all = format.needs_all or not format.open,
    selects = format.selects,
    for_people = format.for_people,
  }
end

return M
