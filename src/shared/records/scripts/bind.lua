-- bind(P, id, epoch, rev, draft JSON, destination key, remote id, binding)
-- -> {'ok', rev} | {'stale'} | {'taken', owner}
-- Saves the draft, and from now on the destination is known by its remote id, to whoever waits for the same
-- name too. Those who meant the old place by its id, or have a session there, stay there.
local id, to = ARGV[2], ARGV[6]
local key = upload_key(id)
local record = redis.call('HMGET', key, 'epoch', 'rev', 'state', 'destination', 'unbound')
if not record[1] or record[1] ~= ARGV[3] or record[2] ~= ARGV[4] or ENDED[record[3]] then return { 'stale' } end

local from = record[4]
if from ~= to then
  local owner = redis.call('GET', owner_key(to))
  if owner and owner ~= id then return { 'taken', owner } end
  -- It runs there from now on, before all who wait there.
  local head = redis.call('LINDEX', queue_key(to), 0)
  if head then withdraw(head, redis.call('HGET', upload_key(head), 'account')) end
  redis.call('LPUSH', queue_key(to), id)
  redis.call('SET', owner_key(to), id)
  redis.call('HSET', key, 'destination', to)
  leave_line(id, from)
end
if ARGV[8] ~= '' then
  local binding = P .. ':binding:' .. ARGV[8]
  -- An older record does not say where its name leads unbound.
  local before = place_of_name(ARGV[8], record[5] or from)
  -- What the name meant before, in case this upload ends badly and takes its new place with it.
  redis.call('HSETNX', key, 'bindingBefore', redis.call('GET', binding) or '')
  redis.call('SET', binding, cjson.encode({ key = to, remoteId = ARGV[7] }))
  redis.call('SADD', P .. ':bindings:' .. redis.call('HGET', key, 'account'), ARGV[8])
  move_line(ARGV[8], before, to)
end
redis.call('HSET', key, 'draft', ARGV[5], 'updatedAt', now_ms())
return { 'ok', redis.call('HINCRBY', key, 'rev', 1) }
