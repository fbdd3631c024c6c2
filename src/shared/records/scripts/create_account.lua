-- create_account(P, id, then field, value …) -> 1, or 0 when the id is taken
local id = ARGV[2]
local key = P .. ':account:' .. id
-- Without an id it is no account, only what is left of one.
if redis.call('HEXISTS', key, 'id') == 1 then return 0 end
redis.call('UNLINK', key)
local now = now_ms()
-- Counts from now: what an account of the same id began, that was removed since, does not fit this one.
redis.call('HSET', key, 'id', id, 'createdAt', now, 'loginSeq', now, unpack(ARGV, 3))
redis.call('ZADD', P .. ':accounts', 0, id)
return 1
