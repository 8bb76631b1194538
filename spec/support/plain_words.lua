--- Words for a digest, as `pcapi.notify` has them, but plain.
return {
  title = function(digest) return digest.title end,
  tenant_title = function(_, tenant) return tenant.name end,
  at = function() return "2026-11-28 06:00 UTC" end,
  notes = function(digest) return digest.notes or {} end,
  row = function(row) return { who = row.upn, facts = row.event, step = row.nextStep } end,
  remarks = function(tenant) return tenant.warnings end,
  choose = function(digest, most)
    local groups = {}
    for i, tenant in ipairs(digest.tenants) do
      local rows = { unpack and unpack(tenant.rows, 1, most) or table.unpack(tenant.rows, 1, most) }
      groups[i] = { tenant = tenant, rows = rows, more = #tenant.rows - #rows + tenant.more }
    end
    return groups, digest.hidden or 0
  end,
}
