--- Slack, by an incoming webhook.
-- @module pcapi.notify.channels.slack
local channel_settings = require "pcapi.notify.channel_settings"
local errors = require "pcapi.error"
local fit = require "pcapi.notify.fit"
local json_value = require "pcapi.format.json_value"
local post = require "pcapi.notify.post"
local words = require "pcapi.notify.words"

local M = {}

-- Slack's limits are 50 blocks, 150 characters of a header, 3,000 of a text, and about 13,200 of a
-- message. It counts as JavaScript does: two for a character of four bytes.
local MOST_BLOCKS, LONGEST_HEADER, LONGEST_TEXT, LONGEST_SUM = 50, 150, 3000, 12000

--- The settings of a channel of this type.
M.settings = {
  channel_settings.address "URL of the incoming webhook", channel_settings.link,
}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

-- Escapes a text, and cuts it to so many characters. Returns their number, too.
local function escaped(text, longest)
  local short, size = {}, 0
  for char in text:gmatch "[^\128-\191][\128-\191]*" do
    local entity = ENTITIES[char]
    local more = entity and #entity or #char == 4 and 2 or 1
    if size + more > longest - 1 then
      short[#short + 1] = "…"
      return table.concat(short), size + 1
    end
    short[#short + 1], size = entity or char, size + more
  end
  return table.concat(short), size
end

-- Plain text, in which Slack neither formats nor links anything.
local function plain(text, longest)
  return { type = "plain_text", emoji = false, text = (escaped(text, longest)) }
end

local function section(text)
  return { type = "section", text = plain(text, LONGEST_TEXT) }
end

-- Adds sections of as many lines as there is room for in each.
local function add_sections(blocks, lines)
  local part, size = {}, 0
  for i, line in ipairs(lines) do
    local _, own = escaped(line, math.huge)
    if size + own > LONGEST_TEXT - 10 and #part > 0 then
      blocks[#blocks + 1] = section(table.concat(part, "\n"))
      part, size = {}, 0
    end
    part[#part + 1], size = lines[i], size + own + 1
  end
  blocks[#blocks + 1] = #part > 0 and section(table.concat(part, "\n")) or nil
end

local function add_group(blocks, digest, group, is_many)
  local lines = {}
  if is_many then
    blocks[#blocks + 1] = { type = "header", text = plain(words.tenant_title(digest, group.tenant),
      LONGEST_HEADER) }
  end
  for _, row in ipairs(group.rows) do
    local texts = words.row(row)
    lines[#lines + 1] = "• " .. texts.who .. "\n   " .. texts.facts
      .. (texts.step and "\n   Next step: " .. texts.step or "")
  end
  lines[#lines + 1] = group.more > 0 and ("and %d more"):format(group.more) or nil
  add_sections(blocks, lines)
  blocks[#blocks + 1] = { type = "context", elements = {
    plain(table.concat(words.remarks(group.tenant), " "), LONGEST_TEXT) } }
end

local function blocks_of(digest, settings, most)
  local blocks = { { type = "header", text = plain(words.title(digest), LONGEST_HEADER) } }
  for i, note in ipairs(words.notes(digest)) do
    blocks[#blocks + 1] = i <= most and section(note) or nil
  end
  local groups, hidden = words.choose(digest, most)
  for _, group in ipairs(groups) do
    add_group(blocks, digest, group, #groups + hidden > 1)
  end
  if hidden > 0 then
    blocks[#blocks + 1] = section(("and %s"):format(words.number(hidden, "more tenant")))
  end
  blocks[#blocks + 1] = settings.link and { type = "section", text = {
    type = "mrkdwn", verbatim = true,
    text = ("<%s|Open the report>"):format((escaped(settings.link, LONGEST_TEXT))),
  } } or nil
  blocks[#blocks + 1] = { type = "context", elements = {
    plain(("pcapi %s, %s"):format(digest.version or "", words.at(digest)), LONGEST_TEXT) } }
  return blocks
end

-- The characters of a text that is escaped.
local function length(text)
  return #text - select(2, text:gsub("[\128-\191]", "")) + select(2, text:gsub("[\240-\255]", ""))
end

-- Whether a message keeps the limits, and no text had to be cut.
local function fits(blocks)
  local sum = 0
  for _, each in ipairs(blocks) do
    local size = length((each.text or each.elements[1]).text)
    sum = sum + size
    if size > LONGEST_TEXT - 10 then -- it was cut
      return false
    end
  end
  return #blocks <= MOST_BLOCKS and sum <= LONGEST_SUM
end

--- Makes the message of a digest, within Slack's limits and of 20 users at most.
-- @tparam table digest
-- @tparam table settings values by name
-- @treturn table array of one message
function M.messages(digest, settings)
  local blocks = fit(words.SHOWN, function(most)
    local blocks = blocks_of(digest, settings, most)
    return (most == 0 or fits(blocks)) and blocks or nil
  end)
  return { { id = digest.id, body = assert(json_value.compact {
    text = plain(words.title(digest), LONGEST_TEXT).text, mrkdwn = false, blocks = blocks,
    unfurl_links = false, unfurl_media = false,
  }) } }
end

-- What Slack says when nobody can post to the address any more.
local GONE = { channel_is_archived = true, no_service = true, no_service_id = true,
               no_active_hooks = true, no_team = true, team_disabled = true, invalid_token = true,
               channel_not_found = true }

local function word_of(body)
  return body:match "^%s*([%l_]+)%s*$"
end

--- Sends a message.
-- @tparam table message
-- @tparam table settings values by name
-- @tparam table context see `pcapi.notify.post`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error see @{pcapi.notify.post.failure}
function M.deliver(message, settings, context)
  local request = { url = settings.url, body = message.body,
                    headers = { ["Content-Type"] = "application/json" } }
  local response, err = post.send(request, context)
  if response and word_of(response.body) ~= "ok" then
    return errors.fail {
      kind = "protocol", status = response.status, message = "the response is not Slack's \"ok\""
        .. post.shown(response, request), hint = "Check its address",
      stops_channel = GONE[word_of(response.body)],
    }
  elseif not response then
    err.stops_channel = err.stops_channel or GONE[err.word]
    return nil, err
  end
  return true
end

return M
