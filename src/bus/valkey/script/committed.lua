-- KEYS: journal, what its readers committed. ARGV: reader, through, every reader.
local own = redis.call('HGET', KEYS[2], ARGV[1])
if not own or less(own, ARGV[2]) then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
local least
for i = 3, #ARGV do
  local through = redis.call('HGET', KEYS[2], ARGV[i])
  if not through then return 0 end
  if not least or less(through, least) then least = through end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', after(least))
