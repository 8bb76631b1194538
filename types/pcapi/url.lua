---@meta pcapi.url
-- Made by `make types` from lua/pcapi/url.lua; do not edit.

---Parses, checks and joins addresses, and decides whether a token may go to one.
---@class pcapi.url
local pcapi_url = {}

---Tests whether a host is an IP address, with or without brackets.
---@param host string 
---@return boolean # 
function pcapi_url.is_address(host) end

---Finds what is wrong with a path and query.
---@param text string 
---@return nil|string # nothing is wrong
---@return string|nil # the character
function pcapi_url.target_problem(text) end

---Parses an absolute address.
---@param text string an http or https address without user name and password
---@return table|nil # `scheme`, `host`, `port` (number), `path` (may be empty), `query` (with its question mark; may be empty), `origin` (such as `https://host:8443`)
---@return string|nil # what is wrong with the text
function pcapi_url.parse(text) end

---Tests whether a request may go to an address: by https to any host, by http only to loopback and only if the caller allows it.
---@param address table from `parse`
---@param allow_http boolean|nil false if not allowed; nil if the user has no option to allow it
---@return boolean|nil # true
---@return string|nil # why not
function pcapi_url.is_safe(address, allow_http) end

---Parses an address and checks it: `parse` and `is_safe` in one.
---@param text string 
---@param allow_http boolean|nil as for `is_safe`
---@return table|nil # as `parse` returns it
---@return string|nil # what is wrong
function pcapi_url.parse_safe(text, allow_http) end

---Hides user names and passwords in addresses, such as that of a proxy; with or without a scheme, and with any characters. In doubt it hides too much.
---@param text string 
---@param is_address? boolean the whole text is one address, also if it has blanks; else the function searches the text for addresses
---@return string # 
function pcapi_url.hide_users(text, is_address) end

---Percent-encodes all characters but the unreserved ones (RFC 3986 §2.3).
---@param text string 
---@return string # 
function pcapi_url.escape(text) end

---Finds what is wrong with a table for `query`.
---@param query table|nil 
---@return string|nil # nil if nothing is wrong
function pcapi_url.query_problem(query) end

---Writes a table as a query, sorted by name.
---@param query table|nil name to string, number or boolean
---@return string # with its question mark; empty for an empty table
function pcapi_url.query(query) end

---Returns the address of a next page. The service writes its uri as absolute, as `/v1/customers…`, as `/customers…` or as `customers…`; the last two are relative to prefix and version (Partner-Center-PowerShell issues 379 and 384).
---@param uri string from the service
---@param base table the configured address, from `parse`
---@param root string prefix and version, such as `/v1` or `/pcapi/v1`
---@return string|nil # an absolute address with the same origin
---@return string|nil # why the uri is refused
function pcapi_url.follow(uri, base, root) end

return pcapi_url
