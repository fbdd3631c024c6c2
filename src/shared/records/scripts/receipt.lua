-- receipt(P, id, epoch, blob, number, receipt JSON or '', bytes, parts of the blob)
-- -> {'ok', number of the part to send next, 0 when none} | {'stale'}
-- Saves the receipt once, counts it once, and claims the next missing part. A part that runs again after a
-- crash is told the same claim, so no part is ever left to nobody.
local id, epoch, blob, number, total = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[8])
local key = upload_key(id)
local record = redis.call('HMGET', key, 'epoch', 'state', 'failure', 'restart', 'desired')
if record[1] ~= epoch or record[2] ~= 'transferring' then return { 'stale' } end

local parts, sending = key .. ':parts:' .. epoch, key .. ':sending:' .. epoch
if ARGV[6] ~= '' and redis.call('HSETNX', parts, blob .. '/' .. number, ARGV[6]) == 1 then
  redis.call('HINCRBY', key, 'partsDone', 1)
  redis.call('HINCRBY', key, 'bytesSent', ARGV[7])
  redis.call('HSET', key, 'updatedAt', now_ms())
  redis.call('HDEL', key, 'waitingFor')
  redis.call('DEL', key .. ':crashed')
end
if record[3] or record[4] or record[5] ~= 'run' then return { 'ok', 0 } end

local claim_field = 'claim/' .. blob .. '/' .. number
local claim = redis.call('HGET', sending, claim_field)
if not claim then
  local next_field = 'next/' .. blob
  local next_part = tonumber(redis.call('HGET', sending, next_field) or total + 1)
  while next_part <= total and redis.call('HEXISTS', parts, blob .. '/' .. next_part) == 1 do
    next_part = next_part + 1
  end
  claim = next_part <= total and next_part or 0
  redis.call('HSET', sending, claim_field, claim, next_field, next_part + 1)
end
return { 'ok', tonumber(claim) }
