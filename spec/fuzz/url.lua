--- Compares how pcapi.http.url and libcurl parse addresses. If they see different hosts, a token
-- goes to the wrong one.
local curl_url = require "curl_url"
local random = require "spec.fuzz.random"
local url = require "pcapi.url"

local ROOT = "/v1"
local BASES = { "https://api.example", "https://api.example:8443", "https://api.example/pre",
                "http://127.0.0.1:8080", "https://[::1]:8443" }
local PARTS = { "https", "http", "://", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "[::1]",
  "::", "api.example", "evil.example", "localhost", "127.0.0.1", "127.1", "0x7f.1", "2130706433",
  "a", "user:password@", ":443", ":0", ":65536", ":8443", ":99999999999999999999", "%00", "%2f",
  "%40", "%", "..", "/../", "/./", "v1", "/v1/customers", "customers", "?a=b", "&c", "=", " ", "\t",
  "\n", "\0", "\127", "\128", "é", "。", "｡", ".", "-", "_", "~", "*", "<", ">", "\"", "|",
  "HTTPS", "hTTp", "file", "ftp", "javascript", ";", ",", "!", "$", "'", "(", ")" }

local function text()
  local parts = {}
  for i = 1, math.random(8) do
    parts[i] = random.rarely(12) and random.bytes(3) or random.one(PARTS)
  end
  local all = table.concat(parts)
  if random.rarely(2) then
    all = random.one(BASES) .. random.one { "", "/", "@", ":", "?", "#", "." } .. all
  end
  return random.rarely(4) and random.mutate(all) or all
end

-- libcurl reads numbers as inet_aton(3) does (127.1), and shortens IPv6 addresses.
local function is_number(host)
  return host:find "^[%dxXa-fA-F.:%[%]]+$" ~= nil
end

local function same_host(ours, curls)
  return ours.host == curls.host:lower() or is_number(ours.host) and is_number(curls.host)
end

local function compare(address, input)
  local ours = url.parse(address)
  if not ours then
    return
  end
  local curls = curl_url(address)
  if not curls then
    return -- libcurl refuses the address, so it connects to no host
  end
  local ours_query = ours.query:gsub("^%?", "")
  if ours.scheme ~= curls.scheme or not same_host(ours, curls)
      or ours.port ~= tonumber(curls.port) or curls.user then
    random.find(("libcurl connects to %s://%s:%s, not to %s"):format(curls.scheme, curls.host,
      curls.port, ours.origin), input)
  elseif (ours.path == "" and "/" or ours.path) ~= curls.path
      or ours_query ~= (curls.query or "") then
    random.find(("libcurl requests %s?%s, not %s?%s"):format(curls.path, curls.query or "",
      ours.path, ours_query), input)
  end
end

-- Checks where the link to a next page leads.
local function follow(uri)
  local base = assert(url.parse(random.one(BASES)))
  local address = url.follow(uri, base, ROOT)
  if not address then
    return
  end
  compare(address, uri)
  local curls = curl_url(address)
  if curls and (curls.scheme ~= base.scheme or not same_host(base, curls) or curls.user
      or tonumber(curls.port) ~= base.port) then
    random.find("a next link leads to another host: " .. address, uri)
  end
  if not url.parse(address) then
    random.find("a next link is not an address: " .. address, uri)
  end
end

random.begin "url"
while random.goes_on() do
  for _ = 1, 100 do
    local one = text()
    compare(one, one)
    follow(one)
    random.count_case()
  end
end
random.finish()
