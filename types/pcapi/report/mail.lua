---@meta pcapi.report.mail
-- Made by `make types` from lua/pcapi/report/mail.lua; do not edit.

---Writes a digest as the HTML part of a mail: tables with inline styles, for programs that know little of HTML, such as Outlook.
---@class pcapi.report.mail
local pcapi_report_mail = {}

---Writes a digest.
---@param digest table 
---@param words table functions `title`, `tenant_title`, `at`, `notes`, `row`, `remarks` and `choose`, such as `pcapi.notify.words`
---@param options? table `rows` (how many users at most; default `MOST_ROWS`), and `link` (address of a report)
---@return string # UTF-8
function pcapi_report_mail.html(digest, words, options) end

return pcapi_report_mail
