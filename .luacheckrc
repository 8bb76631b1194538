std = "min"
max_line_length = 100
files["spec"] = { std = "+busted" }
files["sandbox"] = { std = "+ngx_lua" }
exclude_files = { "build/", ".luarocks/" }
