-- What the scripts share. KEYS[1] is a stream, KEYS[2] where its parked messages are kept.

-- The pending entry of (group, id), if this consumer still holds it with this count; else nil.
local function held(group, consumer, id, fence)
  local found = redis.pcall('XPENDING', KEYS[1], group, id, id, 1)
  if found.err then
    if string.find(found.err, 'NOGROUP', 1, true) then return nil end
    error(found.err, 0)
  end
  local entry = found[1]
  if entry and entry[2] == consumer and tostring(entry[4]) == fence then return entry end
  return nil
end

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

-- The id right after another.
local function after(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
end

local function less(a, b)
  local ams, aseq = string.match(a, '^(%d+)-(%d+)$')
  local bms, bseq = string.match(b, '^(%d+)-(%d+)$')
  ams, aseq, bms, bseq = tonumber(ams), tonumber(aseq), tonumber(bms), tonumber(bseq)
  return ams < bms or (ams == bms and aseq < bseq)
end

-- Frees what every group is done with.
local function free(id)
  local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
  if #groups == 1 then
    redis.call('XDEL', KEYS[1], id)
    return
  end
  local least
  for _, group in ipairs(groups) do
    local pending = redis.call('XPENDING', KEYS[1], field(group, 'name'))
    local from = pending[2] or after(field(group, 'last-delivered-id'))
    if not least or less(from, least) then least = from end
  end
  redis.call('XTRIM', KEYS[1], 'MINID', '=', least)
end

-- Parks first and acknowledges then: what cannot be parked (a full server) is not lost.
local function park(group, consumer, id, fields, deliveries, why, bound)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', bound, '*', 'g', group, 'c', consumer, 'n', deliveries, 'w', why,
    'k', field(fields, 'k') or '', 'v', field(fields, 'v') or '0', 'b', field(fields, 'b') or '')
  redis.call('XACK', KEYS[1], group, id)
  free(id)
end
