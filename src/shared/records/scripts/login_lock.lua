-- login_lock(P, account, token, ms) -> 1, or 0 when somebody else has it
-- Keeps the lock for so long, or takes it back if nobody has it; 0 ms gives it up.
local key = P .. ':account:' .. ARGV[2] .. ':login-lock'
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[3] then return 0 end
if tonumber(ARGV[4]) > 0 then
  redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
else
  redis.call('DEL', key)
end
return 1
