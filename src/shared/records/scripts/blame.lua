-- blame(P, id, epoch, 'failure' | 'restart', JSON) -> 1 when it was noted, 0 when epoch or state moved on
-- The first reason stands. The orchestrator acts on it; a part never ends its upload itself.
local key = upload_key(ARGV[2])
local record = redis.call('HMGET', key, 'epoch', 'state')
if record[1] ~= ARGV[3] or ENDED[record[2]] then return 0 end
return redis.call('HSETNX', key, ARGV[4], ARGV[5])
