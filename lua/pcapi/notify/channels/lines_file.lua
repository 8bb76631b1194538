--- Appends each row of a digest to a file, as one JSON object a line, for any program that collects
-- logs. A line is written as a whole, also if several processes write. A file that does not exist
-- is made private (0600); one that exists keeps its mode.
-- @module pcapi.notify.channels.lines_file
local core = require "pcapi.core"
local errors = require "pcapi.error"
local jsonl = require "pcapi.format.jsonl"
local news = require "pcapi.history.news"
local time = require "pcapi.time"

local M = { is_complete = true }

local TRIES, PAUSE = 8, 0.01 -- to make the file; seconds, longer each time

--- The settings of a channel of this type.
M.settings = {
  { name = "path", is_required = true, is_path = true, about = "File to append to" },
}

--- The fields of a line, in their order.
M.COLUMNS = { "notice", "event" }

for _, name in ipairs(news.COLUMNS) do
  M.COLUMNS[#M.COLUMNS + 1] = name ~= "event" and name ~= "repeated" and name or nil
end

for _, name in ipairs { "key", "text" } do
  M.COLUMNS[#M.COLUMNS + 1] = name
end

-- The rows of a digest; those without a user have a `text`.
local function rows_of(digest)
  local rows, at = {}, time.format(digest.at)
  local function add(row)
    row.notice, rows[#rows + 1] = digest.id, row
  end
  if digest.kind == "test" then
    add { event = "test", at = at, text = "This is a test" }
  end
  for _, text in ipairs(digest.notes) do
    add { event = "operator", at = at, text = text }
  end
  for _, tenant in ipairs(digest.tenants) do
    for _, row in ipairs(tenant.rows) do
      local line = {}
      for name, value in pairs(row) do
        line[name] = name ~= "repeated" and value or nil
      end
      add(line)
    end
    for _, text in ipairs(tenant.warnings) do
      add { event = "warning", at = at, tenant = tenant.name, tenantId = tenant.id, text = text }
    end
  end
  return rows
end

--- Makes the lines of a digest.
-- @tparam table digest
-- @treturn table array of one message
function M.messages(digest)
  return { { id = digest.id, body = jsonl.encode(rows_of(digest), { columns = M.COLUMNS }) } }
end

local function fail(path, why)
  return errors.fail {
    kind = "store", hint = "Check path of the channel",
    message = ("cannot write to %s: %s"):format(path, why:find(path, 1, true) and
      why:gsub("^.*: ", "") or why),
  }
end

-- Makes the file if it is missing: private, since it names people. A process that begins a file
-- removes what another one has begun, so several may have to try again.
local function make(path)
  local folder, name = path:match "^(.*/)([^/]+)$"
  folder, name = folder or "./", name or path
  local made, why
  for i = 1, TRIES do
    if core.file_state(path) then
      return true
    end
    made, why = core.file_begin(folder, name)
    if made then
      made, why = core.file_end(folder, name)
    end
    if made then
      return true
    end
    core.sleep(i * PAUSE)
  end
  return core.file_state(path) ~= nil, why
end

-- Whether a file ends within a line, and its size. A pipe must not be read.
local function end_of(path)
  local file = core.file_state(path) == "f" and io.open(path, "rb")
  local size = file and file:seek "end" or 0
  local last = size > 0 and file:seek("set", size - 1) and file:read(1)
  if file then
    file:close()
  end
  return last and last ~= "\n", size
end

-- Whether the last line of a file is cut, such as by a full disk, and not just being written.
local function is_cut(path)
  local is_open, size = end_of(path)
  if not is_open then
    return false
  end
  core.sleep(0.05)
  local is_still_open, size_now = end_of(path)
  return is_still_open and size_now == size
end

local function append(path, text)
  local file, why = io.open(path, "ab")
  if not file then
    return nil, why
  end
  file:setvbuf "no" -- so that the text is one write; glibc ignores the size of a buffer
  local ok, problem = file:write(text)
  local closed
  closed, why = file:close()
  return ok and closed, problem or why
end

--- Appends the lines.
-- @tparam table message
-- @tparam table settings values by name
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.deliver(message, settings)
  local path = settings.path
  local ok, why = make(path)
  if ok and message.body ~= "" then
    ok, why = append(path, (is_cut(path) and "\n" or "") .. message.body)
  end
  if not ok then
    return fail(path, tostring(why))
  end
  return true
end

return M
