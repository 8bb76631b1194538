--- Writes a digest as the HTML part of a mail: tables with inline styles, for programs that know
-- little of HTML, such as Outlook. It loads nothing. Pure.
--
--     local words = require "pcapi.notify.words"
--     local text = mail.html(digest, words, { link = "https://example.com/report.html" })
--
-- `pcapi.notify` describes a digest, and has the words, so that all channels say the same.
-- @module pcapi.report.mail
local markup = require "pcapi.report.markup"

local M = {}

--- How many bytes it has at most. Mail programs cut what is longer than about 102 KB.
M.MOST_BYTES = 96 * 1000

--- How many users it shows at most, if nothing else is said.
M.MOST_ROWS = 200

local LONGEST, LONGEST_LINK = 400, 2000 -- columns of a text, of an address
local FONT = "font-family:Arial,Helvetica,sans-serif;"
local TEXT, SOFT = FONT .. "font-size:14px;line-height:20px;color:#1b1f24;",
  FONT .. "font-size:12px;line-height:18px;color:#57606a;"

-- The colour of the bar beside a user. The words beside it say the same.
local COLOURS = { new = "#b42318", back = "#b42318", again = "#b42318", ended = "#b42318",
                  open = "#b42318", healing = "#1a7f37", fixed = "#1a7f37", quiet = "#b25e02",
                  lost = "#b25e02" }
local OTHER = "#57606a"

local START = [[
<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
</head>
<body style="margin:0;padding:0" bgcolor="#ffffff">
{table}
<tr><td align="center">
<table role="presentation" width="640" cellpadding="0" cellspacing="0" border="0"
style="width:100%;max-width:640px;table-layout:fixed;word-wrap:break-word;overflow-wrap:anywhere">
<tr><td style="{text}padding:20px 12px 8px 12px">
<h1 style="margin:0;font-size:20px;line-height:26px">{title}</h1></td></tr>
]]

local TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
  .. 'style="table-layout:fixed;word-wrap:break-word;overflow-wrap:anywhere">'

local function text(value)
  return markup.text(value, LONGEST)
end

-- One row of the outer table.
local function line(style, content)
  return ('<tr><td style="%spadding:4px 12px">%s</td></tr>\n'):format(style, content)
end

-- A user: a bar, and beside it who, what happened and what to do.
local function user(words)
  local step = words.step and ('<br/><span style="color:#57606a">Next step:</span> %s'):format(
    text(words.step)) or ""
  return ('<tr><td style="padding:4px 12px">%s<tr><td width="4" bgcolor="%s"></td><td style="'
    .. '%spadding:2px 0 2px 10px"><strong>%s</strong><br/>%s%s</td></tr></table></td></tr>\n')
    :format(TABLE, COLOURS[words.kind] or OTHER, TEXT, text(words.who), text(words.facts), step)
end

-- How open, healing and excepted users divide, as cells of a width in percent.
local PARTS = { { "open", "#b42318" }, { "healing", "#1a7f37" }, { "excepted", "#8c959f" } }

local function bar(counts)
  local values = { open = math.max((counts.open or 0) - (counts.excepted or 0), 0),
                   healing = counts.healing or 0, excepted = counts.excepted or 0 }
  local total, cells, legend = values.open + values.healing + values.excepted, {}, {}
  if total == 0 then
    return ""
  end
  for _, part in ipairs(PARTS) do
    local value = values[part[1]]
    if value > 0 then
      cells[#cells + 1] = ('<td width="%d%%" height="8" bgcolor="%s" style="font-size:1px;'
        .. 'line-height:8px">&#160;</td>'):format(math.max(1, math.floor(100 * value / total)),
        part[2])
      legend[#legend + 1] = markup.number(value) .. " " .. part[1]
    end
  end
  return line(SOFT, TABLE .. "<tr>" .. table.concat(cells) .. "</tr></table>"
    .. table.concat(legend, ", "))
end

-- A tenant, with as many users as there is room for.
local function group_of(digest, group, words, is_many, room)
  local pieces = {}
  local function add(piece)
    pieces[#pieces + 1] = piece
    room.bytes = room.bytes - #piece
  end
  if is_many then
    add(line(TEXT .. "font-size:16px;border-top:1px solid #d0d7de;",
      '<h2 style="margin:8px 0 0 0;font-size:16px">' .. text(words.tenant_title(digest,
      group.tenant)) .. "</h2>"))
  end
  add(bar(group.tenant.counts))
  local shown = 0
  for _, row in ipairs(group.rows) do
    local of_row = words.row(row)
    of_row.kind = row.event
    local piece = user(of_row)
    if #piece > room.bytes then
      break
    end
    add(piece)
    shown = shown + 1
  end
  local more = group.more + #group.rows - shown
  if more > 0 then
    add(line(SOFT, ("and %s more"):format(markup.number(more))))
  end
  for _, remark in ipairs(words.remarks(group.tenant)) do
    local piece = line(SOFT, text(remark))
    if #piece <= room.bytes then
      add(piece)
    end
  end
  return table.concat(pieces)
end

--- Writes a digest.
-- @tparam table digest
-- @tparam table words functions `title`, `tenant_title`, `at`, `notes`, `row`, `remarks` and
-- `choose`, such as `pcapi.notify.words`
-- @tparam[opt] table options `rows` (how many users at most; default @{MOST_ROWS}), and `link`
-- (address of a report)
-- @treturn string UTF-8
function M.html(digest, words, options)
  options = options or {}
  local groups, hidden = words.choose(digest, options.rows or M.MOST_ROWS)
  local room = { bytes = M.MOST_BYTES - 4000 } -- for the start and the end
  local pieces = { (START:gsub("{(%l+)}", { title = text(words.title(digest)), text = TEXT,
    table = TABLE })) }
  for _, note in ipairs(words.notes(digest)) do
    local piece = line(TEXT, text(note))
    room.bytes = room.bytes - #piece
    pieces[#pieces + 1] = room.bytes > 0 and piece or nil
  end
  for _, group in ipairs(groups) do
    if room.bytes < 4000 then
      hidden = hidden + 1
    else
      pieces[#pieces + 1] = group_of(digest, group, words, #groups + hidden > 1, room)
    end
  end
  if hidden > 0 then
    pieces[#pieces + 1] = line(SOFT, "and " .. markup.count(hidden, "more tenant"))
  end
  if options.link and options.link:find "^https?://" then
    pieces[#pieces + 1] = line(TEXT, ('<a href="%s" style="color:#0b5cad">Report</a>'):format(
      markup.text(options.link, LONGEST_LINK)))
  end
  pieces[#pieces + 1] = line(SOFT, ("pcapi %s, %s"):format(text(digest.version or ""),
    text(words.at(digest))))
  return table.concat(pieces) .. "</table>\n</td></tr>\n</table>\n</body>\n</html>\n"
end

return M
