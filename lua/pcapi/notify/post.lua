--- Posts a message of a channel. Its address is a secret: services such as Slack know the sender by
-- nothing else. So no error and no trace shows it, nor what a server repeats of it.
--
-- A redirect is a failure, since it would take the message elsewhere. A request has 20 seconds, and
-- a response 64 KB.
-- @module pcapi.notify.post
local connection_options = require "pcapi.http.connection_options"
local errors = require "pcapi.error"
local headers = require "pcapi.http.headers"
local limits = require "pcapi.http.limits"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

M.TIMEOUT = 20 -- seconds
M.LARGEST = 64 * 1024 -- bytes of a response

local HIDDEN = "[hidden]"
local SHORTEST = 6 -- bytes of a part that may be secret
local LONGEST = 200 -- bytes that are shown of a response

--- Checks the address of a channel: https, or http on loopback.
-- @tparam string text
-- @treturn[1] string the address
-- @treturn[2] nil
-- @treturn[2] string what is wrong; it shows nothing of the text
function M.address(text)
  local address, why = url.parse_safe(text, true)
  if not address then
    return nil, (why:gsub(", or a token would.*", ""))
  end
  return text
end

-- Writes a line of a request and its outcome, without its address.
local function traced(fetch, write)
  return function(request)
    write(("* POST to an address that is not shown, a body of %d bytes"):format(#request.body))
    local response, err = fetch(request)
    write(response and ("< HTTP %d, a body of %d bytes"):format(response.status, #response.body)
      or "! " .. err.kind)
    return response, err
  end
end

--- Makes the function by which channels send requests.
-- @tparam[opt] table options of `pcapi.fetch` for the connection (`ca_file`, `ca_path`, `proxy`,
-- `no_proxy`, `http_version`, `user_agent`, `transport`), and `trace`, a function that is called
-- with each line of a trace
-- @treturn[1] function takes a request of `pcapi.http.curl`; returns a response, or nil and an
-- error
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.fetcher(options)
  local own = { allow_http = true } -- M.address allows it on loopback only
  for name, value in pairs(options or {}) do
    own[name] = name ~= "trace" and value or nil
  end
  local transport, problem = connection_options.transport(own)
  if not transport then
    return nil, problem
  end
  local function fetch(request)
    return transport:send(request)
  end
  return options and options.trace and traced(fetch, options.trace) or fetch
end

-- The parts of an address and of other secrets that no text may show: words that are long enough.
local function secrets_of(request)
  local all = { request.url:lower() }
  local function add(word)
    all[#all + 1] = #word >= SHORTEST and word:lower() or nil
  end
  local target = request.url:match "^%a+://[^/?]*(.*)$" or ""
  target:gsub("[%w_%-]+", add)
  for _, secret in ipairs(request.secrets or {}) do
    secret:gsub("[%w_%-]+", add)
  end
  return all
end

local function holds_secret(text, request)
  text = text:lower():gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16)):lower()
  end)
  for _, secret in ipairs(secrets_of(request)) do
    if text:find(secret, 1, true) then
      return true
    end
  end
  return false
end

--- What a server says of a failure, if it can be shown.
-- @tparam table response
-- @tparam table request as for @{send}
-- @treturn string such as `: invalid_payload`; empty if there is nothing to show
function M.shown(response, request)
  local text = (response.body or ""):match "^%s*(.-)%s*$"
  if text == "" or text:find "^%s*<" then
    return "" -- a page of HTML
  elseif holds_secret(text, request) then
    return ": " .. HIDDEN
  end
  return ": " .. errors.harmless(text, LONGEST):gsub("%s+", " ")
end

local KINDS = { [401] = "unauthorized", [403] = "forbidden", [404] = "not_found",
                [410] = "not_found", [429] = "throttled", [408] = "timeout" }

-- The same message will be refused again.
local FINAL = { [400] = true, [413] = true, [415] = true, [422] = true }

local function kind_of(status)
  return KINDS[status] or status >= 500 and "server" or status >= 400 and "bad_request"
    or "protocol"
end

local HINTS = { [401] = "Check the credentials in its headers", [410] = "Remove the channel, or "
  .. "give it a new address", [413] = "The receiver takes only smaller messages" }

local function hint_of(status)
  return HINTS[status] or (status == 403 or status == 404) and "Check its address"
    or status >= 300 and status < 400 and "Set the address to which it redirects" or nil
end

--- Makes the error for a response that is no success.
-- @tparam table response
-- @tparam table request as for @{send}
-- @tparam number now UTC epoch seconds
-- @treturn nil
-- @treturn pcapi.error with `status`; `retry_after` (seconds); `word` (the body, if it is one word
-- such as `invalid_payload`); `is_final` (the same message will be refused again); `stops_channel`
-- (no message will be accepted any more)
function M.failure(response, request, now)
  local status = response.status
  return errors.fail {
    kind = kind_of(status), status = status, hint = hint_of(status),
    message = "the receiver refused the message" .. M.shown(response, request),
    retry_after = retry.retry_after(response.headers, now),
    word = response.body:match "^%s*([%l_]+)%s*$",
    is_final = FINAL[status], stops_channel = status == 410 or nil,
  }
end

local function without(text, secret)
  return (text:gsub((secret:gsub("%p", "%%%0")), HIDDEN))
end

-- An error of the transport without the address and its host.
local function without_address(err, request)
  local host, message, hint = url.parse(request.url).host, err.message, err.hint
  message = without(without(message, request.url), host)
  if message:lower():find(host, 1, true) or holds_secret(message, request) then
    message = "the message could not be sent"
  end
  if hint and (hint:find(host, 1, true) or holds_secret(hint, request)) then
    hint = nil
  end
  return errors.fail {
    kind = err.kind, message = message, hint = hint,
    -- nobody knows whether the receiver accepted it; once is better than each day
    is_final = err.message:find("larger than", 1, true) and true or nil,
  }
end

--- Posts a message.
-- @tparam table request `url`, `headers` (name to value), `body`, and `secrets` (array of texts
-- that a server might repeat)
-- @tparam table context `fetch` (see @{fetcher}), `now` (function that returns UTC epoch seconds)
-- @treturn[1] table a response with status 2xx: `status`, `headers`, `body`
-- @treturn[2] nil
-- @treturn[2] pcapi.error as of @{failure}; without status of kind timeout, network, tls, protocol
-- or config
function M.send(request, context)
  local response, err = context.fetch(limits.apply({
    method = "POST", url = request.url, headers = headers.lines(request.headers),
    body = request.body,
  }, M.TIMEOUT, { max_body = M.LARGEST }))
  if not response then
    return without_address(err, request)
  elseif response.status < 200 or response.status > 299 then
    return M.failure(response, request, context.now())
  end
  return response
end

return M
