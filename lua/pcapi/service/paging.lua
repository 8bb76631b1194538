--- Carries out a call that returns records: whatever the shape of its responses, and however many
-- pages there are, the result is one list.
-- @module pcapi.service.paging
local core = require "pcapi.core"
local criteria = require "pcapi.service.criteria"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local headers = require "pcapi.http.headers"
local json_body = require "pcapi.http.json_body"
local limits = require "pcapi.http.limits"
local list = require "pcapi.service.list"
local record = require "pcapi.service.record"
local url = require "pcapi.url"

local M = {}

local MAX_PAGES = 10000

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

-- The number of records that the service reports.
local function total_of(object)
  local total = either(object, "totalCount")
  return record.integer(total == nil and object["@odata.count"] or total)
end

-- The records of an object without `items`, if it is a collection nevertheless.
local function other_items(object, resource)
  local items = object[resource.items or "value"]
  if is_array(items) and (resource.items or is_odata_collection(object)) then
    return items
  elseif total_of(object) == 0 then
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

-- How to normalise the records of a response that is not as usual: as for `record.normalise`, with
-- `read_again`, a function that reads the response without a list for the core.
local function how_of(client, call, response)
  return {
    checkpoint = json_body.checkpoint(client.transport, call.deadline),
    keeps = call.reading.filter and call.reading.filter.keeps,
    read_again = function()
      local plain = limits.of_list(client, call.deadline)
      plain.values, plain.records = call.reading.values, call.reading.records
      return json_body.decode(response, plain)
    end,
  }
end

--- The records of one response: those of a collection or a bare array, or the one object that it
-- is. The service's documents disagree about which call returns which.
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
  local items, why = items_of(response, resource)
  if read.list and items == read.list and not read.odd then
    return items, 0, read.total
  end
  local how = call and how_of(client, call, response) or {}
  if read.list and items ~= read.list then
    -- the core took another array for the list: its elements may not be records
    local ok, message = nil, "the response has more than one list"
    if not read.is_released then
      ok, message = how.read_again()
    end
    if not ok then
      return nil, message
    end
    return M.records(response, resource, client, call)
  elseif not items then
    return nil, why
  end
  local total = read.list and read.total or #items
  local records, unreadable = record.normalise(items, resource.description,
    { checkpoint = how.checkpoint, keeps = how.keeps, only = read.odd })
  return records, unreadable, total
end

-- The continuation token of a response: in a header or a member.
local function continuation(response)
  local token = core.header(response, "ms-continuationtoken")
  if not token and response.json[1] == nil then
    token = either(response.json, "continuationToken")
  end
  return token
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
-- @tparam table response `json`, `headers`
-- @tparam table page the request of this page: `url`
-- @tparam table base address of the service, from `url.parse`
-- @tparam string root prefix and version of the call
-- @treturn[1] table `url`, `headers`
-- @treturn[2] nil this was the last page
-- @treturn[3] nil
-- @treturn[3] string why the link or token cannot be followed
function M.next_page(response, page, base, root)
  local json = response.json
  local links = either(json, "links")
  local link = links and member(links, "next")
  local uri = link and member(link, "uri")
  if uri and is_text(uri) then
    return linked_page(uri, link, base, root)
  end
  local token = continuation(response)
  if token and is_text(token) then
    local ok, why = headers.is_valid("MS-ContinuationToken", token)
    return ok and { url = page.url, headers = { ["MS-ContinuationToken"] = token } } or nil, why
  end
  uri = json["@odata.nextLink"]
  if uri and is_text(uri) then
    return linked_page(uri, nil, base, root)
  end
end

-- What the core needs to know about the records of a resource: the names of the member that holds
-- them, and the meaning of their fields.
local descriptions = setmetatable({}, { __mode = "k" })

local function description_of(resource)
  local description, roles = resource.description, {}
  local ROLES = { { resource.time }, resource.user or {}, resource.application or {},
                  { resource.mfa_compliant } }
  for i, names in ipairs(ROLES) do
    for _, name in ipairs(names) do
      roles[name] = (roles[name] or 0) + 2 ^ (i - 1)
    end
  end
  return { items = { items = true, Items = true, [resource.items or "value"] = true },
           names = description.names, columns = description.positions, kinds = description.kinds,
           roles = roles }
end

-- Sets the list for the core, once the first page has come: the filter goes by its time.
local function describe(reading, response)
  local resource = reading.resource
  if not reading.filter then
    local date = headers.date(response.headers, reading.clock())
    reading.filter = criteria.filter(reading.matching, resource, date)
    reading.list = setmetatable(reading.filter.core, { __index = descriptions[resource] })
  end
end

-- How to read the pages of a call.
local function reading_of(client, resource, deadline, matching)
  descriptions[resource] = descriptions[resource] or description_of(resource)
  local reading = limits.of_list(client, deadline, descriptions[resource])
  if matching then
    reading.resource, reading.matching, reading.describe = resource, matching, describe
  end
  return reading
end

-- Reads a page: its records, and the page after it if there is one; or nil, nil, err. Counts in
-- `call.reading`.
local function read_page(client, resource, root, page, call, response)
  local reading = call.reading
  local records, unreadable, total = M.records(response, resource, client, call)
  if response.buffer then
    response.buffer:free()
  end
  local following, message
  if records then
    limits.spend(reading, response.read and response.read.values or 0, total)
    reading.unreadable = reading.unreadable + unreadable
    reading.total = reading.total + total
    following, message = M.next_page(response, page, client.base, root)
  else
    message = unreadable
  end
  if message then
    return nil, nil, json_body.unreadable(response, message, json_body.timed_out(message))
  end
  return records, following
end

-- The fields that all requests of a resource share, as the metatable of each.
local common = setmetatable({}, { __mode = "k" })

local function new_call(resource, call)
  common[resource] = common[resource] or { __index = {
    method = "GET", users_only = resource.users_only, max_body = defaults.max_list_body,
    buffer = true,
  } }
  return setmetatable(call, common[resource])
end

-- The error of a later page. It is a copy, as a provider of tokens may return the same error to
-- others. The hint does not blame the address: the pages before came from it.
local function of_later_page(err, number, records)
  local copy = {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  copy.page = number
  copy.message = ("page %d of the list, after %d records: %s"):format(number, records, err.message)
  local is_full = err.hint and err.hint:find "^Raise " -- an option is too low
  if (err.kind == "not_found" or err.kind == "protocol") and not is_full then
    copy.hint = "Make the call again: the list may have changed between two pages"
  end
  return errors.new(copy)
end

-- Reads page after page. A link that repeats would never end.
local function read_pages(client, resource, call, root, response)
  local records, page, err = read_page(client, resource, root, call, call, response)
  local seen, count = {}, 1
  while page do
    local key = page.url .. "\n" .. table.concat(headers.lines(page.headers), "\n")
    count = count + 1
    if seen[key] or count > MAX_PAGES then
      return nil, json_body.unreadable(response, "the pages of the list do not end")
    end
    seen[key] = true
    response, err = client:call(new_call(resource, {
      url = page.url, headers = page.headers, timeout = call.timeout, deadline = call.deadline,
      correlation_id = call.correlation_id, reading = call.reading,
    }))
    local more
    if response then
      more, page, err = read_page(client, resource, root, page, call, response)
    end
    if not more then
      return nil, of_later_page(err, count, call.reading.total)
    end
    for i = 1, #more do
      records[#records + 1] = more[i]
    end
  end
  return records, err
end

local NO_PREFIX = { "" }

-- The addresses where a call may be served, each with `root` (prefix and version) and `url`.
local function addresses_of(client, resource)
  local prefixes = client.prefix and { client.prefix } or resource.prefixes or NO_PREFIX
  local addresses = {}
  for i, prefix in ipairs(prefixes) do
    local root = (prefix == "" and "" or "/" .. prefix) .. "/" .. (resource.version or "v1")
    addresses[i] = { root = root, url = client.base.origin .. client.base.path .. root .. "/"
      .. resource.path }
  end
  client.addresses[resource.path] = addresses
  return addresses
end

-- Tries one address after the other, since the documents disagree on the address of a call. The one
-- that works is remembered for this call alone: the calls moved at different times.
local function first_page(client, resource, call, at, first_err)
  local addresses = client.addresses[resource.path] or addresses_of(client, resource)
  local address = addresses[at] or addresses[1] -- another task may have found it meanwhile
  call.url = address.url .. url.query(call.query)
  local response, err = client:call(call)
  if response then
    client.addresses[resource.path] = #addresses > 1 and { address } or addresses
    return response, address.root
  elseif err.kind == "not_found" and addresses[at + 1] then
    return first_page(client, resource, call, at + 1, first_err or err)
  end
  return nil, err.kind == "not_found" and first_err or err
end

-- The first page and those after it, as one list.
local function whole_list(client, resource, call, root, response)
  local reading, received = call.reading, client.clock()
  local records, err = read_pages(client, resource, call, root, response)
  if not records then
    return nil, err
  end
  local total, returned = total_of(response.json), reading.total
  if returned > 0 and reading.unreadable == returned then
    -- an empty list would say that all is well
    return nil, json_body.unreadable(response, "no record of the list is an object")
  end
  total = total and total >= 0 and total or returned
  local filter = reading.filter
  return list.new(records, {
    request_id = response.request_id, correlation_id = response.correlation_id,
    is_mfa_compliant = response.is_mfa_compliant, unreadable = reading.unreadable,
    total_count = total,
    truncated = resource.cap ~= nil and returned >= resource.cap or total > returned,
    sent = call.sent, received = received, began = call.began,
    without_time = filter and filter.without_time,
    covered_since = filter and filter.covered_since,
    resource = resource, clock = client.clock,
  })
end

--- Carries out a call and returns its records.
-- @tparam pcapi.client client
-- @tparam table resource declaration of the call, see `pcapi.service.resource`
-- @tparam table options `query` (name to value), `timeout` (seconds), `correlation_id`, `matching`
-- (from `criteria.compile`)
-- @treturn[1] pcapi.list
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.list(client, resource, options)
  local deadline = client:deadline(options.timeout)
  local call = new_call(resource, {
    query = options.query, timeout = options.timeout, deadline = deadline, began = client.clock(),
    correlation_id = options.correlation_id or core.uuid(),
    reading = reading_of(client, resource, deadline, options.matching),
    url = false, sent = nil, -- set later
  })
  local response, root = first_page(client, resource, call, 1)
  if not response then
    return nil, root
  end
  return whole_list(client, resource, call, root, response)
end

return M
