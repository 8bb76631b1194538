--- What the header Content-Encoding says of a body, and what becomes of it: one verdict for
-- all transports. Pure.
-- @module pcapi.http.coding
local core = require "pcapi.core"

local M = {}

local COMPRESSED = { gzip = true, ["x-gzip"] = true, deflate = true }
local LONGEST = 100 -- bytes of a header that a message shows

local function go_on()
  return true
end

-- The codings in the order in which they were applied. "identity" is none, and a list may
-- have empty members (RFC 9110 §5.6.1, §8.4).
local function codings_of(header)
  local codings = {}
  for coding in header:lower():gmatch "[^,]+" do
    coding = coding:match "^%s*(.-)%s*$"
    if coding ~= "" and coding ~= "identity" then
      codings[#codings + 1] = coding
    end
  end
  return codings
end

-- As core.inflate, but others go on between its steps.
local function inflate(body, max_body, breathe)
  local step, why, what = core.inflation(body, max_body)
  if not step then
    return nil, why, what
  end
  while true do
    local whole, message, word, part = step()
    if whole ~= false then
      return whole, message, word, part
    elseif not breathe() then
      return nil, "the response could not be decompressed in time", "timeout"
    end
  end
end

-- The body; or nil, the kind of error, a message, and what could be read all the same.
local function decoded(codings, body, max_body, breathe)
  if #codings > 1 or not COMPRESSED[codings[1]] then
    return nil, "protocol", ("the response is encoded as %q, which was not asked for")
      :format(table.concat(codings, ", "):sub(1, LONGEST)), body
  end
  local whole, why, what, part = inflate(body, max_body, breathe)
  if whole then
    return whole
  elseif what == "timeout" then
    return nil, "timeout", why
  elseif what == "too_large" then
    return nil, "protocol", "the response is larger than max_body"
  end
  return nil, "protocol", "the response makes no sense: " .. why,
    what == "foreign" and body or part
end

--- Decompresses the body of a response in place; its headers stay as they came. One coding
-- is undone, gzip or deflate: a body that is compressed twice can be a million times its size.
--
-- For a status of 400 and above the status says what happened, so a body that cannot be
-- decompressed is no error: it holds then as much as can be read, or the bytes that came.
-- @tparam table response `status`, `headers` (names in lower case), `body`
-- @tparam number max_body bytes of the decompressed body
-- @tparam[opt] function breathe is called about every quarter of a millisecond; where it gives
-- false the time is over
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string kind of error: protocol, or timeout
-- @treturn[2] string message
function M.decode(response, max_body, breathe)
  local codings = codings_of(response.headers["content-encoding"] or "")
  if #codings == 0 or response.body == "" then
    return true
  end
  local body, kind, message, readable = decoded(codings, response.body, max_body,
    breathe or go_on)
  body = body or response.status >= 400 and readable
  if not body then
    return nil, kind, message
  end
  response.body = body
  return true
end

--- Whether a body is JSON, as its type says.
-- @tparam table response `headers`
-- @treturn boolean
function M.is_json(response)
  local kind = response.headers["content-type"]
  return kind ~= nil and kind:find "[/+]json" ~= nil
end

--- Drops the byte order mark of a body that is JSON in place: such a text begins with none
-- (RFC 8259 §8.1), the service's do.
-- @tparam table response `headers`, `body`
function M.drop_mark(response)
  if M.is_json(response) and response.body:sub(1, 3) == "\239\187\191" then
    response.body = response.body:sub(4)
  end
end

return M
