--- Carries out a call that returns records: however many pages there are, the result is one list.
-- @module pcapi.service.paging
local collection = require "pcapi.service.collection"
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
  return addresses
end

-- Makes the `addresses` and the `class` that all calls of a resource by a client share.
local function plan_of(client, resource)
  local shared = limits.of_list(client)
  shared.resource, shared.must, shared.list = resource, true, record.for_core(resource)
  shared.users_only, shared.buffer = resource.users_only, true
  shared.max_body = client.max_body or defaults.max_list_body
  local plan = { addresses = addresses_of(client, resource), class = client:class_of(shared) }
  client.plans[resource] = plan
  return plan
end

-- Sets the criteria for the core, once the first page has come: they go by its time.
local function describe(call, response)
  if not call.filter then
    local date = headers.date(core.header(response, "date"), call.clock())
    call.filter = criteria.filter(call.matching, call.resource, date)
    call.criteria = call.filter.core
  end
end

-- Reads a page. Returns its records, how many elements were none, how many elements it had, and the
-- page after it if there is one; or nil and an error.
local function read_page(client, call, page, response)
  local records, unreadable, total = collection.records(response, call.resource, client, call)
  if not response.body then
    response.buffer:free()
  end
  local following, message
  if records then
    following, message = collection.next_page(response.json, call.continuation, page, client.base,
      (call.reading or call).root)
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
local function read_more(client, call, response, records, unreadable, total, page)
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
      more, odd, last, page = read_page(client, next_call, page, response)
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
  call.root = address.root
  call.url = query and address.url .. url.query(query) or address.url
  local response, err = client:call(call)
  if response then
    if addresses[2] then
      plan.addresses = { address }
    end
    return response
  elseif err.kind == "not_found" and addresses[at + 1] then
    call.request_id = nil -- another request
    return first_page(client, plan, call, query, at + 1, first_err or err)
  end
  return nil, err.kind == "not_found" and first_err or err
end

-- The first page and those after it, as one list.
local function whole_list(client, call, response, began)
  local resource = call.resource
  local received = client.clock()
  local records, unreadable, returned, page =
    read_page(client, call, call, response)
  if page then
    records, unreadable, returned = read_more(client, call, response, records, unreadable, returned,
      page)
  end
  if not records then
    return nil, unreadable
  elseif returned > 0 and unreadable == returned then
    -- an empty list would say that all is well
    return nil, json_body.unreadable(response, "no record of the list is an object")
  end
  local total = response.json.totalCount
  if total ~= returned then
    total = collection.total(response.json)
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
    call.matching, call.describe = options.matching, describe
  end
  local response, err = first_page(client, plan, call, options.query, 1)
  if not response then
    return nil, err
  end
  return whole_list(client, call, response, began)
end

return M
