-- remove_account(P, account) -> uploads of it that have not ended; removed only when there are none
local account = ARGV[2]
local open = 0
for _, state in ipairs({ 'queued', 'preparing', 'transferring', 'finishing', 'confirming' }) do
  open = open + redis.call('ZCARD', P .. ':uploads:account:' .. account .. ':state:' .. state)
end
if open > 0 then return open end
local key = P .. ':account:' .. account
redis.call('UNLINK', key, key .. ':parked', key .. ':leases:calls', key .. ':leases:parts', key .. ':login-lock',
  key .. ':login-spent', key .. ':circuit:calls', key .. ':circuit:parts', key .. ':last:calls')
redis.call('ZREM', P .. ':accounts', account)
redis.call('ZREM', P .. ':accounts:waiting', account)
return 0
