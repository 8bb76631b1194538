local ranking = require "pcapi.history.ranking"

local function class(name, application)
  return { class = name, application = application, name = application }
end

-- The applications and users of a ranking, in their order.
local function order(ranked, share)
  local found, names = ranked:sorted(share), {}
  for i, entry in ipairs(found) do
    names[i] = (entry.name or entry.class) .. " " .. entry.users
  end
  return table.concat(names, ", ")
end

local function name_of(id)
  return id
end

describe("the ranking of what to fix first", function()
  it("begins with the application of most users", function()
    local ranked = ranking.new()
    ranked:add { class("program", "Sync") }
    ranked:add { class("program", "Sync"), class("tool", "CLI") }
    ranked:add { class "portal" }
    assert.equal("Sync 2, CLI 1, portal 1", order(ranked))
    assert.equal("Renew the token of Sync by a sign-in with MFA", ranked:sorted()[1].step)
    assert.equal("Require MFA for all cloud apps, then sign in anew", ranked:sorted()[3].step)
  end)

  it("begins with most requests without MFA where not all requests are known", function()
    local ranked = ranking.new()
    ranked:add { class("program", "Sync") }
    ranked:adoption({ { application = "Bot", total = 10, with_mfa = 1, received = 1 },
                      { application = "Sync", total = 5, with_mfa = 5, received = 5 },
                      { application = "Bot", total = 10, with_mfa = 1, received = 0 },
                      { application = "Fine", total = 9, with_mfa = 9, received = 9 },
                      { application = "Unknown", received = 3 } }, name_of)
    assert.equal("Sync 1, Bot 0", order(ranked))
    assert.equal("Bot 0, Sync 1", order(ranked, 0.94))
    assert.equal("Sync 1, Bot 0", order(ranked, 0.95))
    local bot = ranked:sorted(0.5)[1]
    assert.same({ 20, 2 }, { bot.total, bot.with_mfa })
    assert.is_true(select(3, ranked:sorted(0.5)))
    assert.is_false(select(3, ranked:sorted()))
  end)

  it("has one step for an application: of the class of most users", function()
    local ranked = ranking.new()
    for _, name in ipairs { "tool", "program", "program" } do
      ranked:add { class(name, "CLI") }
    end
    assert.equal("program", ranked:sorted()[1].class)
    ranked:add { class("application", "Sync") }
    ranked:add { class("vendor", "Sync") }
    assert.equal("vendor", ranked:sorted()[2].class)
  end)

  it("counts guests and system accounts once, whatever they use", function()
    local ranked = ranking.new()
    ranked:add { class "guest", class("tool", "CLI"), class("program", "Sync") }
    assert.equal("guest 1", order(ranked))
  end)

  it("is cut, and says how many are missing", function()
    local ranked = ranking.new()
    for i = 1, ranking.MOST + 3 do
      ranked:add { class("program", ("app %03d"):format(i)) }
    end
    local found, more = ranked:sorted()
    assert.same({ ranking.MOST, 3, "app 001" }, { #found, more, found[1].name })
  end)
end)
