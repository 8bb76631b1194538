-- Loads modules, as their package is built: lua5.4 debian/load.lua MODULE…
for _, name in ipairs(arg) do
  assert(require((name:gsub("%.init$", ""))))
end
print(#arg .. " modules load on " .. _VERSION)
