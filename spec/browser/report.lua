-- Makes histories for reports: lua report.lua FOLDER. See spec.support.report_history.
local histories = require "spec.support.report_history"

local folder = arg[1]
histories.full(folder .. "/full.sqlite")
histories.hostile(folder .. "/hostile.sqlite")
histories.many(folder .. "/many.sqlite", 1000)
