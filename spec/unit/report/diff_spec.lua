local diff = require "pcapi.report.diff"

local function id_of(user)
  return user.objectId
end

local KIM, LEE, ROB = { objectId = "kim" }, { objectId = "lee" }, { objectId = "rob" }

describe("a comparison with known identities", function()
  it("finds records that are new, that are known, and identities that are gone", function()
    local changes = diff.of({ KIM, LEE }, { lee = true, rob = true }, id_of)
    assert.same({ KIM }, changes.new)
    assert.same({ LEE }, changes.known)
    assert.same({ "rob" }, changes.gone)
    assert.same({ "kim", "lee" }, changes.ids)
    assert.same({}, changes.unidentified)
  end)

  it("keeps the records themselves, in their order", function()
    local changes = diff.of({ ROB, KIM, LEE }, {}, id_of)
    assert.equal(ROB, changes.new[1])
    assert.equal(KIM, changes.new[2])
    assert.equal(LEE, changes.new[3])
  end)

  it("finds every record new where nothing is known", function()
    local changes = diff.of({ KIM, LEE }, {}, id_of)
    assert.equal(2, #changes.new)
    assert.same({}, changes.gone)
  end)

  it("finds every identity gone where there are no records, in order", function()
    local changes = diff.of({}, { rob = true, kim = 1, lee = {} }, id_of)
    assert.same({ "kim", "lee", "rob" }, changes.gone)
    assert.same({ {}, {}, {} }, { changes.new, changes.known, changes.ids })
  end)

  it("finds nothing where there is nothing", function()
    assert.same({ new = {}, known = {}, gone = {}, ids = {}, unidentified = {} },
      diff.of({}, {}, id_of))
  end)

  it("lists records without an identity separately, not as new or known", function()
    local nameless = { upn = "x" }
    local changes = diff.of({ nameless, KIM }, { kim = true }, id_of)
    assert.same({ nameless }, changes.unidentified)
    assert.same({}, changes.new)
    assert.same({ KIM }, changes.known)
  end)

  it("names each identity once, and each of its records", function()
    local again = { objectId = "kim", upn = "again" }
    local changes = diff.of({ KIM, again }, {}, id_of)
    assert.same({ "kim" }, changes.ids)
    assert.same({ KIM, again }, changes.new)
  end)

  it("does not know an identity whose value is false", function()
    local changes = diff.of({ KIM }, { kim = false, rob = false }, id_of)
    assert.same({ KIM }, changes.new)
    assert.same({}, changes.gone)
  end)

  it("takes hostile identities as they are", function()
    local odd = { objectId = "__index\0\255" }
    assert.same({ odd }, diff.of({ odd }, {}, id_of).new)
    assert.same({ odd }, diff.of({ odd }, { ["__index\0\255"] = true }, id_of).known)
  end)

  it("changes neither the records nor the known identities", function()
    local known, records = { lee = true }, { KIM, LEE }
    diff.of(records, known, id_of)
    assert.same({ lee = true }, known)
    assert.same({ KIM, LEE }, records)
  end)
end)
