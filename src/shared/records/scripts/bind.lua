-- bind(P, id, epoch, rev, draft JSON, destination key, remote id, binding)
-- -> {'ok', rev} | {'stale'} | {'taken', owner}
-- Saves the draft, and from now on the destination is known by its remote id, to whoever waits for the same
-- name too. Those who meant the old place by its id stay there.
local id, to = ARGV[2], ARGV[6]
local key = upload_key(id)
local record = redis.call('HMGET', key, 'epoch', 'rev', 'state', 'destination')
if not record[1] or record[1] ~= ARGV[3] or record[2] ~= ARGV[4] or ENDED[record[3]] then return { 'stale' } end

local from = record[4]
if from ~= to then
  local owner = redis.call('GET', owner_key(to))
  if owner and owner ~= id then return { 'taken', owner } end
  redis.call('LREM', queue_key(from), 1, id)
  local others = redis.call('LRANGE', queue_key(to), 0, -1)
  redis.call('DEL', queue_key(to))
  redis.call('RPUSH', queue_key(to), id)
  for _, waiter in ipairs(redis.call('LRANGE', queue_key(from), 0, -1)) do
    if ARGV[8] ~= '' and redis.call('HGET', upload_key(waiter), 'binding') == ARGV[8] then
      redis.call('LREM', queue_key(from), 1, waiter)
      redis.call('RPUSH', queue_key(to), waiter)
      redis.call('HSET', upload_key(waiter), 'destination', to)
    end
  end
  for _, waiter in ipairs(others) do
    redis.call('RPUSH', queue_key(to), waiter)
    withdraw(waiter, redis.call('HGET', upload_key(waiter), 'account'))
  end
  redis.call('SET', owner_key(to), id)
  redis.call('HSET', key, 'destination', to)
  leave_line(id, from)
end
if ARGV[8] ~= '' then
  local binding = P .. ':binding:' .. ARGV[8]
  -- What the name meant before, in case this upload ends badly and takes its new place with it.
  redis.call('HSETNX', key, 'bindingBefore', redis.call('GET', binding) or '')
  redis.call('HSETNX', key, 'destinationBefore', from)
  redis.call('SET', binding, cjson.encode({ key = to, remoteId = ARGV[7] }))
  redis.call('SADD', P .. ':bindings:' .. redis.call('HGET', key, 'account'), ARGV[8])
end
redis.call('HSET', key, 'draft', ARGV[5], 'updatedAt', now_ms())
return { 'ok', redis.call('HINCRBY', key, 'rev', 1) }
