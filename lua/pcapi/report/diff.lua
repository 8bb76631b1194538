--- Compares the records of a list with the identities that were known before.
--
--     local diff = require "pcapi.report.diff"
--     local changes = diff.of(users, known, function(user) return user.objectId end)
--     for _, user in ipairs(changes.new) do print(user.upn) end
--
-- The known identities are the caller's: those of earlier days, of the last message that was
-- sent, or of a database. That an identity is gone from a list proves nothing by itself: the
-- service's lists cover 7 days and may be cut.
-- @module pcapi.report.diff
local M = {}

--- Compares.
-- @tparam table records array, such as a list of a client
-- @tparam table known set of identities: a table with identities as keys and anything but false
-- as values
-- @tparam function id_of returns the identity of a record, a string; or nil if it has none
-- @treturn table `new` and `known`, arrays of records in their order; `gone`, the sorted array of
-- known identities that no record has; `ids`, the array of the identities that records have, each
-- once and in their order; and `unidentified`, the array of records without an identity
function M.of(records, known, id_of)
  local changes = { new = {}, known = {}, gone = {}, ids = {}, unidentified = {} }
  local present = {}
  for _, record in ipairs(records) do
    local id = id_of(record)
    local group = id == nil and changes.unidentified or known[id] and changes.known or changes.new
    group[#group + 1] = record
    if id ~= nil and not present[id] then
      present[id] = true
      changes.ids[#changes.ids + 1] = id
    end
  end
  for id, is_known in pairs(known) do
    if is_known and not present[id] then
      changes.gone[#changes.gone + 1] = id
    end
  end
  table.sort(changes.gone)
  return changes
end

return M
