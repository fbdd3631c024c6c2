-- change_account(P, id, by, then field, value …) -> login seq, or nil when there is no such account
-- by: 'work' | 'person', who made it work again | 'secrets', a person too: new ones, with a budget of their own
local key = P .. ':account:' .. ARGV[2]
-- One that was removed meanwhile must not come back as a few fields.
if redis.call('HEXISTS', key, 'id') == 0 then return nil end
redis.call('HSET', key, unpack(ARGV, 4))
if ARGV[3] == 'work' then return tonumber(redis.call('HGET', key, 'loginSeq') or 0) end
if ARGV[3] == 'secrets' then redis.call('DEL', key .. ':login-spent') end
redis.call('HSET', key, 'personAt', now_ms())
redis.call('PUBLISH', P .. ':wake', ARGV[2])
return redis.call('HINCRBY', key, 'loginSeq', 1)
