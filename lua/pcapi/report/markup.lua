--- Makes texts safe in HTML and XML, and writes tables. Pure.
-- @module pcapi.report.markup
local text = require "pcapi.text"
local time = require "pcapi.time"

local M = {}

local ESCAPED = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
                  ["'"] = "&#39;" }

--- Makes a text safe. Control and invisible characters, such as those that turn the direction of
-- writing, become visible; a text that is too long is cut.
-- @tparam ?string value any bytes
-- @tparam number room columns
-- @treturn string
function M.text(value, room)
  if not value then
    return ""
  end
  if #value > 4 * room then -- long texts take time
    value = value:sub(1, 4 * room):gsub("[\192-\255][\128-\191]*$", "") .. "…" -- no half character
  end
  value = text.visible(value)
  if #value > room and text.width(value) > room then
    value = text.cut(value, room)
  end
  return (value:gsub("[&<>\"']", ESCAPED))
end

--- Writes a number with commas, such as 3,484.
-- @tparam ?number value
-- @treturn string
function M.number(value)
  if not value then
    return "–"
  end
  local digits = ("%.0f"):format(value)
  return (digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

--- Writes a day, such as 2026-11-28.
-- @tparam ?number epoch UTC
-- @treturn string
function M.day(epoch)
  return epoch and time.format_date(epoch) or "–"
end

--- Writes a time without its seconds, such as 2026-11-28 06:00.
-- @tparam ?number epoch UTC
-- @treturn string
function M.time(epoch)
  return epoch and time.format(epoch):sub(1, 16):gsub("T", " ") or "–"
end

--- Writes a count with its noun.
-- @tparam number count
-- @tparam string one such as `user`
-- @tparam[opt] string many default: one with an s
-- @treturn string such as `1 user`
function M.count(count, one, many)
  return M.number(count) .. " " .. (count == 1 and one or many or one .. "s")
end

--- Writes a table. Cells are markup. The first cell of a row is its heading.
-- @tparam table out array of pieces, which grows
-- @tparam string caption
-- @tparam table columns array of tables: the title in the array part, and `is_number`
-- @tparam function next_row returns an array of cells, or nil
-- @treturn number how many rows were written
function M.table(out, caption, columns, next_row)
  out[#out + 1] = '<table>\n<caption>' .. caption .. '</caption>\n<thead><tr>'
  for _, column in ipairs(columns) do
    out[#out + 1] = ('<th scope="col"%s>%s</th>'):format(column.is_number and ' class="n"' or "",
      column[1])
  end
  out[#out + 1] = "</tr></thead>\n<tbody>\n"
  local count = 0
  for row in next_row do
    local cells = { '<tr><th scope="row">', row[1], "</th>" }
    for i = 2, #columns do
      cells[#cells + 1] = columns[i].is_number and '<td class="n">' or "<td>"
      cells[#cells + 1] = row[i]
      cells[#cells + 1] = "</td>"
    end
    cells[#cells + 1] = "</tr>\n"
    out[#out + 1] = table.concat(cells)
    count = count + 1
  end
  out[#out + 1] = "</tbody>\n</table>\n"
  return count
end

--- Makes an iterator of rows from an array.
-- @tparam table list
-- @tparam function row_of takes an element
-- @treturn function
function M.rows(list, row_of)
  local at = 0
  return function()
    at = at + 1
    return list[at] and row_of(list[at])
  end
end

return M
