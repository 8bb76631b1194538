--- Words the failures of a transport: what happened, and the next step for the user. Transports
-- differ in their settings; each passes the names of its own.
-- @module pcapi.http.hints
local M = {}

local HINT_OF_KIND = {
  network = "Check the connection, the name of the host and the proxy settings",
  tls = "Check the address and {tls_settings}. If a proxy decrypts TLS, add its CA there",
  stopped = "Run it again for the missing results",
}

local HINT = {
  descriptors = "Close files or connections, or raise ulimit -n",
  -- the whole of NAME:PASSWORD@HOST would be hidden as a password
  proxy_login = "Check the user name and password in {proxy}: write NAME:PASSWORD and an @ before "
    .. "the host",
  proxy_rule = "Allow this host and port in the proxy, or {without_proxy}",
  connect = "Check the network, the firewall and the proxy settings",
  ca = "{ca}. If a proxy decrypts TLS, that CA is the proxy's",
  host = "Check the address; a proxy or a login page of the network may respond in its place",
  address = "{address}",
  not_yet_valid = "Set the clock of this machine, for example by NTP",
  expired = "Set the clock of this machine if it is wrong. If it is right, the server needs a new "
    .. "certificate",
  no_tls = "Check the address, the port and the proxy settings",
  tls_version = "The server must offer TLS 1.2 or later",
}

-- Seconds since 1970, or nil for now.
local function moment(seconds)
  return os.date("!%Y-%m-%d %H:%M UTC", seconds)
end

local function certificate_of(failure)
  local seen = failure.certificate or {}
  local whose = seen.is_of_proxy and "the proxy" or failure.host
  if seen.is_ca and seen.subject ~= seen.issuer then
    return ("the certificate of the CA %s, for %s,"):format(seen.subject, whose)
  end
  return "the certificate of " .. whose
end

-- What happened, by cause, if the certificate is known. Each takes the certificate, the words for
-- it, and the name of the host.
local MESSAGE = {
  not_yet_valid = function(seen, certificate)
    return ("%s is valid from %s, but the clock of this machine says %s"):format(certificate,
      moment(seen.not_before), moment())
  end,
  expired = function(seen, certificate)
    return ("%s was valid until %s, and the clock of this machine says %s"):format(certificate,
      moment(seen.not_after), moment())
  end,
  ca = function(seen, certificate)
    if seen.subject == seen.issuer and not seen.is_ca then
      return certificate .. " is self-signed: " .. seen.subject
    end
    return ("%s was issued by a CA that is not trusted here: %s"):format(certificate, seen.issuer)
  end,
  host = function(seen, certificate, host)
    return ("%s is for %s, not for %s"):format(certificate, seen.hosts,
      seen.is_of_proxy and "its address" or host)
  end,
}

local HAS_DATE = { not_yet_valid = true, expired = true }

-- For a cause whose message of OpenSSL needs an explanation.
local EXPLAINED = { no_tls = "%s does not speak TLS: %s",
                    tls_version = "%s does not speak TLS 1.2 or later: %s" }

local function message_of(failure)
  local cause, host, message = failure.cause, failure.host, failure.message
  if host and failure.certificate and MESSAGE[cause] then
    return MESSAGE[cause](failure.certificate, certificate_of(failure), host)
  elseif host and EXPLAINED[cause] then
    return EXPLAINED[cause]:format(host, message)
  elseif HAS_DATE[cause] then
    return message .. "; the clock of this machine says " .. moment()
  end
  return message
end

--- Makes the function that words the failures of one transport.
-- @tparam table words names of its settings, and advice: `tls_settings`, `ca` (how to trust another
-- CA), `proxy` (where its address is set), `without_proxy` (how to do without it), `address` (what
-- to do if the certificate does not cover an IP address); optionally `config`, the hint for that
-- kind
-- @treturn function takes a failure: `kind` of the error, `message`, and optionally `cause` as the
-- core names it, `host`, `certificate` as the core returns it, `advice` for `words.ca`; returns a
-- message, and a hint or nil
function M.new(words)
  return function(failure)
    local hint = HINT[failure.cause] or HINT_OF_KIND[failure.kind]
      or failure.kind == "config" and words.config or nil
    return message_of(failure), hint and hint:gsub("{([%w_]+)}", words):gsub("{(advice)}", failure)
      or nil
  end
end

return M
