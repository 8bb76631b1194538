--- Draws charts as SVG: a line of days, and bars of parts. Pure. Colours come from the classes
-- `open`, `new`, `good`, `bad` and `grid` of the page around it; texts say what they show.
-- @module pcapi.report.charts
local markup = require "pcapi.report.markup"

local M = {}

local WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 190, 44, 12, 24
local BAR, LABEL, SHARE = 24, 240, 64 -- height of a bar, width of its label and of its share

-- A coordinate; string.format would follow the locale.
local function at(value)
  local tenths = math.floor((value * 20 + 1) / 2)
  return ("%d.%d"):format(math.floor(tenths / 10), tenths % 10)
end

local function open_svg(id, height, title, description)
  return ('<svg role="img" viewBox="0 0 %d %d" aria-labelledby="%s-t %s-d" '
    .. 'xmlns="http://www.w3.org/2000/svg">\n<title id="%s-t">%s</title>\n<desc id="%s-d">%s</desc>'
    .. '\n'):format(WIDTH, height, id, id, id, title, id, description)
end

local function label(x, y, anchor, text)
  return ('<text x="%d" y="%d" text-anchor="%s">%s</text>\n'):format(x, y, anchor, text)
end

-- The least of 1, 2, 5, 10, 20… that is not below a number.
local function ceiling_of(most)
  local step = 1
  while true do
    for _, factor in ipairs { 1, 2, 5 } do
      if factor * step >= most then
        return factor * step
      end
    end
    step = step * 10
  end
end

local function largest(values)
  local most = 1
  for _, value in ipairs(values) do
    most = math.max(most, value)
  end
  return most
end

--- Draws a trend: a line of those that are open, and a bar for each day on which some became open.
-- @tparam string id of the picture within the page
-- @tparam table trend see `pcapi.history.trend`
-- @tparam string last the last day
-- @treturn string
function M.trend(id, trend, last)
  local open, count = trend.open, #trend.open
  local most = ceiling_of(math.max(largest(open), largest(trend.opened)))
  local width, height = (WIDTH - LEFT - 8) / count, HEIGHT - TOP - BOTTOM
  local function y(value)
    return TOP + height * (1 - value / most)
  end
  local pieces = { open_svg(id, HEIGHT, "Open and healing users per day", (
    "From %s to %s: %s open on the first day, at most %s, %s on the last day."):format(trend.from,
    last, markup.number(open[1]), markup.number(largest(open)), markup.number(open[count]))) }
  for _, value in ipairs { 0, most / 2, most } do
    if value % 1 == 0 then
      pieces[#pieces + 1] = ('<path class="grid" d="M%d %sH%d"/>\n'):format(LEFT, at(y(value)),
        WIDTH - 8) .. label(LEFT - 6, math.floor(y(value) + 4), "end", markup.number(value))
    end
  end
  local line = {}
  for i = 1, count do
    local x = LEFT + (i - 1) * width
    if trend.opened[i] > 0 then
      pieces[#pieces + 1] = ('<path class="new" d="M%s %sV%sh%sV%sz"/>\n'):format(
        at(x + width / 8), at(y(0)), at(y(trend.opened[i])), at(width * 3 / 4), at(y(0)))
    end
    line[i] = ("%s%s %sh%s"):format(i == 1 and "M" or "L", at(x), at(y(open[i])), at(width))
  end
  pieces[#pieces + 1] = '<path class="open" d="' .. table.concat(line) .. '"/>\n'
    .. label(LEFT, HEIGHT - 6, "start", trend.from) .. label(WIDTH - 8, HEIGHT - 6, "end", last)
  return table.concat(pieces) .. "</svg>\n"
end

--- Draws a bar for each application: its requests with MFA, then those without.
-- @tparam string id of the picture within the page
-- @tparam table rows array of `name` (markup), `with`, `total` and `share` (such as `81 %`)
-- @treturn string
function M.bars(id, rows)
  local most, room = 1, WIDTH - LABEL - SHARE
  for _, row in ipairs(rows) do
    most = math.max(most, row.total)
  end
  local pieces = { open_svg(id, #rows * BAR, "Requests of each application, with and without MFA",
    ("Bars of %s; the table of applications has the same numbers."):format(
    markup.count(#rows, "application"))) }
  for i, row in ipairs(rows) do
    local top, with = (i - 1) * BAR, room * row.with / most
    pieces[#pieces + 1] = label(LABEL - 8, top + 16, "end", row.name)
      .. ('<path class="good" d="M%d %dv16h%sv-16z"/>\n'):format(LABEL, top + 4, at(with))
      .. ('<path class="bad" d="M%s %dv16h%sv-16z"/>\n'):format(at(LABEL + with), top + 4,
        at(room * row.total / most - with))
      .. label(WIDTH - SHARE + 6, top + 16, "start", row.share)
  end
  return table.concat(pieces) .. "</svg>\n"
end

return M
