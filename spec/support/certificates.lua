--- Servers with unusual certificates. Each function returns the directives of a server for nginx,
-- its address, and the file of the CA to trust. `spec.support.folder` removes their files.
local curl = require "spec.support.curl"
local folder = require "spec.support.folder"
local free_port = require "spec.support.free_port"

local M = {}

local BEGIN = [[
  exec 2>/dev/null
  cd %s
  make() { # NAME SUBJECT ISSUER EXTENSION
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key \
      -subj "$2" -addext "$4" | openssl x509 -req -CA $3.pem -CAkey $3.key \
      -CAcreateserial -days 2 -copy_extensions copy -out $1.pem
  }
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=root \
    -keyout root.key -out root.pem
]]

-- Runs commands that make chain.pem and leaf.key; root.pem is there.
local function server(commands)
  local path, port = folder.new(), free_port()
  curl.shell(BEGIN:format(path) .. commands)
  return ([[server {
    listen 127.0.0.1:%s ssl;
    ssl_certificate %s/chain.pem;
    ssl_certificate_key %s/leaf.key;
    location / { return 200 done; }
  }]]):format(port, path, path), "https://localhost:" .. port, path .. "/root.pem"
end

--- A certificate with so many CAs between it and the root.
function M.long_chain(between)
  return server(([[
    for i in $(seq %d); do
      make $i "/CN=between $i" $([ $i = 1 ] && echo root || echo $((i - 1))) \
        basicConstraints=critical,CA:TRUE
    done
    make leaf /CN=leaf %d subjectAltName=DNS:localhost
    cat leaf.pem $(seq -f %%g.pem %d -1 1) >chain.pem
  ]]):format(between, between, between))
end

--- A certificate that is valid from tomorrow on.
function M.valid_tomorrow()
  return server [[
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key \
      -subj /CN=leaf -addext subjectAltName=DNS:localhost -out leaf.csr
    printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n
default_md = sha256\npolicy = p\ncopy_extensions = copy\n[p]\ncommonName = supplied\n' >ca.conf
    : >index
    echo 01 >serial
    openssl ca -batch -config ca.conf -cert root.pem -keyfile root.key -in leaf.csr -notext \
      -startdate $(date -u -d tomorrow +%Y%m%d%H%M%SZ) -days 5 -out chain.pem
  ]]
end

--- A certificate that only itself has signed.
function M.self_signed()
  return server [[
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
      -subj "/CN=Router/O=Fabrikam" -addext basicConstraints=CA:FALSE \
      -addext subjectAltName=DNS:localhost -keyout leaf.key -out chain.pem
  ]]
end

--- A certificate of a CA whose own certificate has expired.
function M.expired_ca()
  return server [[
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout old.key \
      -subj /CN=old -addext basicConstraints=critical,CA:TRUE | openssl x509 -req -CA root.pem \
      -CAkey root.key -CAcreateserial -days -1 -copy_extensions copy -out old.pem
    make leaf /CN=leaf old subjectAltName=DNS:localhost
    cat leaf.pem old.pem >chain.pem
  ]]
end

--- A certificate for many other hosts, signed by a CA with a hostile name.
function M.hostile()
  return server [[
    make hostile "/CN=$(printf 'CA\\033[2J\\ntoken')/O=$(printf '\\342\\200\\256x')" root \
      basicConstraints=critical,CA:TRUE
    make leaf /CN=leaf hostile "subjectAltName=$(seq -s, -f 'DNS:host%g.example' 50)"
    cp leaf.pem chain.pem
  ]]
end

return M
