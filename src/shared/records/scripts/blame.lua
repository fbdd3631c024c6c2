-- blame(P, id, epoch, run or '', part '<blob>/<number>' or '', 'failure' | 'restart', JSON)
-- -> 1 when it was noted, 0 when epoch, run or state moved on, or the part has arrived by another run
-- The first reason stands. The orchestrator acts on it; a part never ends its upload itself.
local key = upload_key(ARGV[2])
local record = redis.call('HMGET', key, 'epoch', 'run', 'state')
if record[1] ~= ARGV[3] or record[3] == 'queued' or ENDED[record[3]] then return 0 end
if ARGV[4] ~= '' and record[2] ~= ARGV[4] then return 0 end
if ARGV[5] ~= '' then
  if record[3] ~= 'transferring' then return 0 end
  if redis.call('HEXISTS', key .. ':parts:' .. ARGV[3], ARGV[5]) == 1 then return 0 end
end
return redis.call('HSETNX', key, ARGV[6], ARGV[7])
