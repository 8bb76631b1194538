local tenant_list = require "pcapi.cli.tenant_list"

describe("a list of tenants", function()
  it("is one a line, without what stands around it", function()
    assert.same({ "fabrikam", "contoso.example", "5f0b3c1e-0000-4000-8000-000000000000" },
      tenant_list.parse " fabrikam\t\n\ncontoso.example  \n5f0b3c1e-0000-4000-8000-000000000000")
  end)

  it("may have comments, also behind a tenant", function()
    assert.same({ "fabrikam", "con#toso" },
      tenant_list.parse "# customers\nfabrikam # the old one\n  # none\ncon#toso\t# and so on\n")
  end)

  it("may come from another system: byte order mark, CRLF, CR", function()
    assert.same({ "fabrikam", "contoso" }, tenant_list.parse "\239\187\191fabrikam\r\ncontoso\r\n")
    assert.same({ "fabrikam", "contoso" }, tenant_list.parse "fabrikam\rcontoso")
  end)

  it("has a tenant once that stands there twice", function()
    assert.same({ "b", "a" }, tenant_list.parse "b\na\nb # again\n")
  end)

  it("is none without any tenant", function()
    for _, text in ipairs { "", "\n\n", "# fabrikam\n", "\239\187\191", " \r\n" } do
      assert.same({ nil, "names no tenant" }, { tenant_list.parse(text) })
    end
  end)

  it("is none that is no UTF-8 text, and says what to do", function()
    for _, text in ipairs { "\255\254f\0a\0", "\254\255\0f\0a", "a\0b" } do
      assert.same({ nil, "is UTF-16 text or binary; save it as plain text (UTF-8)" },
        { tenant_list.parse(text) })
    end
  end)
end)
