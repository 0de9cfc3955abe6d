-- ARGV: group, consumer, id, fence, deliveries so far, kind, version, body, why, parked_bound.
if not held(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 'not-held' end
park(ARGV[1], ARGV[2], ARGV[3], { 'k', ARGV[6], 'v', ARGV[7], 'b', ARGV[8] }, ARGV[5], ARGV[9], ARGV[10])
return 'parked'
