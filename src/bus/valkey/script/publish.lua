-- ARGV: bound, kind, version, body. The id, or nothing where the stream is full.
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', 'k', ARGV[2], 'v', ARGV[3], 'b', ARGV[4])
