--- Finds the hint for an error of a transport: the next step for the user. Transports differ in
-- their settings; each passes the names of its own.
-- @module pcapi.http.hints
local M = {}

local OF_KIND = {
  timeout = "Raise timeout, or try again later",
  network = "Check the connection, the name of the host and the proxy settings",
  tls = "Check the address and {tls_settings}. If a proxy decrypts TLS, add its CA there",
  stopped = "Run it again for the missing results",
}

local OF_CAUSE = {
  descriptors = "Close files or connections, or raise ulimit -n",
  -- the whole of NAME:PASSWORD@HOST would be hidden as a password
  proxy_login = "Check the user name and password in {proxy}: write NAME:PASSWORD and an @ before "
    .. "the host",
  proxy_rule = "Allow this host and port in the proxy, or {without_proxy}",
  ca = "{ca}. If a proxy decrypts TLS, add its CA there",
  host = "Check the address: the certificate is for another host",
  address = "{address}",
  not_yet_valid = "The clock of this machine says {time}: set it if that is wrong",
  expired = "The clock of this machine says {time}: set it if that is wrong; if it is right, the "
    .. "server needs a new certificate",
}

--- Makes the function that finds hints for one transport.
-- @tparam table words names of its settings, and advice: `tls_settings`, `ca` (how to trust another
-- CA), `proxy` (where its address is set), `without_proxy` (how to do without it), `address` (what
-- to do if the certificate does not cover an IP address); optionally `config`, the hint for that
-- kind
-- @treturn function takes the kind of an error, and optionally its cause as the core names it;
-- returns a hint, or nil
function M.new(words)
  return function(kind, cause)
    local hint = OF_CAUSE[cause] or OF_KIND[kind] or kind == "config" and words.config or nil
    if hint then
      hint = hint:gsub("{time}", os.date "!%Y-%m-%d %H:%M UTC"):gsub("{([%w_]+)}", words)
    end
    return hint
  end
end

return M
