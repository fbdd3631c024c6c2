-- expire(P, id, error JSON) -> 1 when an upload that still waited for its turn was overdue, and ended
-- One that a person cancelled meanwhile ends as they want it. Its session stays: nobody came to clean it up.
-- Running ones look at their deadline themselves.
local id = ARGV[2]
local key = upload_key(id)
local now = now_ms()
local record = redis.call('HMGET', key, 'state', 'account', 'destination', 'deadline', 'desired')
if record[1] ~= 'queued' or tonumber(record[4]) > now then return 0 end
redis.call('HSET', key, 'error', ARGV[3], 'updatedAt', now)
redis.call('HINCRBY', key, 'rev', 1)
change_state(id, record[2], record[3], 'queued', record[5] == 'cancel' and 'cancelled' or 'failed', now)
return 1
