local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local history_forget = require "pcapi.cli.history_forget"
local history_query = require "pcapi.cli.history_query"

describe("pcapi history forget, while another process reads the history,", function()
  local real = history_query.open

  after_each(function()
    history_query.open = real
  end)

  -- Runs the command; `left` are the users whom the history still has.
  local function run(left)
    local user = { tenant = { id = "t", asked = 1 }, person = { id = "p", upn = "kim@x.example" } }
    local history = { calls = 0 }
    function history.users()
      history.calls = history.calls + 1
      return history.calls == 1 and { user } or left
    end
    function history.each_fact()
      return 1
    end
    function history.forget()
      return errors.fail { kind = "store", message = "/h is locked by another process" }
    end
    history_query.open = function()
      return { history = history, settings = {}, tenants = { user.tenant }, not_asked = {} }
    end
    local ok, failure = pcall(history_forget.run, { user = "kim@x.example", yes = true,
                                                    quiet = true })
    assert.is_false(ok)
    assert.is_true(exit.is_stop(failure))
    assert.equal(exit.EXIT.error, failure.status)
    return failure.message
  end

  it("says that the bytes are still in its files, and how to erase them", function()
    assert.equal("store: the user is erased, but may still be found in the files of the history: "
      .. "/h is locked by another process. Run pcapi history prune when no other process reads the "
      .. "history", run {})
  end)

  it("does not say so if nothing was erased", function()
    assert.equal("store: /h is locked by another process", run { {} })
  end)
end)
