--- Sends HTTP requests by curl, which is independent of pcapi.
local files = require "spec.support.files"

local M = {}

--- The command. LD_PRELOAD may load a sanitizer, which crashes in curl's threads.
M.COMMAND = "env -u LD_PRELOAD curl"

--- Quotes a text for the shell.
function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Returns the output of a shell command.
function M.shell(command)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

local function read_headers(text)
  local headers = {}
  for name, value in text:gmatch("\n([^:\r\n]+): ?([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return headers
end

--- Sends a request.
-- @tparam table how `url`, `headers` (an array of "Name: value"), `args` for curl, and `discard` to
--   drop the body
-- @treturn table `status`, `version`, `seconds`, `size`, `exit` (curl's), `head`,
--   `headers` (names in lower case), `body`
function M.fetch(how)
  local head, body = files.temporary(), files.temporary()
  local command = { M.COMMAND, "-s", "--noproxy", "'*'", "--max-time", "60",
                    "--cacert", M.quote(os.getenv("PCAPI_SANDBOX_CA")),
                    "-D", head, "-o", how.discard and "/dev/null" or body, "-w",
                    "'%{http_code} %{http_version} %{time_total} %{size_download} '" }
  for _, text in ipairs(how.headers or {}) do
    command[#command + 1] = "-H " .. M.quote(text)
  end
  for _, text in ipairs(how.args or {}) do
    command[#command + 1] = M.quote(text)
  end
  command[#command + 1] = M.quote(how.url)
  local report = M.shell(table.concat(command, " ") .. "; echo $?")
  local status, version, seconds, size, exit = report:match("(%d+) (%S+) (%S+) (%d+) (%d+)")
  local text = files.slurp(head)
  local response = { status = tonumber(status), version = version, seconds = tonumber(seconds),
                   size = tonumber(size), exit = tonumber(exit), head = text,
                   headers = read_headers(text), body = files.slurp(body) }
  os.remove(head)
  os.remove(body)
  return response
end

return M
