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

local unpack = unpack or table.unpack -- luacheck: ignore 113 143

local M = {}

local MAX_PAGES = 10000
local NO_PREFIX = { "" }

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

-- Reads a response again, without a list for the core.
local function read_again(client, call, response)
  local reading = call.reading or call
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
  if read.list and not read.odd and response.json.items == read.list then -- the usual form
    return read.list, 0, read.total
  end
  local items, why = items_of(response, resource)
  if not read.list then
    if not items then
      return nil, why
    end
  elseif items ~= read.list then
    -- the core took another array for the list: its elements may not be records
    local ok, message = nil, "the response has more than one list"
    if not read.is_released then
      ok, message = read_again(client, call, response)
    end
    if not ok then
      return nil, message
    end
    return M.records(response, resource, client, call)
  elseif not read.odd then
    return items, 0, read.total
  end
  local total = read.total or #items
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

-- What the core needs to know about the records of a resource, see `src/lrecords.h`.
local function list_for_core(resource)
  local description = resource.description
  local roles = {}
  for i = 1, #description.columns do
    roles[i] = 0
  end
  local USES = { { resource.time }, resource.user or {}, resource.application or {},
                 { resource.mfa_compliant } }
  for use, names in ipairs(USES) do
    for _, name in ipairs(names) do
      local number = description.numbers[name]
      roles[number] = roles[number] + 2 ^ (use - 1)
    end
  end
  return { items = { items = true, Items = true, [resource.items or "value"] = true },
           numbers = description.numbers, columns = description.columns,
           kinds = description.kinds, roles = string.char(unpack(roles)) }
end

-- The addresses where a call may be served, each with `root` (prefix and version) and `url`.
local function addresses_of(client, resource)
  local prefixes = client.prefix and { client.prefix } or resource.prefixes or NO_PREFIX
  local addresses = {}
  for i, prefix in ipairs(prefixes) do
    local root = (prefix == "" and "" or "/" .. prefix) .. "/" .. (resource.version or "v1")
    addresses[i] = { root = root, url = client.base.origin .. client.base.path .. root .. "/"
      .. resource.path }
  end
  return addresses
end

-- What all calls of a resource by a client share: their `addresses`, and their `class`.
local function plan_of(client, resource)
  local shared = limits.of_list(client)
  shared.must, shared.list = true, list_for_core(resource)
  shared.users_only, shared.buffer = resource.users_only, true
  shared.max_body = client.max_body or defaults.max_list_body
  local plan = { addresses = addresses_of(client, resource), class = client:class_of(shared) }
  client.plans[resource] = plan
  return plan
end

-- Sets the criteria for the core, once the first page has come: they go by its time.
local function describe(call, response)
  if not call.filter then
    local date = headers.date(response.headers, call.clock())
    call.filter = criteria.filter(call.matching, call.resource, date)
    call.criteria = call.filter.core
  end
end

-- Reads a page. Returns its records, how many elements were none, how many elements it had, and the
-- page after it if there is one; or nil and an error.
local function read_page(client, resource, root, page, call, response)
  local records, unreadable, total = M.records(response, resource, client, call)
  if response.buffer then
    response.buffer:free()
  end
  local following, message
  if records then
    following, message = M.next_page(response.json, call.continuation, page, client.base, root)
  else
    message = unreadable
  end
  if message then
    return nil, json_body.unreadable(response, message, json_body.timed_out(message))
  end
  return records, unreadable, total, following
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

-- Adds the pages after the first one to its records. A link that repeats would never end. Returns
-- the same as `read_page`, for all pages.
local function read_more(client, resource, call, root, response, records, unreadable, total, page)
  local seen, count, last = {}, 1, total
  while page do
    local key = page.url .. "\n" .. table.concat(headers.lines(page.headers), "\n")
    count = count + 1
    if seen[key] or count > MAX_PAGES then
      return nil, json_body.unreadable(response, "the pages of the list do not end")
    end
    seen[key] = true
    limits.spend(call, response.read and response.read.values or 0, last)
    local next_call = setmetatable({
      url = page.url, own_headers = page.headers, seconds = call.seconds, deadline = call.deadline,
      correlation_id = call.correlation_id, reading = call,
    }, getmetatable(call))
    local more, odd
    response, odd = client:call(next_call)
    if response then
      more, odd, last, page = read_page(client, resource, root, page, next_call, response)
    end
    if not more then
      return nil, of_later_page(odd, count, total)
    end
    unreadable, total = unreadable + odd, total + last
    for i = 1, #more do
      records[#records + 1] = more[i]
    end
  end
  return records, unreadable, total
end

-- Tries one address after the other, since the documents disagree on the address of a call. The one
-- that works is remembered for this call alone: the calls moved at different times.
local function first_page(client, plan, call, query, at, first_err)
  local addresses = plan.addresses
  local address = addresses[at] or addresses[1] -- another task may have found it meanwhile
  call.url = query and address.url .. url.query(query) or address.url
  local response, err = client:call(call)
  if response then
    if addresses[2] then
      plan.addresses = { address }
    end
    return response, address.root
  elseif err.kind == "not_found" and addresses[at + 1] then
    call.request_id = nil -- another request
    return first_page(client, plan, call, query, at + 1, first_err or err)
  end
  return nil, err.kind == "not_found" and first_err or err
end

-- The first page and those after it, as one list.
local function whole_list(client, resource, call, root, response, began)
  local received = client.clock()
  local records, unreadable, returned, page =
    read_page(client, resource, root, call, call, response)
  if page then
    records, unreadable, returned = read_more(client, resource, call, root, response, records,
      unreadable, returned, page)
  end
  if not records then
    return nil, unreadable
  elseif returned > 0 and unreadable == returned then
    -- an empty list would say that all is well
    return nil, json_body.unreadable(response, "no record of the list is an object")
  end
  local total = response.json.totalCount
  if total ~= returned then
    total = total_of(response.json)
    total = total and total >= 0 and total or returned
  end
  local filter = call.filter
  return list.new(records, {
    request_id = response.request_id, correlation_id = response.correlation_id,
    is_mfa_compliant = response.is_mfa_compliant, unreadable = unreadable, total_count = total,
    truncated = resource.cap ~= nil and returned >= resource.cap or total > returned,
    sent = call.sent, received = received, began = began,
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
  local plan = client.plans[resource] or plan_of(client, resource)
  local began = client.clock()
  local call = setmetatable({
    deadline = client:deadline(options.timeout), seconds = options.timeout,
    correlation_id = options.correlation_id,
    -- set later; with room for them now, the table need not grow
    url = nil, request_id = nil, headers = nil, timeout = nil, connect_timeout = nil,
  }, plan.class)
  if options.matching then
    call.resource, call.matching, call.describe = resource, options.matching, describe
  end
  local response, root = first_page(client, plan, call, options.query, 1)
  if not response then
    return nil, root
  end
  return whole_list(client, resource, call, root, response, began)
end

return M
