-- KEYS: journal. ARGV: after, most. Entries, from the beginning where the journal is younger than `after`.
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then
  if string.find(info.err, 'no such key', 1, true) then return {} end
  return info
end
local start = ARGV[1]
if less(field(info, 'last-generated-id'), start) then start = '0-0' end
return redis.call('XRANGE', KEYS[1], '(' .. start, '+', 'COUNT', ARGV[2])
