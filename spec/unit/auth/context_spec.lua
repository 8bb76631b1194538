local contexts = require "pcapi.auth.context"
local fake = require "spec.support.fake_transport"

describe("a context", function()
  it("is for calls without a client, with a deadline of its own", function()
    local transport = fake.new {}
    local context = contexts.new { transport = transport, timeout = 7 }
    assert.equal(transport, context.transport)
    assert.equal(1007, context.deadline)
    assert.is_number(context.clock())
    assert.is_number(context.random())
    assert.is_nil(context.audience)
    assert.equal(1180, contexts.new({ transport = transport }).deadline)
    assert.is_function(contexts.new().transport.send)
  end)

  it("names the audience of the token, also after its deadline was renewed", function()
    local context = contexts.new { transport = fake.new {}, audience = "https://a.example" }
    assert.equal("https://a.example", contexts.renewed(context, 5).audience)
    assert.equal(1005, contexts.renewed(context, 5).deadline)
  end)

  it("has the function on_pause, also after its deadline was renewed", function()
    local context = contexts.new { transport = fake.new {}, on_pause = print }
    assert.equal(print, context.on_pause)
    assert.equal(print, contexts.renewed(context, 5).on_pause)
  end)

  it("rejects an audience that is no line of text", function()
    for _, audience in ipairs { "", "a\nb", 5 } do
      assert.has_error(function() contexts.new { transport = fake.new {}, audience = audience } end)
    end
  end)
end)
