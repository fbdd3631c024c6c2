-- remove(P, id) -> 1 when an ended upload was forgotten, else 0. The ledger stays.
local id = ARGV[2]
local key = upload_key(id)
local record = redis.call('HMGET', key, 'state', 'account', 'epoch')
if not record[1] then
  redis.call('ZREM', P .. ':ended', id)
  return 0
end
if not ENDED[record[1]] then return 0 end
index_state(record[2], id, record[1], nil)
redis.call('ZREM', P .. ':uploads', id)
redis.call('ZREM', P .. ':uploads:account:' .. record[2], id)
redis.call('ZREM', P .. ':ended', id)
redis.call('UNLINK', key, key .. ':digests', key .. ':runs', key .. ':crashed')
for epoch = 1, tonumber(record[3]) do
  redis.call('UNLINK', key .. ':parts:' .. epoch, key .. ':sending:' .. epoch, key .. ':tickets:' .. epoch)
end
return 1
