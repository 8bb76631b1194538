--- Hashes, Base64, signatures and certificates. openssl(1) makes the keys and verifies the
-- signatures.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("sha256", function()
  it("matches the examples of FIPS 180-4", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      hex(core.sha256 ""))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      hex(core.sha256 "abc"))
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
      hex(core.sha256(("a"):rep(1000000))))
  end)

  it("hashes zero bytes too", function()
    assert.not_equal(core.sha256 "a", core.sha256 "a\0")
  end)

  it("raises an error for a value that is not a string", function()
    assert.has_error(function() core.sha256() end)
    assert.has_error(function() core.sha256 {} end)
  end)
end)

describe("hmac_sha256", function()
  it("matches the examples of RFC 4231", function()
    for _, example in ipairs {
      { ("\11"):rep(20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
      { "Jefe", "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
      { ("\170"):rep(20), ("\221"):rep(50),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
      { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    } do
      assert.equal(example[3], hex(core.hmac_sha256(example[1], example[2])))
    end
  end)

  it("takes an empty key and an empty text", function()
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
      hex(core.hmac_sha256("", "")))
  end)

  it("signs as Standard Webhooks do", function()
    local body = '{"type":"pcapi.users.changed","timestamp":"2026-11-28T06:00:04Z","data":'
      .. '{"tenant":"fabrikam","new":1,"fixed":0}}'
    local key = core.unbase64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    assert.equal("0123456789abcdef0123456789abcdef", key)
    assert.equal("2090weK9v+r++Uor6s/vshO5BtScv1YwJNiciFE6/v8=",
      core.base64(core.hmac_sha256(key, "msg_5f0b3c1e00004000.1795845604." .. body)))
    assert.equal("75d8d8c8fbb9b937045b9af000410ef1f6b93841d7032b5384112dbcb6608b7f",
      hex(core.hmac_sha256(key, body)))
  end)

  it("raises an error for a value that is not a string", function()
    assert.has_error(function() core.hmac_sha256 "key" end)
    assert.has_error(function() core.hmac_sha256({}, "text") end)
  end)
end)

describe("base64", function()
  it("matches the examples of RFC 4648", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
      foobar = "Zm9vYmFy", ["\255\239\190"] = "/+++"
    } do
      assert.equal(text, core.base64(bytes))
    end
  end)

  it("is one line, and is decoded by unbase64 to the same bytes, for every length", function()
    for n = 1, 300 do
      local bytes = core.random_bytes(n)
      local text = core.base64(bytes)
      assert.is_nil(text:find "[^%w+/=]")
      assert.equal(bytes, core.unbase64(text))
    end
  end)

  it("raises an error above 16 MiB", function()
    assert.equal(22369624, #core.base64(("x"):rep(2 ^ 24)))
    assert.has_error(function() core.base64(("x"):rep(2 ^ 24 + 1)) end)
  end)
end)

describe("guid", function()
  it("returns the 16 bytes, whatever the case of the digits", function()
    for _ = 1, 100 do
      local id = core.uuid()
      assert.equal(id:gsub("-", ""), hex(core.guid(id)))
      assert.equal(core.guid(id), core.guid(id:upper()))
    end
  end)

  it("returns nil for anything else", function()
    local id = "5f0b3c1e-0000-4000-8000-0000000000aa"
    for i = 1, #id do
      for _, char in ipairs { "g", "/", ":", "@", "`", "\0", "\255", "-" } do
        if id:sub(i, i) ~= char then
          assert.is_nil((core.guid(id:sub(1, i - 1) .. char .. id:sub(i + 1))))
        end
      end
    end
    for _, value in ipairs { "", id:sub(2), id .. "0", id:gsub("-", ""), 5, {}, true } do
      assert.is_nil((core.guid(value)))
    end
    assert.is_nil((core.guid()))
  end)
end)

describe("random_bytes", function()
  it("returns the requested number of bytes", function()
    for _, n in ipairs { 1, 255, 256, 257, 512, 1024 } do
      assert.equal(n, #core.random_bytes(n))
    end
  end)

  it("never returns the same bytes twice", function()
    local seen = {}
    for _ = 1, 100 do
      local bytes = core.random_bytes(1024)
      for from = 1, 1024, 16 do
        local part = bytes:sub(from, from + 15)
        assert.is_nil(seen[part])
        seen[part] = true
      end
    end
  end)

  it("raises an error for fewer than 1 or more than 1024", function()
    for _, n in ipairs { 0, -1, 1025, 2 ^ 40 } do
      assert.has_error(function() core.random_bytes(n) end)
    end
  end)
end)

describe("base64url", function()
  it("matches the examples of RFC 4648, without padding", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg", fo = "Zm8", foo = "Zm9v", foob = "Zm9vYg", fooba = "Zm9vYmE",
      foobar = "Zm9vYmFy", ["\255\239\190"] = "_---"
    } do
      assert.equal(text, core.base64url(bytes))
    end
  end)

  it("makes the challenge of the verifier in the example of RFC 7636", function()
    assert.equal("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      core.base64url(core.sha256 "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
  end)

  it("is decoded by unbase64 to the same bytes, for every length", function()
    for n = 1, 200 do
      local bytes = core.random_bytes(n)
      local text = core.base64url(bytes)
      assert.is_nil(text:find "[^%w_%-]")
      assert.equal(bytes, core.unbase64(text))
    end
  end)

  it("raises an error for a text that is longer than any token", function()
    assert.has_error(function() core.base64url(("x"):rep(2 ^ 24 + 1)) end)
  end)
end)

describe("unbase64", function()
  it("decodes either alphabet, padded or not", function()
    for _, text in ipairs { "-_8", "-_8=", "+/8", "+/8=", "-/8" } do
      assert.equal("\251\255", core.unbase64(text))
    end
    for _, text in ipairs { "Zg", "Zg==" } do
      assert.equal("f", core.unbase64(text))
    end
    assert.equal("", core.unbase64 "")
  end)

  for what, texts in pairs {
    ["an impossible length"] = { "Z", "A", "Zm9vA", "Zm9vYmFyZ" },
    ["stray padding"] = { "=", "==", "===", "====", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Z===",
                          "Zm9v====", "Zg==Zg==", "Z=g=", "=Zg=" },
    ["characters of neither alphabet"] = { "Zm9.", "Zm 9v", "Zm9v\n", " Zm9v", "Zm9\0", "Zm\2559",
                                           "Zm9%", "@@@@", "[]{}", "````" },
    ["left-over bits that are not zero"] = { "Zh", "Zh==", "Zm9", "Zm9=" },
  } do
    it("returns nil for " .. what, function()
      for _, text in ipairs(texts) do
        assert.same({ n = 1 }, { n = select("#", core.unbase64(text)), core.unbase64(text) }, text)
      end
    end)
  end

  it("returns nil for a text that is longer than any token", function()
    assert.is_nil(core.unbase64(("A"):rep(2 ^ 24 + 4)))
  end)

  it("raises an error for a value that is not a string", function()
    assert.has_error(function() core.unbase64() end)
  end)
end)

local MAKE = [[cd '%s' && exec 2>/dev/null
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pkcs8.pem &&
  openssl pkcs8 -topk8 -in pkcs8.pem -passout pass:opensesame -out pkcs8-locked.pem &&
  openssl rsa -in pkcs8.pem -traditional -out traditional.pem &&
  openssl rsa -in pkcs8.pem -traditional -aes128 -passout pass:opensesame \
    -out traditional-locked.pem &&
  openssl pkcs8 -topk8 -v1 PBE-MD5-DES -provider legacy -provider default -in pkcs8.pem \
    -passout pass:opensesame -out ancient.pem &&
  openssl rsa -in pkcs8.pem -pubout -out public.pem &&
  openssl req -x509 -key pkcs8.pem -subj /CN=pcapi -days 30 -out certificate.pem &&
  cat certificate.pem pkcs8-locked.pem > certificate-and-key.pem &&
  cat pkcs8-locked.pem certificate.pem > key-and-certificate.pem &&
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout other-key.pem \
    -out other-certificate.pem &&
  openssl x509 -in certificate.pem -signkey pkcs8.pem -days -1 -out expired.pem &&
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem &&
  openssl genpkey -algorithm ED25519 -out ed25519.pem &&
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.pem &&
  openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.pem &&
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out long.pem; echo $?]]

describe("a key", function()
  local directory, pem

  setup(function()
    directory = folder.new()
    assert.equal("0", files.lines_of(MAKE:format(directory))[1])
    pem = setmetatable({}, { __index = function(_, name)
      return files.slurp(directory .. "/" .. name .. ".pem")
    end })
  end)

  teardown(folder.remove)

  -- Returns the verdict of openssl(1) on a signature.
  local function verdict(alg, text, signature, public)
    folder.write(directory .. "/text", text)
    folder.write(directory .. "/signature", signature)
    local pss = alg == "PS256" and "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 "
      .. "-sigopt rsa_mgf1_md:sha256" or "-sigopt rsa_padding_mode:pkcs1"
    return files.lines_of(("cd '%s' && openssl dgst -sha256 -verify %s.pem %s -signature signature "
      .. "text 2>/dev/null"):format(directory, public or "public", pss))[1]
  end

  for _, alg in ipairs { "PS256", "RS256" } do
    it("signs with " .. alg .. ", in every format of key", function()
      for name, passphrase in pairs {
        pkcs8 = false, ["pkcs8-locked"] = "opensesame",
        traditional = false, ["traditional-locked"] = "opensesame",
        ["certificate-and-key"] = "opensesame", ["key-and-certificate"] = "opensesame",
      } do
        local signature = assert(core.sign(alg, "a text\0", pem[name], passphrase or nil))
        assert.equal(256, #signature)
        assert.equal("Verified OK", verdict(alg, "a text\0", signature), name)
        assert.equal("Verification failure", verdict(alg, "a text", signature), name)
      end
    end)

    it("with more bits makes a longer signature with " .. alg, function()
      assert.equal(384, #assert(core.sign(alg, "text", pem.long)))
    end)
  end

  it("adds a new salt to each PS256 signature, and none to RS256", function()
    assert.not_equal(core.sign("PS256", "text", pem.pkcs8), core.sign("PS256", "text", pem.pkcs8))
    assert.equal(core.sign("RS256", "text", pem.pkcs8), core.sign("RS256", "text", pem.pkcs8))
  end)

  it("signs an empty text and a long one", function()
    for _, text in ipairs { "", ("long"):rep(1e5) } do
      assert.equal("Verified OK", verdict("PS256", text, core.sign("PS256", text, pem.pkcs8)))
    end
  end)

  it("that is not encrypted ignores a passphrase", function()
    assert.is_string(core.sign("RS256", "text", pem.pkcs8, "anything"))
  end)

  it("that is encrypted needs its passphrase, without a prompt at the terminal", function()
    for _, name in ipairs { "pkcs8-locked", "traditional-locked", "ancient" } do
      assert.same({ nil, "the key is encrypted and needs a passphrase" },
        { core.sign("PS256", "text", pem[name]) })
    end
    -- OpenSSL would ask at a terminal; script(1) provides one, and has a leak
    local lines = files.lines_of(([[ASAN_OPTIONS=detect_leaks=0 \
      script -qec "%s -e 'io.input(\"%s/pkcs8-locked.pem\")
      print(select(2, require(\"pcapi.core\").sign(\"PS256\", \"\", io.read \"*a\")))'" /dev/null \
      </dev/null]]):format(os.getenv "LUA" or "lua5.4", directory))
    assert.equal("the key is encrypted and needs a passphrase", lines[1]:match "^[^\r]*")
    assert.is_nil(lines[2])
  end)

  it("is not decrypted with a wrong passphrase", function()
    for _, name in ipairs { "pkcs8-locked", "traditional-locked", "certificate-and-key" } do
      for _, passphrase in ipairs { "opensesamE", "", "open\0sesame", ("x"):rep(5000) } do
        assert.same({ nil, "the passphrase does not decrypt the key" },
          { core.sign("PS256", "text", pem[name], passphrase) })
      end
    end
  end)

  it("with a cipher that OpenSSL no longer supports is refused as such", function()
    assert.same({ nil, "OpenSSL no longer supports the key's cipher; encrypt the key again" },
      { core.sign("PS256", "text", pem.ancient, "opensesame") })
  end)

  it("must be RSA with at least 2048 bits", function()
    for _, name in ipairs { "ec", "ed25519", "short", "pss" } do
      assert.same({ nil, "the key is not an RSA key of at least 2048 bits" },
        { core.sign("PS256", "text", pem[name]) })
    end
  end)

  it("must be PEM", function()
    for _, text in ipairs { "", "not PEM", "\0\1\2", "--", "----- BEGIN PRIVATE KEY-----",
                            ("-"):rep(2 ^ 20 + 1) } do
      assert.same({ nil, "the key is not PEM" }, { core.sign("PS256", "text", text) })
    end
  end)

  it("must be complete and private", function()
    local whole = pem.pkcs8
    for _, text in ipairs { pem.public, pem.certificate, whole:sub(1, #whole / 2), "-----BEGIN ",
                            (whole:gsub("\n%w%w%w%w", "\nAAAA", 3)) } do
      assert.same({ nil, "the PEM holds no private key, or a damaged one" },
        { core.sign("PS256", "text", text) })
    end
  end)

  it("in place of the algorithm raises an error that does not show it", function()
    for _, alg in ipairs { pem.pkcs8, "ps256", "PS512", "none", "" } do
      local ok, message = pcall(core.sign, alg, "text", pem.pkcs8)
      assert.is_false(ok)
      assert.truthy(message:find("must be PS256 or RS256", 1, true))
      assert.is_nil(message:find("BEGIN", 1, true))
    end
  end)

  describe("'s certificate", function()
    local function openssl(name, what)
      return files.lines_of(("openssl x509 -noout -in '%s/%s.pem' %s")
        :format(directory, name, what))
    end

    local function epoch(line)
      local date = line:match "=(.*)"
      return tonumber(files.lines_of(("date -u -d '%s' +%%s"):format(date))[1])
    end

    it("has a SHA-256 and a period of validity", function()
      local certificate = assert(core.certificate(pem.certificate))
      local print = openssl("certificate", "-fingerprint -sha256")[1]:match "=([%x:]+)"
      assert.equal(print:gsub(":", ""):lower(), hex(certificate.sha256))
      local dates = openssl("certificate", "-dates")
      assert.equal(epoch(dates[1]), certificate.not_before)
      assert.equal(epoch(dates[2]), certificate.not_after)
      assert.equal(30 * 86400, certificate.not_after - certificate.not_before)
      assert.is_nil(tostring(certificate.not_after):find(".", 1, true))
    end)

    it("is found before or after a key in the same text", function()
      local certificate = core.certificate(pem.certificate)
      assert.same(certificate, core.certificate(pem["certificate-and-key"]))
      assert.same(certificate, core.certificate(pem["key-and-certificate"]))
      assert.same(certificate, core.certificate("For the job of Kim:\n" .. pem.certificate))
    end)

    it("is the one that belongs to the key, in any place", function()
      local own, ca = core.certificate(pem.certificate), pem["other-certificate"]
      local key = pem.pkcs8
      for _, bundle in ipairs {
        pem.certificate, ca .. pem.certificate, pem.certificate .. ca, key .. ca .. pem.certificate,
        ca .. "\nKim's own:\n" .. pem.certificate .. key, pem.expired .. pem.certificate,
        pem.certificate .. ca .. pem.expired, pem["other-key"] .. ca .. ca .. pem.certificate,
        ((ca .. pem.certificate):gsub("\n", "\r\n")),
      } do
        assert.same(own, core.certificate(bundle, key))
        assert.same(own, core.certificate(bundle, pem["pkcs8-locked"], "opensesame"))
      end
      assert.is_true(core.certificate(ca .. pem.expired, key).not_after < own.not_after)
    end)

    it("is neither one of another key nor one next to a damaged certificate", function()
      local ca = pem["other-certificate"]
      for _, bundle in ipairs { ca, ca .. ca, ca .. pem.pkcs8 } do
        assert.same({ nil, "the key belongs to no certificate in the PEM" },
          { core.certificate(bundle, pem.pkcs8) })
      end
      local damaged = pem.certificate:gsub("\n%w%w%w%w", "\nAAAA", 3)
      for _, bundle in ipairs { damaged, damaged .. ca, ca .. damaged } do
        assert.same({ nil, "the PEM holds no certificate, or a damaged one" },
          { core.certificate(bundle, pem.pkcs8) })
      end
    end)

    it("needs a readable key, if one is given", function()
      assert.same({ nil, "the key is not PEM" }, { core.certificate(pem.certificate, "nothing") })
      assert.same({ nil, "the key is encrypted and needs a passphrase" },
        { core.certificate(pem.certificate, pem["pkcs8-locked"]) })
      assert.same({ nil, "the certificate is not PEM" }, { core.certificate("nothing", "nothing") })
    end)

    it("is the first one of a chain, if no key is given", function()
      assert.same(core.certificate(pem.certificate),
        core.certificate(pem.certificate .. pem["other-certificate"]))
      assert.same(core.certificate(pem["other-certificate"]),
        core.certificate(pem["other-certificate"] .. pem.certificate))
    end)

    it("may be valid until long after 2038", function()
      files.lines_of(("cd '%s' && openssl req -x509 -key pkcs8.pem -subj /CN=x -days 40000 "
        .. "-out far.pem 2>&1"):format(directory))
      local certificate = assert(core.certificate(pem.far))
      assert.equal(40000 * 86400, certificate.not_after - certificate.not_before)
      assert.is_true(certificate.not_after > 2 ^ 32)
    end)

    it("must be in the text", function()
      assert.same({ nil, "the certificate is not PEM" }, { core.certificate "" })
      for _, text in ipairs { pem.pkcs8, pem["pkcs8-locked"], pem.public,
                              pem.certificate:sub(1, 300),
                              (pem.certificate:gsub("\n%w%w%w%w", "\nAAAA")) } do
        assert.same({ nil, "the PEM holds no certificate, or a damaged one" },
          { core.certificate(text) })
      end
    end)
  end)
end)
