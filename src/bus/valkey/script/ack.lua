-- ARGV: group, consumer, id, fence.
if not held(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 'not-held' end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
free(ARGV[3])
return 'done'
