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
-- What its names are bound to belongs to whoever it was; the next account of this id may be somebody else.
local bound = redis.call('SMEMBERS', P .. ':bindings:' .. account)
for first = 1, #bound, 1000 do
  local names = {}
  for index = first, math.min(first + 999, #bound) do
    names[#names + 1] = P .. ':binding:' .. bound[index]
  end
  redis.call('UNLINK', unpack(names))
end
redis.call('UNLINK', P .. ':bindings:' .. account)
redis.call('ZREM', P .. ':accounts', account)
redis.call('ZREM', P .. ':accounts:waiting', account)
return 0
