--- docs/scale.md: a database and a collector that are set up by its text, with TLS and a password.
local files = require "spec.support.files"
local homes = require "spec.support.home"
local history_lists = require "spec.support.history_lists"
local markdown = require "spec.support.markdown"
local postgres = require "spec.support.postgres"
local recorded = require "spec.support.recorded"

local SHARE = files.lines_of "pwd -P"[1] .. "/share/postgresql"
local NAME, PASSWORD = "db.fabrikam.example", "a long random one"
local NOW = os.time()

local home, server

-- The code block that has a text, with the paths of this machine.
local function block(text)
  for _, found in ipairs(markdown.blocks "docs/scale.md") do
    if found.text:find(text, 1, true) then
      return (found.text:gsub("/usr/local/share/pcapi/postgresql", SHARE))
    end
  end
  error("docs/scale.md has no " .. text)
end

-- The service file: another port, the name without DNS, and the specs' CA.
local function service(ca_file)
  return block "[pcapi]":gsub("sslrootcert=[^\n]*", ca_file and "sslrootcert=" .. ca_file or "%0")
    .. ("\nport=%s\nhostaddr=127.0.0.1\n"):format(server.port)
end

local function password_line()
  return block(NAME .. ":5432:"):gsub("5432", server.port) .. "\n"
end

-- Files as a user makes them: the password's mode is 0600.
local function write(folder, password_file, ca_file)
  home:write(folder .. "pg_service.conf", service(ca_file))
  os.execute("chmod 600 " .. home:write(password_file, password_line()))
end

local function observe(at, upn)
  local history = recorded.open(home)
  assert(history:observe { tenant = recorded.TENANT, name = "fabrikam", now = at,
                           users = history_lists.users(at, { { upn = upn, at = at - 60 } }) })
  history:close()
end

local function loaded()
  local result = server:psql("-d", "pcapi", "-c", "SELECT upn FROM pcapi.findings ORDER BY upn")
  assert(result.status == 0, result.err)
  return result.out
end

setup(function()
  server, home = postgres.start(NAME), homes.new()
  local made = home:shell(block "createdb", server:environment())
  assert.same({ 0, "", "" }, { made.status, made.out, made.err })
  local roles = server:psql("-d", "pcapi", "-c", block "CREATE ROLE host1")
  assert.same({ 0, "" }, { roles.status, roles.err })
end)

teardown(function()
  server:stop()
  home:remove()
end)

describe("a collector that is set up as docs/scale.md says", function()
  local LINE = "service=pcapi"

  it("loads by one line, with TLS and a password", function()
    observe(NOW - 60, "kim@fabrikam.example")
    write(".", ".pgpass", server.dir .. "/root.pem")
    local result = home:shell(block(LINE), {})
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    assert.equal("kim@fabrikam.example\n", loaded())
    assert.matches("connection authorized: user=host1 database=pcapi [^\n]*SSL enabled",
      files.slurp(server.dir .. "/output"))
  end)

  it("sends no password to a server whose certificate it does not trust", function()
    write(".", ".pgpass")
    local result = home:shell(block(LINE), {})
    assert.equal(2, result.status)
    assert.matches("certificate verify failed", result.err, 1, true)
  end)

  it("makes up for a load that the server refused", function()
    observe(NOW, "lee@fabrikam.example")
    write(".", ".pgpass", server.dir .. "/root.pem")
    server:sql "ALTER ROLE host1 PASSWORD 'changed'"
    local result = home:shell(block(LINE), {})
    assert.equal(2, result.status)
    assert.matches("password authentication failed", result.err, 1, true)
    server:sql(("ALTER ROLE host1 PASSWORD '%s'"):format(PASSWORD))
    assert.equal(0, home:shell(block(LINE), {}).status)
    assert.equal("kim@fabrikam.example\nlee@fabrikam.example\n", loaded())
  end)

  it("loads by the unit of systemd, with its variables and in its folder", function()
    local unit = files.slurp(SHARE .. "/pcapi-load.service")
      :gsub("/var/lib/pcapi", home.path):gsub("/usr/local/share/pcapi/postgresql", SHARE)
      :gsub("/usr/local/bin", home:program():match "^(.*)/")
    observe(NOW + 1, "max@fabrikam.example")
    os.execute(("rm %s/.pgpass %s/.pg_service.conf"):format(home.path, home.path))
    write("", "pgpass", server.dir .. "/root.pem")
    local words = {}
    for line in unit:gmatch "Environment=([^\n]*)" do
      words[#words + 1] = line
    end
    assert.equal(home.path, unit:match "\nWorkingDirectory=([^\n]*)")
    local result = home:shell(("env %s sh -c %s"):format(table.concat(words, " "),
      "'exec " .. unit:match "\nExecStart=([^\n]*)" .. "'"), {})
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    assert.matches("max@fabrikam.example", loaded(), 1, true)
  end)
end)
