--- Microsoft Teams, by a workflow with the trigger "When a Teams webhook request is received": an
-- Adaptive Card.
--
-- Teams responds 202 when the workflow has taken the message. A card that it cannot show fails
-- later, and nobody tells the sender. So cards are small and plain.
-- @module pcapi.notify.channels.teams
local channel_settings = require "pcapi.notify.channel_settings"
local errors = require "pcapi.error"
local fit = require "pcapi.notify.fit"
local json_value = require "pcapi.format.json_value"
local post = require "pcapi.notify.post"
local words = require "pcapi.notify.words"

local M = {}

-- Bytes of a message. Teams refuses 28 KB, and counts more than is sent.
local LARGEST = 20000

--- The settings of a channel of this type.
M.settings = {
  channel_settings.address "URL of the workflow", channel_settings.link,
}

--- What a success does not prove, and where to look.
M.proof = "Teams takes a message before it shows it. If it is not in the channel, open Workflows "
  .. "in Teams, and look at the run history of the workflow"

-- Escapes Markdown, which every text of a card may have; also addresses, so that no client links
-- them, and {{DATE(…)}}, which cards replace.
local function plain(text)
  text = text:match "^%s*(.-)%s*$":gsub("[\\`*_{}%[%]()#~|<>&!]", "\\%0")
  text = text:gsub("^([-+=])", "\\%1"):gsub("^(%d+)([.)])", "%1\\%2")
  return (text:gsub("://", ":\\/\\/"):gsub("([Ww][Ww][Ww])%.", "%1\\."))
end

local function block(text, fields)
  fields = fields or {}
  fields.type, fields.wrap, fields.text = "TextBlock", true, plain(text)
  return fields
end

local function fact_of(row)
  local texts = words.row(row)
  return { title = plain(texts.who),
           value = plain(texts.facts .. (texts.step and ". Next step: " .. texts.step or "")) }
end

local function add_group(body, digest, group, is_many)
  if is_many then
    body[#body + 1] = block(words.tenant_title(digest, group.tenant),
      { weight = "Bolder", separator = true })
  end
  local facts = {}
  for i, row in ipairs(group.rows) do
    facts[i] = fact_of(row)
  end
  if #facts > 0 then
    body[#body + 1] = { type = "FactSet", facts = facts }
  end
  body[#body + 1] = block((group.more > 0 and ("And %d more. "):format(group.more) or "")
    .. table.concat(words.remarks(group.tenant), " "), { isSubtle = true })
end

local function card_of(digest, settings, most)
  local body = { block(words.title(digest), { size = "Medium", weight = "Bolder" }) }
  for i, note in ipairs(words.notes(digest)) do
    body[#body + 1] = i <= most and block(note) or nil
  end
  local groups, hidden = words.choose(digest, most)
  for _, group in ipairs(groups) do
    add_group(body, digest, group, #groups + hidden > 1)
  end
  if hidden > 0 then
    body[#body + 1] = block(("And %s."):format(words.number(hidden, "more tenant")))
  end
  body[#body + 1] = block(("pcapi %s, %s"):format(digest.version or "", words.at(digest)),
    { isSubtle = true, size = "Small" })
  return {
    type = "AdaptiveCard", version = "1.2", body = body, msteams = { width = "Full" },
    ["$schema"] = "http://adaptivecards.io/schemas/adaptive-card.json",
    actions = settings.link and { { type = "Action.OpenUrl", title = "Open the report",
                                    url = settings.link } } or nil,
  }
end

local function body_of(digest, settings, most)
  return assert(json_value.compact {
    type = "message", attachments = { {
      contentType = "application/vnd.microsoft.card.adaptive",
      content = card_of(digest, settings, most),
    } },
  })
end

--- Makes the message of a digest: a card of 20 users and 20,000 bytes at most.
-- @tparam table digest
-- @tparam table settings values by name
-- @treturn table array of one message
function M.messages(digest, settings)
  return { { id = digest.id, body = fit(words.SHOWN, function(most)
    local body = body_of(digest, settings, most)
    return (most == 0 or #body <= LARGEST) and body or nil
  end) } }
end

-- A connector of the old kind responds 200 to what it could not deliver, and says so in the body.
local function lie_of(response)
  local status = response.body:match "HTTP error (%d+)"
  if response.body:find("delivery failed", 1, true) then
    return errors.fail {
      kind = status == "429" and "throttled" or "server", status = response.status,
      message = "Teams took the message and could not deliver it"
        .. (status and ": HTTP error " .. status or ""),
      hint = "Replace the old connector by a workflow",
    }
  end
  return true
end

--- Sends a message.
-- @tparam table message
-- @tparam table settings values by name
-- @tparam table context see `pcapi.notify.post`
-- @treturn[1] boolean true: the workflow has taken the message, see @{proof}
-- @treturn[2] nil
-- @treturn[2] pcapi.error see @{pcapi.notify.post.send}
function M.deliver(message, settings, context)
  local response, err = post.send({
    url = settings.url, body = message.body, headers = { ["Content-Type"] = "application/json" },
  }, context)
  if not response then
    return nil, err
  end
  return lie_of(response)
end

return M
