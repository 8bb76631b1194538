--- Sends responses: text, JSON and errors, and long texts a piece at a time.
local json = require "pcapi.json"
local notes = require "page.notes"
local slots = require "pcapi.nginx.slots"

local M = {}

-- Bytes that are sent at once. nginx compresses as many in less than a tenth of a millisecond.
local PIECE = 2 * 1024

-- Any other kind is 503: the request is in order, and may work later.
local STATUS = {
  timeout = 504, network = 502, tls = 502, server = 502, protocol = 502, not_found = 502,
  bad_request = 502,
}

--- Sends a text.
-- @tparam number status
-- @tparam string content_type
-- @tparam string text
function M.text(status, content_type, text)
  ngx.status = status
  ngx.header.content_type = content_type
  ngx.header.content_length = #text
  ngx.header.cache_control = "no-store"
  ngx.print(text)
end

M.JSON = "application/json; charset=utf-8"

--- Sends JSON.
-- @tparam number status
-- @tparam string|table value JSON text, or a table to encode
function M.json(status, value)
  local text = type(value) == "string" and value or json.encode(value)
  M.text(status, M.JSON, text .. "\n")
end

--- Sends an error.
-- @tparam pcapi.error err
function M.error(err)
  if err.retry_after then
    ngx.header.retry_after = math.ceil(err.retry_after)
  end
  M.json(STATUS[err.kind] or 503, { error = notes.fields_of(err) })
end

-- Sends a text in pieces. Waits after each until the client takes more, and until the worker has
-- served other requests: they then wait no longer than for one piece, however many clients read.
local function send_pieces(text)
  for first = 1, #text, PIECE do
    ngx.print(text:sub(first, first + PIECE - 1))
    local ok, why = ngx.flush(true)
    if not ok and why ~= "buffering" then -- which is so for a client of HTTP/1.0
      return false
    end
    slots.breathe()
  end
  return true
end

-- Whether the client has the same already. nginx compresses, so the tag is a weak one.
local function has_same(tag)
  tag = ('W/"%s"'):format(ngx.md5(tag))
  ngx.header.etag = tag
  return ngx.var.http_if_none_match == tag
end

--- Sends a long text with status 200; or only 304, if the client has the same already.
-- @tparam string content_type
-- @tparam function fill is called with a function `put`, which takes the next text. It returns
-- false once the client has gone; the rest then needs not be made
-- @tparam[opt] string tag changes whenever the text does
function M.stream(content_type, fill, tag)
  ngx.header.content_type = content_type
  ngx.header.cache_control = "no-store"
  if tag and has_same(tag) then
    return ngx.exit(ngx.HTTP_NOT_MODIFIED)
  elseif ngx.req.get_method() == "HEAD" then
    return
  end
  local texts, size, is_open = {}, 0, true
  local function send(text)
    is_open = is_open and send_pieces(text)
  end
  local function flush()
    send(table.concat(texts))
    texts, size = {}, 0
  end
  fill(function(text)
    if size + #text < PIECE then
      texts[#texts + 1], size = text, size + #text
    else
      flush()
      send(text)
    end
    return is_open
  end)
  flush()
end

--- Runs a function that responds to a request. If it raises, the message goes to the error log,
-- and the client gets a plain error 500; or, if it has got a part of the response, no more.
-- @tparam function respond
function M.guarded(respond)
  local ok, why = pcall(respond)
  if ok then
    return
  end
  ngx.log(ngx.ERR, "pcapi page: ", tostring(why))
  if ngx.headers_sent then
    ngx.exit(ngx.ERROR)
  end
  M.json(500, { error = { kind = "internal", message = "the page itself has failed",
                          hint = "See nginx's error log." } })
end

return M
