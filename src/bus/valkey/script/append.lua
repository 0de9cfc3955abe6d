-- KEYS: journal. ARGV: bound, then kind, version, body of each. The last id, or nothing where the journal is full.
local entries = (#ARGV - 1) / 3
if redis.call('XLEN', KEYS[1]) + entries > tonumber(ARGV[1]) then return false end
local id
for i = 2, #ARGV, 3 do
  id = redis.call('XADD', KEYS[1], '*', 'k', ARGV[i], 'v', ARGV[i + 1], 'b', ARGV[i + 2])
end
return id
