-- park(P, account, ms, why): nothing of this account is sent until then; the longest order stands
local key = P .. ':account:' .. ARGV[2] .. ':parked'
if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('SET', key, ARGV[4], 'PX', ARGV[3]) end
return 0
