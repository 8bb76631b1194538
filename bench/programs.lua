--- Lists the measured programs: two floors in C, pcapi, and its peers.
--
-- A program has `name` and command(workload, count, version). If it does not support every
-- workload, it has cannot(workload), which returns the reason. A peer has `needs` (Debian
-- packages) and `start`, a command. Without arguments the command prints a version, or fails if a
-- package is missing.
local shell = require "bench.shell"

local env, quote = os.getenv, shell.quote

local M = {}

local function words(...)
  return table.concat({ ... }, " ")
end

local function header_words(settings)
  return words(quote "Accept: application/json",
    quote("Authorization: Bearer " .. env "PCAPI_TOKEN"), quote("X-Sandbox: " .. settings))
end

local function url()
  return quote(env "PCAPI_BASE_URL" .. "/v1/nonMfaCompliantPartnerPrincipals")
end

-- `ca_path` replaces `ca_file` to use the system's hashed directory.
local function floor(mode, ca_file, ca_path)
  return function(workload, count, version)
    local file = ca_file or env "PCAPI_CA_FILE"
    if workload.at_once > 1 then
      return words("build/bench/floor_multi", url(), count, version, mode, file,
        workload.at_once, header_words(workload.settings))
    end
    return words("build/bench/floor", url(), count, version, mode, file, ca_path or "-",
      header_words(workload.settings))
  end
end

local function program(start)
  return function(workload, count, version)
    return words(start, workload.at_once, count, version, quote(workload.settings))
  end
end

local ours = {
  { name = "C floor", is_floor = true, command = floor "discard" },
  { name = "C floor + lua-cjson", is_json = true, command = floor "cjson" },
  { name = "pcapi.fetch", command = program(env "LUA" .. " bench/client.lua fetch") },
  { name = "client.security:non_mfa_principals",
    command = program(env "LUA" .. " bench/client.lua list") },
}

local command = {
  name = "command pcapi",
  command = function()
    return env "LUA" .. " bin/pcapi -q non-mfa -o json"
  end,
}

local floors_of_system = {
  { name = "C floor, hashed directory", is_floor = true,
    command = floor("discard", "-", "/etc/ssl/certs") },
  { name = "C floor, bundle",
    command = floor("discard", "/etc/ssl/certs/ca-certificates.crt", "-") },
}

-- Debian's Python has the modules. LuaJIT is the fastest Lua that Debian's lua-curl and lua-http
-- support.
local PYTHON = "/usr/bin/python3 -B bench/peers/python-"

local peers = {
  { name = "lua-curl", needs = "lua-curl lua-cjson luajit2",
    start = "luajit bench/peers/lua-curl.lua",
    cannot = function(workload)
      return workload.at_once > 1 and "Debian's lua-curl binds no curl multi"
    end },
  { name = "LuaSocket + LuaSec", needs = "lua-socket lua-sec lua-cjson", http_1_1_only = true,
    start = "lua5.4 bench/peers/luasec.lua",
    cannot = function(workload)
      return workload.at_once > 1 and "it waits for one socket at a time"
    end },
  { name = "lua-http", needs = "lua-http lua-cjson luajit2", is_slow = true,
    start = "luajit bench/peers/lua-http.lua" },
  { name = "Python requests", needs = "python3-requests python3-ujson", is_slow = true,
    http_1_1_only = true, start = PYTHON .. "requests.py" },
  { name = "Python aiohttp", needs = "python3-aiohttp python3-ujson", is_slow = true,
    http_1_1_only = true, start = PYTHON .. "aiohttp.py" },
  { name = "Go net/http", needs = "golang-go", start = "build/bench/go",
    build = "go build -o build/bench/go bench/peers/go.go" },
  { name = "Node https, http2", needs = "nodejs", is_slow = true,
    start = "node bench/peers/node.mjs" },
}

local function reason_to_skip(peer, workload)
  local why = peer.cannot and peer.cannot(workload)
  if not why and peer.http_1_1_only and workload.version == "2" then
    why = "it speaks HTTP/1.1 only"
  end
  return why or peer.missing
end

--- Checks which peers are installed. Sets their `is` (version) or `missing` (the reason).
function M.look()
  for _, peer in ipairs(peers) do
    local version = shell.output_of(("{ %s && %s; } 2>/dev/null"):format(
      peer.build or "true", peer.start))
    peer.is = version ~= "" and version or nil
    peer.missing = not peer.is and ("not installed (Debian: %s)"):format(peer.needs) or nil
    peer.command = program(peer.start)
  end
  return peers
end

local function add(list, candidate, workload)
  local version = workload.version
  if version == "2 or 1.1" then
    version = candidate.http_1_1_only and "1.1" or "2"
  end
  local count = candidate.is_slow and workload.few or workload.count
  local why = reason_to_skip(candidate, workload)
  list[#list + 1] = {
    name = candidate.name, is_floor = candidate.is_floor, is_json = candidate.is_json,
    skipped = why, count = count, refused = workload.refused, is_warm = workload.at_once > 1,
    command = not why and candidate.command(workload, count, version) or nil,
  }
end

--- Returns the candidates of a workload: `name`, `count` and `command`, or `skipped` (the reason).
function M.candidates(workload)
  local list = {}
  for i, candidate in ipairs(workload.refused and floors_of_system or ours) do
    add(list, candidate, workload)
    -- floors_of_system replaces the first two of ours; the command pcapi is not measured here
    if workload.refused and i == #floors_of_system then
      add(list, ours[3], workload)
    end
  end
  if workload.command_too then
    add(list, command, workload)
  end
  for _, peer in ipairs(workload.ours and {} or peers) do
    add(list, peer, workload)
  end
  return list
end

return M
