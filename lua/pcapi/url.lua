--- Addresses: taking them apart, joining them, and deciding who may see a token.
-- @module pcapi.url
local M = {}

local DEFAULT_PORT = { https = 443, http = 80 }
local LONGEST_TARGET = 65536 -- bytes of path and query; servers take 8 to 64 KB
local LONGEST = 2 * LONGEST_TARGET -- bytes of a whole address
-- By their bytes: what a letter or a space is would depend on the locale.
local UNSENT = "[%z\1-\32\127-\255\\<>\"]" -- what no address holds (RFC 3986 §2)
local ESCAPED = "[^A-Za-z0-9%-._~]"

-- Loopback names and addresses (RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

--- Whether a host is an IP address, with brackets or without, and no name.
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

--- What is wrong with a path and query that are to be sent.
-- @tparam string text
-- @treturn[1] nil nothing
-- @treturn[2] string names the first character that no address may hold, or the length
-- @treturn[2] ?string that character
function M.target_mistake(text)
  if #text > LONGEST_TARGET then
    return ("is longer than %d bytes"):format(LONGEST_TARGET)
  end
  local at = text:find(UNSENT) or #text + 1
  at = math.min(at, text:find("#", 1, true) or at) -- what follows it would not be sent
  if at <= #text then
    local char = text:sub(at, at)
    return ("holds %s (byte %d)"):format(name_of(char), at), char
  end
end

--- Takes an absolute address apart.
-- @tparam string text an http or https address without user information
-- @treturn[1] table `scheme`, `host`, `port`, `path` (may be empty), `query` (with
-- its question mark, may be empty), `origin`
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it
function M.parse(text)
  if type(text) ~= "string" or text:find(UNSENT) then
    return nil, "is not an address: only printable ASCII without spaces is allowed"
  elseif #text > LONGEST then
    return nil, ("is longer than %d bytes"):format(LONGEST)
  elseif text:find("#", 1, true) then
    return nil, "must not hold a fragment: what stands behind # is never sent"
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

--- Whether an address may be asked: https always, http on loopback only and only
-- where it was allowed by name.
-- @tparam table address as `parse` returns it
-- @tparam ?boolean allow_http nil where the caller has no such option to advise
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

--- Takes an address apart that may be asked: `parse` and `is_safe` in one.
-- @tparam string text
-- @tparam ?boolean allow_http as for `is_safe`
-- @treturn[1] table as `parse` returns it
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it, or why it may not be asked
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

-- Whether what stands from `first` to the @ at `last` is a user name and a password, and not
-- a host with a path behind it.
local function is_user(word, first, last)
  local finish = word:find("[/?#]", first)
  if not finish or finish > last then
    return first <= last
  end
  local authority = word:sub(first, finish - 1)
  return not (authority:find "^[%w%-._]+:?%d*$" or authority:find "^%[[%x:.]+%]:?%d*$")
end

-- Where a user name may begin in a word that has an @ at `last`; nil for nowhere.
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

-- All of an address in front of its last @; or, where somebody forgot the @, what stands for a
-- port and is none.
local function hide_in_address(text)
  local start = text:match "^%s*%a[%w+.%-]*:[/\\]+()" or text:match "^%s*//()" or 1
  local place = text:match("^.*(@.*)$", start)
  if place then
    return text:sub(1, start - 1) .. HIDDEN .. place
  end
  local host = text:match("^[^/?#]*", start)
  if host:find "^[^:]*:?%d*$" or host:find "^%[[%x:.]+%]:?%d*$" or host:find "^[%x:.]+$" then
    return text
  end
  return text:sub(1, start - 1) .. host:match "^[^:]*:" .. HIDDEN
end

--- Hides user names and passwords of addresses, as that of a proxy may hold them: with
-- a scheme or without, and whatever characters they have. Rather too much is hidden.
-- @tparam string text
-- @tparam[opt] boolean is_address the text is one address, with blanks or not; without it
-- addresses are looked for
-- @treturn string
function M.hide_users(text, is_address)
  if is_address then
    return hide_in_address(text)
  end
  -- libcurl repeats the whole proxy setting in quotes, and there may be blanks in it
  local _, quote = text:find "[Pp]roxy %a+ %a+ '"
  local finish = quote and text:find "'[^']*$"
  if finish and finish > quote then
    text = text:sub(1, quote) .. hide_in_address(text:sub(quote + 1, finish - 1))
      .. text:sub(finish)
  end
  return text:find("@", 1, true) and text:gsub("%S+", hide_user) or text
end

--- Percent-encodes all but unreserved characters (RFC 3986 §2.3).
-- @tparam string text
-- @treturn string
function M.escape(text)
  return (text:gsub(ESCAPED, function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local IN_QUERY = { string = true, number = true, boolean = true }

--- What is wrong with a table that is to become a query.
-- @tparam ?table query
-- @treturn[1] nil nothing
-- @treturn[2] string
function M.query_mistake(query)
  for name, value in pairs(query or {}) do
    if type(name) ~= "string" then
      return ("the names of the query must be texts, not %s"):format(tostring(name))
    elseif not IN_QUERY[type(value)] then
      return ("%q of the query must be a text, a number or a boolean, not a %s"):format(name,
        type(value))
    end
  end
end

--- A query of a table, its names sorted; an empty table gives an empty string.
-- @tparam ?table query name to string, number or boolean
-- @treturn string with its question mark
function M.query(query)
  local members = {}
  for name, value in pairs(query or {}) do
    members[#members + 1] = M.escape(tostring(name)) .. "=" .. M.escape(tostring(value))
  end
  table.sort(members)
  return #members > 0 and "?" .. table.concat(members, "&") or ""
end

--- The address of a next page. Its uri has been met as absolute, as
-- `/v1/customers…`, as `/customers…` and as `customers…`: the last two stand
-- below prefix and version (Partner-Center-PowerShell issues 379 and 384).
-- @tparam string uri what the service gave
-- @tparam table base the address that was configured, as `parse` returns it
-- @tparam string root prefix and version, such as `/v1` or `/pcapi/v1`
-- @treturn[1] string an absolute address on the same origin
-- @treturn[2] nil
-- @treturn[2] string why it cannot be followed
function M.follow(uri, base, root)
  local mistake = M.target_mistake(uri)
  if mistake then
    return nil, mistake
  elseif uri:find("^%a[%w+.-]*:") or uri:find("^//") then
    local address, why = M.parse(uri)
    if not address then
      return nil, why
    elseif address.origin ~= base.origin then
      return nil, "leads to another host, which must not see the token"
    end
    return uri
  elseif uri:find("^/v%d") or uri:sub(1, #root + 1) == root .. "/" then
    return base.origin .. base.path .. uri
  end
  return base.origin .. base.path .. root .. (uri:sub(1, 1) == "/" and "" or "/") .. uri
end

return M
