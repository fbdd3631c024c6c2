-- create_account(P, id, then field, value …) -> 1, or 0 when the id is taken
local id = ARGV[2]
local key = P .. ':account:' .. id
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, 'id', id, 'createdAt', now_ms(), unpack(ARGV, 3))
redis.call('ZADD', P .. ':accounts', 0, id)
return 1
