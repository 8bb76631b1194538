--- One call that answers with records: whatever the shape of its answer and
-- however many its pages, a list comes out.
-- @module pcapi.service.paging
local core = require "pcapi.core"
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

-- What a link may not set: who we are, where we go, and how the bytes are framed.
local OURS = { authorization = true, ["proxy-authorization"] = true, cookie = true,
               ["user-agent"] = true, host = true, connection = true, upgrade = true,
               expect = true, te = true, trailer = true, ["content-length"] = true,
               ["transfer-encoding"] = true, accept = true, ["accept-encoding"] = true,
               range = true, validatemfa = true }

-- Names that are ours, with the first letter large.
local capitalized = setmetatable({}, {
  __index = function(names, name)
    names[name] = string.char(name:byte() - 32) .. name:sub(2)
    return names[name]
  end,
})

-- A member in either casing; nil as well for a value that has no members.
local function member(object, name)
  if type(object) ~= "table" then
    return nil
  end
  local value = object[name]
  if value == nil then
    value = object[capitalized[name]]
  end
  return value
end

--- The records of one answer: a collection, a bare array or one object, since the
-- service's documents disagree about which call gives which.
-- @tparam table response `json`, `body`
-- @tparam table description of the records, from `record.describe`
-- @tparam[opt] function breathe as for `record.settle`
-- @treturn[1] table array
-- @treturn[1] number how many elements were no objects, and are left out
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the shape
function M.records(response, description, breathe)
  local json = response.json
  if type(json) ~= "table" then
    return nil, "the answer is a single value, not a list of records"
  end
  local items = member(json, "items")
  if items == nil and response.body:find("^\239?\187?\191?%s*%[") then
    items = json -- only the text tells an empty array from an empty object
  elseif items == nil and member(json, "totalCount") == 0 then
    items = {} -- "items": null
  elseif items == nil and record.is_known(json, description) then
    items = { json }
  elseif type(items) ~= "table" or items[1] == nil and next(items) ~= nil then
    return nil, "the answer is neither a list of records nor a record"
  end
  return record.settle(items, description, breathe)
end

-- The continuation token of an answer, from whichever of its three places.
local function continuation(response)
  local token = response.headers["ms-continuationtoken"]
  if not token and response.json[1] == nil then
    token = member(response.json, "continuationToken")
  end
  return type(token) == "string" and token ~= "" and token or nil
end

local function link_headers(link)
  local wanted, listed = {}, member(link, "headers")
  if listed ~= nil and type(listed) ~= "table" then
    return nil, "the link to the next page is unusable: its headers are no list"
  end
  for _, header in ipairs(listed or {}) do
    local name, value = member(header, "key"), member(header, "value")
    local ok, why = headers.is_valid(name, value)
    if not ok then
      return nil, "the link to the next page is unusable: " .. why
    elseif not OURS[core.lower(name)] then
      wanted[name] = value
    end
  end
  return wanted
end

--- Where the next page is.
-- @tparam table response `json`, `headers`
-- @tparam table page the call that gave it: `url`
-- @tparam table base address of the service, from `url.parse`
-- @tparam string root prefix and version of the call
-- @treturn[1] table `url`, `headers`
-- @treturn[2] nil this was the last page
-- @treturn[3] nil
-- @treturn[3] string why the link cannot be followed
function M.next_page(response, page, base, root)
  local link = member(member(response.json, "links"), "next")
  local uri = member(link, "uri")
  if type(uri) == "string" and uri ~= "" then
    local wanted, why = link_headers(link)
    local address
    if wanted then
      address, why = url.follow(uri, base, root)
    end
    if not address then
      return nil, why:find("^the ") and why or "the link to the next page " .. why
    end
    return { url = address, headers = wanted }
  end
  local token = continuation(response)
  if token then
    local ok, why = headers.is_valid("MS-ContinuationToken", token)
    return ok and { url = page.url, headers = { ["MS-ContinuationToken"] = token } } or nil, why
  end
end

-- Reads a page: its records, and the page after it if there is one; or nil, nil,
-- err. Counts in the call.
local function read_page(client, resource, root, page, call, response)
  local records, unreadable, why = M.records(response, resource.description,
    json_body.checkpoint(client.transport, call.deadline))
  local following, message
  if records then
    limits.spend(call.ceilings, #records + unreadable)
    call.unreadable = (call.unreadable or 0) + unreadable
    following, message = M.next_page(response, page, client.base, root)
  else
    message, why = unreadable, json_body.timed_out(unreadable)
  end
  if message then
    return nil, nil, json_body.unreadable(response, message, why)
  end
  return records, following
end

-- What all calls of a resource have in common stands behind each of them.
local common = setmetatable({}, { __mode = "k" })

local function new_call(resource, call)
  common[resource] = common[resource] or { __index = {
    method = "GET", must_be_json = true, users_only = resource.users_only,
    max_body = defaults.max_list_body,
  } }
  return setmetatable(call, common[resource])
end

-- The same error as that of a later page: the address was right, as the pages before came
-- from it. A copy, as who gives tokens may give the same error again.
local function of_later_page(err, number, records)
  local copy = {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  copy.page = number
  copy.message = ("page %d of the answer, after %d records: %s"):format(number, records,
    err.message)
  local is_full = err.hint and err.hint:find "^Raise " -- one of its ceilings was met
  if (err.kind == "not_found" or err.kind == "protocol") and not is_full then
    copy.hint = "Ask again from the first page: the list may have changed meanwhile"
  end
  return errors.new(copy)
end

-- Reads page after page. A link that comes again would go round for ever.
local function read_pages(client, resource, call, root, response)
  local records, page, err = read_page(client, resource, root, call, call, response)
  local seen, count = {}, 1
  while page do
    local key = page.url .. "\n" .. table.concat(headers.lines(page.headers), "\n")
    count = count + 1
    if seen[key] or count > MAX_PAGES then
      return nil, json_body.unreadable(response, "the pages of the answer do not end")
    end
    seen[key] = true
    response, err = client:call(new_call(resource, {
      url = page.url, headers = page.headers, deadline = call.deadline,
      correlation_id = call.correlation_id, ceilings = call.ceilings,
    }))
    local some
    if response then
      some, page, err = read_page(client, resource, root, page, call, response)
    end
    if not some then
      return nil, of_later_page(err, count, #records)
    end
    for i = 1, #some do
      records[#records + 1] = some[i]
    end
  end
  return records, err
end

-- Where a call may be answered, as `root` (prefix and version) and `url`.
local function addresses_of(client, resource)
  local addresses = {}
  for i, prefix in ipairs(client.prefix and { client.prefix } or resource.prefixes) do
    local root = (prefix == "" and "" or "/" .. prefix) .. "/" .. resource.version
    addresses[i] = { root = root, url = client.base.origin .. client.base.path .. root .. "/"
      .. resource.path }
  end
  client.addresses[resource.path] = addresses
  return addresses
end

-- Asks at one address after the other, since which of them the service serves is not
-- documented for certain. The one that answers is remembered for this call alone: the
-- three of them moved at different times.
local function first_page(client, resource, call, at, first_err)
  local addresses = client.addresses[resource.path] or addresses_of(client, resource)
  local address = addresses[at] or addresses[1] -- one has answered meanwhile
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

-- When the service answered, by its clock; and how many seconds that is ahead of ours, where
-- it is not within the time that the call took.
local function date_of(client, call, response)
  local now = client.clock()
  local date = headers.date(response.headers, now)
  return date, date and (date > now and date - now or math.min(0, date - call.began))
end

-- The first page and those behind it, as one list.
local function whole_list(client, resource, call, root, response)
  local total = record.integer(member(response.json, "totalCount"))
  local date, offset = date_of(client, call, response)
  local facts = {
    request_id = response.request_id, correlation_id = response.correlation_id,
    is_mfa_compliant = response.is_mfa_compliant,
    date = date, clock_offset = offset,
    resource = resource, clock = client.clock,
  }
  local records, err = read_pages(client, resource, call, root, response)
  if not records then
    return nil, err
  end
  local came = #records + call.unreadable
  if #records == 0 and came > 0 then -- an empty list would say that all is well
    return nil, json_body.unreadable(response, "no record of the list is an object")
  end
  facts.unreadable = call.unreadable
  facts.total_count = total and total >= 0 and total or came
  facts.truncated = resource.cap ~= nil and came >= resource.cap or facts.total_count > came
  return list.new(records, facts)
end

--- Carries out a call and gives its records.
-- @tparam pcapi.client client
-- @tparam table resource declaration of the call, see `pcapi.service.resource`
-- @tparam table options `query` (name to value), `timeout` (seconds), `correlation_id`
-- @treturn[1] pcapi.list
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.list(client, resource, options)
  local deadline = client:deadline(options.timeout)
  local call = new_call(resource, {
    query = options.query, deadline = deadline, began = client.clock(),
    ceilings = limits.of_list(client, deadline),
    correlation_id = options.correlation_id or core.uuid(),
  })
  local response, root = first_page(client, resource, call, 1)
  if not response then
    return nil, root
  end
  return whole_list(client, resource, call, root, response)
end

return M
