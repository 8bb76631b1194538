local tenant_list = require "pcapi.cli.tenant_list"

-- The names of a list.
local function names(text)
  local found = {}
  for i, entry in ipairs(assert(tenant_list.parse(text))) do
    found[i] = entry.name
  end
  return found
end

describe("a list of tenants", function()
  it("has one tenant per line; blanks around it are ignored", function()
    assert.same({ "fabrikam", "contoso.example", "5f0b3c1e-0000-4000-8000-000000000000" },
      names " fabrikam\t\n\ncontoso.example  \n5f0b3c1e-0000-4000-8000-000000000000")
  end)

  it("may contain comments, also after a tenant", function()
    assert.same({ "fabrikam", "con#toso" },
      names "# customers\nfabrikam # the old one\n  # none\ncon#toso\t# and so on\n")
  end)

  it("may have a byte order mark and any line ends: LF, CRLF, CR", function()
    assert.same({ "fabrikam", "contoso" }, names "\239\187\191fabrikam\r\ncontoso\r\n")
    assert.same({ "fabrikam", "contoso" }, names "fabrikam\rcontoso")
  end)

  it("contains a tenant once if two lines name it", function()
    assert.same({ "b", "a" }, names "b\na\nb # again\n")
  end)

  it("knows the numbers of its lines, as an editor counts them", function()
    assert.same({ { name = "a", line = 2 }, { name = "b", line = 5 } },
      tenant_list.parse "\n a\r\n\r\n# none\r\nb\na")
  end)

  it("is refused if it names no tenant", function()
    for _, text in ipairs { "", "\n\n", "# fabrikam\n", "\239\187\191", " \r\n" } do
      assert.same({ nil, "names no tenant" }, { tenant_list.parse(text) })
    end
  end)

  it("is refused if it is not UTF-8 text, with the remedy", function()
    for _, text in ipairs { "\255\254f\0a\0", "\254\255\0f\0a", "a\0b" } do
      assert.same({ nil, "is UTF-16 text or binary; save it as plain text (UTF-8)" },
        { tenant_list.parse(text) })
    end
  end)
end)
