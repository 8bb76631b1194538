-- Installed files use only what every Lua has. Files for development may use more.
std = "min"
max_line_length = 100
files["lua/pcapi/nginx"] = { std = "min+ngx_lua" }
files["spec"] = { std = "max+busted" }
files["sandbox"] = { std = "max+ngx_lua" }
files["dev"] = { std = "max" }
files["dev/busted_in_worker.lua"] = { std = "max+ngx_lua" }
files["examples"] = { std = "min+ngx_lua" }
files["bench"] = { std = "max" }
