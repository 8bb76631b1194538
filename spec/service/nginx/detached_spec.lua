--- Acts that go on after nginx has aborted their request.
local nginx = require "spec.support.nginx"
local workers = require "spec.support.workers"

-- A request whose act takes a second, and then sets a key of the dictionary.
local ACT = [[
  local function sleep_and_set()
    ngx.sleep(1)
    ngx.shared.pcapi:set("done", true)
    return "done"
  end
  local one, two, three = 1, 2, 3
  return require("pcapi.nginx.detached").run(sleep_and_set), one, two, three
]]

-- A request whose local variables live for longer than that act.
local LOCALS = [[
  local values = {}
  local function nested(a, b, c, d, e, f, g, h)
    local i, j, k, l, m, n = "i", "j", "k", "l", "m", "n"
    ngx.sleep(1.5)
    for _, value in ipairs { a, b, c, d, e, f, g, h, i, j, k, l, m, n } do
      values[#values + 1] = tostring(value)
    end
    return table.concat(values)
  end
  local said = nested("a", "b", "c", "d", "e", "f", "g", "h")
  return said
]]

describe("a detached act", function()
  local server

  before_each(function()
    server = workers.start { http = "lua_check_client_abort on;" }
  end)

  after_each(nginx.stop_all)

  it("ends after its request was aborted, and changes nothing of later requests", function()
    local aborted = server:begin({ "/run" }, { method = "POST", body = ACT, timeout = 0.3 })
    assert.equal(0, aborted:finish()[1].status)
    for _, result in ipairs(server:run_all(10, LOCALS)) do -- in the coroutine of the aborted one
      assert.equal("abcdefghijklmn", result.values[1])
    end
    assert.is_true((server:run 'return ngx.shared.pcapi:get "done"'))
  end)

  it("returns its values to a request that waits", function()
    local result = server:run_all(1, ACT)[1]
    assert.same({ "done", 1, 2, 3 }, result.values)
  end)
end)
