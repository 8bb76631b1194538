---@meta pcapi.history.told
-- Made by `make types` from lua/pcapi/history/told.lua; do not edit.

---Decides what a reader is told: no event twice as new, and no event lost.
---@class pcapi.history.told
local pcapi_history_told = {}

---Makes a reader. The first one of a tenant is told all that happened; a later one is told what is open, and what happens from then on.
---@param name string 
---@param newest number id of the newest event of the tenant; 0: none
---@param is_first boolean nobody was told anything of this tenant
---@param now number 
---@return table # 
function pcapi_history_told.new_reader(name, newest, is_first, now) end

---Decides of which warnings a reader is told now: those that begin, and every 7 days those that last. Pure.
---@param warned table|nil when the reader was last told of each, by key
---@param warnings table array of those that hold now, each with `key`: a text in one line
---@param now number 
---@return table # array of some of them
---@return table # as `warned`, once they were told; without those that do not hold any more
function pcapi_history_told.due(warned, warnings, now) end

---Decides what a reader is told now. Pure.
---@param reader table 
---@param events table those of the tenant with an id above the reader's `told`, by id
---@param open table the people of the tenant with an open or healing finding
---@param options table `now`, `remind` (days between reminders of open findings; 0: never), and `warnings` (as for `due`; nil: they are not known now)
---@return table # `fresh` and `repeated` (arrays of events, without those of users with an exception), `reminders` (array of people), `is_empty` (there is nothing of these to tell), `warnings` (array of those to tell), and `last` (id of the last event that it took into account)
function pcapi_history_told.plan(reader, events, open, options) end

---The reader as it has to be stored before the first byte is written. Pure.
---@param reader table 
---@param plan table from `plan`
---@return table # 
function pcapi_history_told.claim(reader, plan) end

---The reader as it has to be stored when all was written. Pure.
---@param reader table from `claim`
---@param plan table from `plan`
---@return table # 
function pcapi_history_told.done(reader, plan) end

---Tells one reader about some tenants, in the three steps. If writing fails, nothing counts as told, and the next call repeats it.
---@param store table see `pcapi.history.store`
---@param options table `reader` (its name), `tenants` (array, as the store gives them), `now`, `remind`, and `warnings` (of a tenant by its id, as for `plan`)
---@param write function takes the array of plans, as of `plan` with `tenant`; writes and flushes all, and returns true, or nil and an error
---@return table|nil # the plans
---@return any|nil # the error of `write`, or of the store
function pcapi_history_told.tell(store, options, write) end

return pcapi_history_told
