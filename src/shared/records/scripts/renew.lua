-- renew(P, lease ms, then account, kind, member …): whoever still works keeps its leases
local expires = now_ms() + tonumber(ARGV[2])
for index = 3, #ARGV, 3 do
  local leases = P .. ':account:' .. ARGV[index] .. ':leases:' .. ARGV[index + 1]
  redis.call('ZADD', leases, 'XX', 'GT', expires, ARGV[index + 2])
end
return 0
