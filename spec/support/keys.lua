--- Makes keys and certificates and verifies signatures by the command openssl. Specs must call
-- `folder.remove`.
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local M = {}

local function run(command, ...)
  local line = command:format(...) .. " 2>&1"
  local pipe = assert(io.popen(line .. "; echo $?"))
  local output = pipe:read "*a"
  pipe:close()
  assert(output:match "(%d+)\n$" == "0", line .. ": " .. output)
  return output
end

local function certificate(path, key, more)
  run("openssl req -x509 -key %s -out %s -subj /CN=pcapi -days 30 %s", key, path, more or "")
end

--- Makes all keys and certificates.
-- @treturn table paths `key`, `locked` (by the passphrase `SECRETpass`), `cert`, `both`
-- (certificate and key in one file), `other` (a key of another certificate), `old` (an
-- expired certificate), `stranger` (the certificate of `other`), and `path` of the folder
function M.make()
  local path = folder.new()
  local at = { path = path }
  for _, name in ipairs { "key", "locked", "cert", "both", "other", "old", "stranger" } do
    at[name] = path .. "/" .. name .. ".pem"
  end
  for _, key in ipairs { at.key, at.other } do
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out %s", key)
  end
  run("openssl pkcs8 -topk8 -in %s -out %s -passout pass:SECRETpass", at.key, at.locked)
  certificate(at.cert, at.key)
  certificate(at.stranger, at.other)
  run("openssl x509 -in %s -signkey %s -days -1 -out %s", at.cert, at.key, at.old)
  folder.write(at.both, files.slurp(at.cert) .. files.slurp(at.key))
  return at
end

--- Whether openssl accepts a signature.
-- @tparam table at from @{make}
-- @tparam string alg
-- @tparam string text that was signed
-- @tparam string signature in base64url
-- @treturn boolean
function M.verifies(at, alg, text, signature)
  local public = at.path .. "/public.pem"
  run("openssl x509 -in %s -pubkey -noout -out %s", at.cert, public)
  local signed = folder.write(at.path .. "/signed", text)
  local sig = folder.write(at.path .. "/signature", core.unbase64(signature))
  local pss = alg == "PS256" and "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32" or ""
  return pcall(run, "openssl dgst -sha256 %s -verify %s -signature %s %s", pss, public, sig, signed)
end

--- Returns the SHA-256 of a certificate in hexadecimal.
function M.thumbprint(at)
  return (run("openssl x509 -in %s -noout -fingerprint -sha256", at.cert):match "=([%x:]+)"
    :gsub(":", ""):lower())
end

return M
