-- what ships keeps to what all Luas have; what only runs here may use more
std = "min"
max_line_length = 100
files["spec"] = { std = "max+busted" }
files["sandbox"] = { std = "max+ngx_lua" }
files["dev"] = { std = "max" }
files["bench"] = { std = "max" }
