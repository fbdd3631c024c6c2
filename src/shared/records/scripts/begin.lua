-- begin(P, id, job id, instance, record version, ms within which crashes are one)
-- -> {crashes since the last progress, flat record, its flat account, now in ms}
-- A job that another process began and never ended was in its hands when that process died.
local key = upload_key(ARGV[2])
local runs = key .. ':runs'
local before = redis.call('HGET', runs, ARGV[3])
local crashed = key .. ':crashed'
if before and before ~= ARGV[4] and redis.call('HSETNX', crashed, before, 1) == 1 then
  -- A power cut kills many processes at once, and is one crash.
  local last = redis.call('HGET', crashed, '@last')
  if not last or now_ms() - last >= tonumber(ARGV[6]) then redis.call('HINCRBY', crashed, '@count', 1) end
  redis.call('HSET', crashed, '@last', now_ms())
end
local record = redis.call('HGETALL', key)
local known = redis.call('HMGET', key, 'state', 'v', 'account')
if #record > 0 and not ENDED[known[1]] and known[2] == ARGV[5] then
  redis.call('HSET', runs, ARGV[3], ARGV[4])
end
local account = known[3] and redis.call('HGETALL', P .. ':account:' .. known[3]) or {}
return { tonumber(redis.call('HGET', crashed, '@count') or 0), record, account, now_ms() }
