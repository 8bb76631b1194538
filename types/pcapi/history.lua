---@meta pcapi.history
-- Made by `make types` from lua/pcapi/history/init.lua; do not edit.

---Remembers what the service listed, and what became of each user: new, healing, fixed, quiet, lost, back.
---@class pcapi.history
local pcapi_history = {}

---Opens a history, and makes it if it is missing.
---@param path string of its file; the folder must be private (0700)
---@param options? table `create` (default true)
---@return pcapi.history|nil # 
---@return pcapi.error|nil # of kind store
function pcapi_history.open(path, options) end

---Makes a history over another store.
---@param store table see `pcapi.history.store`
---@param path? string of its file
---@return pcapi.history # 
function pcapi_history.new(store, path) end

---Closes it.
function pcapi_history:close() end

---Looks for damage.
---@return boolean|nil # true
---@return pcapi.error|nil # of kind store
function pcapi_history:check() end

---The tenants of the history.
---@return table|nil # array of `id`, `name`, `at` (the newest run), `asked` (also if it failed), `failure` and `coverage`
---@return pcapi.error|nil # of kind store
function pcapi_history:tenants() end

---What the history holds.
---@return table|nil # `format`, `application_id`, and `counts` (rows by name)
---@return pcapi.error|nil # of kind store
function pcapi_history:facts() end

---Copies the history to a new file. It replaces no file.
---@param path string 
---@return boolean|nil # true
---@return pcapi.error|nil # of kind store
function pcapi_history:backup(path) end

---Records what the service listed of one tenant, in one transaction.
---@param options table as `pcapi.history.observe.run` takes them, but `now` is this machine's clock by default, and `retention` holds days by name, see `pcapi.history.retention`. With `preview`, nothing is stored: this function gets what would be returned, reads the store, and its result is returned after a nil
---@return table|nil # as of `pcapi.history.observe.run`
---@return pcapi.error|nil # of kind config (the tenant is no GUID, a wrong period) or store
function pcapi_history:observe(options) end

---What changed since a reader was last told. See `pcapi.history.told` for what happens after a crash.
---@param options? table `reader` (its name; default `"lua"`), `tenant` (an id) or `tenants` (array of ids; default all), `remind` (days between reminders of open findings; default 7, 0: never), `now`, `warnings` (of a tenant by its id, see `pcapi.history.told.due`), and `write`: a function that takes the plans, writes them, and returns true, or nil and an error. Without it, all counts as told when this function returns
---@return table|nil # array of plans as of `pcapi.history.told.plan`, one a tenant, with `tenant`
---@return any|nil # the error of `write`, or a pcapi.error of kind store
function pcapi_history:changes(options) end

---Finds users, with or without a finding.
---@param user string objectId or upn; `*` stands for any text
---@param options? table `tenant` (an id) or `tenants` (array of ids; default all)
---@return table|nil # array of `tenant` and `person`, as of `findings`
---@return pcapi.error|nil # of kind store
function pcapi_history:users(user, options) end

---Lists the newest finding of each user.
---@param options? table `states` (array; default `open` and `healing`), `tenant` (an id) or `tenants` (array of ids; default all), `user` (objectId or upn; `*` stands for any text), `since` (the earliest `last_at`, UTC epoch seconds)
---@return table|nil # array of `tenant` and `person`, with `person.finding` (see `pcapi.history.outcomes`), by tenant and user
---@return pcapi.error|nil # of kind store
function pcapi_history:findings(options) end

---Passes findings with their evidence to a function, one by one, in one read of the history.
---@param options table as of `findings` and `explain`, and `is_all` (true: all findings of a user, not the newest alone)
---@param visit function takes a table as of `pcapi.history.explanation`
---@return number|nil # of findings
---@return pcapi.error|nil # of kind store
function pcapi_history:each_finding(options, visit) end

---Explains a user: the applications, addresses and operations, how the user came without MFA, and the next step.
---@param user string objectId or upn; `*` stands for any text
---@param options? table `tenant` (an id; default all), `names` (of applications by id, such as from `pcapi.history.applications.read_csv`), `own` (set of your own applications by id), `client_id` (the application of pcapi itself)
---@return table|nil # array, one of each user that is found, as of `pcapi.history.explanation`, with `findings` (all episodes)
---@return pcapi.error|nil # of kind store
function pcapi_history:explain(user, options) end

---How far the requests of a tenant reach.
---@param tenant string its id
---@return table|nil # as of `pcapi.history.explanation.reach`
---@return pcapi.error|nil # of kind store
function pcapi_history:reach(tenant) end

---Passes all that is stored of users to a function, in one read of the history.
---@param user string as of `users`
---@param options table as of `users`
---@param visit function takes kind and fact, as of `pcapi.history.search.personal`
---@return number|nil # of users
---@return pcapi.error|nil # of kind store
function pcapi_history:each_fact(user, options, visit) end

---Erases a user. What the service still lists comes again with the next run.
---@param user string objectId or upn; a pattern is not accepted
---@param options? table `tenant` (an id; default all)
---@return table|nil # array of what was erased, as of `explain`
---@return pcapi.error|nil # of kind store
function pcapi_history:forget(user, options) end

---Deletes what is over.
---@param options? table `retention` (days by name, see `pcapi.history.retention`), and `now` (default: this machine's clock)
---@return table|nil # how many rows of what
---@return pcapi.error|nil # of kind config (a wrong period) or store
function pcapi_history:prune(options) end

return pcapi_history
