-- ARGV: group, consumer, most, claim_after (ms), most_deliveries, parked_bound.
-- Two lists: {id, count, fields} of what is held now, {fields, deliveries, consumer} of what was parked.
local group, consumer, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local held_now, parked_now, from = {}, {}, {}

local idle = redis.pcall('XPENDING', KEYS[1], group, 'IDLE', ARGV[4], '-', '+', most)
if idle.err then
  if not string.find(idle.err, 'NOGROUP', 1, true) then return idle end
  redis.call('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')
  idle = {}
end
for _, entry in ipairs(idle) do
  local id, owner, count = entry[1], entry[2], entry[4]
  local found = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not found then
    redis.call('XACK', KEYS[1], group, id)
  else
    local deliveries = tonumber(field(found[2], 'n') or '0') + count
    if deliveries >= tonumber(ARGV[5]) then
      local why = 'nobody acknowledged it'
      if pcall(park, group, owner, id, found[2], deliveries, why, ARGV[6]) then
        parked_now[#parked_now + 1] = { found[2], deliveries, owner }
      end
    else
      redis.call('XCLAIM', KEYS[1], group, consumer, 0, id)
      held_now[#held_now + 1] = { id, count + 1, found[2] }
    end
  end
  if owner ~= consumer then from[owner] = true end
end
-- Consumers that died and have nothing left.
for owner in pairs(from) do
  if #redis.call('XPENDING', KEYS[1], group, '-', '+', 1, owner) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, owner)
  end
end

while #held_now < most do
  local got = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most - #held_now, 'STREAMS', KEYS[1], '>')
  if not got then break end
  for _, entry in ipairs(got[1][2]) do
    local only = field(entry[2], 'g')
    if only and only ~= group then
      redis.call('XACK', KEYS[1], group, entry[1])
    else
      held_now[#held_now + 1] = { entry[1], 1, entry[2] }
    end
  end
end
return { held_now, parked_now }
