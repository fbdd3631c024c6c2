-- remove(P, id, time) -> 1 when an upload that ended before that time was forgotten, else 0. The ledger stays.
local id = ARGV[2]
local key = upload_key(id)
local record = redis.call('HMGET', key, 'state', 'account', 'epoch')
local account, epochs = record[2] or '', tonumber(record[3]) or 0
if not ENDED[record[1]] then
  -- One of those that are not there, or not ended, would be found again and again.
  redis.call('ZREM', P .. ':ended', id)
  return 0
end
-- It may have been tried again, and have ended again, since the caller looked.
local ended = redis.call('ZSCORE', P .. ':ended', id)
if ended and tonumber(ended) > tonumber(ARGV[3]) then return 0 end
index_state(account, id, record[1], nil)
redis.call('ZREM', P .. ':uploads', id)
redis.call('ZREM', P .. ':uploads:account:' .. account, id)
redis.call('ZREM', P .. ':ended', id)
redis.call('UNLINK', key, key .. ':digests', key .. ':runs', key .. ':crashed')
for epoch = 1, epochs do
  redis.call('UNLINK', key .. ':parts:' .. epoch, key .. ':sending:' .. epoch, key .. ':tickets:' .. epoch)
end
return 1
