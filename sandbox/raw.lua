--- Sends raw bytes that no correct server sends, as a script describes; see README.md.
-- It needs LuaJIT, whose FFI calls what cqueues does not bind:
--
--     luajit sandbox/raw.lua FOLDER CERTIFICATE KEY [RELAYED_PORT]
--
-- It writes its ports to FOLDER/ports and its log to FOLDER/log. It reads commands from standard
-- input, one per line, and stops at the end of the input.
local context = require "openssl.ssl.context"
local cqueues = require "cqueues"
local ffi = require "ffi"
local pkey = require "openssl.pkey"
local socket = require "cqueues.socket"
local x509 = require "openssl.x509"

ffi.cdef [[
  int setsockopt(int, int, int, const void *, unsigned);
  int shutdown(int, int);
  long read(int, void *, unsigned long);
]]

local SOL_SOCKET, SO_LINGER, SHUT_WR = 1, 13, 1
local PIECE = 65536 -- bytes read at once
local LONGEST_HEAD = 1024 * 1024 -- bytes of a request
local FAREWELL = 1 -- second that a client has to close after the server

local folder, certificate_file, key_file, relayed_port = ...
local loop = cqueues.new()
local log = assert(io.open(folder .. "/log", "w"))
log:setvbuf "no"

local script, started = { { {} } }, 0 -- connections since the script began
local open = {} -- sockets of open connections, as keys
local relayed = {} -- pairs of sockets, as keys

local function note(...)
  log:write(table.concat({ ... }, " "), "\n")
end

local function slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- `protocol` is negotiated by ALPN.
local function tls_context(protocol)
  local made = context.new("TLS", true)
  if protocol then
    made:setAlpnSelect(function() return protocol end)
  end
  made:setCertificate(x509.new(slurp(certificate_file)))
  made:setPrivateKey(pkey.new(slurp(key_file)))
  return made
end

local function quiet(con)
  con:setmode("bn", "bn")
  con:onerror(function(_, _, code) return code end)
  return con
end

-- The entry of this number. The last entry serves all later numbers.
local function entry(list, number)
  return list[number] or list[#list]
end

-- Reads one request, head and body. Returns its first line, the length of its body and its
-- User-Agent, or nil if the client has closed the connection.
local function read_request(con, state)
  while not state.text:find("\r\n\r\n", 1, true) do
    local some = #state.text < LONGEST_HEAD and con:xread(-PIECE)
    if not some then
      return nil
    end
    state.text = state.text .. some
  end
  local head, rest = state.text:match "^(.-\r\n\r\n)(.*)$"
  local length = tonumber(head:lower():match "\r\ncontent%-length:%s*(%d+)") or 0
  while #rest < length do
    local some = con:xread(-PIECE)
    if not some then
      return nil
    end
    rest = rest .. some
  end
  state.text = rest:sub(length + 1)
  return head:match "^[^\r\n]*", length, head:match "\r\nUser%-Agent: ([^\r\n]*)" or ""
end

-- Returns false if the client closes the connection before everything is sent.
local function send(con, step)
  local text, piece = step[1], step.piece
  for _ = 1, step.times or 1 do
    for first = 1, #text, piece or #text do
      if not con:xwrite(piece and text:sub(first, first + piece - 1) or text) then
        return false
      end
      if step.every then
        cqueues.sleep(step.every / 1000)
      end
    end
  end
  return true
end

local function reset(con)
  ffi.C.setsockopt(con:pollfd(), SOL_SOCKET, SO_LINGER, ffi.new("int[2]", 1, 0), 8)
end

local function half_close(con)
  ffi.C.shutdown(con:pollfd(), SHUT_WR)
end

-- Reads and discards until the client closes, at most for so many seconds (nil: no limit).
local function drain(con, seconds)
  local last = seconds and cqueues.monotime() + seconds
  local some
  repeat
    some = con:xread(-PIECE, "bn", last and math.max(last - cqueues.monotime(), 0))
  until not some
end

-- Runs one step. Returns false if the connection ends.
local function run_step(con, step)
  if type(step) == "string" then
    step = { step }
  end
  if step[1] then
    return send(con, step)
  elseif step.wait then
    cqueues.sleep(step.wait / 1000)
  elseif step.half then
    half_close(con)
  elseif step.silent then
    drain(con)
    return false
  elseif step.reset then
    reset(con)
    return false, "reset"
  elseif step.close then
    return false
  else
    error "unknown step"
  end
  return true
end

local function respond(con, steps)
  for _, step in ipairs(steps) do
    local goes_on, how = run_step(con, step)
    if not goes_on then
      return false, how
    end
  end
  return true
end

-- Closing with unread bytes would send a reset: so send FIN first, then read the rest.
local function close_gently(con)
  half_close(con)
  drain(con, FAREWELL)
end

local function play(con, number, responses)
  local state, count = { text = "" }, 0
  repeat
    count = count + 1
    local steps = entry(responses, count) or {}
    if not steps.early then
      local line, length, agent = read_request(con, state)
      if not line then
        note("left", number)
        return
      end
      note("request", number, length, line)
      note("agent", agent)
    end
    local goes_on, how = respond(con, steps)
    if how == "reset" then
      return
    end
  until not goes_on or count >= #responses and not responses.again
  close_gently(con)
end

local function serve(con, tls)
  quiet(con)
  started = started + 1
  local number, responses = started, entry(script, started)
  note("connection", number)
  open[con] = true
  loop:wrap(function()
    if not tls or con:starttls(tls, 10) then
      play(con, number, responses)
    end
    open[con] = nil
    con:close()
  end)
end

-- Relays one direction. A muted relay still reads, but sends nothing, not even a FIN.
local function pass_on(from, to, pair)
  while true do
    local some = from:xread(-PIECE)
    if pair.muted then
      cqueues.poll() -- forever
    elseif not some or not to:xwrite(some) then
      return half_close(to)
    end
  end
end

local function relay(con)
  local pair, other = { open = 2 }, quiet(socket.connect("127.0.0.1", tonumber(relayed_port)))
  quiet(con)
  relayed[pair] = true
  note "relayed"
  local function one_way(from, to)
    pass_on(from, to, pair)
    pair.open = pair.open - 1
    if pair.open == 0 then
      relayed[pair] = nil
      con:close()
      other:close()
    end
  end
  loop:wrap(one_way, con, other)
  loop:wrap(one_way, other, con)
end

local function listen(take)
  local server = socket.listen { host = "127.0.0.1", port = 0 }
  assert(server:listen())
  loop:wrap(function()
    for con in server:clients() do
      take(con)
    end
  end)
  local _, _, port = server:localname()
  return port
end

local COMMANDS = {}

-- Closes the connections of the previous script.
function COMMANDS.play(path)
  for con in pairs(open) do
    con:shutdown "rw"
  end
  script, started = assert(loadstring(slurp(path)))(), 0
end

function COMMANDS.mute()
  for pair in pairs(relayed) do
    pair.muted = true
  end
end

-- Specs wait for the note "did …" in the log.
local function run_command(line)
  local name, argument = line:match "^(%w+) ?(.*)$"
  COMMANDS[name](argument)
  note("did", line)
end

local function read_commands()
  local bytes, text = ffi.new "char[4096]", ""
  while true do
    cqueues.poll { pollfd = 0, events = "r" }
    local size = tonumber(ffi.C.read(0, bytes, 4096))
    if size <= 0 then
      os.exit(0)
    end
    text = text .. ffi.string(bytes, size)
    text = text:gsub("([^\n]*)\n", function(line)
      run_command(line)
      return ""
    end)
  end
end

local function listen_tls(protocol)
  local tls = tls_context(protocol)
  return listen(function(con) serve(con, tls) end)
end

local ports = { listen(function(con) serve(con) end), listen_tls(),
                relayed_port and listen(relay) or 0, listen_tls "h2" }
local file = assert(io.open(folder .. "/ports.new", "w"))
file:write(table.concat(ports, " "), "\n")
file:close()
assert(os.rename(folder .. "/ports.new", folder .. "/ports"))
loop:wrap(read_commands)
assert(loop:loop())
