-- begin(P, id, job id, instance, record version) -> {distinct crashes since the last progress, flat record}
-- A job that another process began and never ended was in its hands when that process died.
local key = upload_key(ARGV[2])
local runs = key .. ':runs'
local before = redis.call('HGET', runs, ARGV[3])
if before and before ~= ARGV[4] then redis.call('SADD', key .. ':crashed', before) end
local record = redis.call('HGETALL', key)
local known = redis.call('HMGET', key, 'state', 'v')
if #record > 0 and not ENDED[known[1]] and known[2] == ARGV[5] then
  redis.call('HSET', runs, ARGV[3], ARGV[4])
end
return { redis.call('SCARD', key .. ':crashed'), record }
