--- Decompresses response bodies by the header Content-Encoding. All transports use it. Pure.
-- @module pcapi.http.coding
local core = require "pcapi.core"

local M = {}

local COMPRESSED = { gzip = true, ["x-gzip"] = true, deflate = true }
local LONGEST = 100 -- bytes of the header that a message shows

local function continue()
  return true
end

-- Returns the codings in the order in which they were applied. "identity" means no coding, and a
-- list may have empty members (RFC 9110 §5.6.1, §8.4).
local function codings_of(header)
  local codings = {}
  for member in header:lower():gmatch "[^,]+" do
    local coding = member:match "^%s*(.-)%s*$"
    if coding ~= "" and coding ~= "identity" then
      codings[#codings + 1] = coding
    end
  end
  return codings
end

-- As core.inflate, but calls breathe between its steps.
local function inflate(body, max_body, breathe)
  local step, why, what = core.inflater(body, max_body)
  if not step then
    return nil, why, what
  end
  while true do
    local inflated, message, word, part = step()
    if inflated ~= false then
      return inflated, message, word, part
    elseif not breathe() then
      return nil, "timed out while decompressing the response", "timeout"
    end
  end
end

-- Returns the body; or nil, the kind of error, a message, and the readable part of the body.
local function decoded(codings, body, max_body, breathe)
  if #codings > 1 or not COMPRESSED[codings[1]] then
    return nil, "protocol", ("the response is encoded as %q, which was not requested")
      :format(table.concat(codings, ", "):sub(1, LONGEST)), body
  end
  local inflated, why, what, part = inflate(body, max_body, breathe)
  if inflated then
    return inflated
  elseif what == "timeout" then
    return nil, "timeout", why
  elseif what == "too_large" then
    return nil, "protocol", "the response is larger than max_body"
  end
  return nil, "protocol", "the response is not valid: " .. why,
    what == "uncompressed" and body or part
end

--- Decompresses the body of a response in place. The headers stay as they are. Only one coding is
-- removed, gzip or deflate: a body that is compressed twice can be a million times its size.
--
-- From status 400 on, the status says what happened. So a body that cannot be decompressed is not
-- an error: it is replaced by its readable part, or stays unchanged.
-- @tparam table response `status`, `headers` (names in lower case), `body`
-- @tparam number max_body bytes of the decompressed body
-- @tparam[opt] function breathe is called about every quarter of a millisecond; returns false after
-- the deadline
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string kind of error: protocol or timeout
-- @treturn[2] string message
function M.decode(response, max_body, breathe)
  local codings = codings_of(core.header(response, "content-encoding") or "")
  if #codings == 0 or response.body == "" then
    return true
  end
  local body, kind, message, readable = decoded(codings, response.body, max_body,
    breathe or continue)
  body = body or response.status >= 400 and readable
  if not body then
    return nil, kind, message
  end
  response.body = body
  return true
end

--- Tests whether the content type of a response says JSON.
-- @tparam table response `headers`
-- @treturn boolean
function M.is_json(response)
  local kind = core.header(response, "content-type")
  return kind ~= nil and kind:find "[/+]json" ~= nil
end

--- Removes the byte order mark of a JSON body, in place. The service sends one, though JSON must
-- not have it (RFC 8259 §8.1).
-- @tparam table response `headers`, `body`
function M.drop_mark(response)
  if M.is_json(response) and response.body:sub(1, 3) == "\239\187\191" then
    response.body = response.body:sub(4)
  end
end

return M
