--- Finds in a response, whatever its shape, the records, their number, and the next page. The
-- service's documents disagree about which call returns which shape.
-- @module pcapi.service.collection
local core = require "pcapi.core"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local record = require "pcapi.service.record"
local url = require "pcapi.url"

local M = {}

-- Headers that a link may not set: they identify the client, address the request, and frame its
-- body.
local OURS = { authorization = true, ["proxy-authorization"] = true, cookie = true,
               ["user-agent"] = true, host = true, connection = true, upgrade = true,
               expect = true, te = true, trailer = true, ["content-length"] = true,
               ["transfer-encoding"] = true, accept = true, ["accept-encoding"] = true,
               range = true, validatemfa = true }

-- The names of members with their first letter in upper case.
local capitalized = setmetatable({}, {
  __index = function(names, name)
    names[name] = string.char(name:byte() - 32) .. name:sub(2)
    return names[name]
  end,
})

-- A member of an object in either casing.
local function either(object, name)
  local value = object[name]
  if value == nil then
    value = object[capitalized[name]]
  end
  return value
end

-- The same; nil for a value without members.
local function member(object, name)
  return type(object) == "table" and either(object, name) or nil
end

-- An empty array is decoded like an empty object.
local function is_array(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

-- Whether an object is a collection of OData (Microsoft Graph): beside `value` it has annotations
-- only, such as @odata.context (OData JSON Format 4.01 §12). Any other object may have a field
-- `value` by chance.
local function is_odata_collection(object)
  local is_annotated = false
  for name in pairs(object) do
    if type(name) ~= "string" or name ~= "value" and not name:find("@", 1, true) then
      return false
    end
    is_annotated = is_annotated or name:sub(1, 7) == "@odata."
  end
  return is_annotated
end

--- The number of records that the service reports.
-- @tparam table object
-- @treturn ?number
function M.total(object)
  local total = either(object, "totalCount")
  return record.integer(total == nil and object["@odata.count"] or total)
end

-- The records of an object without `items`, if it is a collection nevertheless.
local function other_items(object, resource)
  local items = object[resource.items or "value"]
  if is_array(items) and (resource.items or is_odata_collection(object)) then
    return items
  elseif M.total(object) == 0 then
    return {} -- "items": null
  end
end

local function is_array_text(response)
  if response.read then
    return response.read.is_array
  end
  return response.body:find "^\239?\187?\191?%s*%[" ~= nil
end

-- The array of records; or nil and what is wrong with the shape of the response.
local function items_of(response, resource)
  local json = response.json
  if type(json) ~= "table" then
    return nil, "the response is a single value, not a list of records"
  end
  local items = either(json, "items")
  if items == nil and is_array_text(response) then
    items = json -- only the text tells an empty array from an empty object
  elseif items == nil then
    items = other_items(json, resource)
  end
  if items == nil and record.is_known(json, resource.description) then
    return { json }
  elseif not is_array(items) then
    return nil, "the response is neither a list of records nor a record"
  end
  return items
end

-- Reads a response again, without a list for the core, which took another array for it.
local function read_again(client, call, response)
  local reading = call.reading or call
  if response.read.is_released then
    return nil, "the response has more than one list"
  end
  return json_body.decode(response, {
    values = reading.values, records = reading.records, max_records = reading.max_records,
    json = reading.json, deadline = reading.deadline, transport = client.transport, must = true,
  })
end

-- How `record.normalise` works on a response that is not as usual.
local function how_of(client, call, read)
  local filter = (call.reading or call).filter
  return { checkpoint = json_body.checkpoint(client.transport, call.deadline),
           keeps = filter and filter.keeps, only = read.odd }
end

--- The records of one response: those of a collection or a bare array, or the one object that it
-- is.
-- @tparam table response `json`; and `read` or `body`
-- @tparam table resource declaration of the call
-- @tparam[opt] pcapi.client client with `call`, if the response was `read`
-- @tparam[opt] table call
-- @treturn[1] table array
-- @treturn[1] number how many elements were not objects; they are left out
-- @treturn[1] number how many elements there were, with those that the filter of the call removed
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the shape
function M.records(response, resource, client, call)
  local read = response.read or response
  local list = read.list
  local is_usual = list and response.json.items == list
  local items, why = list, nil
  if not is_usual then
    items, why = items_of(response, resource)
  end
  if list and items ~= list then -- its elements may not be records
    local ok, message = read_again(client, call, response)
    if not ok then
      return nil, message
    end
    return M.records(response, resource, client, call)
  elseif not items then
    return nil, why
  elseif list and not read.odd then
    return list, 0, read.total
  end
  local total = list and read.total or #items
  local records, unreadable = record.normalise(items, resource.description,
    call and how_of(client, call, read))
  return records, unreadable, total
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

-- The headers that a link demands, without those in OURS; or nil and what is wrong with them.
local function link_headers(link)
  local wanted, listed = {}, member(link, "headers")
  if listed ~= nil and type(listed) ~= "table" then
    return nil, "is unusable: its headers are not a list"
  end
  for _, header in ipairs(listed or {}) do
    local name, value = member(header, "key"), member(header, "value")
    local ok, why = headers.is_valid(name, value)
    if not ok then
      return nil, "is unusable: " .. why
    elseif not OURS[core.lower(name)] then
      wanted[name] = value
    end
  end
  return wanted
end

-- The page that a link leads to; or nil and why the link cannot be followed.
local function linked_page(uri, link, base, root)
  local wanted, why = link_headers(link)
  local address
  if wanted then
    address, why = url.follow(uri, base, root)
  end
  if not address then
    return nil, "the link to the next page " .. why
  end
  return { url = address, headers = wanted }
end

--- Finds the next page: by a link (`links.next` or `@odata.nextLink`) or a continuation token.
-- @tparam table json of the response
-- @tparam ?string token the header MS-ContinuationToken
-- @tparam table page the request of this page: `url`
-- @tparam table base address of the service, from `url.parse`
-- @tparam string root prefix and version of the call
-- @treturn[1] table `url`, `headers`
-- @treturn[2] nil this was the last page
-- @treturn[3] nil
-- @treturn[3] string why the link or token cannot be followed
function M.next_page(json, token, page, base, root)
  local links = either(json, "links")
  local link = links and member(links, "next")
  local uri = link and member(link, "uri")
  if uri and is_text(uri) then
    return linked_page(uri, link, base, root)
  end
  if not token and json[1] == nil then
    token = either(json, "continuationToken")
  end
  if token and is_text(token) then
    local ok, why = headers.is_valid("MS-ContinuationToken", token)
    return ok and { url = page.url, headers = { ["MS-ContinuationToken"] = token } } or nil, why
  end
  uri = json["@odata.nextLink"]
  if uri and is_text(uri) then
    return linked_page(uri, nil, base, root)
  end
end

return M
