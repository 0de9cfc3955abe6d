-- ARGV: group, consumer. What a consumer still holds would go with it, so it stays until that is claimed.
local holds = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if holds.err then
  if string.find(holds.err, 'NOGROUP', 1, true) then return 0 end
  return holds
end
if #holds == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
return 0
