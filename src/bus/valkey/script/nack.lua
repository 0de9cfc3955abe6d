-- ARGV: group, consumer, id, fence, deliveries so far, kind, version, body.
-- The message goes to the end of its stream, for its own group alone: so those who wait for new ones get it at once.
if not held(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 'not-held' end
redis.call('XADD', KEYS[1], '*', 'k', ARGV[6], 'v', ARGV[7], 'b', ARGV[8], 'g', ARGV[1], 'n', ARGV[5])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
free(ARGV[3])
return 'back'
