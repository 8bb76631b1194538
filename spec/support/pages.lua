--- Responses with records of the request log, for specs over `spec.support.fake_transport`.
local cjson = require "cjson"
local fake = require "spec.support.fake_transport"

local M = {}

--- A response with a value as JSON; an empty table is an empty array.
-- @tparam table value
-- @tparam[opt] table changes to the response
function M.json(value, changes)
  local body = next(value) and cjson.encode(value) or "[]"
  local made = { body = body, headers = { ["content-type"] = "application/json" } }
  for name, change in pairs(changes or {}) do
    made[name] = change
  end
  return made
end

--- A page of the request log: one record of that id.
-- @param id
-- @tparam[opt] table link to the next page
-- @tparam[opt] table changes to the response
function M.page(id, link, changes)
  return M.json({ totalCount = 2, items = { { requestId = id } },
                  links = link and { next = link } }, changes)
end

--- The ids of records.
function M.ids(records)
  local found = {}
  for i, record in ipairs(records) do
    found[i] = record.requestId
  end
  return found
end

--- Calls `partner_requests`, and returns its list or nil, the error, and the transport.
function M.requests(responses, options)
  local client, transport = fake.client(responses, options)
  local records, err = client.security:partner_requests()
  return records, err, transport
end

return M
