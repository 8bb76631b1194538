--- Lists the programs that W7 measures: each writes the requests, the newest first, to standard
-- output, which is /dev/null. A program has `name` and `start`, a command that takes the format.
-- Without an argument the command prints a version, or fails if a package is missing.
local shell = require "bench.shell"
local token = require "sandbox.token"

local M = {}

local SETTINGS = "records=10000; encoding=none"

local programs = {
  { name = "curl \\| jq", is_base = true, needs = "curl jq bsdextrautils",
    start = "sh bench/peers/curl-jq.sh" },
  { name = "command pcapi", start = os.getenv "LUA" .. " bin/pcapi -q requests -o",
    is = "measured" },
  { name = "Python requests + csv", needs = "python3-requests python3-ujson",
    start = "/usr/bin/python3 -B bench/peers/python-rows.py",
    cannot = { table = "the standard library has no tables" } },
  { name = "Go net/http + encoding/csv", needs = "golang-go", start = "build/bench/go-rows",
    build = "go build -o build/bench/go-rows bench/peers/go-rows.go" },
}

--- Checks which programs are installed. Sets their `is` (version) or `missing` (the reason).
-- @treturn table the peers
function M.look()
  local peers = {}
  for _, program in ipairs(programs) do
    if program.needs then
      local version = shell.output_of(("{ %s && %s; } 2>/dev/null"):format(
        program.build or "true", program.start))
      program.is = version ~= "" and version or nil
      program.missing = not program.is and ("not installed (Debian: %s)"):format(program.needs)
      peers[#peers + 1] = program
    end
  end
  return peers
end

--- Returns the candidates of a workload, see `bench.programs`.
function M.candidates(workload)
  local list = {}
  local with_token = "PCAPI_TOKEN=" .. token.mint { scenario = SETTINGS } .. " exec "
  for i, program in ipairs(programs) do
    local why = program.missing or (program.cannot or {})[workload.rows]
    list[i] = {
      name = program.name, is_base = program.is_base, skipped = why or nil, count = 1,
      command = "sh -c " .. shell.quote(("%s%s %s 2>/dev/null >/dev/null"):format(with_token,
        program.start, workload.rows)),
    }
  end
  return list
end

return M
