--- The settings of metrics: the section `[metrics]` of the configuration file, the same for all
-- profiles. It is a table of `pcapi.settings.section`.
-- @module pcapi.settings.metrics_section
local section = require "pcapi.settings.section"

local M = section.new("metrics", {
  { name = "textfile", path = true, about = "Folder of node_exporter for pcapi.prom, which watch "
    .. "writes (default: none)" },
})

return M
