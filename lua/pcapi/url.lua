--- Parses, checks and joins addresses, and decides whether a token may go to one.
-- @module pcapi.url
local M = {}

local DEFAULT_PORT = { https = 443, http = 80 }
local LONGEST_TARGET = 65536 -- bytes of path and query; servers take 8 to 64 KB
local LONGEST = 2 * LONGEST_TARGET -- bytes of an address
-- Bytes, not classes: what %a or %s matches depends on the locale.
local UNSENT = "[%z\1-\32\127-\255\\<>\"]" -- not allowed in an address (RFC 3986 §2)
local ESCAPED = "[^A-Za-z0-9%-._~]"

-- Loopback names and addresses (RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

--- Tests whether a host is an IP address, with or without brackets.
-- @tparam string host
-- @treturn boolean
function M.is_address(host)
  return host:find "^[%d.]+$" ~= nil or host:find(":", 1, true) ~= nil
end

local function name_of(char)
  local code = char:byte()
  if char == " " then
    return "a space"
  elseif code < 32 or code == 127 then
    return ("the control character 0x%02X"):format(code)
  elseif code > 127 then
    return ("the byte 0x%02X, which is not ASCII"):format(code)
  end
  return "the character " .. char
end

--- Finds what is wrong with a path and query.
-- @tparam string text
-- @treturn[1] nil nothing is wrong
-- @treturn[2] string a message about the first invalid character, or the length
-- @treturn[2] ?string the character
function M.target_problem(text)
  if #text > LONGEST_TARGET then
    return ("is longer than %d bytes"):format(LONGEST_TARGET)
  end
  local at = text:find(UNSENT) or #text + 1
  at = math.min(at, text:find("#", 1, true) or at) -- a fragment is never sent
  if at <= #text then
    local char = text:sub(at, at)
    return ("holds %s (byte %d)"):format(name_of(char), at), char
  end
end

--- Parses an absolute address.
-- @tparam string text an http or https address without user name and password
-- @treturn[1] table `scheme`, `host`, `port` (number), `path` (may be empty), `query` (with its
-- question mark; may be empty), `origin` (such as `https://host:8443`)
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the text
function M.parse(text)
  if type(text) ~= "string" or text:find(UNSENT) then
    return nil, "is not an address: only printable ASCII without spaces is allowed"
  elseif #text > LONGEST then
    return nil, ("is longer than %d bytes"):format(LONGEST)
  elseif text:find("#", 1, true) then
    return nil, "must not hold a fragment: the text behind # is never sent"
  end
  local scheme, authority, rest = text:match("^(%a[%w+.-]*)://([^/?]*)(.*)$")
  if not scheme then
    return nil, "is not an absolute address such as https://host/path"
  end
  scheme = scheme:lower()
  if not DEFAULT_PORT[scheme] then
    return nil, "must begin with https://"
  elseif authority:find("@", 1, true) then
    return nil, "must not hold a user name or password"
  end
  local host, port = authority:match("^(%[[%x:.]+%]):?(%d*)$")
  if not host then
    host, port = authority:match("^([%w%-._]+):?(%d*)$")
  end
  if not host then
    return nil, "has no valid host name"
  end
  host = host:lower()
  port = port ~= "" and tonumber(port) or DEFAULT_PORT[scheme]
  if port < 1 or port > 65535 then
    return nil, "has no valid port"
  end
  local path, query = rest:match("^([^?]*)(.*)$")
  local shown = port == DEFAULT_PORT[scheme] and "" or ":" .. port
  return {
    scheme = scheme, host = host, port = port, path = path, query = query,
    origin = scheme .. "://" .. host .. shown,
  }
end

--- Tests whether a request may go to an address: by https to any host, by http only to loopback and
-- only if the caller allows it.
-- @tparam table address from @{parse}
-- @tparam ?boolean allow_http false if not allowed; nil if the user has no option to allow it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string why not
function M.is_safe(address, allow_http)
  if address.scheme == "https" or allow_http and is_loopback(address.host) then
    return true
  elseif is_loopback(address.host) and allow_http ~= nil then
    return nil, "must begin with https:// (or set allow_http for a test on this machine)"
  end
  return nil, "must begin with https://, or a token would be readable on the way"
end

--- Parses an address and checks it: @{parse} and @{is_safe} in one.
-- @tparam string text
-- @tparam ?boolean allow_http as for @{is_safe}
-- @treturn[1] table as @{parse} returns it
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.parse_safe(text, allow_http)
  local address, why = M.parse(text)
  local ok = address
  if address then
    ok, why = M.is_safe(address, allow_http)
  end
  if not ok then
    return nil, why
  end
  return address
end

local HIDDEN = "[hidden]"

-- Tests whether the text from `first` to the @ at `last` is a user name and password, and not a
-- host with a path.
local function is_user(word, first, last)
  local finish = word:find("[/?#]", first)
  if not finish or finish > last then
    return first <= last
  end
  local authority = word:sub(first, finish - 1)
  return not (authority:find "^[%w%-._]+:?%d*$" or authority:find "^%[[%x:.]+%]:?%d*$")
end

-- Returns where a user name may begin in a word that has an @ at `last`, or nil.
local function user_in(word, last)
  local has_slashes = false
  for at in word:gmatch ":()//" do
    has_slashes = true
    if at < last and is_user(word, at + 2, last) then
      return at + 2
    end
  end
  local slashes = word:match "^%W-()//"
  if slashes then
    return is_user(word, slashes + 2, last) and slashes + 2 or nil
  end
  local colon = not has_slashes and word:find(":", 1, true)
  return colon and colon < last and math.min(word:match "^%p*()", colon) or nil
end

local function hide_user(word)
  local last = word:match "^.*()@"
  local first = last and user_in(word, last)
  return first and word:sub(1, first - 1) .. HIDDEN .. word:sub(last) or nil
end

-- Hides everything before the last @ of an address. Without an @, hides an invalid port: the @ may
-- have been forgotten.
local function hide_in_address(text)
  local start = text:match "^%s*%a[%w+.%-]*:[/\\]+()" or text:match "^%s*//()" or 1
  local rest = text:match("^.*(@.*)$", start)
  if rest then
    return text:sub(1, start - 1) .. HIDDEN .. rest
  end
  local host = text:match("^[^/?#]*", start)
  if host:find "^[^:]*:?%d*$" or host:find "^%[[%x:.]+%]:?%d*$" or host:find "^[%x:.]+$" then
    return text
  end
  return text:sub(1, start - 1) .. host:match "^[^:]*:" .. HIDDEN
end

--- Hides user names and passwords in addresses, such as that of a proxy; with or without a scheme,
-- and with any characters. In doubt it hides too much.
-- @tparam string text
-- @tparam[opt] boolean is_address the whole text is one address, also if it has blanks; else the
-- function searches the text for addresses
-- @treturn string
function M.hide_users(text, is_address)
  if is_address then
    return hide_in_address(text)
  end
  -- libcurl quotes the setting of the proxy, which may have blanks
  local _, quote = text:find "[Pp]roxy %a+ %a+ '"
  local finish = quote and text:find "'[^']*$"
  if finish and finish > quote then
    text = text:sub(1, quote) .. hide_in_address(text:sub(quote + 1, finish - 1))
      .. text:sub(finish)
  end
  return text:find("@", 1, true) and text:gsub("%S+", hide_user) or text
end

--- Percent-encodes all characters but the unreserved ones (RFC 3986 §2.3).
-- @tparam string text
-- @treturn string
function M.escape(text)
  return (text:gsub(ESCAPED, function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local IN_QUERY = { string = true, number = true, boolean = true }

--- Finds what is wrong with a table for @{query}.
-- @tparam ?table query
-- @treturn ?string nil if nothing is wrong
function M.query_problem(query)
  for name, value in pairs(query or {}) do
    if type(name) ~= "string" then
      return ("the names of the query must be texts, not %s"):format(tostring(name))
    elseif not IN_QUERY[type(value)] then
      return ("%q of the query must be a text, a number or a boolean, not a %s"):format(name,
        type(value))
    end
  end
end

--- Writes a table as a query, sorted by name.
-- @tparam ?table query name to string, number or boolean
-- @treturn string with its question mark; empty for an empty table
function M.query(query)
  if not query then
    return ""
  end
  local members = {}
  for name, value in pairs(query) do
    members[#members + 1] = M.escape(tostring(name)) .. "=" .. M.escape(tostring(value))
  end
  table.sort(members)
  return #members > 0 and "?" .. table.concat(members, "&") or ""
end

--- Returns the address of a next page. The service writes its uri as absolute, as `/v1/customers…`,
-- as `/customers…` or as `customers…`; the last two are relative to prefix and version
-- (Partner-Center-PowerShell issues 379 and 384).
-- @tparam string uri from the service
-- @tparam table base the configured address, from @{parse}
-- @tparam string root prefix and version, such as `/v1` or `/pcapi/v1`
-- @treturn[1] string an absolute address with the same origin
-- @treturn[2] nil
-- @treturn[2] string why the uri is refused
function M.follow(uri, base, root)
  local problem = M.target_problem(uri)
  if problem then
    return nil, problem
  elseif uri:find("^%a[%w+.-]*:") or uri:find("^//") then
    local address, why = M.parse(uri)
    if not address then
      return nil, why
    elseif address.origin ~= base.origin then
      return nil, "leads to another host, which must not get the token"
    end
    return uri
  elseif uri:find("^/v%d") or uri:sub(1, #root + 1) == root .. "/" then
    return base.origin .. base.path .. uri
  end
  return base.origin .. base.path .. root .. (uri:sub(1, 1) == "/" and "" or "/") .. uri
end

return M
