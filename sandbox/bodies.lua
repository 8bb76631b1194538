--- Writes the bodies of successful responses, in every format that the service has used.
local cache = require "sandbox.cache"
local json = require "sandbox.json"
local story = require "sandbox.story"

local M = {}

local BOM = "\239\187\191"
local COLLECTION = json.raw('{"objectType":"Collection"}')

-- Adds properties that clients do not know and must ignore.
local function add_unknown(fields)
  for _, value in ipairs { "riskScore", 3, "riskWeight", 0.25, "signIn",
                           json.raw('{"city":"Oslo","proxies":[1,2.5,null,{"hop":true}]}'),
                           "tags", json.raw('["new",7,[]]') } do
    fields[#fields + 1] = value
  end
end

local function write(fields, index, settings)
  if settings.nulls then
    fields[index % (#fields / 2) * 2 + 2] = json.null -- a different field in each record
  end
  if settings.extra then
    add_unknown(fields)
  end
  return json.object(fields, settings)
end

-- The number of records in the whole list.
local function count_of(call)
  return call.story and #story.records(call) or call.settings.records or call.route.count
end

local function record_of(call, index, count)
  if call.story then
    return story.records(call)[index]:write(call.settings)
  end
  return call.route.record(index, count, call.settings)
end

local function items_of(call)
  local settings, dates, count = call.settings, call.dates, count_of(call)
  local size = settings.page or count
  local items = {}
  for index = (call.page - 1) * size + 1, math.min(call.page * size, count) do
    local fields = record_of(call, index, count)
    local date = dates and fields[2] -- the first field of an adoption row is loginDate
    if not date or date >= dates.from and date <= dates.to then
      items[#items + 1] = write(fields, index, settings)
    end
  end
  return items
end

local function has_next(call)
  local size = call.settings.page
  return size and (call.settings.links == "loop" or call.page * size < count_of(call))
end

--- Makes the continuation token of a page. It contains characters that must be encoded in a query.
function M.page_token(call, page)
  return "A,/" .. ngx.encode_base64(table.concat({ call.route.name, call.settings.page, page },
                                                 ":")) .. "=,"
end

--- Reads the page number from a continuation token.
-- @treturn ?number nil if the token is not for this list
function M.page_of(call, page_token)
  local text = ngx.decode_base64(page_token:match("^A,/(.*)=,$") or "?")
  local name, size, page = (text or ""):match("^(.-):(%d+):(%d+)$")
  if name == call.route.name and tonumber(size) == call.settings.page then
    return tonumber(page)
  end
end

-- Another host name of this sandbox: if a client follows the link, the log shows it.
local function other_name(host)
  return (host:gsub("^[^:]+", host:find("^localhost") and "127.0.0.1" or "localhost"))
end

local function next_uri(call)
  local query = "?size=" .. call.settings.page .. "&seekOperation=Next"
  if call.dates then
    query = query .. "&startDate=" .. call.dates.from .. "&endDate=" .. call.dates.to
  end
  local path = call.path .. query
  local below_version = call.route.name .. query
  local links = call.settings.links
  if links == "v1" then
    return path
  elseif links == "bare" then
    return below_version
  elseif links == "absolute" then
    return call.scheme .. "://" .. call.host .. path
  elseif links == "foreign" then
    return call.scheme .. "://" .. other_name(call.host) .. path
  elseif links == "http" then
    return os.getenv("PCAPI_SANDBOX_HTTP_URL"):gsub("127%.0%.0%.1", "localhost") .. path
  end
  return "/" .. below_version
end

local function links_of(call, page_token)
  local headers = {}
  if (call.settings.carrier or "link") == "link" then
    headers[1] = json.object({ "key", "MS-ContinuationToken", "value", page_token }, {})
  end
  local link = { "uri", next_uri(call), "method", "GET",
                 "headers", json.raw(json.array(headers)) }
  return json.raw(json.object({ "next", json.raw(json.object(link, call.settings)) },
                              call.settings))
end

local function collection(call, items)
  local settings = call.settings
  local fields = { "totalCount", #items, "items", json.raw(json.array(items)) }
  local function add(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
  if has_next(call) then
    local page_token = M.page_token(call, call.page + (settings.links == "loop" and 0 or 1))
    if settings.links ~= "none" then
      add("links", links_of(call, page_token))
    end
    if settings.carrier == "body" then
      add("continuationToken", page_token)
    end
  elseif settings.nulls then
    add("links", json.null)
  end
  if settings.compliant == "body" then
    add("isMfaCompliant", true)
  end
  if settings.extra then
    add_unknown(fields)
  end
  add("attributes", COLLECTION)
  return json.object(fields, settings)
end

-- As Microsoft Graph sends a collection (OData JSON Format).
local function odata(call, items)
  local settings = call.settings
  local total = call.dates and #items or count_of(call)
  local fields = {
    "@odata.context", call.scheme .. "://" .. call.host .. "/v1/$metadata#" .. call.route.name,
    "@odata.count", total, "value", json.raw(json.array(items)),
  }
  if has_next(call) and settings.links ~= "none" then
    local page_token = M.page_token(call, call.page + (settings.links == "loop" and 0 or 1))
    fields[#fields + 1] = "@odata.nextLink"
    fields[#fields + 1] = next_uri(call) .. "&$skiptoken=" .. ngx.escape_uri(page_token)
  end
  return json.object(fields, {})
end

local function shaped(call)
  local items = items_of(call)
  local shape = call.settings.shape or call.route.shape
  if shape == "array" then
    return json.array(items)
  elseif shape == "object" then
    return items[1] or "{}"
  elseif shape == "odata" then
    return odata(call, items)
  elseif shape == "wrapped-wrong" then
    return '{"value":' .. json.array(items) .. ',"status":"ok"}'
  end
  return collection(call, items)
end

local function utf16_unit(code)
  return string.char(code % 256, math.floor(code / 256))
end

-- Little endian with a byte order mark, as the former host sent it without Accept.
local function utf16(text)
  return "\255\254" .. text:gsub("[%z\1-\127\192-\255][\128-\191]*", function(char)
    local code = char:byte()
    if code >= 192 then
      code = code % (code >= 240 and 8 or code >= 224 and 16 or 32)
    end
    for at = 2, #char do
      code = code * 64 + char:byte(at) % 64
    end
    if code < 65536 then
      return utf16_unit(code)
    end
    code = code - 65536
    return utf16_unit(55296 + math.floor(code / 1024) % 1024) .. utf16_unit(56320 + code % 1024)
  end)
end

--- Encodes JSON text as the bytes of the response body.
function M.encode(text, settings)
  if settings.pretty then
    text = json.pretty(text)
  end
  if settings.bom == "utf16" then
    return utf16(text)
  end
  return settings.bom == "0" and text or BOM .. text
end

-- Bodies are cached, so that a benchmark measures the client.
local stored = cache.new(256 * 1024 * 1024)

-- The settings that change a successful body.
local SHAPING = { "records", "seed", "spelling", "ip", "casing", "shape", "scalars", "nulls",
                  "extra", "hostile", "odd_times", "bom", "pretty", "page", "links", "carrier",
                  "compliant", "newest" }

-- Equal settings have equal keys.
local function key_of_settings(settings)
  local values = {}
  for at, name in ipairs(SHAPING) do
    values[at] = tostring(settings[name])
  end
  return table.concat(values, ";")
end

local shapes = setmetatable({}, { __mode = "k" })

local function key_of(call)
  local settings, dates = call.settings, call.dates
  shapes[settings] = shapes[settings] or key_of_settings(settings)
  local key = call.path .. " " .. call.page .. " " .. shapes[settings] .. (call.story or "")
  if dates then
    key = key .. " " .. dates.from .. " " .. dates.to
  end
  return settings.page and key .. " " .. call.scheme .. " " .. call.host or key -- for the links
end

--- Returns the body of the successful response to a call.
function M.published(call)
  local key = key_of(call)
  local text = stored:get(key)
  if not text then
    text = M.encode(shaped(call), call.settings)
    stored:put(key, text, #key + #text)
  end
  return text
end

--- Returns the continuation token for a response header, or nil.
function M.header_token(call)
  if call.settings.carrier == "header" and has_next(call) then
    return M.page_token(call, call.page + (call.settings.links == "loop" and 0 or 1))
  end
end

return M
