-- tickets(P, id, epoch, rev, 'instead' | 'too', then name, sealed ticket …) -> 1, or 0 when the caller's view is outdated
-- Keeps an epoch's tickets, in place of those known before or beside them. A late worker brings nothing back.
local key = upload_key(ARGV[2])
local record = redis.call('HMGET', key, 'epoch', 'rev', 'state')
if record[1] ~= ARGV[3] or record[2] ~= ARGV[4] or ENDED[record[3]] then return 0 end
local tickets = key .. ':tickets:' .. ARGV[3]
if ARGV[5] == 'instead' then redis.call('DEL', tickets) end
if #ARGV > 5 then redis.call('HSET', tickets, unpack(ARGV, 6)) end
return 1
